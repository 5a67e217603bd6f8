#include "engine/linear.h"

#include <algorithm>
#include <stdexcept>
#include <string>
#include <utility>

#include "codecs/trellis_form.h"
#include "core/half.h"
#include "core/parallel.h"

namespace gnomon {
namespace {

constexpr int64_t kTaskBytes = 48 * 1024;  // of weights, when one vector passes them once
constexpr int64_t kBlockTaskRows = 64;     // when many vectors pass them
constexpr int64_t kLookUpBlocks = 32;      // of 32 columns, that one task makes look-ups of
// Vectors that are looked up; more are multiplied with decoded strips. Looking up rounds a little
// more, so that what is looked up alone has to be looked up in company too: a run's 256 rows.
constexpr int64_t kMostLookedUp = 256;

int64_t round_up(int64_t n, int64_t step) { return (n + step - 1) / step * step; }

int64_t rows_for_bytes(double bytes_per_row) {
    const auto rows = static_cast<int64_t>(static_cast<double>(kTaskBytes) / std::max(bytes_per_row, 1.0));
    return std::max<int64_t>(kStripRows, rows / kStripRows * kStripRows);
}

void require_size(const std::vector<float>& values, int64_t expected, const char* what) {
    if (static_cast<int64_t>(values.size()) != expected)
        throw std::invalid_argument(std::string(what) + " has " + std::to_string(values.size()) +
                                    " entries; expected " + std::to_string(expected) + ".");
}

}  // namespace

void Linear::set_bias(std::vector<float> bias) {
    if (!bias.empty()) require_size(bias, out_, "A bias");
    bias_ = std::move(bias);
}

// ------------------------------------------------------------------------------------- dense

DenseLinear::DenseLinear(std::shared_ptr<const void> owner, const void* weights, Dtype dtype,
                         int64_t out, int64_t in, std::vector<float> scales)
    : Linear(out, in),
      owner_(std::move(owner)),
      weights_(static_cast<const uint8_t*>(weights)),
      dtype_(dtype),
      scales_(std::move(scales)) {
    if (!scales_.empty() || dtype == Dtype::i8) require_size(scales_, out, "A dense layer's scales");
}

int64_t DenseLinear::weight_bytes() const {
    return out() * in() * dtype_bytes(dtype_) + static_cast<int64_t>(scales_.size()) * 4;
}

int64_t DenseLinear::task_rows(int64_t n) const {
    if (n >= 8) return kBlockTaskRows;
    return rows_for_bytes(static_cast<double>(in() * dtype_bytes(dtype_)));
}

void DenseLinear::multiply_rows(const KernelTable& k, const Input& input, int64_t first, int64_t rows,
                                float* y, int64_t y_stride, uint8_t*) const {
    k.dense[static_cast<int>(dtype_)](weights_ + first * in() * dtype_bytes(dtype_), in(), rows, in(),
                                      input.x, input.x_stride, input.n, y + first, y_stride);
    if (scales_.empty()) return;
    for (int64_t t = 0; t < input.n; ++t)
        k.multiply(y + t * y_stride + first, scales_.data() + first, rows, y + t * y_stride + first);
}

void DenseLinear::read_row(const KernelTable&, int64_t row, float* y, float*) const {
    const uint8_t* at = weights_ + row * in() * dtype_bytes(dtype_);
    const auto* halves = reinterpret_cast<const uint16_t*>(at);
    const float scale = scales_.empty() ? 1.0f : scales_[static_cast<std::size_t>(row)];
    switch (dtype_) {
        case Dtype::f32: std::memcpy(y, at, static_cast<std::size_t>(in()) * 4); break;
        case Dtype::f16:
            for (int64_t i = 0; i < in(); ++i) y[i] = f16_to_float(halves[i]);
            break;
        case Dtype::bf16:
            for (int64_t i = 0; i < in(); ++i) y[i] = bf16_to_float(halves[i]);
            break;
        case Dtype::i8:
            for (int64_t i = 0; i < in(); ++i) y[i] = static_cast<float>(static_cast<int8_t>(at[i]));
            break;
    }
    if (!scales_.empty())
        for (int64_t i = 0; i < in(); ++i) y[i] *= scale;
}

// ------------------------------------------------------------------------------------- trellis

TrellisLinear::TrellisLinear(std::shared_ptr<const void> owner, const uint8_t* codes,
                             const int8_t* table, std::vector<float> scales, int bits, int64_t out,
                             int64_t in, std::shared_ptr<const Rotation> input_rotation,
                             std::shared_ptr<const Rotation> output_rotation)
    : Linear(out, in),
      owner_(std::move(owner)),
      codes_(codes),
      table_{bits, {}},
      scales_(std::move(scales)),
      blocks_(round_up(in, kBlockColumns) / kBlockColumns),
      input_rotation_(std::move(input_rotation)),
      output_rotation_(std::move(output_rotation)) {
    if (bits < 2 || bits > 4)
        throw std::invalid_argument("A trellis layer has 2, 3 or 4 bits, not " + std::to_string(bits) + ".");
    if (in > kMostColumns)
        throw std::invalid_argument("A trellis layer may have " + std::to_string(kMostColumns) +
                                    " columns, not " + std::to_string(in) + ".");
    require_size(scales_, out, "A trellis layer's scales");
    if (input_rotation_ && input_rotation_->width() != in)
        throw std::invalid_argument("The input rotation's width is not the layer's.");
    if (output_rotation_ && output_rotation_->width() != out)
        throw std::invalid_argument("The output rotation's width is not the layer's.");
    const TrellisForm form = trellis_form(bits);
    table_.entries.assign(table, table + form.table_size());
    for (int d = 0; d < form.columns; ++d) {
        int reach = 0;
        for (int j = 0; j < form.window; ++j) {
            int largest = 0;
            for (int v = 0; v < form.values(); ++v)
                largest = std::max(largest, std::abs(table[(j * form.values() + v) * form.columns + d]));
            reach += largest;
        }
        if (reach > 127)
            throw std::invalid_argument("A trellis table's weights go up to " + std::to_string(reach) +
                                        "; at most 127 is expected.");
    }
}

int64_t TrellisLinear::weight_bytes() const {
    return round_up(out(), kCodedRows) / kCodedRows * strip_bytes() +
           static_cast<int64_t>(table_.entries.size()) + 4 * out();
}

int64_t TrellisLinear::task_rows(int64_t n) const {
    if (n > kMostLookedUp) return kCodedRows;
    const auto rows = kTaskBytes / std::max<int64_t>(1, strip_bytes() / kCodedRows);
    return std::max<int64_t>(kCodedRows, rows / kCodedRows * kCodedRows);
}

int64_t TrellisLinear::scratch_bytes(int64_t n) const {
    return kCodedRows * (kBlockColumns * blocks_ + 4 * n);
}

void TrellisLinear::multiply_rows(const KernelTable& k, const Input& input, int64_t first, int64_t rows,
                                  float* y, int64_t y_stride, uint8_t* scratch) const {
    auto* acc = reinterpret_cast<int32_t*>(scratch + kCodedRows * kBlockColumns * blocks_);
    const int index = table_.bits - 2;
    for (int64_t row = first; row < first + rows; row += kCodedRows) {
        const uint8_t* codes = codes_ + row / kCodedRows * strip_bytes();
        const int64_t valid = std::min<int64_t>(kCodedRows, first + rows - row);
        if (input.look_ups != nullptr) {
            for (int64_t t = 0; t < input.n; ++t) {
                k.trellis_dot[index](codes, blocks_, input.look_ups + t * input.look_up_stride, acc);
                k.scale_sums(acc, scales_.data() + row, input.q_scales[t] * input.look_up_scales[t], valid,
                             y + t * y_stride + row);
            }
            continue;
        }
        k.trellis_decode[index](codes, blocks_, table_.entries.data(), scratch);
        k.strip_multiply(scratch, kCodedRows / kStripRows, 2 * blocks_, input.q, input.q_stride, input.q_sums,
                         input.n, acc, kCodedRows);
        for (int64_t t = 0; t < input.n; ++t)
            k.scale_sums(acc + t * kCodedRows, scales_.data() + row, input.q_scales[t], valid,
                         y + t * y_stride + row);
    }
}

void TrellisLinear::read_row(const KernelTable& k, int64_t row, float* y, float* scratch) const {
    if (output_rotation_)
        throw std::invalid_argument("A layer with an output rotation has no rows to read.");
    const TrellisForm form = trellis_form(table_.bits);
    const uint8_t* codes = codes_ + row / kCodedRows * strip_bytes() + row % kCodedRows;
    const float scale = scales_[static_cast<std::size_t>(row)];
    const auto byte = [&](int plane) { return codes[plane * kCodedRows]; };
    for (int64_t b = 0; b < blocks_; ++b, codes += 4 * table_.bits * kCodedRows) {
        int symbols[kBlockColumns];
        for (int s = 0; s < form.symbols(); ++s)
            symbols[s] = table_.bits == 3
                             ? (byte(s / 4) >> (2 * (s % 4)) & 3) | (byte(8 + s / 8) >> (s % 8) & 1) << 2
                             : byte(s / 2) >> (4 * (s % 2)) & 15;
        const int64_t begin = b * kBlockColumns, end = std::min<int64_t>(in(), begin + kBlockColumns);
        for (int64_t column = begin; column < end; ++column) {
            const int s = static_cast<int>(column - begin) / form.columns;
            const int d = static_cast<int>(column - begin) % form.columns;
            int sum = 0;
            for (int j = 0; j < form.window; ++j)
                sum += table_.entries[static_cast<std::size_t>(
                    (j * form.values() + symbols[(s + j) % form.symbols()]) * form.columns + d)];
            y[column] = scale * static_cast<float>(sum);
        }
    }
    if (input_rotation_) input_rotation_->inverse(k, y, scratch);
}

// ------------------------------------------------------------------------------------- additive

AdditiveLinear::AdditiveLinear(std::shared_ptr<const void> owner, const void* codes, int64_t code_bytes,
                               int64_t books, int64_t entries, std::vector<float> codebooks,
                               std::vector<float> scales, int64_t out, int64_t in)
    : Linear(out, in),
      owner_(std::move(owner)),
      codes_(static_cast<const uint8_t*>(codes)),
      code_bytes_(code_bytes),
      books_(books),
      entries_(entries),
      codebooks_(std::move(codebooks)),
      scales_(std::move(scales)) {
    if (in % 8 != 0)
        throw std::invalid_argument("Additive codes need a multiple of 8 columns, not " +
                                    std::to_string(in) + ".");
    if (code_bytes != 1 && code_bytes != 2)
        throw std::invalid_argument("Additive codes have one or two bytes, not " +
                                    std::to_string(code_bytes) + ".");
    if (entries < 1 || entries > int64_t{1} << (8 * code_bytes) || (entries & (entries - 1)) != 0)
        throw std::invalid_argument("Additive code books have a power of two of entries that their codes "
                                    "reach, not " + std::to_string(entries) + ".");
    require_size(codebooks_, books * entries * 8, "An additive layer's code books");
    require_size(scales_, out, "An additive layer's scales");
}

int64_t AdditiveLinear::weight_bytes() const {
    return out() * (in() / 8) * books_ * code_bytes_ + 4 * out() +
           4 * static_cast<int64_t>(codebooks_.size());
}

int64_t AdditiveLinear::task_rows(int64_t) const {
    return rows_for_bytes(static_cast<double>(in() / 8 * books_ * code_bytes_));
}

int64_t AdditiveLinear::scratch_bytes(int64_t) const { return kStripRows * in() * 4; }

void AdditiveLinear::decode_row(const KernelTable& k, int64_t row, float* y) const {
    const int64_t groups = in() / 8;
    k.additive_decode[code_bytes_ - 1](codes_ + row * groups * books_ * code_bytes_, groups, books_, entries_,
                                       codebooks_.data(), scales_[static_cast<std::size_t>(row)], y);
}

void AdditiveLinear::multiply_rows(const KernelTable& k, const Input& input, int64_t first, int64_t rows,
                                   float* y, int64_t y_stride, uint8_t* scratch) const {
    auto* decoded = reinterpret_cast<float*>(scratch);
    for (int64_t row = first; row < first + rows; row += kStripRows) {
        const int64_t valid = std::min<int64_t>(kStripRows, first + rows - row);
        for (int64_t r = 0; r < valid; ++r) decode_row(k, row + r, decoded + r * in());
        k.dense[static_cast<int>(Dtype::f32)](decoded, in(), valid, in(), input.x, input.x_stride,
                                              input.n, y + row, y_stride);
    }
}

void AdditiveLinear::read_row(const KernelTable& k, int64_t row, float* y, float*) const {
    decode_row(k, row, y);
}

// ------------------------------------------------------------------------------------- groups

void Workspace::reserve(const Linear& layer) {
    slot_bytes_ = std::max(slot_bytes_, round_up(layer.scratch_bytes(max_vectors_), 64));
    vector_floats_ = std::max(vector_floats_, round_up(std::max(layer.in(), layer.out()), 16));
    if (layer.is_quantized_input()) q_stride_ = std::max(q_stride_, round_up(layer.in(), 64));
    if (const LookUpTable* table = layer.look_up_table())
        most_symbols_ = std::max(most_symbols_, round_up(layer.in(), kBlockColumns) / kBlockColumns *
                                                    trellis_form(table->bits).symbols());
    reserve_rotation(layer.input_rotation());
    reserve_rotation(layer.output_rotation());
}

void Workspace::reserve_rotation(const Rotation* rotation) {
    if (rotation != nullptr) rotation_floats_ = std::max(rotation_floats_, rotation->scratch_floats());
}

void Workspace::allocate() {
    scratch_.resize(threads_ * slot_bytes_);
    vectors_.resize(threads_ * vector_floats_);
    rotation_.resize(threads_ * rotation_floats_);
    if (q_stride_ == 0) return;
    q_.resize(max_vectors_ * q_stride_);
    q_scales_.resize(max_vectors_);
    q_sums_.resize(max_vectors_);
    const int64_t vectors = std::min(max_vectors_, kMostLookedUp);
    products_.resize(vectors * 16 * most_symbols_);
    look_ups_.resize(vectors * 16 * most_symbols_);
    largest_.resize(vectors * (most_symbols_ / kLookUpBlocks + 1));
    look_up_scales_.resize(vectors);
}

// Layers of a group that take the same form of the input, one after the other in the list.
struct Multiplication {
    ThreadPool& pool;
    Workspace& w;
    const float* x;
    int64_t n;

    Input prepare(const Linear& layer) {
        Input input;
        input.x = x;
        input.x_stride = layer.in();
        input.n = n;
        if (!layer.is_quantized_input()) return input;
        const int64_t in = layer.in(), stride = round_up(in, 64);
        const Rotation* rotation = layer.input_rotation();
        for_each(pool, n, [&](int64_t slot, int64_t t) {
            const float* row = x + t * in;
            if (rotation != nullptr) {
                std::memcpy(w.vector(slot), row, static_cast<std::size_t>(in) * 4);
                rotation->forward(w.kernels(), w.vector(slot), w.rotation_scratch(slot));
                row = w.vector(slot);
            }
            int8_t* q = w.q_.data() + t * stride;
            w.q_scales_[t] = w.kernels().quantize(row, in, q, &w.q_sums_[t]);
            std::memset(q + in, 0, static_cast<std::size_t>(stride - in));
        });
        input.q = w.q_.data();
        input.q_stride = stride;
        input.q_scales = w.q_scales_.data();
        input.q_sums = w.q_sums_.data();
        if (n <= kMostLookedUp && layer.look_up_table() != nullptr) look_up(layer, input);
        return input;
    }

    void look_up(const Linear& layer, Input& input) {
        const LookUpTable& table = *layer.look_up_table();
        const int64_t blocks = round_up(layer.in(), kBlockColumns) / kBlockColumns;
        const int64_t numbers = 16 * trellis_form(table.bits).symbols();  // of a block
        const int64_t parts = (blocks + kLookUpBlocks - 1) / kLookUpBlocks;
        const auto count = [&](int64_t part) { return std::min(kLookUpBlocks, blocks - part * kLookUpBlocks); };
        const auto at = [&](int64_t task) {
            return (task / parts * blocks + task % parts * kLookUpBlocks) * numbers;
        };
        for_each(pool, n * parts, [&](int64_t, int64_t task) {
            const int8_t* q = input.q + task / parts * input.q_stride + task % parts * kLookUpBlocks * kBlockColumns;
            w.largest_[task] = w.kernels().trellis_products[table.bits - 2](
                q, count(task % parts), table.entries.data(), w.products_.data() + at(task));
        });
        for_each(pool, n * parts, [&](int64_t, int64_t task) {
            const int32_t* all = w.largest_.data() + task / parts * parts;
            const int32_t factor = 127 * 65536 / std::max(1, *std::max_element(all, all + parts));
            if (task % parts == 0) w.look_up_scales_[task / parts] = 65536.0f / static_cast<float>(factor);
            w.kernels().trellis_look_ups(w.products_.data() + at(task), count(task % parts) * numbers, factor,
                                         w.look_ups_.data() + at(task));
        });
        input.look_ups = w.look_ups_.data();
        input.look_up_stride = blocks * numbers;
        input.look_up_scales = w.look_up_scales_.data();
    }

    void run(const Target* targets, int count) {
        const Input input = prepare(*targets[0].layer);
        int64_t tasks = 0;
        for (int i = 0; i < count; ++i) tasks += task_count(*targets[i].layer);
        for_each(pool, tasks, [&](int64_t slot, int64_t task) {
            int i = 0;
            while (task >= task_count(*targets[i].layer)) task -= task_count(*targets[i++].layer);
            const Linear& layer = *targets[i].layer;
            const int64_t step = layer.task_rows(n), first = task * step;
            const int64_t rows = std::min(step, layer.out() - first);
            layer.multiply_rows(w.kernels(), input, first, rows, targets[i].y, layer.out(),
                                w.scratch(slot));
            if (layer.output_rotation() == nullptr && !layer.bias().empty())
                for (int64_t t = 0; t < n; ++t)
                    w.kernels().add(layer.bias().data() + first, rows,
                                    targets[i].y + t * layer.out() + first);
        });
        bool is_finished = true;
        for (int i = 0; i < count; ++i) is_finished &= targets[i].layer->output_rotation() == nullptr;
        if (is_finished) return;
        for_each(pool, n * count, [&](int64_t slot, int64_t task) {
            const Linear& layer = *targets[task % count].layer;
            float* y = targets[task % count].y + task / count * layer.out();
            if (layer.output_rotation() == nullptr) return;
            layer.output_rotation()->inverse(w.kernels(), y, w.rotation_scratch(slot));
            if (!layer.bias().empty()) w.kernels().add(layer.bias().data(), layer.out(), y);
        });
    }

    int64_t task_count(const Linear& layer) const {
        const int64_t step = layer.task_rows(n);
        return (layer.out() + step - 1) / step;
    }
};

bool is_looked_up_alike(const Linear& a, const Linear& b) {
    const LookUpTable *one = a.look_up_table(), *two = b.look_up_table();
    return one == nullptr || two == nullptr ? one == two : *one == *two;
}

void multiply_group(ThreadPool& pool, Workspace& workspace, const Target* targets, int count,
                    const float* x, int64_t n) {
    Multiplication m{pool, workspace, x, n};
    for (int begin = 0, end; begin < count; begin = end) {
        const Linear& first = *targets[begin].layer;
        for (end = begin + 1; end < count; ++end) {
            const Linear& next = *targets[end].layer;
            if (next.is_quantized_input() != first.is_quantized_input() ||
                next.input_rotation() != first.input_rotation() || !is_looked_up_alike(next, first))
                break;
        }
        m.run(targets + begin, end - begin);
    }
}

}  // namespace gnomon
