// The encoder of the trellis codec (docs/trellis-format.md): for 32 numbers, the cycle of symbols
// whose windows, summed up in a table, come nearest in squared error.
//
// The search is Viterbi's (1967) over all windows. It goes once around the cycle with some symbols
// more on either side; where it then enters and leaves by the same symbols it is done, and otherwise
// what it entered by and what it left by are tried at both ends.
//
// Costs are integers of 16 bits, scaled for a table that makes unit Gaussians: of one with entries of
// 2 and more the cycle found need not be near the best.
#pragma once

#include <cstdint>

#include "codecs/trellis_form.h"
#include "core/isa.h"
#include "core/threads.h"

namespace gnomon {

struct TrellisEncodeJob {
    const float* blocks;  // [count, 32]
    int64_t count;
    const float* table;  // [window, 2^symbol_bits, columns of a symbol]
    int bits;            // 2, 3 or 4
    uint8_t* symbols;    // out [count, symbols of a block]
    float* values;       // out [count, 32], the numbers that the symbols decode to
};

// The same input gives the same symbols whatever the instruction set and the number of threads.
void trellis_encode(const TrellisEncodeJob& job, ThreadPool& pool, Isa isa);

}  // namespace gnomon
