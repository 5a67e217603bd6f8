// The search itself, for as many blocks at a time as a vector has lanes. Included once by each
// trellis_search_<isa>.cpp; everything is in an anonymous namespace because each of those files is
// compiled with other flags. It reckons in integers, so that all of them find the same.
//
// A state is what two neighbouring windows share: all symbols of the one but its first, all of the
// other but its last. With n the first symbol of a window, m those in the middle and k the last,
// numbers x cost |x − F_n − M_m − L_k|² or, less |x|², which nobody can help,
//
//     p(F_n) + p(M_m) + p(L_k) + 2F_n·M_m + 2M_m·L_k + 2F_n·L_k,    p(v) = |v|² − 2x·v.
//
// All of these but the last depend on the state before the step or on that after it, and are added
// to the state's cost at once, those with F before their step. What is left is a product of two
// small matrices with + for · and min for +, one of which never changes:
//
//     cost'(m, k) = min over n of ( cost(n, m) + 2F_n·L_k ) + …
//
// Nearly all time goes into that sum and that minimum. The products 2F_n·L_k are lowered by the
// greatest of their sizes, which no choice depends on, and costs are kept so high that the sum cannot
// overflow: a processor adds in more places at once where it need not saturate.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <vector>

#include "codecs/trellis_search.h"

#if defined(__SSE2__)
#include <immintrin.h>
#elif defined(__ARM_NEON)
#include <arm_neon.h>
#endif

namespace gnomon {
namespace {

#if defined(__AVX512BW__)
constexpr int kLanes = 32;
#elif defined(__AVX2__)
constexpr int kLanes = 16;
#else
constexpr int kLanes = 8;
#endif
typedef int16_t Vector __attribute__((vector_size(kLanes * 2)));

// The lesser, the greater; the sum, saturated; a·b / 2¹⁵, rounded.
#if defined(__AVX512BW__)
inline Vector least_of(Vector a, Vector b) { return (Vector)_mm512_min_epi16((__m512i)a, (__m512i)b); }
inline Vector most_of(Vector a, Vector b) { return (Vector)_mm512_max_epi16((__m512i)a, (__m512i)b); }
inline Vector sum_of(Vector a, Vector b) { return (Vector)_mm512_adds_epi16((__m512i)a, (__m512i)b); }
inline Vector product_of(Vector a, Vector b) {
    return (Vector)_mm512_mulhrs_epi16((__m512i)a, (__m512i)b);
}
#elif defined(__AVX2__)
inline Vector least_of(Vector a, Vector b) { return (Vector)_mm256_min_epi16((__m256i)a, (__m256i)b); }
inline Vector most_of(Vector a, Vector b) { return (Vector)_mm256_max_epi16((__m256i)a, (__m256i)b); }
inline Vector sum_of(Vector a, Vector b) { return (Vector)_mm256_adds_epi16((__m256i)a, (__m256i)b); }
inline Vector product_of(Vector a, Vector b) {
    return (Vector)_mm256_mulhrs_epi16((__m256i)a, (__m256i)b);
}
#elif defined(__ARM_NEON)
inline Vector least_of(Vector a, Vector b) { return vminq_s16(a, b); }
inline Vector most_of(Vector a, Vector b) { return vmaxq_s16(a, b); }
inline Vector sum_of(Vector a, Vector b) { return vqaddq_s16(a, b); }
inline Vector product_of(Vector a, Vector b) { return vqrdmulhq_s16(a, b); }
#else
#if defined(__SSE2__)
inline Vector least_of(Vector a, Vector b) { return (Vector)_mm_min_epi16((__m128i)a, (__m128i)b); }
inline Vector most_of(Vector a, Vector b) { return (Vector)_mm_max_epi16((__m128i)a, (__m128i)b); }
inline Vector sum_of(Vector a, Vector b) { return (Vector)_mm_adds_epi16((__m128i)a, (__m128i)b); }
#else
inline Vector least_of(Vector a, Vector b) { return a < b ? a : b; }
inline Vector most_of(Vector a, Vector b) { return a < b ? b : a; }
inline Vector sum_of(Vector a, Vector b) {
    for (int i = 0; i < kLanes; ++i) {
        const int sum = a[i] + b[i];
        a[i] = static_cast<int16_t>(sum < -32768 ? -32768 : sum > 32767 ? 32767 : sum);
    }
    return a;
}
#endif
inline Vector product_of(Vector a, Vector b) {
    for (int i = 0; i < kLanes; ++i) a[i] = static_cast<int16_t>((a[i] * b[i] + 0x4000) >> 15);
    return a;
}
#endif
inline Vector all(int16_t a) { return Vector{} + a; }

template <int Bits>
class Search {
    static constexpr TrellisForm kForm = trellis_form(Bits);
    static constexpr int kValues = kForm.values();  // of a symbol
    static constexpr int kColumns = kForm.columns;
    static constexpr int kMiddles = kForm.window == 3 ? kValues : kValues * kValues;
    static constexpr int kStates = kValues * kMiddles;
    static constexpr int kMargin = 8;              // symbols beyond the cycle, on either side
    static constexpr float kCostUnit = 1.0f / (kColumns == 2 ? 512 : 1024);  // |x|² goes up to 16·columns
    static constexpr float kNumberUnit = 1.0f / 8192;  // so that |x| < 4; what is larger counts as 4
    static constexpr int16_t kLeast = -4096, kHighest = 32767, kMostCoupling = 8192;

public:
    static constexpr int kSymbols = kForm.symbols();

    explicit Search(const float* table) : table_(table) {
        float first[kValues][kColumns], middle[kMiddles][kColumns] = {}, last[kValues][kColumns];
        for (int v = 0; v < kValues; ++v)
            for (int d = 0; d < kColumns; ++d) {
                first[v][d] = entry(0, v, d);
                last[v][d] = entry(kForm.window - 1, v, d);
            }
        for (int m = 0; m < kMiddles; ++m)
            for (int d = 0; d < kColumns; ++d) {
                middle[m][d] = entry(kForm.window - 2, m % kValues, d);
                if (kForm.window == 4) middle[m][d] += entry(1, m / kValues, d);
            }
        for (int v = 0; v < kValues; ++v) {
            first_[v] = part(first[v]);
            last_[v] = part(last[v]);
        }
        for (int m = 0; m < kMiddles; ++m) middle_[m] = part(middle[m]);
        for (int k = 0; k < kValues; ++k)
            for (int n = 0; n < kValues; ++n) {
                const int cost = costs(2 * dot(first[n], last[k]));
                couplings_[k][n] = static_cast<int16_t>(cost < -kMostCoupling  ? -kMostCoupling
                                                        : cost > kMostCoupling ? kMostCoupling
                                                                               : cost);
                most_coupling_ = std::max<int16_t>(most_coupling_, std::abs(couplings_[k][n]));
            }
        for (int k = 0; k < kValues; ++k)
            for (int n = 0; n < kValues; ++n) coupling_[n][k] = all(couplings_[k][n] - most_coupling_);
        for (int s = 0; s < kStates; ++s) {
            const float ahead = 2 * dot(first[s / kMiddles], middle[s % kMiddles]);
            ahead_[s] = costs(ahead);
            pair_[s] = costs(2 * dot(middle[s / kValues], last[s % kValues]) + ahead);
        }
    }

    // Up to kLanes blocks of 32 numbers: the symbols [kSymbols] of the best path around each, and
    // the states by which it enters the cycle and leaves it.
    void best_paths(const float* const* blocks, int count, uint8_t* const* symbols, int* entries,
                    int* exits) {
        prepare(blocks, count);
        for (int s = 0; s < kStates; ++s)
            costs_[s] = bounded(sum_of(power(first_[s / kMiddles], -kMargin) + kLeast, all(ahead_[s])));
        run(-kMargin, kMostSteps);
        Vector* end = costs_ + kMostSteps * kStates;
        for (int s = 0; s < kStates; ++s)  // of a window that is not complete nothing is to count
            end[s] = sum_of(end[s], -sum_of(power(first_[s / kMiddles], kMargin), all(ahead_[s])));
        Vector states = lowest(kMostSteps);
        uint8_t unused[kLanes];
        for (int t = kMostSteps; t-- > kMargin + kSymbols;) states = back(t, count, states, unused);
        for (int lane = 0; lane < count; ++lane) exits[lane] = states[lane];
        states = back_around(kMargin, count, states, symbols);
        for (int lane = 0; lane < count; ++lane) entries[lane] = states[lane];
    }

    // The symbols of the best cycles that begin and end with the given states.
    void best_cycles(const float* const* blocks, int count, const int* states,
                     uint8_t* const* symbols) {
        prepare(blocks, count);
        for (int s = 0; s < kStates; ++s) costs_[s] = all(kHighest);
        for (int lane = 0; lane < count; ++lane) costs_[states[lane]][lane] = kLeast;
        run(0, kSymbols);
        Vector ends{};
        for (int lane = 0; lane < count; ++lane) ends[lane] = static_cast<int16_t>(states[lane]);
        back_around(0, count, ends, symbols);
    }

    // The 32 values that symbols stand for, and their squared distance from the numbers.
    float decode(const float* numbers, const uint8_t* symbols, float* values) const {
        float distance = 0.0f;
        for (int t = 0; t < kSymbols; ++t)
            for (int d = 0; d < kColumns; ++d) {
                float value = 0.0f;
                for (int j = 0; j < kForm.window; ++j) value += entry(j, symbols[at(t + j)], d);
                const float left = numbers[t * kColumns + d] - value;
                distance += left * left;
                values[t * kColumns + d] = value;
            }
        return distance;
    }

private:
    static constexpr int kMostSteps = kSymbols + 2 * kMargin;

    struct Part {  // of a window's value v
        int16_t square, twice[kColumns];  // |v|² and 2v, in units that make costs of their products
    };

    static int at(int place) { return (place + kSymbols) % kSymbols; }
    float entry(int place, int value, int d) const {
        return table_[(place * kValues + value) * kColumns + d];
    }
    static float dot(const float* a, const float* b) {
        float sum = 0.0f;
        for (int d = 0; d < kColumns; ++d) sum += a[d] * b[d];
        return sum;
    }
    static int16_t whole(float a) {
        if (!(a > -32768.0f)) return -32768;
        return a < 32767.0f ? static_cast<int16_t>(__builtin_rintf(a)) : 32767;
    }
    static int16_t costs(float square) { return whole(square / kCostUnit); }
    static Part part(const float* value) {
        Part part;
        part.square = costs(dot(value, value));
        for (int d = 0; d < kColumns; ++d)
            part.twice[d] = whole(2 * value[d] * (32768 * kNumberUnit / kCostUnit));
        return part;
    }

    void prepare(const float* const* blocks, int count) {
        for (int i = 0; i < kBlockColumns; ++i) {
            numbers_[i] = Vector{};
            for (int lane = 0; lane < count; ++lane)
                numbers_[i][lane] = whole(blocks[lane][i] / kNumberUnit);
        }
    }

    // p(v) for the numbers at a place
    Vector power(const Part& part, int place) const {
        Vector sum = all(part.square);
        for (int d = 0; d < kColumns; ++d)
            sum = sum_of(sum, -product_of(numbers_[at(place) * kColumns + d], all(part.twice[d])));
        return sum;
    }

    void run(int place, int steps) {
        Vector least = costs_[0];
        for (int s = 1; s < kStates; ++s) least = least_of(least, costs_[s]);
        for (int t = 0; t < steps; ++t) least = step(t, place + t, least);
    }

    // From costs_ [t] to costs_ [t + 1], whose least it returns; `least` is that of costs_ [t].
    Vector step(int t, int place, Vector least) {
        constexpr int kTogether = 2, kLasts = 4;  // what stays in registers
        const Vector* before = costs_ + t * kStates;
        Vector* after = costs_ + (t + 1) * kStates;
        const Vector level = sum_of(all(kLeast + most_coupling_), -least);
        Vector lasts[kValues], firsts[kValues], lowest = all(kHighest);
        for (int v = 0; v < kValues; ++v) {
            lasts[v] = power(last_[v], place);
            firsts[v] = sum_of(power(first_[v], place + 1), level);
        }
        for (int m = 0; m < kMiddles; m += kTogether) {
            Vector mine[kTogether];
            for (int i = 0; i < kTogether; ++i)
                mine[i] = sum_of(power(middle_[m + i], place), firsts[(m + i) * kValues / kMiddles]);
            for (int k = 0; k < kValues; k += kLasts) {
                Vector best[kTogether][kLasts];
                for (int i = 0; i < kTogether; ++i)
                    for (int j = 0; j < kLasts; ++j)
                        best[i][j] = before[m + i] + coupling_[0][k + j];
#pragma GCC unroll 16
                for (int n = 1; n < kValues; ++n)
                    for (int i = 0; i < kTogether; ++i)
                        for (int j = 0; j < kLasts; ++j)
                            best[i][j] =
                                least_of(best[i][j], before[n * kMiddles + m + i] + coupling_[n][k + j]);
                for (int i = 0; i < kTogether; ++i)
                    for (int j = 0; j < kLasts; ++j) {
                        const int s = (m + i) * kValues + k + j;
                        const Vector rest = sum_of(lasts[k + j], all(pair_[s]));
                        after[s] = bounded(sum_of(sum_of(best[i][j], rest), mine[i]));
                        lowest = least_of(lowest, after[s]);
                    }
            }
        }
        return lowest;
    }

    // So high that the sum with a coupling, which is not saturated, does not overflow.
    Vector bounded(Vector cost) const { return most_of(cost, all(-32768 + 2 * most_coupling_)); }

    // From the states after a cycle that begins with step `start` to those before it, by the best
    // paths; its symbols [lanes][kSymbols].
    Vector back_around(int start, int count, Vector states, uint8_t* const* symbols) const {
        uint8_t found[kLanes];
        for (int t = kSymbols; t-- > 0;) {
            states = back(start + t, count, states, found);
            for (int lane = 0; lane < count; ++lane) symbols[lane][t] = found[lane];
        }
        return states;
    }

    // The states before step t of the best paths into `states`, and the symbols they begin with.
    Vector back(int t, int count, Vector states, uint8_t* symbols) const {
        const int16_t* before = reinterpret_cast<const int16_t*>(costs_ + t * kStates);
        Vector earlier{};
        for (int lane = 0; lane < count; ++lane) {
            const int m = states[lane] / kValues, k = states[lane] % kValues;
            int least = INT32_MAX;  // of cost and symbol together: no branch has to be guessed
            for (int n = 0; n < kValues; ++n) {
                const int cost = before[(n * kMiddles + m) * kLanes + lane] + couplings_[k][n];
                least = std::min(least, cost * kValues + n);
            }
            const int n = least & (kValues - 1);
            symbols[lane] = static_cast<uint8_t>(n);
            earlier[lane] = static_cast<int16_t>(n * kMiddles + m);
        }
        return earlier;
    }

    // The states of least cost after t steps.
    Vector lowest(int t) const {
        const Vector* cost = costs_ + t * kStates;
        Vector least = cost[0], states{};
        for (int s = 1; s < kStates; ++s) {
            states = cost[s] < least ? all(static_cast<int16_t>(s)) : states;
            least = least_of(cost[s], least);
        }
        return states;
    }

    const float* table_;
    Part first_[kValues], middle_[kMiddles], last_[kValues];
    int16_t couplings_[kValues][kValues];       // 2F_n·L_k by k and n
    int16_t most_coupling_ = 0;                 // of their sizes
    Vector coupling_[kValues][kValues];         // by n and k, less the most: never above zero
    int16_t pair_[kStates], ahead_[kStates];    // what depends on the state alone; its part with F
    Vector numbers_[kBlockColumns];
    Vector costs_[(kMostSteps + 1) * kStates];  // of states (n, m) before a step, (m, k) after it
};

constexpr int kTaskBlocks = 256;

// Blocks begin … end, at most kTaskBlocks.
template <int Bits>
void encode_some(const TrellisEncodeJob& job, Search<Bits>& search, int64_t begin, int count) {
    constexpr int kSymbols = Search<Bits>::kSymbols;
    struct Open {  // a block whose path does not close, and a state to try at both its ends
        int block, state;
        uint8_t symbols[kSymbols];
    };
    const float* numbers = job.blocks + begin * kBlockColumns;
    uint8_t* symbols = job.symbols + begin * kSymbols;
    float* values = job.values + begin * kBlockColumns;
    std::vector<Open> open;
    const float* blocks[kLanes];
    uint8_t* paths[kLanes];
    int entries[kLanes], exits[kLanes];
    for (int start = 0; start < count; start += kLanes) {
        const int lanes = count - start < kLanes ? count - start : kLanes;
        for (int lane = 0; lane < lanes; ++lane) {
            blocks[lane] = numbers + (start + lane) * kBlockColumns;
            paths[lane] = symbols + (start + lane) * kSymbols;
        }
        search.best_paths(blocks, lanes, paths, entries, exits);
        for (int lane = 0; lane < lanes; ++lane)
            if (entries[lane] != exits[lane]) {
                open.push_back({start + lane, entries[lane], {}});
                open.push_back({start + lane, exits[lane], {}});
            }
    }
    const int tries = static_cast<int>(open.size());
    for (int start = 0; start < tries; start += kLanes) {
        const int lanes = tries - start < kLanes ? tries - start : kLanes;
        for (int lane = 0; lane < lanes; ++lane) {
            Open& one = open[start + lane];
            blocks[lane] = numbers + one.block * kBlockColumns;
            paths[lane] = one.symbols;
            entries[lane] = one.state;
        }
        search.best_cycles(blocks, lanes, entries, paths);
    }
    for (int i = 0; i < tries; i += 2) {
        const int block = open[i].block;
        const float* mine = numbers + block * kBlockColumns;
        float scratch[kBlockColumns];
        const float one = search.decode(mine, open[i].symbols, scratch);
        const float two = search.decode(mine, open[i + 1].symbols, scratch);
        std::memcpy(symbols + block * kSymbols, open[two < one ? i + 1 : i].symbols, kSymbols);
    }
    for (int i = 0; i < count; ++i)
        search.decode(numbers + i * kBlockColumns, symbols + i * kSymbols, values + i * kBlockColumns);
}

template <int Bits>
void encode_blocks(const TrellisEncodeJob& job, ThreadPool& pool) {
    pool.parallel_for((job.count + kTaskBlocks - 1) / kTaskBlocks, [&](int64_t task) {
        const auto search = std::make_unique<Search<Bits>>(job.table);  // too large for a stack
        const int64_t begin = task * kTaskBlocks, left = job.count - begin;
        encode_some(job, *search, begin, left < kTaskBlocks ? static_cast<int>(left) : kTaskBlocks);
    });
}

void encode(const TrellisEncodeJob& job, ThreadPool& pool) {
    if (job.bits == 2) encode_blocks<2>(job, pool);
    if (job.bits == 3) encode_blocks<3>(job, pool);
    if (job.bits == 4) encode_blocks<4>(job, pool);
}

}  // namespace
}  // namespace gnomon
