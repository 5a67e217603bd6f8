#include <cmath>
#include <limits>
#include <set>
#include <vector>

#include "check.h"
#include "engine/sampling.h"
#include "random_values.h"

using namespace gnomon;

namespace {

constexpr float kLowest = -std::numeric_limits<float>::infinity();

int64_t choose(const std::vector<float>& logits, const Sampling& sampling, double at,
               const std::vector<int32_t>& seen = {}) {
    return choose_token(scalar_kernels(), logits.data(), static_cast<int64_t>(logits.size()), seen.data(),
                        static_cast<int64_t>(seen.size()), sampling, at);
}

// Every token that some draw takes.
std::set<int64_t> chosen(const std::vector<float>& logits, const Sampling& sampling) {
    std::set<int64_t> tokens;
    for (int i = 0; i < 1000; ++i) tokens.insert(choose(logits, sampling, i / 1000.0));
    tokens.insert(choose(logits, sampling, std::nextafter(1.0, 0.0)));
    return tokens;
}

}  // namespace

TEST(sampling_keeps_the_k_likeliest_and_their_equals) {
    std::vector<float> logits(1000, -1.0f);
    logits[7] = logits[900] = 3.0f;
    logits[3] = 2.0f;
    Sampling sampling;
    sampling.temperature = 1.0f;
    sampling.top_k = 1;
    CHECK((chosen(logits, sampling) == std::set<int64_t>{7, 900}));
    sampling.top_k = 3;
    CHECK((chosen(logits, sampling) == std::set<int64_t>{3, 7, 900}));
    for (int64_t k : {int64_t{999}, int64_t{1000}, int64_t{5000}}) {
        sampling.top_k = k;
        CHECK(chosen(logits, sampling).size() > 3);
    }
}

TEST(sampling_keeps_the_likeliest_whatever_top_p_is) {
    Sampling sampling;
    sampling.temperature = 0.1f;
    for (float top_p : {1e-45f, 1e-9f, 2e-8f, 1e-3f}) {
        sampling.top_p = top_p;
        CHECK((chosen({0.0f, 1.0f, 2.0f, 50.0f, 3.0f}, sampling) == std::set<int64_t>{3}));
        CHECK((chosen({kLowest, kLowest, 1.0f}, sampling) == std::set<int64_t>{2}));
        CHECK(chosen({kLowest, 1.0f, 1.0f, 1.0f}, sampling).count(0) == 0);
    }
    // More than are sorted at once: of 4,096 tokens alike the last half is kept.
    const std::vector<float> alike(4096, 1.0f);
    sampling.top_p = 0.5f;
    for (int64_t i = 0; i < 128; ++i) CHECK(choose(alike, sampling, static_cast<double>(i) / 128.0) == 2048 + 16 * i);
}

TEST(sampling_never_takes_what_is_masked_or_no_number) {
    const float nan = std::numeric_limits<float>::quiet_NaN();
    Sampling sampling;
    for (float temperature : {0.0f, 1e-38f, 1.0f, 1e38f}) {
        sampling.temperature = temperature;
        CHECK((chosen({kLowest, nan, 0.5f, nan, kLowest}, sampling) == std::set<int64_t>{2}));
        CHECK(choose({nan, nan}, sampling, 0.5) == 0);
        CHECK(choose({kLowest, kLowest}, sampling, 0.5) == 0);
        CHECK(choose({1.0f, std::numeric_limits<float>::infinity()}, sampling, 0.0) == 1);
        for (float penalty : {0.0f, 2.0f, std::numeric_limits<float>::infinity()}) {
            sampling.repetition_penalty = penalty;  // 0 / 0 and tokens that there are not
            const int64_t token = choose({0.0f, -1.0f, -2.0f}, sampling, 0.5, {0, 0, 3, -1, 1 << 30});
            CHECK(token >= 0 && token < 3);
        }
        sampling.repetition_penalty = 1.0f;
    }
}

TEST(sampling_takes_the_same_token_on_all_sets_where_shares_are_wide) {
    const std::vector<float> logits = random_floats(5000, 11);
    Sampling sampling;
    sampling.temperature = 0.01f;
    sampling.top_k = 20;
    sampling.top_p = 0.9f;
    sampling.min_p = 0.01f;
    for (double at : {0.0, 0.25, 0.5, 0.75}) {
        const int64_t expected = choose(logits, sampling, at);
        for (Isa isa : available_isas())
            CHECK(choose_token(kernels(isa), logits.data(), 5000, nullptr, 0, sampling, at) == expected);
    }
}
