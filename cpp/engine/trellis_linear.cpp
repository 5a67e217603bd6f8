#include "engine/trellis_linear.h"

#include <algorithm>
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <utility>

namespace gnomon {
namespace {

constexpr int64_t kManyRows = 128;     // of a task when several vectors are looked up
constexpr int64_t kMostLookedUp = 64;  // vectors together

int checked_bits(int bits) {
    if (bits < 2 || bits > 4)
        throw std::invalid_argument("A trellis layer has 2, 3 or 4 bits, not " + std::to_string(bits) + ".");
    return bits;
}

int64_t whole_blocks(int64_t in) { return (in + kBlockColumns - 1) / kBlockColumns * kBlockColumns; }

}  // namespace

TrellisLookUps::TrellisLookUps(int bits, const int8_t* table, int64_t in)
    : LookUps(whole_blocks(in), kGroupSymbols * trellis_form(checked_bits(bits)).columns,
              16 / trellis_form(bits).columns, kMostLookedUp),
      bits_(bits),
      form_(trellis_form(bits)),
      table_(table, table + form_.table_size()) {
    for (int d = 0; d < form_.columns; ++d) {
        int reach = 0;
        for (int j = 0; j < form_.window; ++j) {
            int largest = 0;
            for (int v = 0; v < form_.values(); ++v)
                largest = std::max(largest, std::abs(table[(j * form_.values() + v) * form_.columns + d]));
            reach += largest;
        }
        if (reach > 127)
            throw std::invalid_argument("A trellis table's weights go up to " + std::to_string(reach) +
                                        "; at most 127 is expected.");
    }
}

float TrellisLookUps::make(const KernelTable& k, const float* x, int64_t columns, uint8_t* look_ups) const {
    return k.trellis_look_ups[bits_ - 2](x, columns / kBlockColumns, table_.data(), look_ups);
}

bool TrellisLookUps::is_same(const LookUps& other) const {
    const auto* trellis = dynamic_cast<const TrellisLookUps*>(&other);
    return trellis != nullptr && trellis->bits_ == bits_ && trellis->table_ == table_ &&
           trellis->columns() == columns();
}

TrellisLinear::TrellisLinear(std::shared_ptr<const void> owner, const uint8_t* codes,
                             const int8_t* table, std::vector<float> scales, int bits, int64_t out,
                             int64_t in, std::shared_ptr<const Rotation> input_rotation,
                             std::shared_ptr<const Rotation> output_rotation)
    : Linear(out, in),
      owner_(std::move(owner)),
      codes_(codes),
      look_ups_(bits, table, in),
      scales_(std::move(scales)),
      input_rotation_(std::move(input_rotation)),
      output_rotation_(std::move(output_rotation)) {
    require_size(scales_, out, "A trellis layer's scales");
    if (input_rotation_ && input_rotation_->width() != in)
        throw std::invalid_argument("The input rotation's width is not the layer's.");
    if (output_rotation_ && output_rotation_->width() != out)
        throw std::invalid_argument("The output rotation's width is not the layer's.");
}

int64_t TrellisLinear::weight_bytes() const {
    return (out() + kCodedRows - 1) / kCodedRows * strip_bytes() +
           static_cast<int64_t>(look_ups_.table().size()) + 4 * out();
}

int64_t TrellisLinear::task_rows(int64_t n) const {
    return n > 1 ? kManyRows : std::max<int64_t>(1, kTaskBytes / strip_bytes()) * kCodedRows;
}

int64_t TrellisLinear::scratch_bytes(int64_t n) const {
    return 4 * std::max<int64_t>(kCodedRows, kManyRows * std::min(n, look_ups_.most_vectors()));
}

void TrellisLinear::multiply_rows(const KernelTable& k, const Input& input, int64_t first, int64_t rows,
                                  float* y, int64_t y_stride, uint8_t* scratch) const {
    auto* sums = reinterpret_cast<float*>(scratch);
    const auto multiply = k.trellis_multiply[look_ups_.bits() - 2];
    const int64_t blocks = look_ups_.columns() / kBlockColumns, together = look_ups_.group_columns() / kBlockColumns;
    const int64_t step = input.n == 1 ? kCodedRows : kManyRows;  // rows whose sums the scratch holds
    for (int64_t begin = first; begin < first + rows; begin += step) {
        const int64_t end = std::min(first + rows, begin + step);
        std::fill(sums, sums + input.n * step, 0.0f);
        for (int64_t block = 0, group = 0; block < blocks; block += together, ++group)
            for (int64_t row = begin; row < end; row += kCodedRows)
                multiply(codes_ + row / kCodedRows * strip_bytes() + block * block_bytes(),
                         std::min(together, blocks - block),
                         input.look_ups + block * kBlockColumns * look_ups_.column_bytes(), input.look_up_stride,
                         input.scales + group, input.scale_stride, input.n, sums + row - begin, step);
        for (int64_t t = 0; t < input.n; ++t)
            k.multiply(sums + t * step, scales_.data() + begin, end - begin, y + t * y_stride + begin);
    }
}

void TrellisLinear::read_row(const KernelTable& k, int64_t row, float* y, float* scratch) const {
    if (output_rotation_)
        throw std::invalid_argument("A layer with an output rotation has no rows to read.");
    const TrellisForm& form = look_ups_.form();
    const uint8_t* codes = codes_ + row / kCodedRows * strip_bytes() + row % kCodedRows;
    const float scale = scales_[static_cast<std::size_t>(row)];
    const auto byte = [&](int plane) { return codes[plane * kCodedRows]; };
    for (int64_t b = 0; b < look_ups_.columns() / kBlockColumns; ++b, codes += block_bytes()) {
        int symbols[kBlockColumns];
        for (int s = 0; s < form.symbols(); ++s)
            symbols[s] = look_ups_.bits() == 3
                             ? (byte(s / 4) >> (2 * (s % 4)) & 3) | (byte(8 + s / 8) >> (s % 8) & 1) << 2
                             : byte(s / 2) >> (4 * (s % 2)) & 15;
        const int64_t begin = b * kBlockColumns, end = std::min<int64_t>(in(), begin + kBlockColumns);
        for (int64_t column = begin; column < end; ++column) {
            const int s = static_cast<int>(column - begin) / form.columns;
            const int d = static_cast<int>(column - begin) % form.columns;
            int sum = 0;
            for (int j = 0; j < form.window; ++j)
                sum += look_ups_.table()[static_cast<std::size_t>(
                    (j * form.values() + symbols[(s + j) % form.symbols()]) * form.columns + d)];
            y[column] = scale * static_cast<float>(sum);
        }
    }
    if (input_rotation_) input_rotation_->inverse(k, y, scratch);
}

}  // namespace gnomon
