// The kernels of one instruction set, as function pointers. `kernels()` gives the chosen set.
//
// Every kernel exists once as source (vector.h, dense.h, trellis.h) and is compiled per set in
// kernels_*.cpp. Integer results are the same on all sets; float results differ by rounding.
#pragma once

#include <cstdint>

#include "core/isa.h"

namespace gnomon {

enum class Dtype { f32, f16, bf16, i8 };
constexpr int kDtypes = 4;

inline int64_t dtype_bytes(Dtype dtype) {
    return dtype == Dtype::f32 ? 4 : dtype == Dtype::i8 ? 1 : 2;
}

constexpr int kStripRows = 16;  // of one decoded strip
constexpr int kCodedRows = 64;  // of one strip of trellis codes

struct KernelTable {
    // --- vectors of floats
    void (*multiply)(const float* a, const float* b, int64_t n, float* y);  // y = a ⊙ b
    void (*add)(const float* x, int64_t n, float* y);                       // y += x
    void (*scale)(float factor, int64_t n, float* y);                       // y *= factor
    void (*add_scaled)(float factor, const float* x, int64_t n, float* y);  // y += factor · x
    // y = x / sqrt(mean(x²) + eps) ⊙ (offset + weight). Zhang and Sennrich, arXiv 1910.07467.
    void (*rms_norm)(const float* x, const float* weight, int64_t n, float eps, float offset, float* y);
    void (*silu_multiply)(float* gate, const float* up, int64_t n);       // gate = silu(gate) ⊙ up
    void (*gelu_tanh_multiply)(float* gate, const float* up, int64_t n);  // the tanh form of GELU
    void (*softcap)(float cap, int64_t n, float* y);                      // y = cap · tanh(y / cap)
    float (*maximum)(const float* x, int64_t n);
    float (*exp_and_sum)(float shift, int64_t n, float* y);  // y = exp(y − shift), returns Σ y
    float (*exp_sum)(float shift, int64_t n, const float* x);  // Σ exp(x − shift)
    // q = round(x · 127 / max|x|); returns the scale max|x| / 127; *sum = Σ q.
    // A vector of less than 1e-30 gives zeros.
    float (*quantize)(const float* x, int64_t n, int8_t* q, int32_t* sum);
    void (*to_f16)(const float* x, int64_t n, uint16_t* y);

    // --- rotation
    void (*hadamard)(float* x, int64_t n);  // n = 2^k; in place, orthonormal
    // x [m, columns] becomes matrix [m, m] · x. `scratch` holds 16 · m floats.
    void (*mix_rows)(const float* matrix, int64_t m, int64_t columns, float* x, float* scratch);

    // --- dense layers: y[t, r] = Σ_c w[r, c] · x[t, c], strides in elements
    void (*dense[kDtypes])(const void* w, int64_t w_stride, int64_t rows, int64_t in, const float* x,
                           int64_t x_stride, int64_t n, float* y, int64_t y_stride);
    // y[t, d] = Σ_i p[t, i] · v[i, d]; there is none for bf16
    void (*weighted_sum[kDtypes])(const void* v, int64_t v_stride, int64_t count, int64_t dim, const float* p,
                            int64_t p_stride, int64_t n, float* y, int64_t y_stride);

    // --- trellis: a strip is 64 rows by `blocks` blocks of 32 columns of 4·bits bytes a row; index
    // bits − 2. See kernels/trellis.h.
    // products [32 · blocks / columns of a symbol, 16]; returns the largest absolute value.
    int32_t (*trellis_products[3])(const int8_t* q, int64_t blocks, const int8_t* table, int16_t* products);
    // look_ups[i] = products[i] · factor / 65536, which has to lie within ±127.
    void (*trellis_look_ups)(const int16_t* products, int64_t n, int32_t factor, int8_t* look_ups);
    // acc[64] = the sums of what the symbols of each row have in look_ups.
    void (*trellis_dot[3])(const uint8_t* codes, int64_t blocks, const int8_t* look_ups, int32_t* acc);
    // Writes four strips of 16 rows, 512 · blocks bytes each, as `strip_multiply` of the same table
    // wants them.
    void (*trellis_decode[3])(const uint8_t* codes, int64_t blocks, const int8_t* table, uint8_t* strips);
    // acc [n, acc_stride], 16 columns a strip, for `count` decoded strips and n vectors q [n, q_stride].
    void (*strip_multiply)(const uint8_t* strips, int64_t count, int64_t tiles, const int8_t* q,
                           int64_t q_stride, const int32_t* q_sums, int64_t n, int32_t* acc,
                           int64_t acc_stride);

    // y[i] = acc[i] · factor · scales[i]
    void (*scale_sums)(const int32_t* acc, const float* scales, float factor, int64_t n, float* y);

    // --- additive codes: y[8·groups] = scale · Σ_k codebooks[k, code] for codes [groups, books] of
    // one or two bytes (index bytes − 1), codebooks [books, entries, 8]; `entries` is a power of two,
    // and higher bits of a code are ignored.
    void (*additive_decode[2])(const void* codes, int64_t groups, int64_t books, int64_t entries,
                               const float* codebooks, float scale, float* y);
};

// Throws std::invalid_argument if this build or CPU lacks the set.
const KernelTable& kernels(Isa isa);

const KernelTable& scalar_kernels();
#if defined(__x86_64__)
const KernelTable& avx2_kernels();
const KernelTable& avx512_kernels();
#endif

}  // namespace gnomon
