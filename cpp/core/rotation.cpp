#include "core/rotation.h"

#include <cmath>
#include <stdexcept>
#include <string>
#include <utility>

namespace gnomon {

Rotation::Rotation(int64_t width, std::vector<float> signs)
    : width_(width), odd_(width), power_(1), signs_(std::move(signs)) {
    if (width < 1) throw std::invalid_argument("A rotation's width must be at least 1.");
    if (width > kLargestWidth)
        throw std::invalid_argument("A rotation's width is " + std::to_string(width) +
                                    "; at most " + std::to_string(kLargestWidth) + " can be.");
    if (!signs_.empty() && static_cast<int64_t>(signs_.size()) != width)
        throw std::invalid_argument("A rotation of width " + std::to_string(width) + " got " +
                                    std::to_string(signs_.size()) + " signs.");
    while (odd_ % 2 == 0) {
        odd_ /= 2;
        power_ *= 2;
    }
    if (odd_ > kLargestOddPart)
        throw std::invalid_argument("Width " + std::to_string(width) + " has the odd part " +
                                    std::to_string(odd_) + "; rotations need one of at most " +
                                    std::to_string(kLargestOddPart) + ". Use no rotation there.");
    if (odd_ == 1) return;
    const int64_t half = odd_ / 2;
    cosines_.resize(static_cast<std::size_t>(half * half));
    sines_.resize(cosines_.size());
    for (int64_t a = 0; a < half; ++a)
        for (int64_t b = 0; b < half; ++b) {
            const auto place = static_cast<double>((a + 1) * (b + 1) % odd_);
            const double angle = 2.0 * std::acos(-1.0) * place / static_cast<double>(odd_);
            const double root = std::sqrt(static_cast<double>(odd_));
            cosines_[static_cast<std::size_t>(a * half + b)] = static_cast<float>(std::cos(angle) / root);
            sines_[static_cast<std::size_t>(a * half + b)] = static_cast<float>(std::sin(angle) / root);
        }
}

void Rotation::transform(const KernelTable& k, float* x, float* scratch) const {
    if (power_ > 1)
        for (int64_t row = 0; row < odd_; ++row) k.hadamard(x + row * power_, power_);
    if (odd_ > 1) k.hartley(cosines_.data(), sines_.data(), odd_, power_, x, scratch);
}

void Rotation::forward(const KernelTable& k, float* x, float* scratch) const {
    if (!signs_.empty()) k.multiply(x, signs_.data(), width_, x);
    transform(k, x, scratch);
}

void Rotation::inverse(const KernelTable& k, float* x, float* scratch) const {
    transform(k, x, scratch);
    if (!signs_.empty()) k.multiply(x, signs_.data(), width_, x);
}

}  // namespace gnomon
