// A layer of additive codes (AQLM, arXiv 2401.06118), docs/aq-format.md.
//
// Codes of one byte are looked up: in every group of eight columns, a book's entry comes to one of 256
// products. Codes of two bytes would need more look-ups than rows have codes; they are decoded.
#pragma once

#include <memory>
#include <vector>

#include "core/aligned.h"
#include "engine/linear.h"

namespace gnomon {

class AdditiveLookUps final : public LookUps {
public:
    // `codebooks` [books, entries, 8], entries at most 256.
    AdditiveLookUps(const std::vector<float>& codebooks, int64_t books, int64_t in);
    int64_t books() const { return books_; }
    float make(const KernelTable& k, const float* x, int64_t columns, uint8_t* look_ups) const override;
    bool is_same(const LookUps& other) const override { return this == &other; }

private:
    int64_t books_;
    AlignedBuffer<float> codebooks_;  // [books, 8, 256]
};

// `codes` [out, in/8, books] of one or two bytes, the lowest bits of which are an index; `codebooks`
// [books, entries, 8], entries a power of two; `scales` [out].
class AdditiveLinear final : public Linear {
public:
    // Throws std::invalid_argument if something does not fit.
    AdditiveLinear(std::shared_ptr<const void> owner, const void* codes, int64_t code_bytes, int64_t books,
                   int64_t entries, std::vector<float> codebooks, std::vector<float> scales, int64_t out,
                   int64_t in);
    int64_t weight_bytes() const override;
    const LookUps* look_ups() const override { return look_ups_.get(); }
    int64_t task_rows(int64_t n) const override;
    int64_t scratch_bytes(int64_t n) const override;
    void multiply_rows(const KernelTable& k, const Input& input, int64_t first, int64_t rows, float* y,
                       int64_t y_stride, uint8_t* scratch) const override;
    void read_row(const KernelTable& k, int64_t row, float* y, float* scratch) const override;

private:
    void pack();
    void decode_row(const KernelTable& k, int64_t row, float* y) const;
    int64_t row_codes() const { return in() / 8 * books_; }

    std::shared_ptr<const void> owner_;
    const uint8_t* codes_;
    int64_t code_bytes_, books_, entries_;
    std::vector<float> codebooks_, scales_;
    std::unique_ptr<AdditiveLookUps> look_ups_;  // null if codes have two bytes
    AlignedBuffer<uint8_t> packed_;              // [⌈out/64⌉, in/8 · books, 64], then
};

}  // namespace gnomon
