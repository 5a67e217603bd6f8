// Dense layers and attention's two products: blocks of rows times blocks of vectors.
//
// The sum of one row and one vector is accumulated in the same order whatever the block, so that a
// prompt gives the same numbers whether it comes in one piece or token by token.
#pragma once

#include "kernels/simd.h"

namespace gnomon {
namespace GNOMON_SIMD_NAMESPACE {

struct F32 {
    using T = float;
    static inline F at(const T* p) { return load(p); }
    static inline F at(const T* p, int64_t n) { return load(p, n); }
};
struct F16 {
    using T = uint16_t;
    static inline F at(const T* p) { return load_f16(p); }
    static inline F at(const T* p, int64_t n) { return load_f16(p, n); }
};
struct BF16 {
    using T = uint16_t;
    static inline F at(const T* p) { return load_bf16(p); }
    static inline F at(const T* p, int64_t n) { return load_bf16(p, n); }
};
struct I8 {
    using T = int8_t;
    static inline F at(const T* p) { return load_i8(p); }
    static inline F at(const T* p, int64_t n) { return load_i8(p, n); }
};

// Rows R and vectors V of a block: R · V sums must fit the registers.
#if defined(GNOMON_SIMD_AVX512)
constexpr int kBlockRows = 4, kBlockVectors = 6, kRowsAlone = 8;
#elif defined(GNOMON_SIMD_AVX2)
constexpr int kBlockRows = 2, kBlockVectors = 6, kRowsAlone = 4;
#else
constexpr int kBlockRows = 2, kBlockVectors = 4, kRowsAlone = 2;
#endif

template <class W, int R, int V>
static inline void dense_block(const typename W::T* w, int64_t w_stride, int64_t in, const float* x,
                               int64_t x_stride, float* y, int64_t y_stride) {
    F s[R][V];
    GNOMON_UNROLL
    for (int r = 0; r < R; ++r) {
        GNOMON_UNROLL
        for (int t = 0; t < V; ++t) s[r][t] = set(0.0f);
    }
    int64_t c = 0;
    for (; c + F::N <= in; c += F::N) {
        F weights[R];
        GNOMON_UNROLL
        for (int r = 0; r < R; ++r) weights[r] = W::at(w + r * w_stride + c);
        if (V == 1 && R > 1) {  // bound by memory: ask for the next block of rows meanwhile
            GNOMON_UNROLL
            for (int r = 0; r < R; ++r) __builtin_prefetch(w + (R + r) * w_stride + c);
        }
        GNOMON_UNROLL
        for (int t = 0; t < V; ++t) {
            const F v = load(x + t * x_stride + c);
            GNOMON_UNROLL
            for (int r = 0; r < R; ++r) s[r][t] = fma(weights[r], v, s[r][t]);
        }
    }
    if (c < in) {
        const int64_t n = in - c;
        GNOMON_UNROLL
        for (int r = 0; r < R; ++r) {
            const F weights = W::at(w + r * w_stride + c, n);
            GNOMON_UNROLL
            for (int t = 0; t < V; ++t) s[r][t] = fma(weights, load(x + t * x_stride + c, n), s[r][t]);
        }
    }
    GNOMON_UNROLL
    for (int r = 0; r < R; ++r) {
        GNOMON_UNROLL
        for (int t = 0; t < V; ++t) y[t * y_stride + r] = sum(s[r][t]);
    }
}

template <class W, int R, int V>
static inline void dense_rows(const typename W::T* w, int64_t w_stride, int64_t rows, int64_t in,
                              const float* x, int64_t x_stride, float* y, int64_t y_stride) {
    int64_t r = 0;
    for (; r + R <= rows; r += R)
        dense_block<W, R, V>(w + r * w_stride, w_stride, in, x, x_stride, y + r, y_stride);
    for (; r < rows; ++r)
        dense_block<W, 1, V>(w + r * w_stride, w_stride, in, x, x_stride, y + r, y_stride);
}

template <class W>
static void dense(const void* weights, int64_t w_stride, int64_t rows, int64_t in, const float* x,
                  int64_t x_stride, int64_t n, float* y, int64_t y_stride) {
    const auto* w = static_cast<const typename W::T*>(weights);
    int64_t t = 0;
    for (; t + kBlockVectors <= n; t += kBlockVectors)
        dense_rows<W, kBlockRows, kBlockVectors>(w, w_stride, rows, in, x + t * x_stride, x_stride,
                                                 y + t * y_stride, y_stride);
    if (n - t >= 4) {
        dense_rows<W, kBlockRows, 4>(w, w_stride, rows, in, x + t * x_stride, x_stride, y + t * y_stride,
                                     y_stride);
        t += 4;
    }
    x += t * x_stride;
    y += t * y_stride;
    if (n - t == 3) dense_rows<W, kBlockRows, 3>(w, w_stride, rows, in, x, x_stride, y, y_stride);
    if (n - t == 2) dense_rows<W, kBlockRows, 2>(w, w_stride, rows, in, x, x_stride, y, y_stride);
    if (n - t == 1) dense_rows<W, kRowsAlone, 1>(w, w_stride, rows, in, x, x_stride, y, y_stride);
}

constexpr int64_t kRowsTogether = 16;  // of v: so few that they stay in the nearest cache

// V outputs of D vectors each are kept in registers while some rows of v pass by; the first rows begin at zero.
template <class W, int V, int D>
static inline void weighted_block(const typename W::T* v, int64_t v_stride, int64_t count, int64_t last,
                                  const float* p, int64_t p_stride, float* y, int64_t y_stride, bool is_first) {
    const bool is_short = D == 1 && last < F::N;  // only a block of one vector may be
    F s[V][D];
    GNOMON_UNROLL
    for (int t = 0; t < V; ++t) {
        GNOMON_UNROLL
        for (int d = 0; d < D; ++d) {
            const float* at = y + t * y_stride + d * F::N;
            s[t][d] = is_first ? set(0.0f) : is_short ? load(at, last) : load(at);
        }
    }
    for (int64_t i = 0; i < count; ++i) {
        F row[D];
        __builtin_prefetch(v + (i + kRowsTogether) * v_stride);
        GNOMON_UNROLL
        for (int d = 0; d < D; ++d) {
            const auto* at = v + i * v_stride + d * F::N;
            row[d] = is_short ? W::at(at, last) : W::at(at);
        }
        GNOMON_UNROLL
        for (int t = 0; t < V; ++t) {
            const F weight = set(p[t * p_stride + i]);
            GNOMON_UNROLL
            for (int d = 0; d < D; ++d) s[t][d] = fma(weight, row[d], s[t][d]);
        }
    }
    GNOMON_UNROLL
    for (int t = 0; t < V; ++t) {
        GNOMON_UNROLL
        for (int d = 0; d < D; ++d) {
            float* at = y + t * y_stride + d * F::N;
            if (is_short)
                store(at, s[t][d], last);
            else
                store(at, s[t][d]);
        }
    }
}

template <class W, int V>
static inline void weighted_vectors(const typename W::T* v, int64_t v_stride, int64_t count, int64_t dim,
                                    const float* p, int64_t p_stride, float* y, int64_t y_stride) {
    constexpr int D = kBlockRows;
    for (int64_t i = 0; i == 0 || i < count; i += kRowsTogether, v += kRowsTogether * v_stride) {
        const int64_t rows = count - i < kRowsTogether ? count - i : kRowsTogether;
        int64_t d = 0;
        for (; d + D * F::N <= dim; d += D * F::N)
            weighted_block<W, V, D>(v + d, v_stride, rows, F::N, p + i, p_stride, y + d, y_stride, i == 0);
        for (; d < dim; d += F::N)
            weighted_block<W, V, 1>(v + d, v_stride, rows, dim - d, p + i, p_stride, y + d, y_stride, i == 0);
    }
}

template <class W>
static void weighted_sum(const void* values, int64_t v_stride, int64_t count, int64_t dim, const float* p,
                         int64_t p_stride, int64_t n, float* y, int64_t y_stride) {
    const auto* v = static_cast<const typename W::T*>(values);
    int64_t t = 0;
    for (; t + kBlockVectors <= n; t += kBlockVectors)
        weighted_vectors<W, kBlockVectors>(v, v_stride, count, dim, p + t * p_stride, p_stride,
                                           y + t * y_stride, y_stride);
    if (n - t >= 4) {
        weighted_vectors<W, 4>(v, v_stride, count, dim, p + t * p_stride, p_stride, y + t * y_stride,
                               y_stride);
        t += 4;
    }
    p += t * p_stride;
    y += t * y_stride;
    if (n - t == 3) weighted_vectors<W, 3>(v, v_stride, count, dim, p, p_stride, y, y_stride);
    if (n - t == 2) weighted_vectors<W, 2>(v, v_stride, count, dim, p, p_stride, y, y_stride);
    if (n - t == 1) weighted_vectors<W, 1>(v, v_stride, count, dim, p, p_stride, y, y_stride);
}

}  // namespace GNOMON_SIMD_NAMESPACE
}  // namespace gnomon
