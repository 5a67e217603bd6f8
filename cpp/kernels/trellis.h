// The trellis codec (docs/trellis-format.md).
//
// As a weight is a sum over the symbols of its window, a row's product with x is a sum over its
// symbols, each of which has one number for each of its values: a look-up table of sixteen
// bytes for every symbol of a row, made once for all rows. 256 symbols, a group, share one scale, and their bytes
// add up exactly in 16 bits. T-MAC (arXiv 2407.00088) looks up plain low-bit weights in this way.
#pragma once

#include "codecs/trellis_form.h"
#include "kernels/simd.h"
#include "kernels/table.h"

namespace gnomon {
namespace GNOMON_SIMD_NAMESPACE {

constexpr int kValues = 16;  // that a symbol's look-up table has room for

// look_ups [symbols of `blocks` blocks of 32 numbers x, 16], one group at most: round(product / scale) + 128.
// Returns the scale.
template <int Bits>
static float trellis_look_ups(const float* x, int64_t blocks, const int8_t* table, uint8_t* look_ups) {
    constexpr TrellisForm form = trellis_form(Bits);
    constexpr int symbols = form.symbols(), vectors = kValues / F::N;
    F entries[form.window][form.columns][vectors];
    for (int j = 0; j < form.window; ++j)
        for (int d = 0; d < form.columns; ++d)
            for (int i = 0; i < vectors; ++i) {
                float some[F::N];
                for (int v = 0; v < F::N; ++v) {
                    const int value = (i * F::N + v) % form.values();
                    some[v] = table[(j * form.values() + value) * form.columns + d];
                }
                entries[j][d][i] = load(some);
            }
    float products[kGroupSymbols * kValues];
    F most = set(0.0f);
    float* at = products;
    for (int64_t b = 0; b < blocks; ++b, x += kBlockColumns)
        for (int k = 0; k < symbols; ++k) {
            F sum[vectors];
            GNOMON_UNROLL
            for (int i = 0; i < vectors; ++i) sum[i] = set(0.0f);
            GNOMON_UNROLL
            for (int j = 0; j < form.window; ++j) {
                GNOMON_UNROLL
                for (int d = 0; d < form.columns; ++d) {
                    const F number = set(x[(k - j + symbols) % symbols * form.columns + d]);
                    GNOMON_UNROLL
                    for (int i = 0; i < vectors; ++i) sum[i] = fma(number, entries[j][d][i], sum[i]);
                }
            }
            GNOMON_UNROLL
            for (int i = 0; i < vectors; ++i, at += F::N) {
                most = maximum(most, absolute(sum[i]));
                store(at, sum[i]);
            }
        }
    const float peak = largest(most);
    // Next to nothing counts as nothing: 127 / peak would overflow.
    const F factor = set(peak > 1e-30f ? 127.0f / peak : 0.0f);
    for (const float* from = products; from < at; from += kValues, look_ups += kValues) {
        F scaled[vectors];
        GNOMON_UNROLL
        for (int i = 0; i < vectors; ++i) scaled[i] = load(from + i * F::N) * factor;
        store_16_bytes(look_ups, scaled);
    }
    return peak / 127.0f;
}

// Calls use(k, part, symbol k of the part's B::N rows) for all symbols of a block, in their order.
template <int Bits, int Parts, class Use>
static inline void each_symbol(const uint8_t* codes, Use use) {
    const auto plane = [&](int p, int part) { return load_bytes(codes + kCodedRows * p + B::N * part); };
    GNOMON_UNROLL
    for (int p = 0; p < (Bits == 3 ? 8 : 4 * Bits); ++p) {
        GNOMON_UNROLL
        for (int part = 0; part < Parts; ++part) {
            const B both = plane(p, part);
            if constexpr (Bits == 3) {
                const B high = plane(8 + p / 2, part);
                GNOMON_UNROLL
                for (int i = 0; i < 4; ++i) {
                    const int at = 4 * (p & 1) + i;  // of the symbol's top bit
                    const B top = at < 2 ? shift_left(high, 2 - at) : shift_right(high, at - 2);
                    use(4 * p + i, part, (shift_right(both, 2 * i) & set_bytes(3)) | (top & set_bytes(4)));
                }
            } else {
                use(2 * p, part, both & set_bytes(15));
                use(2 * p + 1, part, shift_right(both, 4) & set_bytes(15));
            }
        }
    }
}

// Parts of B::N rows and vectors V of a block: so many sums must fit the registers.
#if defined(GNOMON_SIMD_AVX512) || defined(GNOMON_SIMD_AVX2) || defined(GNOMON_SIMD_NEON)
constexpr int kPartsAlone = kCodedRows / B::N, kLookUpVectors = 4;
#else
constexpr int kPartsAlone = 1, kLookUpVectors = 1;
#endif

constexpr int64_t kPrefetchBytes = 4096;

template <int Bits, int Parts, int V>
static inline void look_up_block(const uint8_t* codes, int64_t blocks, const uint8_t* look_ups,
                                 int64_t look_up_stride, const float* scales, int64_t scale_stride, float* y,
                                 int64_t y_stride, bool ahead) {
    constexpr int symbols = trellis_form(Bits).symbols();
    constexpr int64_t bytes = 4 * Bits * kCodedRows;
    Sums sums[Parts][V];
    for (int64_t b = 0; b < blocks; ++b, codes += bytes, look_ups += kValues * symbols) {
        if (ahead)  // the hardware's own prefetching ends at each page
            for (int64_t line = 0; line < bytes; line += 64) __builtin_prefetch(codes + kPrefetchBytes + line);
        each_symbol<Bits, Parts>(codes, [&](int k, int part, B symbol) {
            GNOMON_UNROLL
            for (int t = 0; t < V; ++t)
                sums[part][t].add(look_up(repeat_16(look_ups + t * look_up_stride + kValues * k), symbol));
        });
    }
    GNOMON_UNROLL
    for (int t = 0; t < V; ++t) {
        GNOMON_UNROLL
        for (int part = 0; part < Parts; ++part)
            sums[part][t].add_to(y + t * y_stride + part * B::N, scales[t * scale_stride],
                                 static_cast<int32_t>(128 * symbols * blocks));
    }
}

template <int Bits, int V>
static inline void look_up_strip(const uint8_t* codes, int64_t blocks, const uint8_t* look_ups,
                                 int64_t look_up_stride, const float* scales, int64_t scale_stride, float* y,
                                 int64_t y_stride, bool ahead) {
    constexpr int parts = V == 1 ? kPartsAlone : 1;
    for (int64_t row = 0; row < kCodedRows; row += parts * B::N)
        look_up_block<Bits, parts, V>(codes + row, blocks, look_ups, look_up_stride, scales, scale_stride, y + row,
                                      y_stride, ahead && row == 0);
}

template <int Bits>
static void trellis_multiply(const uint8_t* codes, int64_t blocks, const uint8_t* look_ups,
                             int64_t look_up_stride, const float* scales, int64_t scale_stride, int64_t n, float* y,
                             int64_t y_stride) {
    int64_t t = 0;
    const auto run = [&](auto strip) {
        strip(codes, blocks, look_ups + t * look_up_stride, look_up_stride, scales + t * scale_stride, scale_stride,
              y + t * y_stride, y_stride, t == 0);
    };
    for (; t + kLookUpVectors <= n; t += kLookUpVectors) run(look_up_strip<Bits, kLookUpVectors>);
    if constexpr (kLookUpVectors > 2)
        for (; t + 2 <= n; t += 2) run(look_up_strip<Bits, 2>);
    for (; t < n; ++t) run(look_up_strip<Bits, 1>);
}

}  // namespace GNOMON_SIMD_NAMESPACE
}  // namespace gnomon
