// The trellis codec (docs/trellis-format.md).
//
// One vector: as a weight is a sum over the symbols of its window, a row's product with x is a sum
// over its symbols, each of which has one number for each of its values: a look-up table of sixteen
// bytes for every symbol of a row, made once for all rows. Several vectors: codes are decoded to
// strips of 16 rows, small integers in the order [column / 4][16 rows][4 columns], in which a 32-bit
// lane holds four columns of one row, ready for a dot product with the same four numbers in
// every lane.
//
// Sums are exact: weights lie in ±127 (see TrellisLinear), |q| <= 127, and there are at most 65,536 columns.
#pragma once

#include "codecs/trellis_form.h"
#include "kernels/simd.h"

namespace gnomon {
namespace GNOMON_SIMD_NAMESPACE {

static inline uint32_t load_u32(const void* p) {
    uint32_t v;
    std::memcpy(&v, p, 4);
    return v;
}

// The entries of every place of a window and every column of a symbol side by side.
template <int Bits>
struct Entries {
    static constexpr TrellisForm kForm = trellis_form(Bits);
    alignas(16) int8_t of[kForm.window][kForm.columns][16];
    explicit Entries(const int8_t* table) {
        for (int j = 0; j < kForm.window; ++j)
            for (int d = 0; d < kForm.columns; ++d)
                for (int v = 0; v < 16; ++v)
                    of[j][d][v] = table[(j * kForm.values() + v % kForm.values()) * kForm.columns + d];
    }
};

// products[symbol][16] of `blocks` blocks of 32 numbers q; returns the largest absolute value.
template <int Bits>
static int32_t trellis_products(const int8_t* q, int64_t blocks, const int8_t* table, int16_t* products) {
    constexpr TrellisForm form = trellis_form(Bits);
    constexpr int symbols = form.symbols();
    const Entries<Bits> entries(table);
    int16_t wide[form.window][form.columns][16], most[16] = {};
    for (int j = 0; j < form.window; ++j)
        for (int d = 0; d < form.columns; ++d)
            for (int v = 0; v < 16; ++v) wide[j][d][v] = entries.of[j][d][v];
    for (int64_t b = 0; b < blocks; ++b, q += 32)
        for (int k = 0; k < symbols; ++k, products += 16) {
            int16_t sum[16] = {};
            for (int j = 0; j < form.window; ++j)
                for (int d = 0; d < form.columns; ++d) {
                    const int16_t x = q[(k - j + symbols) % symbols * form.columns + d];
                    for (int v = 0; v < 16; ++v) sum[v] = static_cast<int16_t>(sum[v] + x * wide[j][d][v]);
                }
            for (int v = 0; v < 16; ++v) {
                const int16_t size = static_cast<int16_t>(sum[v] < 0 ? -sum[v] : sum[v]);
                most[v] = size > most[v] ? size : most[v];
                products[v] = sum[v];
            }
        }
    int32_t largest = 0;
    for (int v = 0; v < 16; ++v) largest = most[v] > largest ? most[v] : largest;
    return largest;
}

// look_ups[i] = products[i] · factor / 65536, rounded; the factor keeps it within ±127.
static void trellis_look_ups(const int16_t* products, int64_t n, int32_t factor, int8_t* look_ups) {
    for (int64_t i = 0; i < n; ++i)
        look_ups[i] = static_cast<int8_t>((products[i] * factor + 32768) >> 16);
}

constexpr int64_t kStrip = 64;  // rows whose codes stand together

#if defined(GNOMON_SIMD_AVX512) || defined(GNOMON_SIMD_AVX2)

// The symbols of 32 rows of a block, in their order: calls use(k, symbol k) for k = 0, 1, …
template <int Bits, class Use>
static inline void each_symbol(const uint8_t* codes, Use use) {
    const auto plane = [&](int p) {
        return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(codes + kStrip * p));
    };
    if constexpr (Bits == 3) {
        const __m256i three = _mm256_set1_epi8(3), four = _mm256_set1_epi8(4);
        GNOMON_UNROLL
        for (int p = 0; p < 8; ++p) {
            const __m256i low = plane(p), high = plane(8 + p / 2);
            GNOMON_UNROLL
            for (int i = 0; i < 4; ++i) {
                const int at = 4 * (p & 1) + i;  // of the symbol's top bit
                const __m256i top = at < 2 ? _mm256_slli_epi16(high, 2 - at) : _mm256_srli_epi16(high, at - 2);
                use(4 * p + i, _mm256_or_si256(_mm256_and_si256(_mm256_srli_epi16(low, 2 * i), three),
                                               _mm256_and_si256(top, four)));
            }
        }
    } else {
        const __m256i mask = _mm256_set1_epi8(15);
        GNOMON_UNROLL
        for (int p = 0; p < 4 * Bits; ++p) {
            const __m256i both = plane(p);
            use(2 * p, _mm256_and_si256(both, mask));
            use(2 * p + 1, _mm256_and_si256(_mm256_srli_epi16(both, 4), mask));
        }
    }
}

static inline __m256i broadcast16(const int8_t* p) {
    return _mm256_broadcastsi128_si256(_mm_load_si128(reinterpret_cast<const __m128i*>(p)));
}

constexpr int64_t kPrefetchBytes = 4096;

// acc[64] of one strip; rows are summed in 16 bits for as long as they surely fit.
template <int Bits>
static void trellis_dot(const uint8_t* codes, int64_t blocks, const int8_t* look_ups, int32_t* acc) {
    constexpr int symbols = trellis_form(Bits).symbols();
    constexpr int64_t bytes = 4 * Bits * kStrip, together = 256 / symbols;
    const __m256i ones = _mm256_set1_epi8(1);
    __m256i total[8];
    for (auto& t : total) t = _mm256_setzero_si256();
    for (int64_t first = 0; first < blocks; first += together) {
        const int64_t end = first + together < blocks ? first + together : blocks;
        __m256i s[4];
        for (auto& each : s) each = _mm256_setzero_si256();
        for (int64_t b = first; b < end; ++b, codes += bytes, look_ups += 16 * symbols) {
            // The hardware's own prefetching ends at each page.
            for (int64_t line = 0; line < bytes; line += 64)
                _mm_prefetch(reinterpret_cast<const char*>(codes + kPrefetchBytes + line), _MM_HINT_T0);
            GNOMON_UNROLL
            for (int half = 0; half < 2; ++half) {
                __m256i even = _mm256_setzero_si256();
                each_symbol<Bits>(codes + 32 * half, [&](int k, __m256i symbol) {
                    const __m256i found = _mm256_shuffle_epi8(broadcast16(look_ups + 16 * k), symbol);
                    if (k % 2 == 0) {
                        even = found;
                        return;
                    }
                    s[2 * half] = _mm256_add_epi16(
                        s[2 * half], _mm256_maddubs_epi16(ones, _mm256_unpacklo_epi8(even, found)));
                    s[2 * half + 1] = _mm256_add_epi16(
                        s[2 * half + 1], _mm256_maddubs_epi16(ones, _mm256_unpackhi_epi8(even, found)));
                });
            }
        }
        GNOMON_UNROLL
        for (int half = 0; half < 2; ++half)
            for (int i = 0; i < 2; ++i) {  // rows 0–7 and 16–23, then 8–15 and 24–31
                __m256i* t = total + 4 * half + i;
                t[0] = _mm256_add_epi32(t[0], _mm256_cvtepi16_epi32(_mm256_castsi256_si128(s[2 * half + i])));
                t[2] = _mm256_add_epi32(t[2],
                                        _mm256_cvtepi16_epi32(_mm256_extracti128_si256(s[2 * half + i], 1)));
            }
    }
    for (int i = 0; i < 8; ++i) _mm256_storeu_si256(reinterpret_cast<__m256i*>(acc + 8 * i), total[i]);
}

#if defined(GNOMON_SIMD_AVX512)
constexpr char kBias = -128;  // to unsigned, as vpdpbusd wants its first factor
#else
constexpr char kBias = 0;
#endif

// Four strips of 16 rows, 512 · blocks bytes each, out of one of 64.
template <int Bits>
static void trellis_decode(const uint8_t* codes, int64_t blocks, const int8_t* table, uint8_t* strips) {
    constexpr TrellisForm form = trellis_form(Bits);
    constexpr int symbols = form.symbols();
    const Entries<Bits> entries(table);
    const __m256i bias = _mm256_set1_epi8(kBias);
    for (int64_t b = 0; b < blocks; ++b, codes += 4 * Bits * kStrip)
        for (int half = 0; half < 2; ++half) {
            __m256i symbol[symbols];
            each_symbol<Bits>(codes + 32 * half, [&](int k, __m256i found) { symbol[k] = found; });
            const auto column = [&](int c) {
                __m256i sum = bias;
                for (int j = 0; j < form.window; ++j)
                    sum = _mm256_add_epi8(
                        sum, _mm256_shuffle_epi8(broadcast16(entries.of[j][c % form.columns]),
                                                 symbol[(c / form.columns + j) % symbols]));
                return sum;
            };
            uint8_t* one = strips + 2 * half * 512 * blocks + 512 * b;  // rows 0–15 of the 32
            uint8_t* two = one + 512 * blocks;
            for (int c = 0; c < 32; c += 4, one += 64, two += 64) {
                const __m256i c0 = column(c), c1 = column(c + 1), c2 = column(c + 2), c3 = column(c + 3);
                const __m256i ab[2] = {_mm256_unpacklo_epi8(c0, c1), _mm256_unpackhi_epi8(c0, c1)};
                const __m256i cd[2] = {_mm256_unpacklo_epi8(c2, c3), _mm256_unpackhi_epi8(c2, c3)};
                for (int i = 0; i < 4; ++i) {  // rows 4i … 4i + 3, and 16 more
                    const __m256i rows = i % 2 ? _mm256_unpackhi_epi16(ab[i / 2], cd[i / 2])
                                               : _mm256_unpacklo_epi16(ab[i / 2], cd[i / 2]);
                    _mm_storeu_si128(reinterpret_cast<__m128i*>(one + 16 * i), _mm256_castsi256_si128(rows));
                    _mm_storeu_si128(reinterpret_cast<__m128i*>(two + 16 * i),
                                     _mm256_extracti128_si256(rows, 1));
                }
            }
        }
}

#endif

#if defined(GNOMON_SIMD_AVX512)

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

// s += w · x, four signed products a lane: |w| <= 128 and |x| <= 127 keep the pairs within 16 bits.
static inline __m256i dot4(__m256i s, __m256i w, __m256i x) {
    const __m256i pairs = _mm256_maddubs_epi16(_mm256_abs_epi8(w), _mm256_sign_epi8(x, w));
    return _mm256_add_epi32(s, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
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

// Symbol k of one row; `codes` are the row's bytes, kStrip apart.
template <int Bits>
static inline int symbol_of(const uint8_t* codes, int k) {
    if (Bits != 3) return codes[kStrip * (k / 2)] >> (4 * (k % 2)) & 15;
    return (codes[kStrip * (k / 4)] >> (2 * (k % 4)) & 3) | (codes[kStrip * (8 + k / 8)] >> (k % 8) & 1) << 2;
}

template <int Bits>
static void trellis_dot(const uint8_t* codes, int64_t blocks, const int8_t* look_ups, int32_t* acc) {
    constexpr int symbols = trellis_form(Bits).symbols();
    for (int row = 0; row < kStrip; ++row) acc[row] = 0;
    for (int64_t b = 0; b < blocks; ++b, codes += 4 * Bits * kStrip, look_ups += 16 * symbols)
        for (int row = 0; row < kStrip; ++row)
            for (int k = 0; k < symbols; ++k) acc[row] += look_ups[16 * k + symbol_of<Bits>(codes + row, k)];
}

template <int Bits>
static void trellis_decode(const uint8_t* codes, int64_t blocks, const int8_t* table, uint8_t* strips) {
    constexpr TrellisForm form = trellis_form(Bits);
    const Entries<Bits> entries(table);
    for (int64_t b = 0; b < blocks; ++b, codes += 4 * Bits * kStrip)
        for (int row = 0; row < kStrip; ++row) {
            uint8_t* strip = strips + row / 16 * 512 * blocks + 512 * b + row % 16 * 4;
            int symbol[form.symbols()];
            for (int k = 0; k < form.symbols(); ++k) symbol[k] = symbol_of<Bits>(codes + row, k);
            for (int c = 0; c < 32; ++c) {
                int sum = 0;
                for (int j = 0; j < form.window; ++j)
                    sum += entries.of[j][c % form.columns][symbol[(c / form.columns + j) % form.symbols()]];
                strip[c / 4 * 64 + c % 4] = static_cast<uint8_t>(sum);
            }
        }
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
