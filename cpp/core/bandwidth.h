// How fast this machine reads memory: what decoding is measured against.
#pragma once

#include <cstdint>

#include "core/threads.h"
#include "kernels/table.h"

namespace gnomon {

// Bytes a second at which the pool reads a block of `size_bytes`, which should be several times what
// the caches hold: the best of `passes`, as interruptions only ever slow one down.
double read_bandwidth(ThreadPool& pool, const KernelTable& k, int64_t size_bytes, int passes);

}  // namespace gnomon
