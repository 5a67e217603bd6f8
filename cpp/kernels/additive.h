// Additive codes (AQLM, arXiv 2401.06118): eight weights are a sum of code-book vectors.
#pragma once

#include "kernels/simd.h"

namespace gnomon {
namespace GNOMON_SIMD_NAMESPACE {

template <class Code>
static void additive_decode(const void* code_bytes, int64_t groups, int64_t books, int64_t entries,
                            const float* codebooks, float scale, float* y) {
    const auto* codes = static_cast<const Code*>(code_bytes);
    for (int64_t g = 0; g < groups; ++g, codes += books, y += 8) {
        float s[8] = {};
        for (int64_t k = 0; k < books; ++k) {
            const float* entry = codebooks + (k * entries + (codes[k] & (entries - 1))) * 8;
            GNOMON_UNROLL
            for (int i = 0; i < 8; ++i) s[i] += entry[i];
        }
        GNOMON_UNROLL
        for (int i = 0; i < 8; ++i) y[i] = s[i] * scale;
    }
}

}  // namespace GNOMON_SIMD_NAMESPACE
}  // namespace gnomon
