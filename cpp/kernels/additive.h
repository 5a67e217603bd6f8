// Additive codes (AQLM, arXiv 2401.06118): eight weights are a sum of code-book vectors.
#pragma once

#include "kernels/simd.h"

namespace gnomon {
namespace GNOMON_SIMD_NAMESPACE {

static void additive_decode(const uint8_t* codes, int64_t groups, int64_t books, const float* codebooks,
                            float scale, float* y) {
    for (int64_t g = 0; g < groups; ++g, codes += books, y += 8) {
        float s[8] = {};
        for (int64_t k = 0; k < books; ++k) {
            const float* entry = codebooks + (k * 256 + codes[k]) * 8;
            GNOMON_UNROLL
            for (int i = 0; i < 8; ++i) s[i] += entry[i];
        }
        GNOMON_UNROLL
        for (int i = 0; i < 8; ++i) y[i] = s[i] * scale;
    }
}

}  // namespace GNOMON_SIMD_NAMESPACE
}  // namespace gnomon
