// The code search of the codec `aq`: for every row of a matrix, the codes whose sums of codewords
// leave the least error of the layer's outputs (AQLM, arXiv 2401.06118, section 3.2).
//
// A row's loss is a quadratic form in its error e = w − ŵ. Groups of eight columns are visited from
// the last to the first; when the errors of all other groups are what they are, the loss of group g
// is |(t_g − ŵ_g) F_g|² and something that does not depend on it. Its target t_g = w_g + Σ_j e_j M_jg
// moves with every error made before. The `beam` best code sets of the whole row are kept.
// What M and F are makes it a first search or a sweep over codes that are there already
// (src/gnomon/codecs/aq_search.py, which also has the plain form).
#pragma once

#include <cstdint>

#include "core/isa.h"
#include "core/threads.h"

namespace gnomon {

struct BeamSearchJob {
    const float* targets;    // [rows, columns], t with the errors of `values` in it
    const float* values;     // [rows, columns], what the row is before: w itself, or the current ŵ
    const float* coupling;   // [columns, columns], M; only what is left of a group is read
    const float* factors;    // [columns / 8, 8, 8], F
    const float* codebooks;  // [books, 256, 8]
    int64_t rows, columns;   // columns is a multiple of 8
    int books;
    int beam;       // code sets of a row that are kept from group to group
    int width;      // of each of them, sums that go on from codebook to codebook: 8, 16, … 256
    bool is_sweep;  // `codes` hold those of `values`, and every group may keep its own
    uint8_t* codes;  // [rows, columns / 8, books]
};

constexpr int kMostBooks = 8, kMostBeam = 16;

// The same input gives the same codes whatever the number of threads, with AVX2 and with AVX-512. The
// scalar form rounds each product and may choose otherwise where two costs are all but equal.
void beam_search(const BeamSearchJob& job, ThreadPool& pool, Isa isa);

}  // namespace gnomon
