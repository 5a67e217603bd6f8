// Every instruction set against plain loops written here.
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <random>
#include <string>
#include <vector>

#include "check.h"
#include "codecs/trellis_form.h"
#include "core/half.h"
#include "kernels/table.h"

using namespace gnomon;

namespace {

std::vector<const KernelTable*> all_kernels() {
    std::vector<const KernelTable*> found;
    for (Isa isa : {Isa::scalar, Isa::avx2, Isa::avx512})
        if (isa <= detect_isa()) found.push_back(&kernels(isa));
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

// A strip of 64 rows straight from docs/trellis-format.md.
struct Strip {
    TrellisForm form;
    int bits;
    int64_t blocks;
    std::vector<uint8_t> codes;
    std::vector<int8_t> table;

    Strip(int bits, int64_t blocks, unsigned seed)
        : form(trellis_form(bits)),
          bits(bits),
          blocks(blocks),
          codes(random_bytes<uint8_t>(blocks * 4 * bits * 64, seed)),
          table(random_bytes<int8_t>(form.table_size(), seed + 1)) {
        for (auto& t : table) t = static_cast<int8_t>(t % (127 / form.window + 1));
    }
    int symbol(int64_t row, int64_t block, int k) const {
        const auto plane = [&](int p) { return codes[static_cast<std::size_t>((block * 4 * bits + p) * 64 + row)]; };
        if (bits != 3) return plane(k / 2) >> (4 * (k % 2)) & 15;
        return (plane(k / 4) >> (2 * (k % 4)) & 3) | (plane(8 + k / 8) >> (k % 8) & 1) << 2;
    }
    int weight(int64_t row, int64_t column) const {
        const int k = static_cast<int>(column % 32) / form.columns, d = static_cast<int>(column % 32) % form.columns;
        int sum = 0;
        for (int j = 0; j < form.window; ++j) {
            const int value = symbol(row, column / 32, (k + j) % form.symbols());
            sum += table[static_cast<std::size_t>((j * form.values() + value) * form.columns + d)];
        }
        return sum;
    }
};

}  // namespace

TEST(decoded_trellis_strips_multiply_exactly) {
    for (int bits : {2, 3, 4})
        for (int64_t blocks : {1, 2, 3, 18}) {
            constexpr int64_t n = 31, rows = 64;
            const Strip strip(bits, blocks, 1);
            const int64_t stride = 32 * blocks + 64;
            auto q = random_bytes<int8_t>(n * stride, 3);
            for (auto& v : q) v = v == -128 ? static_cast<int8_t>(-127) : v;
            std::vector<int32_t> sums(n, 0), expected(n * rows, 0);
            for (int64_t t = 0; t < n; ++t)
                for (int64_t c = 0; c < 32 * blocks; ++c) {
                    const int x = q[static_cast<std::size_t>(t * stride + c)];
                    sums[static_cast<std::size_t>(t)] += x;
                    for (int64_t row = 0; row < rows; ++row)
                        expected[static_cast<std::size_t>(rows * t + row)] += strip.weight(row, c) * x;
                }
            for (const KernelTable* k : all_kernels()) {
                std::vector<uint8_t> decoded(static_cast<std::size_t>(64 * 32 * blocks));
                k->trellis_decode[bits - 2](strip.codes.data(), blocks, strip.table.data(), decoded.data());
                for (int64_t count : {1, 2, 5, 12, 31}) {
                    std::vector<int32_t> acc(static_cast<std::size_t>(rows * count), -1);
                    k->strip_multiply(decoded.data(), 4, 2 * blocks, q.data(), stride, sums.data(), count,
                                      acc.data(), rows);
                    CHECK(std::equal(acc.begin(), acc.end(), expected.begin()));
                }
            }
        }
}

TEST(trellis_products_are_those_of_the_symbols) {
    for (int bits : {2, 3, 4})
        for (int64_t blocks : {1, 2, 5}) {
            const Strip strip(bits, blocks, 7);
            auto q = random_bytes<int8_t>(32 * blocks, 9);
            for (auto& v : q) v = v == -128 ? static_cast<int8_t>(-127) : v;
            const int symbols = strip.form.symbols();
            for (const KernelTable* k : all_kernels()) {
                std::vector<int16_t> products(static_cast<std::size_t>(blocks * symbols * 16));
                const int32_t largest =
                    k->trellis_products[bits - 2](q.data(), blocks, strip.table.data(), products.data());
                int32_t most = 0;
                for (int16_t p : products) most = std::max<int32_t>(most, std::abs(p));
                CHECK(largest == most);
                for (int64_t row = 0; row < 64; ++row) {
                    int32_t sum = 0, expected = 0;
                    for (int64_t b = 0; b < blocks; ++b)
                        for (int s = 0; s < symbols; ++s)
                            sum += products[static_cast<std::size_t>((b * symbols + s) * 16 + strip.symbol(row, b, s))];
                    for (int64_t c = 0; c < 32 * blocks; ++c)
                        expected += strip.weight(row, c) * q[static_cast<std::size_t>(c)];
                    CHECK(sum == expected);
                }
            }
        }
}

TEST(trellis_look_ups_are_rounded_and_summed) {
    for (int bits : {2, 3, 4})
        for (int64_t blocks : {1, 3, 8, 17, 40}) {
            const Strip strip(bits, blocks, 11);
            const int64_t symbols = blocks * strip.form.symbols();
            const auto noise = random_bytes<int8_t>(32 * symbols, 13);
            std::vector<int16_t> products(static_cast<std::size_t>(16 * symbols));
            int32_t largest = 0;
            for (std::size_t i = 0; i < products.size(); ++i) {
                products[i] = static_cast<int16_t>(noise[2 * i] * 250 + noise[2 * i + 1]);
                largest = std::max<int32_t>(largest, std::abs(products[i]));
            }
            const int32_t factor = 127 * 65536 / largest;
            std::vector<int32_t> first;
            for (const KernelTable* k : all_kernels()) {
                std::vector<int8_t> found(products.size());
                k->trellis_look_ups(products.data(), 16 * symbols, factor, found.data());
                for (std::size_t i = 0; i < found.size(); ++i)
                    CHECK(std::abs(found[i] - products[i] * (factor / 65536.0)) <= 0.5);
                std::vector<int32_t> acc(64, -1);
                k->trellis_dot[bits - 2](strip.codes.data(), blocks, found.data(), acc.data());
                for (int64_t row = 0; row < 64; ++row) {
                    int32_t sum = 0;
                    for (int64_t s = 0; s < symbols; ++s) {
                        const int k_of = static_cast<int>(s % strip.form.symbols());
                        sum += found[static_cast<std::size_t>(
                            16 * s + strip.symbol(row, s / strip.form.symbols(), k_of))];
                    }
                    CHECK(acc[static_cast<std::size_t>(row)] == sum);
                }
            }
        }
}

TEST(trellis_sums_do_not_overflow_at_the_widest) {
    constexpr int64_t blocks = 2048;  // 65,536 columns
    for (int bits : {2, 3, 4}) {
        const std::vector<uint8_t> codes(static_cast<std::size_t>(blocks * 4 * bits * 64), 0);
        const int64_t symbols = blocks * trellis_form(bits).symbols();
        for (int8_t extreme : {static_cast<int8_t>(-127), static_cast<int8_t>(127)}) {
            const std::vector<int8_t> look_ups(static_cast<std::size_t>(16 * symbols), extreme);
            for (const KernelTable* k : all_kernels()) {
                int32_t acc[64];
                k->trellis_dot[bits - 2](codes.data(), blocks, look_ups.data(), acc);
                for (int32_t a : acc) CHECK(a == extreme * symbols);
            }
        }
    }
}

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
        for (int64_t count : {1, 3, 50})
            for (int64_t n : {1, 4, 6}) {
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
