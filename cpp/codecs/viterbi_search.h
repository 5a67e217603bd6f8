// The Viterbi search itself, on as many sequences side by side as a vector has lanes.
// Included once by each viterbi_<isa>.cpp; everything is in an anonymous namespace because each
// of those files is compiled with other flags.
#pragma once

#include <cstdint>
#include <cstring>
#include <vector>

#include "codecs/viterbi.h"

namespace gnomon {
namespace {

constexpr int kLanes = GNOMON_LANES;  // set by the file that includes this one
typedef float Vector __attribute__((vector_size(kLanes * 4)));
typedef int32_t Index __attribute__((vector_size(kLanes * 4)));
typedef uint8_t Bytes __attribute__((vector_size(kLanes)));
struct Branches {
    uint8_t lane[kLanes];
};

constexpr int kWindowBits = 8;
constexpr int kStates = 1 << kWindowBits;
constexpr int kSeam = 32;  // numbers on either side of the seam that the first pass looks at

// Names follow the trellis: a state is a window; its `group` is what it shares with the next
// window (its high bits), and `branch` are the bits that leave. All states of a group compete.
template <int Bits>
class Search {
    static constexpr int kBranches = 1 << Bits;
    static constexpr int kGroups = kStates >> Bits;
    static constexpr float kForbidden = 1e30f;

public:
    explicit Search(const float* table) : table_(table), branches_(kSequenceLength * kGroups) {}

    // numbers [256][kLanes] in, states [256][kLanes] out
    void run(const float (*numbers)[kLanes], uint8_t (*states)[kLanes]) {
        int32_t shared[kLanes];
        find_seam(numbers, shared);
        Index seam;
        std::memcpy(&seam, shared, sizeof seam);
        start<true>(load(numbers[0]), seam);
        for (int t = 1; t < kSequenceLength; ++t) step(load(numbers[t]), t);
        for (int lane = 0; lane < kLanes; ++lane) {
            int group = shared[lane];
            for (int t = kSequenceLength - 1; t >= 0; --t) {
                const int state = (group << Bits) | branches_[t * kGroups + group].lane[lane];
                states[t][lane] = static_cast<uint8_t>(state);
                group = state & (kGroups - 1);
            }
        }
    }

private:
    static Vector load(const float* p) {
        Vector v;
        std::memcpy(&v, p, sizeof v);
        return v;
    }

    // An unconstrained search over the numbers around the seam; `shared` gets the bits that the
    // last state and the first state of the best path have in common.
    void find_seam(const float (*numbers)[kLanes], int32_t* shared) {
        start<false>(load(numbers[kSequenceLength - kSeam]), Index{});
        for (int t = 1; t < 2 * kSeam; ++t)
            step(load(numbers[(kSequenceLength - kSeam + t) % kSequenceLength]), t);
        for (int lane = 0; lane < kLanes; ++lane) {
            int group = 0;
            for (int g = 1; g < kGroups; ++g)
                if (cost_[g][lane] < cost_[group][lane]) group = g;
            for (int t = 2 * kSeam - 1; t >= kSeam; --t)
                group = ((group << Bits) | branches_[t * kGroups + group].lane[lane]) & (kGroups - 1);
            shared[lane] = group;
        }
    }

    void keep_best(const Vector* candidates, int group, int t, Vector* cost) {
        Vector best = candidates[0];
        Index branch = {};
        for (int b = 1; b < kBranches; ++b) {
            const Index is_less = candidates[b] < best;
            best = is_less ? candidates[b] : best;
            branch = is_less ? (Index{} + b) : branch;
        }
        cost[group] = best;
        const Bytes bytes = __builtin_convertvector(branch, Bytes);
        std::memcpy(&branches_[t * kGroups + group], &bytes, sizeof bytes);
    }

    template <bool IsSeamGiven>
    void start(Vector x, Index seam) {
        for (int group = 0; group < kGroups; ++group) {
            Vector candidates[kBranches];
            for (int b = 0; b < kBranches; ++b) {
                const int state = group * kBranches + b;
                const Vector difference = x - table_[state];
                candidates[b] = difference * difference;
                if constexpr (IsSeamGiven)
                    candidates[b] = seam == (state & (kGroups - 1)) ? candidates[b]
                                                                    : Vector{} + kForbidden;
            }
            keep_best(candidates, group, 0, cost_);
        }
    }

    void step(Vector x, int t) {
        constexpr int kBlocks = kGroups / kBranches;
        for (int block = 0; block < kBlocks; ++block) {
            Vector before[kBranches];
            for (int b = 0; b < kBranches; ++b) before[b] = cost_[block * kBranches + b];
            for (int high = 0; high < kBranches; ++high) {
                Vector candidates[kBranches];
                for (int b = 0; b < kBranches; ++b) {
                    const int state = high * kGroups + block * kBranches + b;
                    const Vector difference = x - table_[state];
                    candidates[b] = before[b] + difference * difference;
                }
                keep_best(candidates, high * kBlocks + block, t, next_cost_);
            }
        }
        std::memcpy(cost_, next_cost_, sizeof cost_);
    }

    const float* table_;
    Vector cost_[kGroups];
    Vector next_cost_[kGroups];
    std::vector<Branches> branches_;  // [256][groups]: the best branch into each group
};

template <int Bits>
void encode_batch(const TrellisEncodeJob& job, int64_t first) {
    alignas(64) float numbers[kSequenceLength][kLanes];
    uint8_t states[kSequenceLength][kLanes];
    const int64_t last = job.count - 1;
    for (int lane = 0; lane < kLanes; ++lane) {
        const int64_t s = first + lane < last ? first + lane : last;
        for (int t = 0; t < kSequenceLength; ++t)
            numbers[t][lane] = job.sequences[s * kSequenceLength + t];
    }
    Search<Bits>(job.table).run(numbers, states);
    for (int lane = 0; lane < kLanes && first + lane <= last; ++lane) {
        uint8_t* codes = job.codes + (first + lane) * 32 * Bits;
        float* values = job.values + (first + lane) * kSequenceLength;
        uint32_t pending = 0;
        int filled = 0;
        for (int t = 0; t < kSequenceLength; ++t) {
            values[t] = job.table[states[t][lane]];
            pending |= (states[t][lane] & ((1u << Bits) - 1)) << filled;
            filled += Bits;
            if (filled >= 8) {
                *codes++ = static_cast<uint8_t>(pending);
                pending >>= 8;
                filled -= 8;
            }
        }
    }
}

void encode(const TrellisEncodeJob& job, ThreadPool& pool) {
    pool.parallel_for((job.count + kLanes - 1) / kLanes, [&](int64_t batch) {
        if (job.bits == 2) encode_batch<2>(job, batch * kLanes);
        if (job.bits == 3) encode_batch<3>(job, batch * kLanes);
        if (job.bits == 4) encode_batch<4>(job, batch * kLanes);
    });
}

}  // namespace
}  // namespace gnomon
