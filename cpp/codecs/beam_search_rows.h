// The search itself, a few rows at a time; vectors run along codewords or along columns.
// Included once by each beam_search_<isa>.cpp; everything is in an anonymous namespace because each
// of those files is compiled with other flags.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <vector>

#if defined(__AVX2__)
#include <immintrin.h>
#endif

#include "codecs/beam_search.h"

namespace gnomon {
namespace {

constexpr int kLanes = GNOMON_LANES;  // set by the file that includes this one
typedef float Vector __attribute__((vector_size(kLanes * 4)));
typedef int32_t Index __attribute__((vector_size(kLanes * 4)));

constexpr int kGroup = 8;
constexpr int kCodewords = 256;
constexpr int64_t kLeastRows = 16, kMostRows = 64;  // that share a group's codebooks and rows of M

inline Vector load(const float* p) {
    Vector v;
    std::memcpy(&v, p, sizeof v);
    return v;
}

inline void store(float* p, Vector v) { std::memcpy(p, &v, sizeof v); }

// One bit for every lane that is less than `limit`.
inline unsigned lanes_below(Vector v, float limit) {
#if defined(__AVX2__)
    return static_cast<unsigned>(_mm256_movemask_ps(
        _mm256_cmp_ps(reinterpret_cast<__m256>(v), _mm256_set1_ps(limit), _CMP_LT_OQ)));
#else
    unsigned bits = 0;
    for (int lane = 0; lane < kLanes; ++lane) bits |= static_cast<unsigned>(v[lane] < limit) << lane;
    return bits;
#endif
}

inline std::size_t size(int64_t n) { return static_cast<std::size_t>(n); }

// The first codewords of a group, and the code set of the row that it would go on from.
struct Partial {
    float cost;  // of the row, were the group to end here
    int parent;
    bool is_kept;  // the group keeps the codes and values it had
    uint8_t codes[kMostBooks];
    float rest[kGroup];  // (t − their sum) F
};

// One codeword more.
struct Extension {
    float cost;
    int from;  // which partial sum; −1 − parent: the group stays as it is
    int code;
};

// The `limit` cheapest of what is offered, as a heap with the dearest on top.
class Cheapest {
public:
    void clear(int limit) {
        limit_ = limit;
        count_ = 0;
        threshold_ = 3e38f;
    }
    float threshold() const { return threshold_; }

    void offer(const Extension& extension) {
        if (!(extension.cost < threshold_)) return;
        if (count_ == limit_) std::pop_heap(heap_, heap_ + count_--, is_cheaper);
        heap_[count_++] = extension;
        std::push_heap(heap_, heap_ + count_, is_cheaper);
        if (count_ == limit_) threshold_ = heap_[0].cost;
    }

    int sort() {  // cheapest first; returns how many there are
        std::sort_heap(heap_, heap_ + count_, is_cheaper);
        return count_;
    }
    const Extension& operator[](int i) const { return heap_[i]; }

private:
    static bool is_cheaper(const Extension& a, const Extension& b) {
        if (a.cost != b.cost) return a.cost < b.cost;
        return a.from != b.from ? a.from < b.from : a.code < b.code;
    }

    Extension heap_[kMostBeam];
    int limit_ = 0, count_ = 0;
    float threshold_ = 0;
};

struct Step {  // what a code set chose for one group
    int parent;
    uint8_t codes[kMostBooks];
};

struct RowState {
    int count;  // code sets
    float costs[kMostBeam];
};

class RowsSearch {
public:
    RowsSearch(const BeamSearchJob& job, int64_t first, int64_t rows)
        : job_(job),
          first_(first),
          rows_(rows),
          groups_(job.columns / kGroup),
          states_(size(rows)),
          targets_(size(rows * job.beam * job.columns)),
          next_targets_(targets_.size()),
          steps_(size(rows * groups_ * job.beam)),
          words_(size(job.books * kGroup * kCodewords)),
          norms_(size(job.books * kCodewords)) {
        for (int64_t r = 0; r < rows; ++r) {
            states_[size(r)].count = 1;
            states_[size(r)].costs[0] = 0;
            std::memcpy(set(targets_, r, 0), job.targets + (first + r) * job.columns,
                        size(job.columns) * sizeof(float));
        }
    }

    void run() {
        for (int64_t g = groups_ - 1; g >= 0; --g) {
            see_codebooks(job_.factors + g * kGroup * kGroup);
            for (int64_t r = 0; r < rows_; ++r) extend(r, g);
            targets_.swap(next_targets_);
        }
        for (int64_t r = 0; r < rows_; ++r) {
            int at = 0;  // the cheapest stands first
            for (int64_t g = 0; g < groups_; ++g) {
                const Step& step = steps_[step_at(r, g, at)];
                std::memcpy(codes_at(r, g), step.codes, size(job_.books));
                at = step.parent;
            }
        }
    }

private:
    float* set(std::vector<float>& targets, int64_t r, int64_t h) {
        return targets.data() + (r * job_.beam + h) * job_.columns;
    }
    std::size_t step_at(int64_t r, int64_t g, int64_t h) const {
        return size((r * groups_ + g) * job_.beam + h);
    }
    uint8_t* codes_at(int64_t r, int64_t g) const {
        return job_.codes + ((first_ + r) * groups_ + g) * job_.books;
    }
    const float* before(int64_t r, int64_t g) const {
        return job_.values + (first_ + r) * job_.columns + g * kGroup;
    }
    static void through(const float* x, const float* factor, float* y) {
        float sum[kGroup] = {};
        for (int d = 0; d < kGroup; ++d)
            for (int j = 0; j < kGroup; ++j) sum[j] += x[d] * factor[d * kGroup + j];
        std::memcpy(y, sum, sizeof sum);
    }

    static float square(const float* x) {
        float sum = 0;
        for (int d = 0; d < kGroup; ++d) sum += x[d] * x[d];
        return sum;
    }

    // The codebooks as the metric of one group sees them: [books][8][256], and squared norms.
    void see_codebooks(const float* factor) {
        for (int k = 0; k < job_.books; ++k)
            for (int i = 0; i < kCodewords; ++i) {
                float word[kGroup];
                through(job_.codebooks + (k * kCodewords + i) * kGroup, factor, word);
                for (int d = 0; d < kGroup; ++d) words_[size((k * kGroup + d) * kCodewords + i)] = word[d];
                norms_[size(k * kCodewords + i)] = square(word);
            }
    }

    // All code sets of a row by group g.
    void extend(int64_t r, int64_t g) {
        RowState& state = states_[size(r)];
        const float* factor = job_.factors + g * kGroup * kGroup;
        partials_.resize(size(state.count));
        for (int h = 0; h < state.count; ++h) {
            const float* target = set(targets_, r, h) + g * kGroup;
            Partial& none = partials_[size(h)];
            none = {};
            none.parent = h;
            through(target, factor, none.rest);
            float saved[kGroup] = {};
            if (job_.is_sweep) {
                for (int d = 0; d < kGroup; ++d) saved[d] = target[d] - before(r, g)[d];
                through(saved, factor, saved);
            }
            none.cost = state.costs[h] - square(saved) + square(none.rest);
        }
        for (int k = 0; k < job_.books - 1; ++k) keep_best_of_each_place(state.count, k);
        cheapest_.clear(job_.beam);
        if (job_.is_sweep)
            for (int h = 0; h < state.count; ++h) cheapest_.offer({state.costs[h], -1 - h, 0});
        for (int from = 0; from < static_cast<int>(partials_.size()); ++from)
            add_last_codeword(from, job_.is_sweep ? codes_at(r, g) : nullptr);
        const int count = cheapest_.sort();
        next_partials_.resize(size(count));
        for (int i = 0; i < count; ++i) next_partials_[size(i)] = extended(cheapest_[i], codes_at(r, g));
        partials_.swap(next_partials_);
        choose(state, r, g);
    }

    // What partial sums cost with one codeword of book k more, many codewords at a time.
    struct Costs {
        Costs(const RowsSearch& search, const Partial& partial, int k)
            : words(search.words_.data() + k * kGroup * kCodewords),
              norms(search.norms_.data() + k * kCodewords),
              cost(partial.cost) {
            for (int d = 0; d < kGroup; ++d) factors[d] = -2 * partial.rest[d];
        }
        Vector operator[](int i) const {
            Vector sum = load(norms + i) + cost;
            for (int d = 0; d < kGroup; ++d) sum += load(words + d * kCodewords + i) * factors[d];
            return sum;
        }
        const float *words, *norms;
        float cost, factors[kGroup];
    };

    void add_codeword(Partial& partial, int k, int code) const {
        partial.codes[k] = static_cast<uint8_t>(code);
        for (int d = 0; d < kGroup; ++d)
            partial.rest[d] -= words_[size((k * kGroup + d) * kCodewords + code)];
    }

    // Codeword i has the place i mod width; of every code set, the cheapest sum at each place goes on.
    // That is nearly the `width` cheapest, and takes no sorting.
    void keep_best_of_each_place(int count, int k) {
        next_partials_.resize(size(count * job_.width));
        for (int place = 0; place < job_.width; place += kLanes) {
            std::size_t from = 0;
            for (int h = 0; h < count; ++h) {
                Vector least = Vector{} + 3e38f;
                Index which = {};
                for (; from < partials_.size() && partials_[from].parent == h; ++from) {
                    const Costs costs(*this, partials_[from], k);
                    for (int i = place; i < kCodewords; i += job_.width) {
                        const Vector cost = costs[i];
                        const Index is_less = cost < least;
                        least = is_less ? cost : least;
                        which = is_less ? (Index{} + (static_cast<int>(from) * kCodewords + i)) : which;
                    }
                }
                for (int lane = 0; lane < kLanes; ++lane) {
                    Partial& next = next_partials_[size(h * job_.width + place + lane)];
                    next = partials_[size(which[lane] / kCodewords)];
                    next.cost = least[lane];
                    add_codeword(next, k, which[lane] % kCodewords + lane);
                }
            }
        }
        partials_.swap(next_partials_);
    }

    // `present`: the codes that the group may keep; they are offered already.
    void add_last_codeword(int from, const uint8_t* present) {
        const int k = job_.books - 1;
        const Partial& partial = partials_[size(from)];
        const bool is_present = present != nullptr && std::memcmp(partial.codes, present, size(k)) == 0;
        const Costs costs(*this, partial, k);
        for (int i = 0; i < kCodewords; i += kLanes) {
            const Vector cost = costs[i];
            for (unsigned lanes = lanes_below(cost, cheapest_.threshold()); lanes != 0; lanes &= lanes - 1) {
                const int lane = __builtin_ctz(lanes);
                if (!is_present || i + lane != present[k]) cheapest_.offer({cost[lane], from, i + lane});
            }
        }
    }

    Partial extended(const Extension& extension, const uint8_t* present) const {
        Partial next;
        if (extension.from < 0) {
            next = {extension.cost, -1 - extension.from, true, {}, {}};
            std::memcpy(next.codes, present, size(job_.books));
        } else {
            next = partials_[size(extension.from)];
            next.cost = extension.cost;
            next.codes[job_.books - 1] = static_cast<uint8_t>(extension.code);
        }
        return next;
    }

    // The partial sums, complete now, become the row's code sets; their errors move the targets.
    void choose(RowState& state, int64_t r, int64_t g) {
        const float least = partials_[0].cost;  // taken off, so that differences stay exact
        state.count = static_cast<int>(partials_.size());
        for (int h = 0; h < state.count; ++h) {
            const Partial& chosen = partials_[size(h)];
            Step& step = steps_[step_at(r, g, h)];
            step.parent = chosen.parent;
            std::memcpy(step.codes, chosen.codes, sizeof step.codes);
            state.costs[h] = chosen.cost - least;
            float change[kGroup] = {};
            if (!chosen.is_kept) {
                std::memcpy(change, before(r, g), sizeof change);
                for (int k = 0; k < job_.books; ++k) {
                    const float* word = job_.codebooks + (k * kCodewords + chosen.codes[k]) * kGroup;
                    for (int d = 0; d < kGroup; ++d) change[d] -= word[d];
                }
            }
            move(set(targets_, r, chosen.parent), change, g, set(next_targets_, r, h));
        }
    }

    void move(const float* from, const float* change, int64_t g, float* to) const {
        const float* rows = job_.coupling + g * kGroup * job_.columns;
        const int64_t end = g * kGroup;
        int64_t c = 0;
        for (; c + kLanes <= end; c += kLanes) {
            Vector sum = load(from + c);
            for (int d = 0; d < kGroup; ++d) sum += load(rows + d * job_.columns + c) * change[d];
            store(to + c, sum);
        }
        for (; c < end; ++c) {
            float sum = from[c];
            for (int d = 0; d < kGroup; ++d) sum += rows[d * job_.columns + c] * change[d];
            to[c] = sum;
        }
    }

    const BeamSearchJob& job_;
    const int64_t first_, rows_, groups_;
    std::vector<RowState> states_;
    std::vector<float> targets_, next_targets_;  // [rows][beam][columns]
    std::vector<Step> steps_;                    // [rows][groups][beam]
    std::vector<float> words_, norms_;           // of the group at hand
    std::vector<Partial> partials_, next_partials_;
    Cheapest cheapest_;
};

void search(const BeamSearchJob& job, ThreadPool& pool) {
    const int64_t wanted = job.rows / (4 * pool.size());
    const int64_t at_once = std::max(kLeastRows, std::min(kMostRows, wanted));
    pool.parallel_for((job.rows + at_once - 1) / at_once, [&](int64_t task) {
        const int64_t first = task * at_once;
        RowsSearch(job, first, std::min(at_once, job.rows - first)).run();
    });
}

}  // namespace
}  // namespace gnomon
