// The search itself, one block after the other. Included once by each trellis_search_<isa>.cpp;
// everything is in an anonymous namespace because each of those files is compiled with other flags.
//
// A state is what a window shares with the next: all its symbols but the first, or, before the
// step, all but the last. With n the first symbol of a window, m those in the middle and k the last,
// a number x costs |x − F_n − M_m − L_k|². Of that only n is to be chosen, so that
//
//     cost'(m, k) = |x − M_m − L_k|² + min over n of ( a(n, m) + 2 F_n·L_k ),
//     a(n, m) = cost(n, m) + |F_n|² − 2 F_n·(x − M_m):
//
// a product of two small matrices with + for · and min for +, one of which never changes.
#pragma once

#include <cstdint>
#include <cstring>
#include <vector>

#include "codecs/trellis_search.h"

#if defined(__AVX512F__) || defined(__AVX2__)
#include <immintrin.h>
#endif

namespace gnomon {
namespace {

template <int Lanes>
struct Floats {
    typedef float Vector __attribute__((vector_size(Lanes * 4)));
    static Vector minimum(Vector a, Vector b) { return a < b ? a : b; }
};
#if defined(__AVX512F__)
template <>
struct Floats<16> {
    typedef __m512 Vector;
    static Vector minimum(Vector a, Vector b) { return _mm512_min_ps(a, b); }
};
#endif
#if defined(__AVX2__)
template <>
struct Floats<8> {
    typedef __m256 Vector;
    static Vector minimum(Vector a, Vector b) { return _mm256_min_ps(a, b); }
};
#endif

template <int Bits>
class Search {
    static constexpr TrellisForm kForm = trellis_form(Bits);
    static constexpr int kValues = kForm.values();  // of a symbol
    static constexpr int kColumns = kForm.columns, kSymbols = kForm.symbols();
    static constexpr int kMiddles = kForm.window == 3 ? kValues : kValues * kValues;
    static constexpr int kStates = kValues * kMiddles;
    static constexpr int kMargin = 8;  // symbols beyond the cycle, on either side
    static constexpr int kMostSteps = kSymbols + 2 * kMargin;
    static constexpr float kForbidden = 1e30f;
    static constexpr int kLanes = kValues < GNOMON_LANES ? kValues : GNOMON_LANES;
    static constexpr int kParts = kValues / kLanes;  // vectors over the values of a symbol
    using Simd = Floats<kLanes>;
    typedef typename Simd::Vector Vector;

public:
    explicit Search(const float* table) : costs_((kMostSteps + 1) * kStates) {
        std::memset(middle_, 0, sizeof middle_);
        for (int v = 0; v < kValues; ++v)
            for (int d = 0; d < kColumns; ++d) {
                first_[v][d] = table[v * kColumns + d];
                last_[d][v / kLanes][v % kLanes] = table[((kForm.window - 1) * kValues + v) * kColumns + d];
            }
        for (int m = 0; m < kMiddles; ++m)
            for (int d = 0; d < kColumns; ++d)
                for (int j = 1; j < kForm.window - 1; ++j) {
                    const int v = j == kForm.window - 2 ? m % kValues : m / kValues;
                    middle_[d][m] += table[(j * kValues + v) * kColumns + d];
                }
        for (int n = 0; n < kValues; ++n) {
            first_power_[n] = 0.0f;
            for (int k = 0; k < kValues; ++k) coupling_[n][k / kLanes][k % kLanes] = 0.0f;
            for (int d = 0; d < kColumns; ++d) {
                first_power_[n] += first_[n][d] * first_[n][d];
                for (int k = 0; k < kValues; ++k)
                    coupling_[n][k / kLanes][k % kLanes] += 2.0f * first_[n][d] * last_value(d, k);
            }
        }
    }

    // numbers [32] in, symbols [kSymbols] and the values [32] they stand for out
    void run(const float* numbers, uint8_t* symbols, float* values) {
        numbers_ = numbers;
        for (int s = 0; s < kStates; ++s) costs_[s] = 0.0f;
        const int steps = kMostSteps;
        for (int t = 0; t < steps; ++t) step(t, at(t - kMargin));
        uint8_t path[kMostSteps];
        int state = lowest(steps), entry = 0, leaving = 0;
        for (int t = steps; t-- > 0;) {
            if (t + 1 == kMargin + kSymbols) leaving = state;
            state = back(t, at(t - kMargin), state, &path[t]);
            if (t == kMargin) entry = state;
        }
        if (entry == leaving) {
            std::memcpy(symbols, path + kMargin, kSymbols);
        } else {
            uint8_t other[kSymbols];
            const float one = around(entry, symbols), two = around(leaving, other);
            if (two < one) std::memcpy(symbols, other, kSymbols);
        }
        decode(symbols, values);
    }

private:
    static int at(int t) { return (t + kSymbols) % kSymbols; }

    // The best cycle through a state at the seam; its cost.
    float around(int seam, uint8_t* symbols) {
        for (int s = 0; s < kStates; ++s) costs_[s] = s == seam ? 0.0f : kForbidden;
        for (int t = 0; t < kSymbols; ++t) step(t, t);
        const float cost = costs_[kSymbols * kStates + seam];
        int state = seam;
        for (int t = kSymbols; t-- > 0;) state = back(t, t, state, &symbols[t]);
        return cost;
    }

    void step(int t, int place) {
        const float* x = numbers_ + place * kColumns;
        const float* before = costs_.data() + t * kStates;
        float* after = costs_.data() + (t + 1) * kStates;
        alignas(64) float rest[kColumns][kMiddles], a[kValues][kMiddles];
        for (int d = 0; d < kColumns; ++d)
            for (int m = 0; m < kMiddles; ++m) rest[d][m] = x[d] - middle_[d][m];
        for (int n = 0; n < kValues; ++n)
            for (int m = 0; m < kMiddles; m += kLanes) {
                Vector sum = load(before + n * kMiddles + m) + first_power_[n];
                for (int d = 0; d < kColumns; ++d) sum -= (2.0f * first_[n][d]) * load(&rest[d][m]);
                std::memcpy(&a[n][m], &sum, sizeof sum);
            }
        for (int m = 0; m < kMiddles; ++m) {
            Vector best[kParts];
            for (int p = 0; p < kParts; ++p) best[p] = a[0][m] + coupling_[0][p];
#pragma GCC unroll 16
            for (int n = 1; n < kValues; ++n)
                for (int p = 0; p < kParts; ++p)
                    best[p] = Simd::minimum(a[n][m] + coupling_[n][p], best[p]);
            for (int p = 0; p < kParts; ++p) {
                for (int d = 0; d < kColumns; ++d) {
                    const Vector left = rest[d][m] - last_[d][p];
                    best[p] += left * left;
                }
                std::memcpy(after + m * kValues + p * kLanes, &best[p], sizeof best[p]);
            }
        }
    }

    static Vector load(const float* p) {
        Vector v;
        std::memcpy(&v, p, sizeof v);
        return v;
    }
    float last_value(int d, int k) const { return last_[d][k / kLanes][k % kLanes]; }

    // The state before step t of the best path into `state`, and the symbol that it began with.
    int back(int t, int place, int state, uint8_t* symbol) const {
        const float* x = numbers_ + place * kColumns;
        const float* before = costs_.data() + t * kStates;
        const int m = state / kValues, k = state % kValues;
        float least = 0.0f;
        int best = -1;
        for (int n = 0; n < kValues; ++n) {
            float cost = before[n * kMiddles + m] + first_power_[n];
            for (int d = 0; d < kColumns; ++d)
                cost -= (2.0f * first_[n][d]) * (x[d] - middle_[d][m]);
            cost += coupling_[n][k / kLanes][k % kLanes];
            if (best < 0 || cost < least) {
                least = cost;
                best = n;
            }
        }
        *symbol = static_cast<uint8_t>(best);
        return best * kMiddles + m;
    }

    int lowest(int t) const {
        const float* cost = costs_.data() + t * kStates;
        int best = 0;
        for (int s = 1; s < kStates; ++s)
            if (cost[s] < cost[best]) best = s;
        return best;
    }

    void decode(const uint8_t* symbols, float* values) const {
        for (int t = 0; t < kSymbols; ++t) {
            int m = symbols[at(t + 1)];
            if (kForm.window == 4) m = m * kValues + symbols[at(t + 2)];
            for (int d = 0; d < kColumns; ++d)
                values[t * kColumns + d] = first_[symbols[t]][d] + middle_[d][m] +
                                           last_value(d, symbols[at(t + kForm.window - 1)]);
        }
    }

    float first_[kValues][kColumns], first_power_[kValues];
    alignas(64) float middle_[kColumns][kMiddles];
    Vector last_[kColumns][kParts], coupling_[kValues][kParts];
    const float* numbers_ = nullptr;
    std::vector<float> costs_;  // [steps + 1][states]
};

constexpr int64_t kTaskBlocks = 64;

template <int Bits>
void encode_blocks(const TrellisEncodeJob& job, ThreadPool& pool) {
    constexpr int symbols = trellis_form(Bits).symbols();
    pool.parallel_for((job.count + kTaskBlocks - 1) / kTaskBlocks, [&](int64_t task) {
        Search<Bits> search(job.table);
        const int64_t begin = task * kTaskBlocks;
        const int64_t end = begin + kTaskBlocks < job.count ? begin + kTaskBlocks : job.count;
        for (int64_t i = begin; i < end; ++i)
            search.run(job.blocks + i * kBlockColumns, job.symbols + i * symbols,
                       job.values + i * kBlockColumns);
    });
}

void encode(const TrellisEncodeJob& job, ThreadPool& pool) {
    if (job.bits == 2) encode_blocks<2>(job, pool);
    if (job.bits == 3) encode_blocks<3>(job, pool);
    if (job.bits == 4) encode_blocks<4>(job, pool);
}

}  // namespace
}  // namespace gnomon
