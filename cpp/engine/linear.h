// Linear layers over weights that belong to someone else: y = W·x + bias.
//
// Weights are not copied where they are stored as the kernels read them; `owner` keeps their memory alive.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "core/rotation.h"
#include "engine/look_ups.h"
#include "kernels/table.h"

namespace gnomon {

constexpr int64_t kRowStep = 16;           // rows of a task are a multiple of it
constexpr int64_t kTaskBytes = 24 * 1024;  // of weights, when one vector passes them once

// The vectors of one multiplication: x [n, x_stride], or, for layers that look them up,
// look_ups [n, look_up_stride] in groups with a scale each, scales [n, scale_stride].
struct Input {
    const float* x = nullptr;
    int64_t x_stride = 0;
    int64_t n = 0;
    const uint8_t* look_ups = nullptr;
    int64_t look_up_stride = 0;
    const float* scales = nullptr;
    int64_t scale_stride = 0;
};

class Linear {
public:
    Linear(int64_t out, int64_t in) : out_(out), in_(in) {}
    virtual ~Linear() = default;
    Linear(const Linear&) = delete;
    Linear& operator=(const Linear&) = delete;

    int64_t out() const { return out_; }
    int64_t in() const { return in_; }
    const std::vector<float>& bias() const { return bias_; }
    void set_bias(std::vector<float> bias);  // [out], or empty

    virtual int64_t weight_bytes() const = 0;  // read from memory for one vector
    virtual const LookUps* look_ups() const { return nullptr; }  // null: reads x itself
    virtual const Rotation* input_rotation() const { return nullptr; }
    virtual const Rotation* output_rotation() const { return nullptr; }

    // Rows that one task should take, a multiple of kRowStep, or of what is coded together.
    virtual int64_t task_rows(int64_t n) const = 0;
    virtual int64_t scratch_bytes(int64_t n) const = 0;  // of one task
    // Rows first … first + rows − 1 of W·x into y[t, first + r], without bias and before the output
    // rotation's inverse; `first` is a multiple of what task_rows is one of.
    virtual void multiply_rows(const KernelTable& k, const Input& input, int64_t first, int64_t rows,
                               float* y, int64_t y_stride, uint8_t* scratch) const = 0;
    // Row `row` of W itself, [in], as an embedding wants it. `scratch` as Workspace's rotation
    // scratch. Throws std::invalid_argument if there is an output rotation.
    virtual void read_row(const KernelTable& k, int64_t row, float* y, float* scratch) const = 0;

private:
    int64_t out_, in_;
    std::vector<float> bias_;
};

// `weights` [out, in] of `dtype`; `scales` [out] (or null) multiply the rows.
class DenseLinear final : public Linear {
public:
    DenseLinear(std::shared_ptr<const void> owner, const void* weights, Dtype dtype, int64_t out,
                int64_t in, std::vector<float> scales);
    int64_t weight_bytes() const override;
    int64_t task_rows(int64_t n) const override;
    int64_t scratch_bytes(int64_t) const override { return 0; }
    void multiply_rows(const KernelTable& k, const Input& input, int64_t first, int64_t rows, float* y,
                       int64_t y_stride, uint8_t* scratch) const override;
    void read_row(const KernelTable& k, int64_t row, float* y, float* scratch) const override;

private:
    std::shared_ptr<const void> owner_;
    const uint8_t* weights_;
    Dtype dtype_;
    std::vector<float> scales_;
};

// Throws std::invalid_argument unless `values` has so many entries.
void require_size(const std::vector<float>& values, int64_t expected, const char* what);

// Rows of so many bytes that make a task for one vector.
int64_t rows_for_bytes(double bytes_per_row);

}  // namespace gnomon
