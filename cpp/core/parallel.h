// Loops over a thread pool that hand every running task a slot of its own, for scratch memory.
#pragma once

#include <atomic>
#include <functional>

#include "core/threads.h"

namespace gnomon {

// Calls body(slot, i) once for every i in [0, count); no two calls at a time share a slot, and
// slots are in [0, pool.size()). Allocates nothing.
template <class Body>
void for_each(ThreadPool& pool, int64_t count, const Body& body) {
    if (count <= 1 || pool.size() == 1) {
        for (int64_t i = 0; i < count; ++i) body(int64_t{0}, i);
        return;
    }
    std::atomic<int64_t> next{0};
    const auto work = [&](int64_t slot) {
        for (int64_t i; (i = next.fetch_add(1, std::memory_order_relaxed)) < count;) body(slot, i);
    };
    pool.parallel_for(pool.size(), std::cref(work));
}

// The same, but not worth waking threads for fewer than `grain` pieces each.
template <class Body>
void for_ranges(ThreadPool& pool, int64_t count, int64_t grain, const Body& body) {
    const int64_t pieces = (count + grain - 1) / grain;
    for_each(pool, pieces, [&](int64_t slot, int64_t piece) {
        const int64_t begin = piece * grain;
        const int64_t end = begin + grain < count ? begin + grain : count;
        for (int64_t i = begin; i < end; ++i) body(slot, i);
    });
}

}  // namespace gnomon
