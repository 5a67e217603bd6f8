// Additive codes (AQLM, arXiv 2401.06118): eight weights are a sum of code-book vectors.
#pragma once

#include "kernels/simd.h"
#include "kernels/table.h"

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

static float additive_look_ups(const float* x, int64_t groups, int64_t books, const float* codebooks,
                               uint8_t* look_ups) {
    float products[kGroupCodes * 256];
    float* at = products;
    F most = set(0.0f);
    for (int64_t g = 0; g < groups; ++g, x += 8) {
        F number[8];
        GNOMON_UNROLL
        for (int i = 0; i < 8; ++i) number[i] = set(x[i]);
        for (int64_t k = 0; k < books; ++k)
            for (int64_t entry = 0; entry < 256; entry += F::N, at += F::N) {
                const float* book = codebooks + k * 8 * 256 + entry;
                F sum = number[0] * load(book);
                GNOMON_UNROLL
                for (int i = 1; i < 8; ++i) sum = fma(number[i], load(book + 256 * i), sum);
                most = maximum(most, absolute(sum));
                store(at, sum);
            }
    }
    const float peak = largest(most);
    const F factor = set(peak > 1e-30f ? 127.0f / peak : 0.0f);
    for (const float* from = products; from < at; from += 16, look_ups += 16) {
        F scaled[16 / F::N];
        GNOMON_UNROLL
        for (int i = 0; i < 16 / F::N; ++i) scaled[i] = load(from + i * F::N) * factor;
        store_16_bytes(look_ups, scaled);
    }
    return peak / 127.0f;
}

static void additive_multiply(const uint8_t* codes, int64_t count, const uint8_t* look_ups, float scale, float* y) {
    for (int row = 0; row < kCodedRows; row += B::N) {
        Sums sums;
        for (int64_t j = 0; j < count; ++j)
            sums.add(look_up_256(look_ups + 256 * j, load_bytes(codes + kCodedRows * j + row)));
        sums.add_to(y + row, scale, static_cast<int32_t>(128 * count));
    }
}

}  // namespace GNOMON_SIMD_NAMESPACE
}  // namespace gnomon
