// Linear layers over weights that belong to someone else: y = W·x + bias.
//
// Weights are never copied; `owner` keeps their memory alive. Layers that read the same vector are
// run together, so that a rotation and quantisation they share is done once.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "core/aligned.h"
#include "core/rotation.h"
#include "core/threads.h"
#include "kernels/table.h"

namespace gnomon {

// The vectors of one multiplication: x [n, x_stride], or, for layers that look them up, what stands for each value
// of each of their symbols, look_ups [n, look_up_stride], in groups with a scale each, scales [n, scale_stride].
struct Input {
    const float* x = nullptr;
    int64_t x_stride = 0;
    int64_t n = 0;
    const uint8_t* look_ups = nullptr;
    int64_t look_up_stride = 0;
    const float* look_up_scales = nullptr;
    int64_t scale_stride = 0;
};

// What turns a vector into look-ups, group by group of its columns. Layers whose tables are equal
// share them.
struct LookUpTable {
    int bits;
    std::vector<int8_t> entries;
    bool operator==(const LookUpTable& other) const { return bits == other.bits && entries == other.entries; }
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
    virtual const LookUpTable* look_up_table() const { return nullptr; }
    virtual const Rotation* input_rotation() const { return nullptr; }
    virtual const Rotation* output_rotation() const { return nullptr; }

    // Rows that one task should take, a multiple of 16, or of what is coded together.
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

// docs/trellis-format.md. `codes` [⌈out/64⌉, ⌈in/32⌉, 4·bits, 64], `table` [window, values, columns],
// `scales` [out].
class TrellisLinear final : public Linear {
public:
    TrellisLinear(std::shared_ptr<const void> owner, const uint8_t* codes, const int8_t* table,
                  std::vector<float> scales, int bits, int64_t out, int64_t in,
                  std::shared_ptr<const Rotation> input_rotation,
                  std::shared_ptr<const Rotation> output_rotation);

    int64_t weight_bytes() const override;
    const LookUpTable* look_up_table() const override { return &table_; }
    const Rotation* input_rotation() const override { return input_rotation_.get(); }
    const Rotation* output_rotation() const override { return output_rotation_.get(); }
    int64_t task_rows(int64_t n) const override;
    int64_t scratch_bytes(int64_t n) const override;
    void multiply_rows(const KernelTable& k, const Input& input, int64_t first, int64_t rows, float* y,
                       int64_t y_stride, uint8_t* scratch) const override;
    void read_row(const KernelTable& k, int64_t row, float* y, float* scratch) const override;

private:
    int64_t strip_bytes() const { return blocks_ * 4 * table_.bits * kCodedRows; }

    std::shared_ptr<const void> owner_;
    const uint8_t* codes_;
    LookUpTable table_;
    std::vector<float> scales_;
    int64_t blocks_;  // of 32 columns
    std::shared_ptr<const Rotation> input_rotation_, output_rotation_;
};

// docs/aq-format.md. `codes` [out, in/8, books] of one or two bytes, the lowest bits of which are an
// index; `codebooks` [books, entries, 8], entries a power of two; `scales` [out].
class AdditiveLinear final : public Linear {
public:
    AdditiveLinear(std::shared_ptr<const void> owner, const void* codes, int64_t code_bytes, int64_t books,
                   int64_t entries, std::vector<float> codebooks, std::vector<float> scales, int64_t out,
                   int64_t in);
    int64_t weight_bytes() const override;
    int64_t task_rows(int64_t n) const override;
    int64_t scratch_bytes(int64_t n) const override;
    void multiply_rows(const KernelTable& k, const Input& input, int64_t first, int64_t rows, float* y,
                       int64_t y_stride, uint8_t* scratch) const override;
    void read_row(const KernelTable& k, int64_t row, float* y, float* scratch) const override;

private:
    void decode_row(const KernelTable& k, int64_t row, float* y) const;

    std::shared_ptr<const void> owner_;
    const uint8_t* codes_;
    int64_t code_bytes_, books_, entries_;
    std::vector<float> codebooks_, scales_;
};

// Scratch memory for multiplications of up to `max_vectors` vectors by the layers reserved for.
class Workspace {
public:
    Workspace(const KernelTable& kernels, int threads, int64_t max_vectors)
        : kernels_(kernels), threads_(threads), max_vectors_(max_vectors) {}

    // Calls for layers add up; memory is there after allocate().
    void reserve(const Linear& layer);
    void reserve_rotation(const Rotation* rotation);
    void allocate();

    const KernelTable& kernels() const { return kernels_; }
    int64_t max_vectors() const { return max_vectors_; }
    uint8_t* scratch(int64_t slot) { return scratch_.data() + slot * slot_bytes_; }
    float* rotation_scratch(int64_t slot) { return rotation_.data() + slot * rotation_floats_; }

private:
    friend struct Multiplication;
    int64_t looked_up() const;  // vectors together

    const KernelTable& kernels_;
    int64_t threads_, max_vectors_;
    int64_t slot_bytes_ = 0, rotation_floats_ = 0, most_columns_ = 0, most_look_ups_ = 0, most_groups_ = 0;
    AlignedBuffer<uint8_t> scratch_, look_ups_;
    AlignedBuffer<float> rotation_, rotated_, scales_;
};

// One layer of a group and where its result goes: y [n, out].
struct Target {
    const Linear* layer;
    float* y;
};

// Runs `count` layers that read the same x [n, in], n <= max_vectors. Allocates nothing.
void multiply_group(ThreadPool& pool, Workspace& workspace, const Target* targets, int count,
                    const float* x, int64_t n);

}  // namespace gnomon
