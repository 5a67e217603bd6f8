// Sums of codewords and, the other way round, sums of vectors by codeword: what learning the codebooks
// of the codec `aq` does between its matrix products. Codebooks are float [books, 256, 8].
#pragma once

#include <cstdint>

namespace gnomon {

// sums [count, 8]: Σ_k codebooks[k, codes[i, k]]
void add_codewords(const uint8_t* codes, int64_t count, int64_t books, const float* codebooks, float* sums);

// totals [books, 256, 8]: the sum of the vectors [count, 8] that have this codeword
void sum_by_codeword(const uint8_t* codes, int64_t count, int64_t books, const float* vectors,
                     double* totals);

}  // namespace gnomon
