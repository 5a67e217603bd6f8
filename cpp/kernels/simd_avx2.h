// AVX2: see simd.h.
#pragma once

#include <immintrin.h>

#include <cstdint>
#include <cstring>

namespace gnomon {
namespace GNOMON_SIMD_NAMESPACE {

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
static inline F one_where_greater(F a, F b) {
    return {_mm256_and_ps(_mm256_cmp_ps(a.v, b.v, _CMP_GT_OQ), _mm256_set1_ps(1.0f))};
}
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

// ------------------------------------------------------------------------------------- bytes

struct B {
    static constexpr int N = 32;
    __m256i v;
};
static inline B set_bytes(int a) { return {_mm256_set1_epi8(static_cast<char>(a))}; }
static inline B load_bytes(const uint8_t* p) {
    return {_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p))};
}
static inline B repeat_16(const uint8_t* p) {
    return {_mm256_broadcastsi128_si256(_mm_load_si128(reinterpret_cast<const __m128i*>(p)))};
}
static inline B look_up(B table, B index) { return {_mm256_shuffle_epi8(table.v, index.v)}; }
static inline B operator&(B a, B b) { return {_mm256_and_si256(a.v, b.v)}; }
static inline B operator|(B a, B b) { return {_mm256_or_si256(a.v, b.v)}; }
static inline B shift_right(B a, int n) { return {_mm256_srli_epi16(a.v, n)}; }
static inline B shift_left(B a, int n) { return {_mm256_slli_epi16(a.v, n)}; }
// One of a table's sixteen rows after the other, and a choice among pairs of rows by each higher bit.
static inline B look_up_256(const uint8_t* table, B index) {
    const __m256i low = _mm256_and_si256(index.v, _mm256_set1_epi8(15));
    const auto row = [&](int i) { return _mm256_shuffle_epi8(repeat_16(table + 16 * i).v, low); };
    const auto choose = [&](__m256i a, __m256i b, int bit) {  // the top bit of every byte counts
        return _mm256_blendv_epi8(a, b, _mm256_slli_epi16(index.v, 7 - bit));
    };
    const auto two = [&](int i) { return choose(row(2 * i), row(2 * i + 1), 4); };
    const auto four = [&](int i) { return choose(two(2 * i), two(2 * i + 1), 5); };
    const auto eight = [&](int i) { return choose(four(2 * i), four(2 * i + 1), 6); };
    return {choose(eight(0), eight(1), 7)};
}

// Bytes are added up in pairs: two as one number of 16 bits, whose low half runs over into the high
// one, and the high ones once more by themselves.
struct Sums {
    __m256i all = _mm256_setzero_si256(), odd = _mm256_setzero_si256();

    void add(B a) {
        all = _mm256_add_epi16(all, a.v);
        odd = _mm256_add_epi16(odd, _mm256_srli_epi16(a.v, 8));
        // gcc would put the sums of a whole block into one tree, and its leaves on the stack.
        asm("" : "+x"(all), "+x"(odd));
    }
    void add_to(float* y, float scale, int32_t bias) const {
        const __m256i even = _mm256_sub_epi16(all, _mm256_slli_epi16(odd, 8));
        const __m256i low = _mm256_unpacklo_epi16(even, odd);   // rows 0–7 and 16–23
        const __m256i high = _mm256_unpackhi_epi16(even, odd);  // rows 8–15 and 24–31
        const __m128i rows[4] = {_mm256_castsi256_si128(low), _mm256_castsi256_si128(high),
                                 _mm256_extracti128_si256(low, 1), _mm256_extracti128_si256(high, 1)};
        const __m256i shift = _mm256_set1_epi32(bias);
        GNOMON_UNROLL
        for (int i = 0; i < 4; ++i, y += 8) {
            const __m256i sum = _mm256_sub_epi32(_mm256_cvtepu16_epi32(rows[i]), shift);
            store(y, fma({_mm256_cvtepi32_ps(sum)}, set(scale), load(y)));
        }
    }
};

static inline void store_16_bytes(uint8_t* p, const F* v) {
    const __m256i words = _mm256_permute4x64_epi64(
        _mm256_packs_epi32(_mm256_cvtps_epi32(v[0].v), _mm256_cvtps_epi32(v[1].v)), 0xD8);
    const __m128i bytes = _mm_packs_epi16(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm_xor_si128(bytes, _mm_set1_epi8(-128)));
}

}  // namespace GNOMON_SIMD_NAMESPACE
}  // namespace gnomon
