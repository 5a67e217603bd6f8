// The encoder of the trellis codec: for every sequence of 256 numbers, the cyclic bit string whose
// overlapping windows, looked up in a table, come nearest in squared error.
//
// The search is Viterbi's (1967) over all window values, made tail-biting in two passes: a short
// one across the seam finds the bits that the last windows share with the first, and the full one
// is held to them at both ends.
#pragma once

#include <cstdint>

#include "core/isa.h"
#include "core/threads.h"

namespace gnomon {

constexpr int kSequenceLength = 256;

struct TrellisEncodeJob {
    const float* sequences;  // [count, 256]
    int64_t count;
    const float* table;  // [2^window_bits], the value of every state
    int bits;            // new bits for every number: 2, 3 or 4
    uint8_t* codes;      // out [count, 32 * bits], see docs/trellis-format.md
    float* values;       // out [count, 256], the values that the codes decode to
};

// The same input gives the same codes whatever the instruction set and the number of threads.
void trellis_encode(const TrellisEncodeJob& job, ThreadPool& pool, Isa isa);

}  // namespace gnomon
