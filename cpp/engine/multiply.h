// Products of linear layers with vectors. Layers that read the same vector are run together, so that what they
// share, a rotation and look-ups, is done once.
#pragma once

#include <cstdint>

#include "core/aligned.h"
#include "core/threads.h"
#include "engine/linear.h"

namespace gnomon {

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
    const KernelTable& kernels_;
    int64_t threads_, max_vectors_;
    int64_t slot_bytes_ = 0, rotation_floats_ = 0, rotated_floats_ = 0, look_up_bytes_ = 0, scale_floats_ = 0;
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
