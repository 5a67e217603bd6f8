// Look-ups of additive codes, of every instruction set, against plain sums of products.
#include <cmath>
#include <cstdint>
#include <random>
#include <vector>

#include "check.h"
#include "core/aligned.h"
#include "engine/additive_linear.h"
#include "engine/multiply.h"
#include "random_values.h"

using namespace gnomon;

TEST(a_table_of_256_is_looked_up_and_summed) {
    std::mt19937 rng(1);
    for (int64_t count : {1, 2, 7, kGroupCodes}) {
        AlignedBuffer<uint8_t> codes(64 * count), look_ups(256 * count);
        for (auto* buffer : {&codes, &look_ups})
            for (int64_t i = 0; i < buffer->size(); ++i) (*buffer)[i] = static_cast<uint8_t>(rng());
        for (int64_t i = 0; i < 64; ++i) codes[i] = static_cast<uint8_t>(4 * i + i % 4);  // every row of the table
        for (Isa isa : all_sets()) {
            std::vector<float> y(65, 3.0f);
            kernels(isa).additive_multiply(codes.data(), count, look_ups.data(), 0.5f, y.data());
            for (int64_t row = 0; row < 64; ++row) {
                int32_t sum = 0;
                for (int64_t j = 0; j < count; ++j) sum += look_ups[256 * j + codes[64 * j + row]] - 128;
                CHECK(y[static_cast<std::size_t>(row)] == 3.0f + 0.5f * static_cast<float>(sum));
            }
            CHECK(y[64] == 3.0f);
        }
    }
}

TEST(additive_layers_agree_between_sets_threads_and_batches) {
    std::mt19937 rng(2);
    for (const auto& shape : {std::pair<int64_t, int64_t>{40, 16}, {65, 264}, {130, 1032}})
        for (int64_t books : {1, 2, 3}) {
            const int64_t out = shape.first, in = shape.second, entries = 128;
            std::vector<uint8_t> codes(static_cast<std::size_t>(out * in / 8 * books));
            for (auto& c : codes) c = static_cast<uint8_t>(rng());  // the top bit is to be ignored
            const auto codebooks = random_floats(books * entries * 8, 3), scales = random_floats(out, 4);
            const AdditiveLinear layer(nullptr, codes.data(), 1, books, entries, codebooks, scales, out, in);
            constexpr int64_t most = 19;
            const auto x = random_floats(most * in, 5);
            std::vector<float> expected(static_cast<std::size_t>(most * out)), row(static_cast<std::size_t>(in));
            double size = 0.0;
            for (int64_t r = 0; r < out; ++r) {
                layer.read_row(kernels(Isa::scalar), r, row.data(), nullptr);
                for (int64_t t = 0; t < most; ++t) {
                    double sum = 0.0;
                    for (int64_t c = 0; c < in; ++c)
                        sum += static_cast<double>(row[static_cast<std::size_t>(c)]) *
                               x[static_cast<std::size_t>(t * in + c)];
                    expected[static_cast<std::size_t>(t * out + r)] = static_cast<float>(sum);
                    size = std::max(size, std::abs(sum));
                }
            }
            for (Isa isa : all_sets()) {
                std::vector<float> alone;
                for (int threads : {1, 2, 3})
                    for (int64_t n : {most, int64_t{1}, int64_t{2}, int64_t{8}}) {
                        ThreadPool pool(threads);
                        Workspace workspace(kernels(isa), threads, n);
                        workspace.reserve(layer);
                        workspace.allocate();
                        std::vector<float> y(static_cast<std::size_t>(n * out));
                        const Target target{&layer, y.data()};
                        multiply_group(pool, workspace, &target, 1, x.data(), n);
                        double error = 0.0;
                        for (std::size_t i = 0; i < y.size(); ++i)
                            error = std::max<double>(error, std::abs(y[i] - expected[i]));
                        CHECK(error < 0.03 * size);  // products are rounded to bytes
                        if (alone.empty()) alone = y;
                        CHECK(std::equal(y.begin(), y.end(), alone.begin()));
                    }
            }
        }
}
