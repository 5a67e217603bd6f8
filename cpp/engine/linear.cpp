#include "engine/linear.h"

#include <algorithm>
#include <cstring>
#include <stdexcept>
#include <string>
#include <utility>

#include "core/half.h"

namespace gnomon {
namespace {

constexpr int64_t kBlockTaskRows = 64;  // when many vectors pass them

}  // namespace

void require_size(const std::vector<float>& values, int64_t expected, const char* what) {
    if (static_cast<int64_t>(values.size()) != expected)
        throw std::invalid_argument(std::string(what) + " has " + std::to_string(values.size()) +
                                    " entries; expected " + std::to_string(expected) + ".");
}

int64_t rows_for_bytes(double bytes_per_row) {
    const auto rows = static_cast<int64_t>(static_cast<double>(kTaskBytes) / std::max(bytes_per_row, 1.0));
    return std::max<int64_t>(kRowStep, rows / kRowStep * kRowStep);
}

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

}  // namespace gnomon
