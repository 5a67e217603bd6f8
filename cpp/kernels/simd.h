// `F`: a vector of floats of the instruction set this file is compiled for.
//
// No standard-library templates in here or in the other kernel headers: their out-of-line copies
// would be merged across instruction sets, and an old CPU could be handed AVX-512 code.
#pragma once

#include <cstdint>
#include <cstring>

#include "core/half.h"

#if defined(GNOMON_SIMD_AVX512) || defined(GNOMON_SIMD_AVX2)
#include <immintrin.h>
#endif

#define GNOMON_UNROLL _Pragma("GCC unroll 16")

namespace gnomon {
namespace GNOMON_SIMD_NAMESPACE {

#if defined(GNOMON_SIMD_AVX512)

struct F {
    static constexpr int N = 16;
    __m512 v;
};
static inline __mmask16 first(int64_t n) { return static_cast<__mmask16>((1u << n) - 1u); }
static inline F set(float a) { return {_mm512_set1_ps(a)}; }
static inline F load(const float* p) { return {_mm512_loadu_ps(p)}; }
static inline F load(const float* p, int64_t n) { return {_mm512_maskz_loadu_ps(first(n), p)}; }
static inline void store(float* p, F a) { _mm512_storeu_ps(p, a.v); }
static inline void store(float* p, F a, int64_t n) { _mm512_mask_storeu_ps(p, first(n), a.v); }
static inline F operator+(F a, F b) { return {_mm512_add_ps(a.v, b.v)}; }
static inline F operator-(F a, F b) { return {_mm512_sub_ps(a.v, b.v)}; }
static inline F operator*(F a, F b) { return {_mm512_mul_ps(a.v, b.v)}; }
static inline F operator/(F a, F b) { return {_mm512_div_ps(a.v, b.v)}; }
static inline F fma(F a, F b, F c) { return {_mm512_fmadd_ps(a.v, b.v, c.v)}; }
static inline F maximum(F a, F b) { return {_mm512_max_ps(a.v, b.v)}; }
static inline F minimum(F a, F b) { return {_mm512_min_ps(a.v, b.v)}; }
static inline F absolute(F a) { return {_mm512_abs_ps(a.v)}; }
static inline F nearest(F a) {
    return {_mm512_roundscale_ps(a.v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)};
}
static inline F power_of_two(F n) { return {_mm512_scalef_ps(_mm512_set1_ps(1.0f), n.v)}; }
static inline float sum(F a) { return _mm512_reduce_add_ps(a.v); }
static inline float largest(F a) { return _mm512_reduce_max_ps(a.v); }
static inline F load_f16(const uint16_t* p) {
    return {_mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)))};
}
static inline F load_f16(const uint16_t* p, int64_t n) {
    return {_mm512_cvtph_ps(_mm256_maskz_loadu_epi16(first(n), p))};
}
static inline F load_bf16(const uint16_t* p) {
    const __m512i wide = _mm512_cvtepu16_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
    return {_mm512_castsi512_ps(_mm512_slli_epi32(wide, 16))};
}
static inline F load_bf16(const uint16_t* p, int64_t n) {
    const __m512i wide = _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(first(n), p));
    return {_mm512_castsi512_ps(_mm512_slli_epi32(wide, 16))};
}
static inline F load_i8(const int8_t* p) {
    return {_mm512_cvtepi32_ps(
        _mm512_cvtepi8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p))))};
}
static inline F load_i8(const int8_t* p, int64_t n) {
    return {_mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_maskz_loadu_epi8(first(n), p)))};
}
static inline F load_i32(const int32_t* p) { return {_mm512_cvtepi32_ps(_mm512_loadu_si512(p))}; }
static inline void store_f16(uint16_t* p, F a) {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(p),
                        _mm512_cvtps_ph(a.v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
}
// Writes N signed bytes of already rounded values and returns their sum.
static inline int32_t store_i8(int8_t* p, F a) {
    const __m512i wide = _mm512_cvtps_epi32(a.v);
    _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm512_cvtepi32_epi8(wide));
    return _mm512_reduce_add_epi32(wide);
}
// One Sylvester–Hadamard transform of the N entries, not normalised.
static inline F hadamard_in_register(F a) {
    __m512 v = a.v, p;
    p = _mm512_permute_ps(v, 0xB1);
    v = _mm512_mask_sub_ps(_mm512_add_ps(v, p), 0xAAAA, p, v);
    p = _mm512_permute_ps(v, 0x4E);
    v = _mm512_mask_sub_ps(_mm512_add_ps(v, p), 0xCCCC, p, v);
    p = _mm512_shuffle_f32x4(v, v, 0xB1);
    v = _mm512_mask_sub_ps(_mm512_add_ps(v, p), 0xF0F0, p, v);
    p = _mm512_shuffle_f32x4(v, v, 0x4E);
    v = _mm512_mask_sub_ps(_mm512_add_ps(v, p), 0xFF00, p, v);
    return {v};
}

#elif defined(GNOMON_SIMD_AVX2)

struct F {
    static constexpr int N = 8;
    __m256 v;
};
static inline F set(float a) { return {_mm256_set1_ps(a)}; }
static inline F load(const float* p) { return {_mm256_loadu_ps(p)}; }
static inline __m256i first(int64_t n) {
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(static_cast<int>(n)),
                              _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}
static inline F load(const float* p, int64_t n) { return {_mm256_maskload_ps(p, first(n))}; }
static inline void store(float* p, F a) { _mm256_storeu_ps(p, a.v); }
static inline void store(float* p, F a, int64_t n) { _mm256_maskstore_ps(p, first(n), a.v); }
static inline F operator+(F a, F b) { return {_mm256_add_ps(a.v, b.v)}; }
static inline F operator-(F a, F b) { return {_mm256_sub_ps(a.v, b.v)}; }
static inline F operator*(F a, F b) { return {_mm256_mul_ps(a.v, b.v)}; }
static inline F operator/(F a, F b) { return {_mm256_div_ps(a.v, b.v)}; }
static inline F fma(F a, F b, F c) { return {_mm256_fmadd_ps(a.v, b.v, c.v)}; }
static inline F maximum(F a, F b) { return {_mm256_max_ps(a.v, b.v)}; }
static inline F minimum(F a, F b) { return {_mm256_min_ps(a.v, b.v)}; }
static inline F absolute(F a) { return {_mm256_andnot_ps(_mm256_set1_ps(-0.0f), a.v)}; }
static inline F nearest(F a) {
    return {_mm256_round_ps(a.v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)};
}
static inline F power_of_two(F n) {
    const __m256i biased = _mm256_add_epi32(_mm256_cvtps_epi32(n.v), _mm256_set1_epi32(127));
    return {_mm256_castsi256_ps(_mm256_slli_epi32(biased, 23))};
}
static inline float sum(F a) {
    __m128 s = _mm_add_ps(_mm256_castps256_ps128(a.v), _mm256_extractf128_ps(a.v, 1));
    s = _mm_add_ps(s, _mm_movehl_ps(s, s));
    return _mm_cvtss_f32(_mm_add_ss(s, _mm_movehdup_ps(s)));
}
static inline float largest(F a) {
    __m128 s = _mm_max_ps(_mm256_castps256_ps128(a.v), _mm256_extractf128_ps(a.v, 1));
    s = _mm_max_ps(s, _mm_movehl_ps(s, s));
    return _mm_cvtss_f32(_mm_max_ss(s, _mm_movehdup_ps(s)));
}
static inline F load_f16(const uint16_t* p) {
    return {_mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)))};
}
static inline F load_bf16(const uint16_t* p) {
    const __m256i wide = _mm256_cvtepu16_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
    return {_mm256_castsi256_ps(_mm256_slli_epi32(wide, 16))};
}
static inline F load_i8(const int8_t* p) {
    return {_mm256_cvtepi32_ps(
        _mm256_cvtepi8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p))))};
}
static inline F load_f16(const uint16_t* p, int64_t n) {
    uint16_t padded[8] = {};
    std::memcpy(padded, p, static_cast<size_t>(n) * 2);
    return load_f16(padded);
}
static inline F load_bf16(const uint16_t* p, int64_t n) {
    uint16_t padded[8] = {};
    std::memcpy(padded, p, static_cast<size_t>(n) * 2);
    return load_bf16(padded);
}
static inline F load_i8(const int8_t* p, int64_t n) {
    int8_t padded[8] = {};
    std::memcpy(padded, p, static_cast<size_t>(n));
    return load_i8(padded);
}
static inline F load_i32(const int32_t* p) {
    return {_mm256_cvtepi32_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)))};
}
static inline void store_f16(uint16_t* p, F a) {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(p),
                     _mm256_cvtps_ph(a.v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
}
static inline int32_t add_up(__m256i v) {
    __m128i s = _mm_add_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));
    s = _mm_add_epi32(s, _mm_shuffle_epi32(s, 0x4E));
    return _mm_cvtsi128_si32(_mm_add_epi32(s, _mm_shuffle_epi32(s, 0xB1)));
}
static inline int32_t store_i8(int8_t* p, F a) {
    const __m256i wide = _mm256_cvtps_epi32(a.v);
    const __m128i words =
        _mm_packs_epi32(_mm256_castsi256_si128(wide), _mm256_extracti128_si256(wide, 1));
    _mm_storel_epi64(reinterpret_cast<__m128i*>(p), _mm_packs_epi16(words, words));
    return add_up(wide);
}
static inline F hadamard_in_register(F a) {
    __m256 v = a.v, p;
    p = _mm256_permute_ps(v, 0xB1);
    v = _mm256_blend_ps(_mm256_add_ps(v, p), _mm256_sub_ps(p, v), 0xAA);
    p = _mm256_permute_ps(v, 0x4E);
    v = _mm256_blend_ps(_mm256_add_ps(v, p), _mm256_sub_ps(p, v), 0xCC);
    p = _mm256_permute2f128_ps(v, v, 1);
    v = _mm256_blend_ps(_mm256_add_ps(v, p), _mm256_sub_ps(p, v), 0xF0);
    return {v};
}

#else  // portable: loops over 16 floats, which a compiler turns into whatever vectors there are

struct F {
    static constexpr int N = 16;
    float v[N];
};
#define GNOMON_EACH for (int i = 0; i < F::N; ++i)
static inline F set(float a) {
    F r;
    GNOMON_EACH r.v[i] = a;
    return r;
}
static inline F load(const float* p, int64_t n = F::N) {
    F r;
    GNOMON_EACH r.v[i] = i < n ? p[i] : 0.0f;
    return r;
}
static inline void store(float* p, F a, int64_t n = F::N) {
    for (int i = 0; i < n; ++i) p[i] = a.v[i];
}
static inline F operator+(F a, F b) {
    GNOMON_EACH a.v[i] += b.v[i];
    return a;
}
static inline F operator-(F a, F b) {
    GNOMON_EACH a.v[i] -= b.v[i];
    return a;
}
static inline F operator*(F a, F b) {
    GNOMON_EACH a.v[i] *= b.v[i];
    return a;
}
static inline F operator/(F a, F b) {
    GNOMON_EACH a.v[i] /= b.v[i];
    return a;
}
static inline F fma(F a, F b, F c) {
    GNOMON_EACH c.v[i] += a.v[i] * b.v[i];
    return c;
}
static inline F maximum(F a, F b) {
    GNOMON_EACH a.v[i] = a.v[i] > b.v[i] ? a.v[i] : b.v[i];
    return a;
}
static inline F minimum(F a, F b) {
    GNOMON_EACH a.v[i] = a.v[i] < b.v[i] ? a.v[i] : b.v[i];
    return a;
}
static inline F absolute(F a) {
    GNOMON_EACH a.v[i] = __builtin_fabsf(a.v[i]);
    return a;
}
static inline F nearest(F a) {
    GNOMON_EACH a.v[i] = __builtin_rintf(a.v[i]);
    return a;
}
static inline F power_of_two(F n) {
    GNOMON_EACH n.v[i] = bits_to_float(static_cast<uint32_t>(static_cast<int32_t>(n.v[i]) + 127) << 23);
    return n;
}
static inline float sum(F a) {
    for (int h = F::N / 2; h > 0; h /= 2)
        for (int i = 0; i < h; ++i) a.v[i] += a.v[i + h];
    return a.v[0];
}
static inline float largest(F a) {
    float r = a.v[0];
    GNOMON_EACH r = a.v[i] > r ? a.v[i] : r;
    return r;
}
static inline F load_f16(const uint16_t* p, int64_t n = F::N) {
    F r;
    GNOMON_EACH r.v[i] = i < n ? f16_to_float(p[i]) : 0.0f;
    return r;
}
static inline F load_bf16(const uint16_t* p, int64_t n = F::N) {
    F r;
    GNOMON_EACH r.v[i] = i < n ? bf16_to_float(p[i]) : 0.0f;
    return r;
}
static inline F load_i8(const int8_t* p, int64_t n = F::N) {
    F r;
    GNOMON_EACH r.v[i] = i < n ? static_cast<float>(p[i]) : 0.0f;
    return r;
}
static inline F load_i32(const int32_t* p) {
    F r;
    GNOMON_EACH r.v[i] = static_cast<float>(p[i]);
    return r;
}
static inline void store_f16(uint16_t* p, F a) { GNOMON_EACH p[i] = float_to_f16(a.v[i]); }
static inline int32_t store_i8(int8_t* p, F a) {
    int32_t total = 0;
    GNOMON_EACH {
        p[i] = static_cast<int8_t>(a.v[i]);
        total += p[i];
    }
    return total;
}
static inline F hadamard_in_register(F a) {
    for (int h = 1; h < F::N; h *= 2) {
        F r;
        GNOMON_EACH r.v[i] = (i & h) ? a.v[i ^ h] - a.v[i] : a.v[i] + a.v[i ^ h];
        a = r;
    }
    return a;
}
#undef GNOMON_EACH

#endif

}  // namespace GNOMON_SIMD_NAMESPACE
}  // namespace gnomon
