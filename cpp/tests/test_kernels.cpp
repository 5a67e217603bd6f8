// Every instruction set against plain loops written here.
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <random>
#include <string>
#include <vector>

#include "check.h"
#include "core/half.h"
#include "kernels/table.h"

using namespace gnomon;

namespace {

std::vector<const KernelTable*> all_kernels() {
    std::vector<const KernelTable*> found;
    for (Isa isa : available_isas()) found.push_back(&kernels(isa));
    return found;
}

std::vector<float> random_floats(int64_t n, unsigned seed) {
    std::mt19937 rng(seed);
    std::normal_distribution<float> normal;
    std::vector<float> v(static_cast<std::size_t>(n));
    for (float& f : v) f = normal(rng);
    return v;
}

template <class T>
std::vector<T> random_bytes(int64_t n, unsigned seed) {
    std::mt19937 rng(seed);
    std::vector<T> v(static_cast<std::size_t>(n));
    for (T& b : v) b = static_cast<T>(rng() & 255);
    return v;
}

bool is_close(double a, double b, double tolerance) { return std::abs(a - b) <= tolerance * (1.0 + std::abs(b)); }

}  // namespace

TEST(quantize_is_the_same_everywhere) {
    for (int64_t n : {1, 5, 16, 17, 40, 576, 1000}) {
        const auto x = random_floats(n, 4);
        float peak = 0.0f;
        for (float v : x) peak = std::max(peak, std::abs(v));
        for (const KernelTable* k : all_kernels()) {
            std::vector<int8_t> q(static_cast<std::size_t>(n));
            int32_t sum = -1, expected_sum = 0;
            CHECK(k->quantize(x.data(), n, q.data(), &sum) == peak / 127.0f);
            for (std::size_t i = 0; i < q.size(); ++i) {
                CHECK(q[i] == static_cast<int8_t>(std::nearbyint(x[i] * (127.0f / peak))));
                expected_sum += q[i];
            }
            CHECK(sum == expected_sum);
        }
    }
    for (const KernelTable* k : all_kernels()) {  // nothing, and next to nothing
        const float zeros[3] = {}, tiny[3] = {1e-42f, -1e-42f, 0.0f};
        int8_t q[3];
        int32_t sum;
        CHECK(k->quantize(zeros, 3, q, &sum) == 0.0f && sum == 0);
        k->quantize(tiny, 3, q, &sum);
        CHECK(q[0] == 0 && q[1] == 0 && sum == 0);
    }
}

TEST(dense_products_of_odd_shapes) {
    for (int64_t in : {1, 7, 16, 17, 40, 576})
        for (int64_t rows : {1, 3, 16, 19})
            for (int64_t n : {1, 2, 5, 33}) {
                const auto w = random_floats(rows * in, 5), x = random_floats(n * in, 6);
                std::vector<uint16_t> f16, bf16;
                std::vector<int8_t> i8;
                for (float v : w) {
                    f16.push_back(float_to_f16(v));
                    bf16.push_back(static_cast<uint16_t>(float_to_bits(v) >> 16));
                    i8.push_back(static_cast<int8_t>(std::lrint(20 * std::fmin(std::fmax(v, -6), 6))));
                }
                const void* weights[kDtypes] = {w.data(), f16.data(), bf16.data(), i8.data()};
                for (int dtype = 0; dtype < kDtypes; ++dtype)
                    for (const KernelTable* k : all_kernels()) {
                        std::vector<float> y(static_cast<std::size_t>(n * rows), -1.0f);
                        k->dense[dtype](weights[dtype], in, rows, in, x.data(), in, n, y.data(), rows);
                        for (int64_t t = 0; t < n; ++t)
                            for (int64_t r = 0; r < rows; ++r) {
                                double sum = 0.0, size = 0.0;
                                for (int64_t c = 0; c < in; ++c) {
                                    const auto at = static_cast<std::size_t>(r * in + c);
                                    const float each[] = {w[at], f16_to_float(f16[at]), bf16_to_float(bf16[at]),
                                                          static_cast<float>(i8[at])};
                                    const double term =
                                        static_cast<double>(each[dtype]) * x[static_cast<std::size_t>(t * in + c)];
                                    sum += term;
                                    size += std::abs(term);
                                }
                                CHECK(std::abs(y[static_cast<std::size_t>(t * rows + r)] - sum) <= 1e-6 * size);
                            }
                    }
            }
}

TEST(weighted_sums_of_odd_shapes) {
    for (int64_t dim : {2, 16, 24, 64, 80})
        for (int64_t count : {1, 16, 17, 50})
            for (int64_t n : {1, 2, 3, 5, 6, 10}) {
                auto v = random_floats(count * dim, 7);
                const auto p = random_floats(n * count, 8);
                std::vector<int8_t> bytes;
                for (float& each : v) {
                    each = std::nearbyint(20.0f * each);  // what every form can hold
                    bytes.push_back(static_cast<int8_t>(each));
                }
                for (const KernelTable* k : all_kernels())
                    for (Dtype dtype : {Dtype::f32, Dtype::i8}) {
                        const void* values = bytes.data();
                        if (dtype == Dtype::f32) values = v.data();
                        std::vector<float> y(static_cast<std::size_t>(n * dim), -1.0f);
                        k->weighted_sum[static_cast<int>(dtype)](values, dim, count, dim, p.data(), count, n,
                                                                 y.data(), dim);
                        for (int64_t t = 0; t < n; ++t)
                            for (int64_t d = 0; d < dim; ++d) {
                                double sum = 0.0;
                                for (int64_t i = 0; i < count; ++i)
                                    sum += static_cast<double>(p[static_cast<std::size_t>(t * count + i)]) *
                                           v[static_cast<std::size_t>(i * dim + d)];
                                CHECK(is_close(y[static_cast<std::size_t>(t * dim + d)], sum, 2e-4));
                            }
                    }
            }
}

TEST(hadamard_is_exactly_the_same_everywhere_and_its_own_inverse) {
    for (int64_t n = 1; n <= 4096; n *= 2) {
        const auto x = random_floats(n, 9);
        std::vector<float> first;
        for (const KernelTable* k : all_kernels()) {
            auto y = x;
            k->hadamard(y.data(), n);
            if (first.empty()) first = y;
            CHECK(y == first);
            k->hadamard(y.data(), n);
            for (std::size_t i = 0; i < y.size(); ++i) CHECK(is_close(y[i], x[i], 1e-5));
        }
    }
}

TEST(hadamard_of_four_is_sylvesters) {
    for (const KernelTable* k : all_kernels()) {
        float x[4] = {1.0f, 2.0f, 3.0f, 4.0f};
        k->hadamard(x, 4);
        CHECK(x[0] == 5.0f && x[1] == -1.0f && x[2] == -2.0f && x[3] == 0.0f);
    }
}

TEST(elementwise_functions) {
    for (int64_t n : {1, 9, 16, 100}) {
        auto gate = random_floats(n, 10);
        for (float& g : gate) g *= 6.0f;
        gate[0] = -120.0f;
        const auto up = random_floats(n, 11);
        for (const KernelTable* k : all_kernels()) {
            auto silu = gate, gelu = gate, cap = gate, e = gate;
            k->silu_multiply(silu.data(), up.data(), n);
            k->gelu_tanh_multiply(gelu.data(), up.data(), n);
            k->softcap(5.0f, n, cap.data());
            const float highest = k->maximum(gate.data(), n);
            const float total = k->exp_and_sum(highest, n, e.data());
            CHECK(is_close(k->exp_sum(highest, n, gate.data()), total, 1e-6));
            std::vector<float> normed(gate.size());
            k->rms_norm(gate.data(), up.data(), n, 1e-5f, 1.0f, normed.data());
            double sum = 0.0, squares = 0.0;
            for (float g : gate) {
                CHECK(g <= highest);
                sum += std::exp(static_cast<double>(g) - highest);
                squares += static_cast<double>(g) * g;
            }
            CHECK(is_close(total, sum, 1e-5));
            const double factor = 1.0 / std::sqrt(squares / static_cast<double>(n) + 1e-5);
            for (std::size_t i = 0; i < gate.size(); ++i) {
                const double g = gate[i], u = up[i];
                const double inner = std::sqrt(2.0 / std::acos(-1.0)) * (g + 0.044715 * g * g * g);
                CHECK(is_close(silu[i], g / (1.0 + std::exp(-g)) * u, 1e-5));
                CHECK(is_close(gelu[i], 0.5 * g * (1.0 + std::tanh(inner)) * u, 1e-5));
                CHECK(is_close(cap[i], 5.0 * std::tanh(g / 5.0), 1e-5));
                CHECK(is_close(normed[i], g * factor * (1.0 + u), 1e-5));
            }
        }
    }
}

TEST(sums_over_logits_of_odd_widths) {
    for (int64_t n : {1, 7, 8, 9, 16, 17, 37, 255, 2048, 2049, 4101, 49152, 50257}) {
        auto logits = random_floats(n, 31);
        for (float& x : logits) x *= 5.0f;
        logits[0] = -300.0f;  // whose weight is nothing
        for (std::size_t i = 3; i < logits.size(); i += 50) logits[i] = logits[logits.size() / 2];  // not above it
        for (float level : {logits[logits.size() / 2], -300.0f, -1e4f})
            for (const KernelTable* k : all_kernels()) {
                const float shift = k->maximum(logits.data(), n);
                const LogitSums sums = k->logit_sums(shift, level, n, logits.data());
                double weights = 0, first = 0, second = 0, squares = 0;
                int64_t above = 0;
                for (float logit : logits) {
                    const double x = static_cast<double>(logit) - shift, w = std::exp(x);
                    weights += w, first += w * x, second += w * x * x, squares += w * w;
                    above += logit > level ? 1 : 0;
                }
                CHECK(is_close(sums.weights, weights, 1e-6) && is_close(sums.squares, squares, 1e-6));
                CHECK(is_close(sums.first, first, 1e-6) && is_close(sums.second, second, 1e-6));
                CHECK(sums.above == above);
            }
    }
}

TEST(halves_round_trip_and_agree) {
    for (uint32_t h = 0; h < 0x10000; ++h) {
        const auto half = static_cast<uint16_t>(h);
        const float value = f16_to_float(half);
        if (std::isnan(value)) continue;
        CHECK(float_to_f16(value) == half);
        for (const KernelTable* k : all_kernels()) {
            float many[16];
            uint16_t back[16];
            for (float& m : many) m = value * 1.0003f;
            k->to_f16(many, 16, back);
            CHECK(back[0] == float_to_f16(many[0]));
        }
    }
}

TEST(additive_codes_are_sums_of_their_entries) {
    constexpr int64_t groups = 5, books = 3;
    const auto codes = random_bytes<uint8_t>(groups * books, 12);
    const auto codebooks = random_floats(books * 256 * 8, 13);
    for (const KernelTable* k : all_kernels()) {
        std::vector<float> y(groups * 8);
        k->additive_decode[0](codes.data(), groups, books, 256, codebooks.data(), 0.5f, y.data());
        for (std::size_t g = 0; g < groups; ++g)
            for (std::size_t i = 0; i < 8; ++i) {
                double sum = 0.0;
                for (std::size_t b = 0; b < books; ++b)
                    sum += codebooks[(b * 256 + codes[g * books + b]) * 8 + i];
                CHECK(is_close(y[g * 8 + i], 0.5 * sum, 1e-6));
            }
    }
}
