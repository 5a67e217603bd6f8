// The trellis kernels of every instruction set against docs/trellis-format.md in plain loops.
#include <cmath>
#include <cstdint>
#include <random>
#include <vector>

#include "check.h"
#include "codecs/trellis_form.h"
#include "core/aligned.h"
#include "kernels/table.h"
#include "random_values.h"

using namespace gnomon;

namespace {

template <class T>
std::vector<T> random_bytes(int64_t n, unsigned seed) {
    std::mt19937 rng(seed);
    std::vector<T> v(static_cast<std::size_t>(n));
    for (T& b : v) b = static_cast<T>(rng() & 255);
    return v;
}

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

// Of one group: x, what is made of it, and the scale.
struct LookUps {
    std::vector<float> x;
    AlignedBuffer<uint8_t> bytes;
    float scale;

    LookUps(const KernelTable& k, const Strip& strip, unsigned seed)
        : x(random_floats(32 * strip.blocks, seed)), bytes(16 * strip.form.symbols() * strip.blocks) {
        scale = k.trellis_look_ups[strip.bits - 2](x.data(), strip.blocks, strip.table.data(), bytes.data());
    }
};

int64_t most_blocks(int bits) { return kGroupSymbols / trellis_form(bits).symbols(); }

}  // namespace

TEST(trellis_look_ups_are_the_products_of_the_symbols) {
    for (int bits : {2, 3, 4})
        for (int64_t blocks : {int64_t{1}, int64_t{3}, most_blocks(bits)}) {
            const Strip strip(bits, blocks, 7);
            const int symbols = strip.form.symbols();
            for (Isa isa : all_sets()) {
                const LookUps found(kernels(isa), strip, 9);
                int lowest = 255, highest = 0;
                for (int64_t b = 0; b < blocks; ++b)
                    for (int s = 0; s < symbols; ++s)
                        for (int v = 0; v < strip.form.values(); ++v) {
                            double product = 0.0;
                            for (int j = 0; j < strip.form.window; ++j)
                                for (int d = 0; d < strip.form.columns; ++d) {
                                    const int column = (s - j + symbols) % symbols * strip.form.columns + d;
                                    product += strip.table[static_cast<std::size_t>(
                                                   (j * strip.form.values() + v) * strip.form.columns + d)] *
                                               static_cast<double>(found.x[static_cast<std::size_t>(32 * b + column)]);
                                }
                            const int byte = found.bytes[(b * symbols + s) * 16 + v];
                            CHECK(std::abs((byte - 128) * found.scale - product) < 0.5001 * found.scale);
                            lowest = std::min(lowest, byte);
                            highest = std::max(highest, byte);
                        }
                CHECK((lowest == 1 && highest <= 255) || (highest == 255 && lowest >= 1));
            }
        }
}

TEST(trellis_products_are_those_of_the_weights) {
    for (int bits : {2, 3, 4})
        for (int64_t blocks : {int64_t{1}, int64_t{2}, most_blocks(bits)}) {
            const Strip strip(bits, blocks, 11);
            for (Isa isa : all_sets()) {
                const KernelTable& k = kernels(isa);
                constexpr int64_t n = 9, stride = 70;
                const int64_t size = 16 * strip.form.symbols() * blocks;
                AlignedBuffer<uint8_t> look_ups(n * size);
                std::vector<float> scales(n), expected(static_cast<std::size_t>(n * stride), 0.5f);
                for (int64_t t = 0; t < n; ++t) {
                    const LookUps one(k, strip, 20 + static_cast<unsigned>(t));
                    std::memcpy(look_ups.data() + t * size, one.bytes.data(), static_cast<std::size_t>(size));
                    scales[static_cast<std::size_t>(t)] = one.scale;
                    const double rounding = 0.5 * one.scale * static_cast<double>(strip.form.symbols() * blocks);
                    std::vector<float> y(64, 0.0f);
                    k.trellis_multiply[bits - 2](strip.codes.data(), blocks, one.bytes.data(), size, &one.scale, 1, 1,
                                                 y.data(), 64);
                    for (int64_t row = 0; row < 64; ++row) {
                        double product = 0.0;
                        for (int64_t c = 0; c < 32 * blocks; ++c)
                            product += strip.weight(row, c) * static_cast<double>(one.x[static_cast<std::size_t>(c)]);
                        CHECK(std::abs(y[static_cast<std::size_t>(row)] - product) < rounding);
                        int32_t sum = 0;
                        for (int64_t s = 0; s < strip.form.symbols() * blocks; ++s)
                            sum += one.bytes[16 * s + strip.symbol(row, s / strip.form.symbols(),
                                                                   static_cast<int>(s % strip.form.symbols()))] - 128;
                        expected[static_cast<std::size_t>(t * stride + row)] += static_cast<float>(sum) * one.scale;
                    }
                }
                for (int64_t count : {1, 2, 3, 4, 5, 9}) {
                    std::vector<float> y(static_cast<std::size_t>(n * stride), 0.5f);
                    k.trellis_multiply[bits - 2](strip.codes.data(), blocks, look_ups.data(), size, scales.data(), 1,
                                                 count, y.data(), stride);
                    for (std::size_t i = 0; i < y.size(); ++i) {
                        const bool is_touched = static_cast<int64_t>(i) < count * stride && i % stride < 64;
                        CHECK(std::abs(y[i] - (is_touched ? expected[i] : 0.5f)) < 1e-5f * (1.0f + std::abs(y[i])));
                    }
                }
            }
        }
}

TEST(trellis_sums_do_not_overflow) {
    for (int bits : {2, 3, 4}) {
        const Strip strip(bits, most_blocks(bits), 30);
        AlignedBuffer<uint8_t> look_ups(16 * kGroupSymbols);
        for (int extreme : {1, 255}) {
            std::memset(look_ups.data(), extreme, 16 * kGroupSymbols);
            for (Isa isa : all_sets()) {
                std::vector<float> y(64, 0.0f);
                const float scale = 1.0f;
                kernels(isa).trellis_multiply[bits - 2](strip.codes.data(), strip.blocks, look_ups.data(), 0, &scale, 1,
                                                        1, y.data(), 64);
                for (float f : y) CHECK(f == static_cast<float>((extreme - 128) * kGroupSymbols));
            }
        }
    }
}

TEST(nothing_and_no_number_stay_what_they_are) {
    const Strip strip(2, 1, 31);
    for (Isa isa : all_sets()) {
        const KernelTable& k = kernels(isa);
        AlignedBuffer<uint8_t> look_ups(16 * 16);
        std::vector<float> x(32, 0.0f);
        CHECK(k.trellis_look_ups[0](x.data(), 1, strip.table.data(), look_ups.data()) == 0.0f);
        x.assign(32, std::nanf(""));
        CHECK(std::isnan(k.trellis_look_ups[0](x.data(), 1, strip.table.data(), look_ups.data())));
        x.assign(32, INFINITY);
        CHECK(!std::isfinite(k.trellis_look_ups[0](x.data(), 1, strip.table.data(), look_ups.data())));
    }
}
