// A layer in the trellis format, docs/trellis-format.md. Its codes are stored as the kernels read them.
#pragma once

#include <memory>
#include <vector>

#include "codecs/trellis_form.h"
#include "engine/linear.h"

namespace gnomon {

class TrellisLookUps final : public LookUps {
public:
    TrellisLookUps(int bits, const int8_t* table, int64_t in);
    const TrellisForm& form() const { return form_; }
    int bits() const { return bits_; }
    const std::vector<int8_t>& table() const { return table_; }
    float make(const KernelTable& k, const float* x, int64_t columns, uint8_t* look_ups) const override;
    bool is_same(const LookUps& other) const override;

private:
    int bits_;
    TrellisForm form_;
    std::vector<int8_t> table_;
};

// `codes` [⌈out/64⌉, ⌈in/32⌉, 4·bits, 64], `table` [window, values, columns], `scales` [out].
class TrellisLinear final : public Linear {
public:
    // Throws std::invalid_argument if something does not fit.
    TrellisLinear(std::shared_ptr<const void> owner, const uint8_t* codes, const int8_t* table,
                  std::vector<float> scales, int bits, int64_t out, int64_t in,
                  std::shared_ptr<const Rotation> input_rotation,
                  std::shared_ptr<const Rotation> output_rotation);

    int64_t weight_bytes() const override;
    const LookUps* look_ups() const override { return &look_ups_; }
    const Rotation* input_rotation() const override { return input_rotation_.get(); }
    const Rotation* output_rotation() const override { return output_rotation_.get(); }
    int64_t task_rows(int64_t n) const override;
    int64_t scratch_bytes(int64_t n) const override;
    void multiply_rows(const KernelTable& k, const Input& input, int64_t first, int64_t rows, float* y,
                       int64_t y_stride, uint8_t* scratch) const override;
    void read_row(const KernelTable& k, int64_t row, float* y, float* scratch) const override;

private:
    int64_t block_bytes() const { return 4 * look_ups_.bits() * kCodedRows; }
    int64_t strip_bytes() const { return look_ups_.columns() / kBlockColumns * block_bytes(); }

    std::shared_ptr<const void> owner_;
    const uint8_t* codes_;
    TrellisLookUps look_ups_;
    std::vector<float> scales_;
    std::shared_ptr<const Rotation> input_rotation_, output_rotation_;
};

}  // namespace gnomon
