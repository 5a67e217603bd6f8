#include "engine/sampling.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <numeric>
#include <utility>
#include <vector>

namespace gnomon {
namespace {

constexpr float kLowest = -std::numeric_limits<float>::infinity();
constexpr float kLeastTemperature = 1e-30f;  // the likeliest token is certain long before
constexpr float kNothing = -87.0f;           // exp of less is no normal float

// The memory of one thread's choices; of most arrays a part is in use.
struct Scratch {
    std::vector<float> scores, best;
    // What is drawn from: tokens in rising order, and weights in proportion to their probabilities.
    std::vector<int32_t> tokens;
    std::vector<float> weights;
    std::vector<std::pair<float, int32_t>> hopeful;  // a weight and its place
};

double sum_of(const std::vector<float>& weights) { return std::accumulate(weights.begin(), weights.end(), 0.0); }

// CTRL (Keskar et al., arXiv 1909.05858), section 4.1, with the sign taken into account.
void penalise(const float* logits, int64_t vocab, const int32_t* seen, int64_t count, float penalty, float* scores) {
    for (int64_t i = 0; i < count; ++i) {
        if (seen[i] < 0 || seen[i] >= vocab || std::isnan(logits[seen[i]])) continue;
        const float logit = logits[seen[i]];  // a token that was seen twice is penalised once
        const float score = logit < 0 ? logit * penalty : logit / penalty;
        scores[seen[i]] = std::isnan(score) ? kLowest : score;
    }
}

// The k-th largest of the scores, which are more than k.
float largest_but(int64_t k, const std::vector<float>& scores, std::vector<float>& best) {
    const auto size = static_cast<std::size_t>(k);
    best.clear();  // of those so far, k at least once there were so many
    float least = kLowest;
    const auto keep = [&] {
        std::nth_element(best.begin(), best.begin() + (k - 1), best.end(), std::greater<>());
        best.resize(size);
        least = best.back();
    };
    for (const float score : scores) {
        if (!(score > least) && best.size() >= size) continue;
        best.push_back(score);
        if (best.size() == 2 * size) keep();
    }
    keep();
    return least;
}

// Nucleus sampling (Holtzman et al., arXiv 1904.09751): the unlikely tail weighs nothing.
void keep_top_p(float top_p, std::vector<float>& weights, std::vector<std::pair<float, int32_t>>& hopeful) {
    const double total = sum_of(weights), tail = (1.0 - static_cast<double>(top_p)) * total;
    // So unlikely that all tokens like it together are in the tail: they need no sorting. The likeliest is not.
    const auto hopeless = static_cast<float>(tail / static_cast<double>(weights.size()));
    hopeful.clear();
    for (std::size_t i = 0; i < weights.size(); ++i) {
        if (weights[i] >= hopeless) hopeful.emplace_back(weights[i], static_cast<int32_t>(i));
        else weights[i] = 0.0f;
    }
    // The likeliest first, as many as are needed. The sum of the rest tells, which includes the hopeless.
    double above = 0.0;
    auto sorted = hopeful.begin();
    for (int64_t some = 256; sorted != hopeful.end(); some *= 8) {
        const auto end = sorted + std::min<int64_t>(some, hopeful.end() - sorted);
        if (end != hopeful.end()) std::nth_element(sorted, end, hopeful.end(), std::greater<>());
        std::sort(sorted, end, std::greater<>());
        for (; sorted != end && (above == 0.0 || total - above > tail); ++sorted) above += sorted->first;
        if (sorted == end) continue;
        for (; sorted != hopeful.end(); ++sorted) weights[static_cast<std::size_t>(sorted->second)] = 0.0f;
    }
}

}  // namespace

int64_t choose_token(const KernelTable& k, const float* logits, int64_t vocab, const int32_t* seen, int64_t count,
                     const Sampling& sampling, double at) {
    thread_local Scratch scratch;
    std::vector<float>& scores = scratch.scores;
    scores.resize(static_cast<std::size_t>(vocab));
    std::transform(logits, logits + vocab, scores.begin(), [](float x) { return std::isnan(x) ? kLowest : x; });
    if (sampling.repetition_penalty != 1.0f)
        penalise(logits, vocab, seen, count, sampling.repetition_penalty, scores.data());
    const float largest = k.maximum(scores.data(), vocab);
    if (sampling.temperature == 0.0f || !std::isfinite(largest))
        return std::find(scores.begin(), scores.end(), largest) - scores.begin();

    const float temperature = std::max(sampling.temperature, kLeastTemperature);
    float least = largest + kNothing * temperature;
    if (sampling.top_k > 0 && sampling.top_k < vocab)
        least = std::max(least, largest_but(sampling.top_k, scores, scratch.best));
    std::vector<int32_t>& tokens = scratch.tokens;
    std::vector<float>& weights = scratch.weights;
    tokens.resize(scores.size());
    weights.resize(scores.size());
    std::size_t left = 0;
    for (std::size_t i = 0; i < scores.size(); ++i) {
        if (scores[i] < least || scores[i] == kLowest) continue;
        tokens[left] = static_cast<int32_t>(i);
        weights[left++] = (scores[i] - largest) / temperature;
    }
    tokens.resize(left);
    weights.resize(left);
    k.exp_and_sum(0.0f, static_cast<int64_t>(left), weights.data());  // the likeliest weighs 1
    if (sampling.top_p < 1.0f) keep_top_p(sampling.top_p, weights, scratch.hopeful);
    if (sampling.min_p > 0.0f)  // Nguyen et al., arXiv 2407.01082
        for (float& weight : weights)
            if (weight < sampling.min_p) weight = 0.0f;

    const double wanted = at * sum_of(weights);
    double sum = 0.0;
    int64_t token = 0;
    for (std::size_t i = 0; i < left; ++i) {
        if (weights[i] == 0.0f) continue;
        token = tokens[i];  // the last that may be chosen, should the sum round below `wanted`
        sum += weights[i];
        if (sum > wanted) break;
    }
    return token;
}

}  // namespace gnomon
