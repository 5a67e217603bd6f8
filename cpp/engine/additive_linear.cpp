#include "engine/additive_linear.h"

#include <algorithm>
#include <stdexcept>
#include <string>
#include <utility>

namespace gnomon {
namespace {

constexpr int64_t kGroup = 8;          // columns that a code stands for
constexpr int64_t kEntries = 256;      // that a look-up has room for
constexpr int64_t kMostLookedUp = 8;   // vectors together: theirs are 64 times the size of a vector
constexpr int64_t kMostBooks = kGroupCodes;

}  // namespace

AdditiveLookUps::AdditiveLookUps(const std::vector<float>& codebooks, int64_t books, int64_t in)
    : LookUps(in, kGroupCodes / books * kGroup, books * kEntries / kGroup, kMostLookedUp),
      books_(books),
      codebooks_(books * kGroup * kEntries) {
    const auto entries = static_cast<int64_t>(codebooks.size()) / (books * kGroup);
    for (int64_t book = 0; book < books; ++book)
        for (int64_t entry = 0; entry < entries; ++entry)
            for (int64_t i = 0; i < kGroup; ++i)
                codebooks_[(book * kGroup + i) * kEntries + entry] =
                    codebooks[static_cast<std::size_t>((book * entries + entry) * kGroup + i)];
}

float AdditiveLookUps::make(const KernelTable& k, const float* x, int64_t columns, uint8_t* look_ups) const {
    return k.additive_look_ups(x, columns / kGroup, books_, codebooks_.data(), look_ups);
}

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
    if (code_bytes == 1 && books >= 1 && books <= kMostBooks) {
        look_ups_ = std::make_unique<AdditiveLookUps>(codebooks_, books, in);
        pack();
    }
}

// Rows side by side, as the kernel reads them, and bits of a code that are no index left out.
void AdditiveLinear::pack() {
    const int64_t codes = row_codes();
    packed_.resize((out() + kCodedRows - 1) / kCodedRows * codes * kCodedRows);
    for (int64_t row = 0; row < out(); ++row) {
        uint8_t* to = packed_.data() + row / kCodedRows * codes * kCodedRows + row % kCodedRows;
        const uint8_t* from = codes_ + row * codes;
        for (int64_t i = 0; i < codes; ++i) to[i * kCodedRows] = static_cast<uint8_t>(from[i] & (entries_ - 1));
    }
}

int64_t AdditiveLinear::weight_bytes() const {
    return out() * row_codes() * code_bytes_ + 4 * out() + 4 * static_cast<int64_t>(codebooks_.size());
}

int64_t AdditiveLinear::task_rows(int64_t) const {
    const auto bytes = static_cast<double>(row_codes() * code_bytes_);
    return look_ups_ ? (rows_for_bytes(bytes) + kCodedRows - 1) / kCodedRows * kCodedRows : rows_for_bytes(bytes);
}

int64_t AdditiveLinear::scratch_bytes(int64_t) const {
    return look_ups_ ? kCodedRows * kMostLookedUp * 4 : kRowStep * in() * 4;
}

void AdditiveLinear::decode_row(const KernelTable& k, int64_t row, float* y) const {
    k.additive_decode[code_bytes_ - 1](codes_ + row * row_codes() * code_bytes_, in() / kGroup, books_, entries_,
                                       codebooks_.data(), scales_[static_cast<std::size_t>(row)], y);
}

void AdditiveLinear::multiply_rows(const KernelTable& k, const Input& input, int64_t first, int64_t rows,
                                   float* y, int64_t y_stride, uint8_t* scratch) const {
    auto* floats = reinterpret_cast<float*>(scratch);
    if (look_ups_) {
        const int64_t codes = row_codes(), together = look_ups_->group_columns() / kGroup * books_;
        for (int64_t row = first; row < first + rows; row += kCodedRows) {
            std::fill(floats, floats + input.n * kCodedRows, 0.0f);
            for (int64_t code = 0, group = 0; code < codes; code += together, ++group)
                for (int64_t t = 0; t < input.n; ++t)
                    k.additive_multiply(packed_.data() + row * codes + code * kCodedRows,
                                        std::min(together, codes - code),
                                        input.look_ups + t * input.look_up_stride + code * kEntries,
                                        input.scales[t * input.scale_stride + group], floats + t * kCodedRows);
            const int64_t valid = std::min<int64_t>(kCodedRows, first + rows - row);
            for (int64_t t = 0; t < input.n; ++t)
                k.multiply(floats + t * kCodedRows, scales_.data() + row, valid, y + t * y_stride + row);
        }
        return;
    }
    for (int64_t row = first; row < first + rows; row += kRowStep) {
        const int64_t valid = std::min<int64_t>(kRowStep, first + rows - row);
        for (int64_t r = 0; r < valid; ++r) decode_row(k, row + r, floats + r * in());
        k.dense[static_cast<int>(Dtype::f32)](floats, in(), valid, in(), input.x, input.x_stride, input.n, y + row,
                                              y_stride);
    }
}

void AdditiveLinear::read_row(const KernelTable& k, int64_t row, float* y, float*) const {
    decode_row(k, row, y);
}

}  // namespace gnomon
