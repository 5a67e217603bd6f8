#include "codecs/codewords.h"

#include <algorithm>

namespace gnomon {
namespace {

constexpr int64_t kGroup = 8, kCodewords = 256;

}  // namespace

void add_codewords(const uint8_t* codes, int64_t count, int64_t books, const float* codebooks, float* sums) {
    for (int64_t i = 0; i < count; ++i, codes += books, sums += kGroup) {
        float sum[kGroup] = {};
        for (int64_t k = 0; k < books; ++k) {
            const float* word = codebooks + (k * kCodewords + codes[k]) * kGroup;
            for (int64_t d = 0; d < kGroup; ++d) sum[d] += word[d];
        }
        std::copy(sum, sum + kGroup, sums);
    }
}

void sum_by_codeword(const uint8_t* codes, int64_t count, int64_t books, const float* vectors,
                     double* totals) {
    std::fill(totals, totals + books * kCodewords * kGroup, 0.0);
    for (int64_t i = 0; i < count; ++i, codes += books, vectors += kGroup)
        for (int64_t k = 0; k < books; ++k) {
            double* total = totals + (k * kCodewords + codes[k]) * kGroup;
            for (int64_t d = 0; d < kGroup; ++d) total[d] += vectors[d];
        }
}

}  // namespace gnomon
