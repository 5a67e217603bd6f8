// Attention over caches of every form, held to its definition in double precision.
#include <algorithm>
#include <cmath>
#include <vector>

#include "check.h"
#include "engine/attention.h"
#include "random_values.h"

using namespace gnomon;

namespace {

constexpr AttentionShape kShape{6, 2, 10, 0.3f, 4.0f};
constexpr int64_t kKey = 20, kQuery = 60;  // floats of one token

// A text that a cache of one layer holds, and the queries of its last `n` tokens.
struct Text {
    int64_t past, n;
    std::vector<float> keys, values, q;
    std::vector<KvCache> caches;

    Text(const KernelTable& k, int64_t past_tokens, int64_t new_tokens, Dtype dtype, unsigned seed)
        : past(past_tokens),
          n(new_tokens),
          keys(random_floats((past + n) * kKey, seed)),
          values(random_floats((past + n) * kKey, seed + 1)),
          q(random_floats(n * kQuery, seed + 2)) {
        caches.emplace_back(kShape, 512, dtype);
        for (int64_t t = 0; t < past + n; ++t)
            caches[0].write(k, t, keys.data() + t * kKey, values.data() + t * kKey);
    }

    double expected(int64_t t, int64_t head, int64_t d, int64_t window) const {
        const int64_t kv = head / 3 * 10, last = past + t;
        const int64_t first = window == 0 ? 0 : std::max<int64_t>(0, last - window + 1);
        double sum = 0.0, weighted = 0.0;
        for (int64_t i = first; i <= last; ++i) {
            double score = 0.0;
            for (int64_t e = 0; e < 10; ++e)
                score += static_cast<double>(q[static_cast<std::size_t>(t * kQuery + head * 10 + e)]) *
                         keys[static_cast<std::size_t>(i * kKey + kv + e)];
            const double weight = std::exp(4.0 * std::tanh(0.3 * score / 4.0));
            sum += weight;
            weighted += weight * values[static_cast<std::size_t>(i * kKey + kv + d)];
        }
        return weighted / sum;
    }
};

// The texts' results one after the other, all texts together in blocks of up to `step` tokens.
std::vector<float> run(const KernelTable& k, int threads, const std::vector<const Text*>& texts,
                       int64_t step, int64_t window) {
    std::vector<float> q;
    std::vector<QueryBlock> blocks;
    for (const Text* text : texts) {
        const auto row = static_cast<int64_t>(q.size()) / kQuery;
        for (int64_t t = 0; t < text->n; t += step)
            blocks.push_back({&text->caches, row + t, text->past + t, std::min(step, text->n - t)});
        q.insert(q.end(), text->q.begin(), text->q.end());
    }
    ThreadPool pool(threads);
    AttentionScratch scratch(kShape, threads);
    std::vector<float> y(q.size());
    attend(pool, k, kShape, scratch, blocks.data(), static_cast<int64_t>(blocks.size()), 0, q.data(), window,
           y.data());
    return y;
}

}  // namespace

TEST(attention_is_softmax_over_the_window) {
    for (Isa isa : all_sets())
        for (Dtype dtype : {Dtype::f32, Dtype::f16, Dtype::i8}) {
            const KernelTable& k = kernels(isa);
            const Text text(k, 250, 21, dtype, 28);  // over two borders of the blocks of keys
            for (int64_t window : {0, 1, 5, 140}) {
                const auto y = run(k, 1, {&text}, 5, window);
                double worst = 0.0;
                for (int64_t t = 0; t < text.n; ++t)
                    for (int64_t head = 0; head < 6; ++head)
                        for (int64_t d = 0; d < 10; ++d)
                            worst = std::max(worst, std::abs(text.expected(t, head, d, window) -
                                                             y[static_cast<std::size_t>(t * kQuery + head * 10 + d)]));
                CHECK(worst < (dtype == Dtype::f32 ? 1e-5 : dtype == Dtype::f16 ? 5e-3 : 5e-2));
            }
        }
}

TEST(a_query_gives_the_same_bits_whatever_is_beside_it) {
    for (Isa isa : all_sets())
        for (Dtype dtype : {Dtype::f32, Dtype::f16, Dtype::i8})
            for (int64_t window : {0, 7, 130}) {
                const KernelTable& k = kernels(isa);
                const Text a(k, 0, 3, dtype, 40), b(k, 300, 9, dtype, 50), c(k, 127, 2, dtype, 60);
                std::vector<float> expected;
                for (const Text* text : {&a, &b, &c}) {
                    const auto y = run(k, 1, {text}, 1, window);
                    expected.insert(expected.end(), y.begin(), y.end());
                }
                for (int threads : {1, 2, 3})
                    for (int64_t step : {1, 2, 5}) CHECK(run(k, threads, {&a, &b, &c}, step, window) == expected);
            }
}

TEST(a_cache_of_bytes_takes_few_of_them) {
    const KernelTable& k = kernels(Isa::scalar);
    const KvCache halves(kShape, 512, Dtype::f16);
    KvCache bytes(kShape, 512, Dtype::i8);
    CHECK(halves.size_bytes() == 512 * 2 * 20 * 2);
    CHECK(bytes.size_bytes() == 512 * 2 * (20 + 2 * 4));
    const std::vector<float> nothing(20, 0.0f);
    bytes.write(k, 3, nothing.data(), nothing.data());
    CHECK(*bytes.key_scales(1, 3) == 0.0f);
    CHECK(*bytes.values(1, 3) == 0);
}
