// AVX-512: see simd.h.
#pragma once

#include <immintrin.h>

#include <cstdint>

namespace gnomon {
namespace GNOMON_SIMD_NAMESPACE {

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
static inline F one_where_greater(F a, F b) {
    return {_mm512_maskz_mov_ps(_mm512_cmp_ps_mask(a.v, b.v, _CMP_GT_OQ), _mm512_set1_ps(1.0f))};
}
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

// ------------------------------------------------------------------------------------- bytes

struct B {
    static constexpr int N = 64;
    __m512i v;
};
static inline B set_bytes(int a) { return {_mm512_set1_epi8(static_cast<char>(a))}; }
static inline B load_bytes(const uint8_t* p) { return {_mm512_loadu_si512(p)}; }
static inline B repeat_16(const uint8_t* p) {
    return {_mm512_broadcast_i32x4(_mm_load_si128(reinterpret_cast<const __m128i*>(p)))};
}
static inline B look_up(B table, B index) { return {_mm512_shuffle_epi8(table.v, index.v)}; }
static inline B operator&(B a, B b) { return {_mm512_and_si512(a.v, b.v)}; }
static inline B operator|(B a, B b) { return {_mm512_or_si512(a.v, b.v)}; }
static inline B shift_right(B a, unsigned n) { return {_mm512_srli_epi16(a.v, n)}; }
static inline B shift_left(B a, unsigned n) { return {_mm512_slli_epi16(a.v, n)}; }
static inline B look_up_256(const uint8_t* table, B index) {
    const __m512i low = _mm512_permutex2var_epi8(_mm512_load_si512(table), index.v, _mm512_load_si512(table + 64));
    const __m512i high =
        _mm512_permutex2var_epi8(_mm512_load_si512(table + 128), index.v, _mm512_load_si512(table + 192));
    return {_mm512_mask_blend_epi8(_mm512_movepi8_mask(index.v), low, high)};
}

struct Sums {
    __m512i all = _mm512_setzero_si512(), odd = _mm512_setzero_si512();

    void add(B a) {
        all = _mm512_add_epi16(all, a.v);
        odd = _mm512_add_epi16(odd, _mm512_srli_epi16(a.v, 8));
        asm("" : "+v"(all), "+v"(odd));  // see simd_avx2.h
    }
    void add_to(float* y, float scale, int32_t bias) const {
        const __m512i even = _mm512_sub_epi16(all, _mm512_slli_epi16(odd, 8));
        alignas(64) uint16_t low[32], high[32];  // rows 0–7, 16–23, …; rows 8–15, 24–31, …
        _mm512_store_si512(low, _mm512_unpacklo_epi16(even, odd));
        _mm512_store_si512(high, _mm512_unpackhi_epi16(even, odd));
        const __m256 factor = _mm256_set1_ps(scale);
        const __m256i shift = _mm256_set1_epi32(bias);
        GNOMON_UNROLL
        for (int i = 0; i < 8; ++i, y += 8) {
            const auto* words = reinterpret_cast<const __m128i*>((i % 2 ? high : low) + i / 2 * 8);
            const __m256i sum = _mm256_sub_epi32(_mm256_cvtepu16_epi32(_mm_load_si128(words)), shift);
            _mm256_storeu_ps(y, _mm256_fmadd_ps(_mm256_cvtepi32_ps(sum), factor, _mm256_loadu_ps(y)));
        }
    }
};

static inline void store_16_bytes(uint8_t* p, const F* v) {
    const __m128i bytes = _mm512_cvtepi32_epi8(_mm512_cvtps_epi32(v[0].v));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm_xor_si128(bytes, _mm_set1_epi8(-128)));
}

}  // namespace GNOMON_SIMD_NAMESPACE
}  // namespace gnomon
