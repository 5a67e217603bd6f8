// What a row of logits says of the distribution that it stands for, in one pass.
#pragma once

#include "kernels/table.h"
#include "kernels/vector.h"

namespace gnomon {
namespace GNOMON_SIMD_NAMESPACE {

constexpr int64_t kSummedLogits = 2048;  // whose sums are floats, before they are added up as doubles

static LogitSums logit_sums(float shift, float level, int64_t n, const float* logits) {
    LogitSums total{0.0, 0.0, 0.0, 0.0, 0};
    const F s = set(shift), l = set(level);
    for (int64_t begin = 0; begin < n; begin += kSummedLogits) {
        F weights = set(0.0f), first = weights, second = weights, squares = weights, above = weights;
        const float* at = logits + begin;
        each_vector(n - begin < kSummedLogits ? n - begin : kSummedLogits, [&](int64_t i, int64_t c) {
            float tail[F::N];
            if (c < F::N) {  // filled up with what weighs next to nothing and is not above the level
                store(tail, minimum(l, s - set(87.0f)));
                for (int64_t j = 0; j < c; ++j) tail[j] = at[i + j];
            }
            const F logit = c < F::N ? load(tail) : load(at + i), x = logit - s;
            const F w = exponential(x), wx = w * x;
            weights = weights + w;
            first = first + wx;
            second = fma(wx, x, second);
            squares = fma(w, w, squares);
            above = above + one_where_greater(logit, l);
        });
        total.weights += sum(weights);
        total.first += sum(first);
        total.second += sum(second);
        total.squares += sum(squares);
        total.above += static_cast<int64_t>(sum(above));
    }
    return total;
}

}  // namespace GNOMON_SIMD_NAMESPACE
}  // namespace gnomon
