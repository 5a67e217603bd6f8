// From logits to the next token.
#pragma once

#include <cstdint>

#include "kernels/table.h"

namespace gnomon {

// The steps, in this order: repetition penalty, temperature, top-k, top-p, min-p, then one draw.
struct Sampling {
    float temperature = 0.0f;  // 0: the likeliest token
    int64_t top_k = 0;         // 0: all
    float top_p = 1.0f;        // above 0
    float min_p = 0.0f;
    float repetition_penalty = 1.0f;
};

// A token by logits [vocab]. `seen` [count] are tokens of the text so far; those not below `vocab` are ignored.
// `at`, from 0 and below 1, is where the draw falls in the running sum of the probabilities, in the order of the tokens.
// Where no logit is above −∞ the first token is taken.
int64_t choose_token(const KernelTable& k, const float* logits, int64_t vocab, const int32_t* seen, int64_t count,
                     const Sampling& sampling, double at);

}  // namespace gnomon
