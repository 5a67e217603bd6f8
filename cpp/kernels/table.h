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

constexpr int kCodedRows = 64;      // of one strip of codes
constexpr int kGroupSymbols = 256;  // of a trellis that share the scale of their look-ups
constexpr int kGroupCodes = 64;     // of additive codes of one byte, likewise

// Sums over logits x, with weights w = exp(x − shift).
struct LogitSums {
    double weights, first, second, squares;  // Σ w, Σ w (x − shift), Σ w (x − shift)², Σ w²
    int64_t above;                           // how many x are greater than the level
};

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
    LogitSums (*logit_sums)(float shift, float level, int64_t n, const float* logits);
    // q = round(x · 127 / max|x|); returns the scale max|x| / 127; *sum = Σ q.
    // A vector of less than 1e-30 gives zeros.
    float (*quantize)(const float* x, int64_t n, int8_t* q, int32_t* sum);
    void (*to_f16)(const float* x, int64_t n, uint16_t* y);

    // --- rotation
    void (*hadamard)(float* x, int64_t n);  // n = 2^k; in place, orthonormal
    // The discrete Hartley transform of the columns of x [m, columns], m odd; in place, orthonormal. `cosines` and
    // `sines` [h, h], h = (m − 1)/2, are those of 2π(a + 1)(b + 1)/m over √m. `scratch` holds 32 · m floats.
    void (*hartley)(const float* cosines, const float* sines, int64_t m, int64_t columns, float* x, float* scratch);

    // --- dense layers: y[t, r] = Σ_c w[r, c] · x[t, c], strides in elements
    void (*dense[kDtypes])(const void* w, int64_t w_stride, int64_t rows, int64_t in, const float* x,
                           int64_t x_stride, int64_t n, float* y, int64_t y_stride);
    // y[t, d] = Σ_i p[t, i] · v[i, d]; there is none for bf16
    void (*weighted_sum[kDtypes])(const void* v, int64_t v_stride, int64_t count, int64_t dim, const float* p,
                            int64_t p_stride, int64_t n, float* y, int64_t y_stride);

    // --- trellis, index bits − 2: a strip is 64 rows of codes, a group at most 256 symbols, that is
    // kGroupSymbols / symbols of a block of 32 columns. See kernels/trellis.h.
    // look_ups [symbols of the blocks, 16] of x [32 · blocks], one group; returns their scale.
    float (*trellis_look_ups[3])(const float* x, int64_t blocks, const int8_t* table, uint8_t* look_ups);
    // y[t, 0 … 63] += the sums of what one strip's symbols have in vector t's look-ups times its scale.
    void (*trellis_multiply[3])(const uint8_t* codes, int64_t blocks, const uint8_t* look_ups,
                                int64_t look_up_stride, const float* scales, int64_t scale_stride, int64_t n,
                                float* y, int64_t y_stride);

    // --- additive codes. y[8·groups] = scale · Σ_k codebooks[k, code] for codes [groups, books] of
    // one or two bytes (index bytes − 1), codebooks [books, entries, 8]; `entries` is a power of two,
    // and higher bits of a code are ignored.
    void (*additive_decode[2])(const void* codes, int64_t groups, int64_t books, int64_t entries,
                               const float* codebooks, float scale, float* y);
    // look_ups [groups, books, 256] of x [8 · groups], at most kGroupCodes together, with codebooks
    // [books, 8, 256]; returns their scale.
    float (*additive_look_ups)(const float* x, int64_t groups, int64_t books, const float* codebooks,
                               uint8_t* look_ups);
    // y[0 … 63] += scale · the sums of what the codes [count, 64], one row a column, have in look_ups [count, 256].
    void (*additive_multiply)(const uint8_t* codes, int64_t count, const uint8_t* look_ups, float scale, float* y);
};

// Throws std::invalid_argument if this build or CPU lacks the set.
const KernelTable& kernels(Isa isa);

const KernelTable& scalar_kernels();
#if defined(__x86_64__)
const KernelTable& avx2_kernels();
const KernelTable& avx512_kernels();
#elif defined(__aarch64__)
const KernelTable& neon_kernels();
#endif

}  // namespace gnomon
