// The trellis codec (docs/trellis-format.md): a 16×16 tile becomes 256 small integers in the order
// [column / 4][16 rows][4 columns], in which a 32-bit lane holds four consecutive columns of one
// row, ready for a dot product with the same four activations in every lane.
//
// Sums are exact: |table| <= 128, |q| <= 127, and at most 65,536 columns stay below 2^31.
#pragma once

#include "kernels/simd.h"

namespace gnomon {
namespace GNOMON_SIMD_NAMESPACE {

static inline uint32_t load_u32(const void* p) {
    uint32_t v;
    std::memcpy(&v, p, 4);
    return v;
}

#if defined(GNOMON_SIMD_AVX512)

// How to cut the states of four columns out of a tile: first bring the bytes that hold the windows
// of row r into lane r (`byte`), then shift the windows out of each 64-bit half (`shift`).
// At two bits lane r is where row r is stored, and only the last columns need the row after it.
template <int Bits>
struct Cuts {
    static constexpr bool is_in_place(int c) { return Bits == 2 && c < 3; }
    alignas(64) uint8_t byte[4][64];
    alignas(64) uint8_t shift[4][64];
    constexpr Cuts() : byte(), shift() {
        for (int c = 0; c < 4; ++c)
            for (int row = 0; row < 16; ++row)
                for (int j = 0; j < 4; ++j) {
                    const int bit = Bits * (16 * row + 4 * c);
                    byte[c][4 * row + j] = static_cast<uint8_t>(((bit >> 3) + j) % (32 * Bits));
                    const int begin = is_in_place(c) ? bit % 32 : bit & 7;
                    shift[c][4 * row + j] = static_cast<uint8_t>((row & 1) * 32 + begin + Bits * j);
                }
    }
};
template <int Bits>
static constexpr Cuts<Bits> kCuts{};

struct Table {
    __m512i part[4];
    // Biased to unsigned, as vpdpbusd wants its first factor.
    static inline Table of(const int8_t* table) {
        Table t;
        for (int i = 0; i < 4; ++i)
            t.part[i] = _mm512_xor_si512(_mm512_loadu_si512(table + 64 * i), _mm512_set1_epi8(-128));
        return t;
    }
    inline __m512i operator[](__m512i state) const {
        const __m512i low = _mm512_permutex2var_epi8(part[0], state, part[1]);
        const __m512i high = _mm512_permutex2var_epi8(part[2], state, part[3]);
        return _mm512_mask_blend_epi8(_mm512_movepi8_mask(state), low, high);
    }
};

// Calls use(c, weights) for the four column groups of a tile.
template <int Bits, class Use>
static inline void decode_tile(const uint8_t* tile, const Table& table, Use use) {
    const __m512i low = _mm512_loadu_si512(tile);
    __m512i high = low;
    if (Bits == 3)
        high = _mm512_zextsi256_si512(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(tile + 64)));
    if (Bits == 4) high = _mm512_loadu_si512(tile + 64);
    GNOMON_UNROLL
    for (int c = 0; c < 4; ++c) {
        const __m512i byte = _mm512_load_si512(kCuts<Bits>.byte[c]);
        const __m512i bits = Cuts<Bits>::is_in_place(c) ? low
                             : Bits == 2                ? _mm512_permutexvar_epi8(byte, low)
                                                        : _mm512_permutex2var_epi8(low, byte, high);
        use(c, table[_mm512_multishift_epi64_epi8(_mm512_load_si512(kCuts<Bits>.shift[c]), bits)]);
    }
}

constexpr int64_t kPrefetchBytes = 4096;

template <int Bits>
static void trellis_dot(const uint8_t* codes, int64_t tiles, const int8_t* values, const int8_t* q,
                        int32_t q_sum, int32_t* acc) {
    const Table table = Table::of(values);
    __m512i s[4] = {_mm512_setzero_si512(), _mm512_setzero_si512(), _mm512_setzero_si512(),
                    _mm512_setzero_si512()};
    for (int64_t tile = 0; tile < tiles; ++tile, codes += 32 * Bits, q += 16) {
        // The hardware's own prefetching ends at each page.
        _mm_prefetch(reinterpret_cast<const char*>(codes + kPrefetchBytes), _MM_HINT_T0);
        if (Bits > 2) _mm_prefetch(reinterpret_cast<const char*>(codes + kPrefetchBytes + 64), _MM_HINT_T0);
        decode_tile<Bits>(codes, table, [&](int c, __m512i w) {
            s[c] = _mm512_dpbusd_epi32(s[c], w, _mm512_set1_epi32(static_cast<int>(load_u32(q + 4 * c))));
        });
    }
    const __m512i total = _mm512_add_epi32(_mm512_add_epi32(s[0], s[1]), _mm512_add_epi32(s[2], s[3]));
    _mm512_storeu_si512(acc, _mm512_sub_epi32(total, _mm512_set1_epi32(128 * q_sum)));
}

template <int Bits>
static void trellis_decode(const uint8_t* codes, int64_t tiles, const int8_t* values, uint8_t* strip) {
    const Table table = Table::of(values);
    for (int64_t tile = 0; tile < tiles; ++tile, codes += 32 * Bits, strip += 256)
        decode_tile<Bits>(codes, table, [&](int c, __m512i w) { _mm512_storeu_si512(strip + 64 * c, w); });
}

// S strips of `groups` times 64 bytes, one after the other, and V vectors.
template <int S, int V>
static inline void strip_block(const uint8_t* strips, int64_t groups, const int8_t* q, int64_t q_stride,
                               const int32_t* q_sums, int32_t* acc, int64_t acc_stride) {
    __m512i s[S][V];
    GNOMON_UNROLL
    for (int t = 0; t < V; ++t) {
        GNOMON_UNROLL
        for (int i = 0; i < S; ++i) s[i][t] = _mm512_setzero_si512();
    }
    for (int64_t g = 0; g < groups; ++g) {
        __m512i w[S];
        GNOMON_UNROLL
        for (int i = 0; i < S; ++i) w[i] = _mm512_loadu_si512(strips + 64 * (i * groups + g));
        GNOMON_UNROLL
        for (int t = 0; t < V; ++t) {
            const __m512i x = _mm512_set1_epi32(static_cast<int>(load_u32(q + t * q_stride + 4 * g)));
            GNOMON_UNROLL
            for (int i = 0; i < S; ++i) s[i][t] = _mm512_dpbusd_epi32(s[i][t], w[i], x);
        }
    }
    GNOMON_UNROLL
    for (int t = 0; t < V; ++t) {
        const __m512i correction = _mm512_set1_epi32(128 * q_sums[t]);
        GNOMON_UNROLL
        for (int i = 0; i < S; ++i)
            _mm512_storeu_si512(acc + t * acc_stride + 16 * i, _mm512_sub_epi32(s[i][t], correction));
    }
}
constexpr int kStripVectors = 8;

#elif defined(GNOMON_SIMD_AVX2)

// The 256-entry table as sixteen shuffles; state bits 4 to 7 choose among them in four rounds.
struct Table {
    __m256i part[16];
    static inline Table of(const int8_t* table) {
        Table t;
        for (int i = 0; i < 16; ++i)
            t.part[i] = _mm256_broadcastsi128_si256(
                _mm_loadu_si128(reinterpret_cast<const __m128i*>(table + 16 * i)));
        return t;
    }
    template <int First, int Count>
    inline __m256i choose(__m256i low, const __m256i* bit) const {
        if constexpr (Count == 1) {
            return _mm256_shuffle_epi8(part[First], low);
        } else {
            // bit[0] has state bit 4 on top, bit[3] state bit 7.
            constexpr int level = Count == 16 ? 3 : Count == 8 ? 2 : Count == 4 ? 1 : 0;
            return _mm256_blendv_epi8(choose<First, Count / 2>(low, bit),
                                      choose<First + Count / 2, Count / 2>(low, bit), bit[level]);
        }
    }
    inline __m256i operator[](__m256i state) const {
        const __m256i low = _mm256_and_si256(state, _mm256_set1_epi8(15));
        const __m256i bit[4] = {_mm256_slli_epi16(state, 3), _mm256_slli_epi16(state, 2),
                                _mm256_slli_epi16(state, 1), state};
        return choose<0, 16>(low, bit);
    }
};

// Calls use(c, half, weights) for the four column groups and both halves (rows 0–7 and 8–15).
template <int Bits, class Use>
static inline void decode_tile(const uint8_t* tile, const Table& table, Use use) {
    alignas(32) uint8_t bytes[32 * Bits + 8];
    std::memcpy(bytes, tile, 32 * Bits);
    std::memcpy(bytes + 32 * Bits, tile, 8);  // the string is cyclic
    const __m256i rows = _mm256_mullo_epi32(_mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7),
                                            _mm256_set1_epi32(2 * Bits));
    const __m256i mask = _mm256_set1_epi32(255);
    GNOMON_UNROLL
    for (int c = 0; c < 4; ++c) {
        const int bit = 4 * Bits * c;
        GNOMON_UNROLL
        for (int half = 0; half < 2; ++half) {
            const int* base = reinterpret_cast<const int*>(bytes + 16 * Bits * half + (bit >> 3));
            const __m256i window = _mm256_srli_epi32(_mm256_i32gather_epi32(base, rows, 1), bit & 7);
            __m256i state = _mm256_and_si256(window, mask);
            GNOMON_UNROLL
            for (int j = 1; j < 4; ++j)
                state = _mm256_or_si256(
                    state, _mm256_slli_epi32(_mm256_and_si256(_mm256_srli_epi32(window, Bits * j), mask),
                                             8 * j));
            use(c, half, table[state]);
        }
    }
}

// s += w · x, four signed products a lane: |w| <= 128 and |x| <= 127 keep the pairs within 16 bits.
static inline __m256i dot4(__m256i s, __m256i w, __m256i x) {
    const __m256i pairs = _mm256_maddubs_epi16(_mm256_abs_epi8(w), _mm256_sign_epi8(x, w));
    return _mm256_add_epi32(s, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
}

template <int Bits>
static void trellis_dot(const uint8_t* codes, int64_t tiles, const int8_t* values, const int8_t* q,
                        int32_t, int32_t* acc) {
    const Table table = Table::of(values);
    __m256i s[2] = {_mm256_setzero_si256(), _mm256_setzero_si256()};
    for (int64_t tile = 0; tile < tiles; ++tile, codes += 32 * Bits, q += 16)
        decode_tile<Bits>(codes, table, [&](int c, int half, __m256i w) {
            s[half] = dot4(s[half], w, _mm256_set1_epi32(static_cast<int>(load_u32(q + 4 * c))));
        });
    for (int half = 0; half < 2; ++half)
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(acc + 8 * half), s[half]);
}

template <int Bits>
static void trellis_decode(const uint8_t* codes, int64_t tiles, const int8_t* values, uint8_t* strip) {
    const Table table = Table::of(values);
    for (int64_t tile = 0; tile < tiles; ++tile, codes += 32 * Bits, strip += 256)
        decode_tile<Bits>(codes, table, [&](int c, int half, __m256i w) {
            _mm256_storeu_si256(reinterpret_cast<__m256i*>(strip + 64 * c + 32 * half), w);
        });
}

// One strip at a time: sixteen registers hold no more.
template <int S, int V>
static inline void strip_block(const uint8_t* strips, int64_t groups, const int8_t* q, int64_t q_stride,
                               const int32_t*, int32_t* acc, int64_t acc_stride) {
    for (int i = 0; i < S; ++i, strips += 64 * groups, acc += 16) {
        __m256i s[V][2];
        GNOMON_UNROLL
        for (int t = 0; t < V; ++t) s[t][0] = s[t][1] = _mm256_setzero_si256();
        for (int64_t g = 0; g < groups; ++g) {
            const auto* w = reinterpret_cast<const __m256i*>(strips + 64 * g);
            const __m256i w0 = _mm256_loadu_si256(w), w1 = _mm256_loadu_si256(w + 1);
            GNOMON_UNROLL
            for (int t = 0; t < V; ++t) {
                const __m256i x = _mm256_set1_epi32(static_cast<int>(load_u32(q + t * q_stride + 4 * g)));
                s[t][0] = dot4(s[t][0], w0, x);
                s[t][1] = dot4(s[t][1], w1, x);
            }
        }
        GNOMON_UNROLL
        for (int t = 0; t < V; ++t)
            for (int half = 0; half < 2; ++half)
                _mm256_storeu_si256(reinterpret_cast<__m256i*>(acc + t * acc_stride + 8 * half), s[t][half]);
    }
}
constexpr int kStripVectors = 4;

#else  // portable

template <int Bits, class Use>
static inline void decode_tile(const uint8_t* tile, const int8_t* table, Use use) {
    uint8_t bytes[32 * Bits + 1];
    std::memcpy(bytes, tile, 32 * Bits);
    bytes[32 * Bits] = tile[0];  // the string is cyclic
    for (int t = 0; t < 256; ++t) {
        const int bit = Bits * t;
        const int window = bytes[bit >> 3] | bytes[(bit >> 3) + 1] << 8;
        use(t >> 4, t & 15, table[(window >> (bit & 7)) & 255]);
    }
}

template <int Bits>
static void trellis_dot(const uint8_t* codes, int64_t tiles, const int8_t* table, const int8_t* q,
                        int32_t, int32_t* acc) {
    for (int row = 0; row < 16; ++row) acc[row] = 0;
    for (int64_t tile = 0; tile < tiles; ++tile, codes += 32 * Bits, q += 16)
        decode_tile<Bits>(codes, table, [&](int row, int column, int8_t w) { acc[row] += w * q[column]; });
}

template <int Bits>
static void trellis_decode(const uint8_t* codes, int64_t tiles, const int8_t* table, uint8_t* strip) {
    for (int64_t tile = 0; tile < tiles; ++tile, codes += 32 * Bits, strip += 256)
        decode_tile<Bits>(codes, table, [&](int row, int column, int8_t w) {
            strip[(column >> 2) * 64 + row * 4 + (column & 3)] = static_cast<uint8_t>(w);
        });
}

template <int S, int V>
static inline void strip_block(const uint8_t* strips, int64_t groups, const int8_t* q, int64_t q_stride,
                               const int32_t*, int32_t* acc, int64_t acc_stride) {
    for (int i = 0; i < S; ++i, strips += 64 * groups)
        for (int t = 0; t < V; ++t) {
            int32_t sums[16] = {};
            for (int64_t g = 0; g < groups; ++g)
                for (int row = 0; row < 16; ++row)
                    for (int j = 0; j < 4; ++j)
                        sums[row] += static_cast<int8_t>(strips[64 * g + 4 * row + j]) *
                                     q[t * q_stride + 4 * g + j];
            std::memcpy(acc + t * acc_stride + 16 * i, sums, sizeof sums);
        }
}
constexpr int kStripVectors = 4;

#endif

template <int S>
static void multiply_strips(const uint8_t* strips, int64_t groups, const int8_t* q, int64_t q_stride,
                            const int32_t* q_sums, int64_t n, int32_t* acc, int64_t acc_stride) {
    const auto run = [&](auto block, int64_t t) {
        block(strips, groups, q + t * q_stride, q_stride, q_sums + t, acc + t * acc_stride, acc_stride);
    };
    int64_t t = 0;
    for (; t + kStripVectors <= n; t += kStripVectors) run(strip_block<S, kStripVectors>, t);
    for (; t + 2 <= n; t += 2) run(strip_block<S, 2>, t);
    for (; t < n; ++t) run(strip_block<S, 1>, t);
}

static void strip_multiply(const uint8_t* strips, int64_t count, int64_t tiles, const int8_t* q,
                           int64_t q_stride, const int32_t* q_sums, int64_t n, int32_t* acc,
                           int64_t acc_stride) {
    int64_t i = 0;
    for (; i + 2 <= count; i += 2)
        multiply_strips<2>(strips + i * 256 * tiles, 4 * tiles, q, q_stride, q_sums, n, acc + 16 * i,
                           acc_stride);
    if (i < count)
        multiply_strips<1>(strips + i * 256 * tiles, 4 * tiles, q, q_stride, q_sums, n, acc + 16 * i,
                           acc_stride);
}

}  // namespace GNOMON_SIMD_NAMESPACE
}  // namespace gnomon
