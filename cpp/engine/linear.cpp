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

constexpr int64_t kTaskBytes = 24 * 1024;  // of weights, when one vector passes them once
constexpr int64_t kRowStep = 16;          // rows of a task are a multiple of it
constexpr int64_t kBlockTaskRows = 64;     // when many vectors pass them
// Vectors that are looked up together: their look-ups stay in the cache while the codes pass by.
constexpr int64_t kMostLookedUp = 64;
constexpr int64_t kLookUpRows = 128;  // of a task when several vectors are looked up

int64_t round_up(int64_t n, int64_t step) { return (n + step - 1) / step * step; }

int64_t rows_for_bytes(double bytes_per_row) {
    const auto rows = static_cast<int64_t>(static_cast<double>(kTaskBytes) / std::max(bytes_per_row, 1.0));
    return std::max<int64_t>(kRowStep, rows / kRowStep * kRowStep);
}

// Groups of symbols that share a scale.
int64_t group_blocks(int bits) { return kGroupSymbols / trellis_form(bits).symbols(); }
int64_t block_look_ups(int bits) { return 16 * trellis_form(bits).symbols(); }
int64_t blocks_of(const Linear& layer) { return (layer.in() + kBlockColumns - 1) / kBlockColumns; }
int64_t groups_of(const Linear& layer, int bits) {
    return (blocks_of(layer) + group_blocks(bits) - 1) / group_blocks(bits);
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
    if (n > 1) return kLookUpRows;
    const auto rows = kTaskBytes / std::max<int64_t>(1, strip_bytes() / kCodedRows);
    return std::max<int64_t>(kCodedRows, rows / kCodedRows * kCodedRows);
}

int64_t TrellisLinear::scratch_bytes(int64_t n) const {
    return n == 1 ? 4 * kCodedRows : 4 * kLookUpRows * std::min(n, kMostLookedUp);
}

void TrellisLinear::multiply_rows(const KernelTable& k, const Input& input, int64_t first, int64_t rows,
                                  float* y, int64_t y_stride, uint8_t* scratch) const {
    auto* sums = reinterpret_cast<float*>(scratch);
    const int index = table_.bits - 2;
    const int64_t together = group_blocks(table_.bits), block_bytes = 4 * table_.bits * kCodedRows;
    const int64_t step = input.n == 1 ? kCodedRows : kLookUpRows;  // rows whose sums the scratch holds
    for (int64_t begin = first; begin < first + rows; begin += step) {
        const int64_t end = std::min(first + rows, begin + step);
        std::fill(sums, sums + input.n * step, 0.0f);
        for (int64_t block = 0, group = 0; block < blocks_; block += together, ++group)
            for (int64_t row = begin; row < end; row += kCodedRows)
                k.trellis_multiply[index](codes_ + row / kCodedRows * strip_bytes() + block * block_bytes,
                                          std::min(together, blocks_ - block),
                                          input.look_ups + block * block_look_ups(table_.bits),
                                          input.look_up_stride, input.look_up_scales + group,
                                          input.scale_stride, input.n, sums + row - begin, step);
        for (int64_t t = 0; t < input.n; ++t)
            k.multiply(sums + t * step, scales_.data() + begin, end - begin, y + t * y_stride + begin);
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

int64_t AdditiveLinear::scratch_bytes(int64_t) const { return kRowStep * in() * 4; }

void AdditiveLinear::decode_row(const KernelTable& k, int64_t row, float* y) const {
    const int64_t groups = in() / 8;
    k.additive_decode[code_bytes_ - 1](codes_ + row * groups * books_ * code_bytes_, groups, books_, entries_,
                                       codebooks_.data(), scales_[static_cast<std::size_t>(row)], y);
}

void AdditiveLinear::multiply_rows(const KernelTable& k, const Input& input, int64_t first, int64_t rows,
                                   float* y, int64_t y_stride, uint8_t* scratch) const {
    auto* decoded = reinterpret_cast<float*>(scratch);
    for (int64_t row = first; row < first + rows; row += kRowStep) {
        const int64_t valid = std::min<int64_t>(kRowStep, first + rows - row);
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
    if (const LookUpTable* table = layer.look_up_table()) {
        most_columns_ = std::max(most_columns_, blocks_of(layer) * kBlockColumns);
        most_look_ups_ = std::max(most_look_ups_, blocks_of(layer) * block_look_ups(table->bits));
        most_groups_ = std::max(most_groups_, groups_of(layer, table->bits));
    }
    reserve_rotation(layer.input_rotation());
    reserve_rotation(layer.output_rotation());
}

void Workspace::reserve_rotation(const Rotation* rotation) {
    if (rotation != nullptr) rotation_floats_ = std::max(rotation_floats_, rotation->scratch_floats());
}

int64_t Workspace::looked_up() const { return std::min(max_vectors_, kMostLookedUp); }

void Workspace::allocate() {
    scratch_.resize(threads_ * slot_bytes_);
    rotation_.resize(threads_ * rotation_floats_);
    rotated_.resize(looked_up() * most_columns_);
    look_ups_.resize(looked_up() * most_look_ups_);
    scales_.resize(looked_up() * most_groups_);
}

// Layers of a group that take the same form of the input, one after the other in the list, and
// vectors t0 … t0 + n − 1.
struct Multiplication {
    ThreadPool& pool;
    Workspace& w;
    const float* x;
    int64_t t0, n;

    Input prepare(const Linear& layer) {
        Input input;
        input.x = x + t0 * layer.in();
        input.x_stride = layer.in();
        input.n = n;
        if (layer.look_up_table() != nullptr) look_up(layer, input);
        return input;
    }

    void look_up(const Linear& layer, Input& input) {
        const LookUpTable& table = *layer.look_up_table();
        const int64_t in = layer.in(), blocks = blocks_of(layer), columns = blocks * kBlockColumns;
        for_each(pool, n, [&](int64_t slot, int64_t t) {
            float* rotated = w.rotated_.data() + t * columns;
            std::memcpy(rotated, input.x + t * in, static_cast<std::size_t>(in) * 4);
            if (layer.input_rotation() != nullptr)
                layer.input_rotation()->forward(w.kernels(), rotated, w.rotation_scratch(slot));
            std::fill(rotated + in, rotated + columns, 0.0f);
        });
        const int64_t groups = groups_of(layer, table.bits), together = group_blocks(table.bits);
        input.look_ups = w.look_ups_.data();
        input.look_up_stride = blocks * block_look_ups(table.bits);
        input.look_up_scales = w.scales_.data();
        input.scale_stride = groups;
        for_each(pool, n * groups, [&](int64_t, int64_t task) {
            const int64_t t = task / groups, first = task % groups * together;
            w.scales_[task] = w.kernels().trellis_look_ups[table.bits - 2](
                w.rotated_.data() + t * columns + first * kBlockColumns, std::min(together, blocks - first),
                table.entries.data(),
                w.look_ups_.data() + t * input.look_up_stride + first * block_look_ups(table.bits));
        });
    }

    void run(const Target* targets, int count) {
        const Input input = prepare(*targets[0].layer);
        const auto result = [&](const Target& target) { return target.y + t0 * target.layer->out(); };
        int64_t tasks = 0;
        for (int i = 0; i < count; ++i) tasks += task_count(*targets[i].layer);
        for_each(pool, tasks, [&](int64_t slot, int64_t task) {
            int i = 0;
            while (task >= task_count(*targets[i].layer)) task -= task_count(*targets[i++].layer);
            const Linear& layer = *targets[i].layer;
            const int64_t step = layer.task_rows(n), first = task * step;
            const int64_t rows = std::min(step, layer.out() - first);
            float* y = result(targets[i]);
            layer.multiply_rows(w.kernels(), input, first, rows, y, layer.out(), w.scratch(slot));
            if (layer.output_rotation() == nullptr && !layer.bias().empty())
                for (int64_t t = 0; t < n; ++t)
                    w.kernels().add(layer.bias().data() + first, rows, y + t * layer.out() + first);
        });
        bool is_finished = true;
        for (int i = 0; i < count; ++i) is_finished &= targets[i].layer->output_rotation() == nullptr;
        if (is_finished) return;
        for_each(pool, n * count, [&](int64_t slot, int64_t task) {
            const Linear& layer = *targets[task % count].layer;
            float* y = result(targets[task % count]) + task / count * layer.out();
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
    for (int begin = 0, end; begin < count; begin = end) {
        const Linear& first = *targets[begin].layer;
        for (end = begin + 1; end < count; ++end) {
            const Linear& next = *targets[end].layer;
            if (next.input_rotation() != first.input_rotation() || !is_looked_up_alike(next, first)) break;
        }
        const int64_t together = first.look_up_table() == nullptr ? n : kMostLookedUp;
        for (int64_t t = 0; t < n; t += together)
            Multiplication{pool, workspace, x, t, std::min(together, n - t)}.run(targets + begin, end - begin);
    }
}

}  // namespace gnomon
