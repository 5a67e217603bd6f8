// The orthogonal matrix H·S of docs/trellis-format.md: signs, then Hadamard ⊗ Hartley.
#pragma once

#include <cstdint>
#include <vector>

#include "kernels/table.h"

namespace gnomon {

class Rotation {
public:
    // `signs` is empty (all +1) or has `width` entries. Throws std::invalid_argument if the width
    // is above kLargestWidth or its odd part above kLargestOddPart.
    Rotation(int64_t width, std::vector<float> signs);

    static constexpr int64_t kLargestOddPart = 2048;  // its tables take 8 MB
    static constexpr int64_t kLargestWidth = int64_t{1} << 30;

    int64_t width() const { return width_; }
    int64_t scratch_floats() const { return 32 * odd_; }

    // In place, one vector: x = H·S·x, and its inverse x = S·H·x.
    void forward(const KernelTable& k, float* x, float* scratch) const;
    void inverse(const KernelTable& k, float* x, float* scratch) const;

private:
    void transform(const KernelTable& k, float* x, float* scratch) const;

    int64_t width_, odd_, power_;
    std::vector<float> signs_;
    std::vector<float> cosines_, sines_;  // [odd / 2, odd / 2]; see hartley in kernels/table.h
};

}  // namespace gnomon
