// Several texts in one decoder: the same numbers as one by one, errors that change nothing, and no
// allocation while they go on.
#include <atomic>
#include <cmath>
#include <cstdlib>
#include <memory>
#include <new>
#include <random>
#include <stdexcept>
#include <vector>

#include "check.h"
#include "codecs/trellis_form.h"
#include "engine/session.h"
#include "engine/trellis_linear.h"
#include "random_values.h"

using namespace gnomon;

namespace {

std::atomic<int64_t> allocations{0};

void* counted(std::size_t size, std::size_t alignment) {
    allocations.fetch_add(1, std::memory_order_relaxed);
    if (void* p = std::aligned_alloc(alignment, (size + alignment) / alignment * alignment)) return p;
    throw std::bad_alloc();
}

}  // namespace

void* operator new(std::size_t size) { return counted(size, alignof(std::max_align_t)); }
void* operator new(std::size_t size, std::align_val_t alignment) {
    return counted(size, static_cast<std::size_t>(alignment));
}
// std::stable_sort asks in this way.
void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
    return counted(size, alignof(std::max_align_t));
}
void operator delete(void* p) noexcept { std::free(p); }
void operator delete(void* p, std::size_t) noexcept { std::free(p); }
void operator delete(void* p, std::align_val_t) noexcept { std::free(p); }
void operator delete(void* p, std::size_t, std::align_val_t) noexcept { std::free(p); }

namespace {

constexpr int64_t kVocab = 37, kHidden = 40, kInner = 56, kDim = 10, kCapacity = 400;

LinearPtr dense(int64_t out, int64_t in, unsigned seed) {
    const auto weights = std::make_shared<std::vector<float>>(random_floats(out * in, seed));
    for (float& w : *weights) w *= 0.3f;
    return std::make_shared<DenseLinear>(weights, weights->data(), Dtype::f32, out, in, std::vector<float>{});
}

LinearPtr trellis(int64_t out, int64_t in, unsigned seed) {
    std::mt19937 rng(seed);
    const auto codes = std::make_shared<std::vector<uint8_t>>(
        static_cast<std::size_t>((out + 63) / 64 * ((in + 31) / 32) * 8 * 64));
    for (auto& c : *codes) c = static_cast<uint8_t>(rng());
    std::vector<int8_t> table(static_cast<std::size_t>(trellis_form(2).table_size()));
    for (auto& t : table) t = static_cast<int8_t>(static_cast<int8_t>(rng()) % 42);
    return std::make_shared<TrellisLinear>(
        codes, codes->data(), table.data(), std::vector<float>(static_cast<std::size_t>(out), 0.004f), 2, out, in,
        std::make_shared<Rotation>(in, random_signs(in, seed + 1)),
        std::make_shared<Rotation>(out, random_signs(out, seed + 2)));
}

// One block is coded and sees a window, the other is a mixture; each has its own rotary embedding.
std::shared_ptr<Decoder> make_decoder(Isa isa, int threads, int64_t vocab = kVocab) {
    DecoderConfig config;
    config.vocab = vocab;
    config.hidden = kHidden;
    config.attention = {4, 2, kDim, 0.3f, 0.0f};
    for (float base : {1.0f, 0.01f}) config.ropes.push_back({std::vector<float>(kDim / 2, base), 1.0f});
    config.experts_per_token = 2;
    config.logit_softcap = 20.0f;
    const std::vector<float> ones(static_cast<std::size_t>(kHidden), 1.0f);
    std::vector<Block> blocks(2);
    for (unsigned i = 0; i < 2; ++i) {
        const auto make = i == 0 ? trellis : dense;
        Block& b = blocks[i];
        b.attention_norm = b.mlp_norm = ones;
        b.q = make(4 * kDim, kHidden, 100 + i);
        b.k = make(2 * kDim, kHidden, 110 + i);
        b.v = make(2 * kDim, kHidden, 120 + i);
        b.o = make(kHidden, 4 * kDim, 130 + i);
        for (unsigned e = 0; e < (i == 0 ? 1u : 3u); ++e)
            b.experts.push_back({make(kInner, kHidden, 140 + 10 * e), make(kInner, kHidden, 141 + 10 * e),
                                 make(kHidden, kInner, 142 + 10 * e)});
        b.rope = static_cast<int>(i);
        b.window = i == 0 ? 6 : 0;
    }
    blocks[1].router = dense(3, kHidden, 170);
    return std::make_shared<Decoder>(config, dense(vocab, kHidden, 180), blocks, ones,
                                     dense(vocab, kHidden, 181), isa, threads);
}

std::vector<int32_t> random_tokens(int64_t n, unsigned seed) {
    std::mt19937 rng(seed);
    std::vector<int32_t> tokens(static_cast<std::size_t>(n));
    for (auto& t : tokens) t = static_cast<int32_t>(rng() % kVocab);
    return tokens;
}

std::vector<float> forward(Session& session, const std::vector<int32_t>& tokens) {
    std::vector<float> y(static_cast<std::size_t>(kVocab));
    session.forward(tokens.data(), static_cast<int64_t>(tokens.size()), y.data());
    return y;
}

}  // namespace

TEST(texts_read_together_give_the_bits_they_give_alone) {
    for (Isa isa : all_sets())
        for (int threads : {1, 2, 3})
            for (Dtype cache : {Dtype::f32, Dtype::f16, Dtype::i8}) {
                const auto decoder = make_decoder(isa, threads);
                // Different pasts, and more new tokens than one run takes.
                const std::vector<int64_t> pasts{0, 3, 150, 17, 1}, news{1, 1, 130, 250, 1};
                std::vector<std::unique_ptr<Session>> alone, together;
                std::vector<std::vector<int32_t>> tokens;
                std::vector<Reading> readings;
                std::vector<float> expected;
                for (unsigned i = 0; i < pasts.size(); ++i) {
                    const auto past = random_tokens(pasts[i], 300 + i);
                    tokens.push_back(random_tokens(news[i], 400 + i));
                    for (auto* group : {&alone, &together}) {
                        group->push_back(std::make_unique<Session>(decoder, kCapacity, cache));
                        if (!past.empty()) forward(*group->back(), past);
                    }
                    const auto y = forward(*alone.back(), tokens.back());
                    expected.insert(expected.end(), y.begin(), y.end());
                }
                for (std::size_t i = 0; i < tokens.size(); ++i)
                    readings.push_back({together[i].get(), tokens[i].data(), news[i]});
                std::vector<float> y(expected.size());
                forward_together(readings.data(), static_cast<int64_t>(readings.size()), y.data());
                CHECK(y == expected);
                for (std::size_t i = 0; i < tokens.size(); ++i) {
                    CHECK(together[i]->tokens() == alone[i]->tokens());
                    CHECK(forward(*together[i], {5}) == forward(*alone[i], {5}));
                }
            }
}

TEST(what_cannot_be_read_changes_no_session) {
    const auto decoder = make_decoder(Isa::scalar, 1), other = make_decoder(Isa::scalar, 1);
    Session a(decoder, 8, Dtype::f16), b(decoder, 8, Dtype::f16), stranger(other, 8, Dtype::f16);
    const std::vector<int32_t> good{1, 2, 3}, unknown{1, static_cast<int32_t>(kVocab)}, long_one(9, 1);
    forward(a, good);
    const auto expected = forward(b, good);
    const std::vector<std::vector<Reading>> refused{
        {},
        {{&a, good.data(), 3}, {&b, unknown.data(), 2}},
        {{&a, good.data(), 3}, {&b, long_one.data(), 9}},
        {{&a, good.data(), 3}, {&b, good.data(), 0}},
        {{&a, good.data(), 3}, {&a, good.data(), 3}},
        {{&a, good.data(), 3}, {&stranger, good.data(), 3}},
    };
    std::size_t thrown = 0;
    std::vector<float> y(static_cast<std::size_t>(2 * kVocab));
    for (const auto& readings : refused) {
        try {
            forward_together(readings.data(), static_cast<int64_t>(readings.size()), y.data());
        } catch (const std::invalid_argument&) {
            ++thrown;
        }
    }
    CHECK(thrown == refused.size());
    CHECK(a.tokens() == good && b.tokens() == good && stranger.length() == 0);
    a.truncate(0);
    CHECK(forward(a, good) == expected);
}

TEST(a_text_that_begins_alike_is_not_read_anew) {
    const auto decoder = make_decoder(Isa::scalar, 1);
    Session session(decoder, 16, Dtype::f16), fresh(decoder, 16, Dtype::f16);
    forward(session, {1, 2, 3, 4, 5});
    const std::vector<int32_t> same{1, 2, 3, 4, 5}, longer{1, 2, 3, 9, 9, 9}, foreign{7};
    CHECK(session.keep_prefix(same.data(), 5) == 4);  // the last one is read for what follows
    CHECK(session.keep_prefix(longer.data(), 6) == 3);
    CHECK(forward(session, {9, 9, 9}) == forward(fresh, longer));
    CHECK(session.keep_prefix(foreign.data(), 1) == 0);
    CHECK(session.length() == 0);
}

TEST(what_is_observed_is_what_the_logits_say) {
    const auto tokens = random_tokens(300, 7);  // more than one run takes
    const auto n = static_cast<int64_t>(tokens.size());
    for (Isa isa : all_sets())
        for (int64_t vocab : {kVocab, int64_t{2051}})
            for (int threads : {1, 2}) {
                const auto decoder = make_decoder(isa, threads, vocab);
                Session a(decoder, kCapacity, Dtype::f32), b(decoder, kCapacity, Dtype::f32);
                std::vector<float> logits(static_cast<std::size_t>(n * vocab));
                a.forward_all(tokens.data(), n, 0, logits.data());
                std::vector<Expectation> expected(static_cast<std::size_t>(n - 1));
                b.observe(tokens.data(), n, nullptr, 0, expected.data(), nullptr);
                for (int64_t t = 0; t + 1 < n; ++t) {
                    const float* row = logits.data() + t * vocab;
                    const int32_t target = tokens[static_cast<std::size_t>(t + 1)];
                    double whole = 0, cold = 0, mean = 0, square = 0;
                    int64_t rank = 0;
                    for (int64_t i = 0; i < vocab; ++i) {
                        whole += std::exp(static_cast<double>(row[i]));
                        cold += std::exp(2.0 * row[i]);
                        rank += row[i] > row[target] ? 1 : 0;
                    }
                    for (int64_t i = 0; i < vocab; ++i) {
                        const double log_p = row[i] - std::log(whole);
                        mean += std::exp(log_p) * log_p;
                        square += std::exp(log_p) * log_p * log_p;
                    }
                    const Expectation& e = expected[static_cast<std::size_t>(t)];
                    CHECK(std::abs(e.log_probability - (row[target] - std::log(whole))) < 1e-5);
                    CHECK(std::abs(e.entropy + mean) < 1e-5);
                    CHECK(std::abs(e.variance - (square - mean * mean)) < 1e-4);
                    CHECK(std::abs(e.cold_probability - (2.0 * row[target] - std::log(cold))) < 1e-5);
                    CHECK(e.rank == static_cast<float>(rank));
                }
            }
}

TEST(states_after_layers_are_those_of_every_token) {
    const auto tokens = random_tokens(300, 8);
    const auto n = static_cast<int64_t>(tokens.size());
    constexpr int64_t kFirst = 11;  // tokens that are read before the others
    for (Isa isa : all_sets()) {
        const auto decoder = make_decoder(isa, 2);
        Session whole(decoder, kCapacity, Dtype::f32), parts(decoder, kCapacity, Dtype::f32),
            normed(decoder, kCapacity, Dtype::f32);
        std::vector<Expectation> unused(static_cast<std::size_t>(n));
        std::vector<float> states(static_cast<std::size_t>(2 * n * kHidden)), hidden(states.size() / 2);
        std::vector<float> early(static_cast<std::size_t>(2 * kFirst * kHidden)), late(states.size() - early.size());
        const int64_t layers[] = {0, 1};
        whole.observe(tokens.data(), n, layers, 2, unused.data(), states.data());
        parts.observe(tokens.data(), kFirst, layers, 2, unused.data(), early.data());
        parts.observe(tokens.data() + kFirst, n - kFirst, layers, 2, unused.data(), late.data());
        normed.hidden(tokens.data(), n, hidden.data());
        for (int64_t layer = 0; layer < 2; ++layer)
            for (int64_t t = 0; t < n; ++t) {
                const float* state = states.data() + (layer * n + t) * kHidden;
                const float* same = t < kFirst ? early.data() + (layer * kFirst + t) * kHidden
                                               : late.data() + (layer * (n - kFirst) + t - kFirst) * kHidden;
                double squares = 0;
                for (int64_t i = 0; i < kHidden; ++i) {
                    CHECK(state[i] == same[i]);
                    squares += static_cast<double>(state[i]) * state[i];
                }
                if (layer == 0) continue;  // the final norm of the last layer's is what `hidden` gives
                const double size = std::sqrt(squares / kHidden + decoder->config().norm_eps);
                for (int64_t i = 0; i < kHidden; ++i)
                    CHECK(std::abs(state[i] / size - hidden[static_cast<std::size_t>(t * kHidden + i)]) < 1e-4);
            }
    }
}

TEST(a_step_allocates_nothing) {
    for (int threads : {1, 3})
        for (Dtype cache : {Dtype::f32, Dtype::f16, Dtype::i8}) {
            const auto decoder = make_decoder(detect_isa(), threads);
            Session a(decoder, kCapacity, cache), b(decoder, kCapacity, cache);
            forward(a, random_tokens(140, 1));
            forward(b, random_tokens(3, 2));
            const int32_t tokens[] = {4, 5, 6};
            const Reading readings[] = {{&a, tokens, 1}, {&b, tokens, 3}};
            std::vector<float> y(static_cast<std::size_t>(3 * kVocab));
            const int64_t before = allocations.load();
            for (int step = 0; step < 20; ++step) {
                forward_together(readings, 2, y.data());
                b.forward_all(tokens, 3, 0, y.data());
                b.truncate(b.length() - 3);
                a.forward(tokens, 1, y.data());
            }
            CHECK(allocations.load() == before);
        }
}
