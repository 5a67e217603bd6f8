// Threads, rotations and linear layers, without Python.
#include <atomic>
#include <cmath>
#include <memory>
#include <random>
#include <stdexcept>
#include <vector>

#include "check.h"
#include "codecs/trellis_form.h"
#include "core/parallel.h"
#include "core/rotation.h"
#include "engine/additive_linear.h"
#include "engine/multiply.h"
#include "engine/trellis_linear.h"
#include "random_values.h"

using namespace gnomon;

TEST(every_index_is_visited_once) {
    for (int threads : {1, 2, 3, 5}) {
        ThreadPool pool(threads);
        for (int64_t count : {0, 1, 2, 7, 1000, 70000, 200001}) {
            std::vector<std::atomic<int>> visits(static_cast<std::size_t>(count));
            std::atomic<bool> is_slot_valid{true};
            for_each(pool, count, [&](int64_t slot, int64_t i) {
                if (slot < 0 || slot >= threads) is_slot_valid = false;
                visits[static_cast<std::size_t>(i)].fetch_add(1);
            });
            pool.parallel_for(count, [&](int64_t i) { visits[static_cast<std::size_t>(i)].fetch_add(1); });
            bool is_good = is_slot_valid;
            for (auto& v : visits) is_good &= v.load() == 2;
            CHECK(is_good);
        }
    }
}

TEST(many_short_jobs_end) {
    ThreadPool pool(3);
    int64_t total = 0;
    for (int job = 0; job < 20000; ++job) {
        std::atomic<int64_t> sum{0};
        pool.parallel_for(5, [&](int64_t i) { sum.fetch_add(i); });
        total += sum.load();
    }
    CHECK(total == 20000 * 10);
}

TEST(a_rotation_is_the_matrix_of_its_definition) {
    for (int64_t width : {1, 2, 3, 6, 8, 9, 40, 48, 17, 576, 1536}) {
        int64_t odd = width, power = 1;
        while (odd % 2 == 0) odd /= 2, power *= 2;
        const auto signs = random_signs(width, 20), x = random_floats(width, 21);
        const Rotation rotation(width, signs);
        for (Isa isa : all_sets()) {
            AlignedBuffer<float> scratch(rotation.scratch_floats());
            auto y = x;
            rotation.forward(kernels(isa), y.data(), scratch.data());
            for (int64_t i = 0; i < width; i += 1 + width / 50) {
                double sum = 0.0;
                for (int64_t j = 0; j < width; ++j) {
                    const double angle = 2.0 * std::acos(-1.0) * static_cast<double>(i / power) *
                                         static_cast<double>(j / power) / static_cast<double>(odd);
                    const int parity = __builtin_popcountll(
                        static_cast<unsigned long long>((i % power) & (j % power))) & 1;
                    sum += (std::cos(angle) + std::sin(angle)) * (parity ? -1.0 : 1.0) *
                           signs[static_cast<std::size_t>(j)] * x[static_cast<std::size_t>(j)];
                }
                CHECK(std::abs(y[static_cast<std::size_t>(i)] - sum / std::sqrt(static_cast<double>(width))) < 1e-4);
            }
            rotation.inverse(kernels(isa), y.data(), scratch.data());
            for (std::size_t i = 0; i < y.size(); ++i) CHECK(std::abs(y[i] - x[i]) < 1e-4);
        }
    }
}

TEST(a_rotation_refuses_what_it_cannot_do) {
    int refused = 0;
    for (int64_t width : {int64_t{0}, int64_t{2049}, int64_t{32003}}) {
        try {
            Rotation rotation(width, {});
        } catch (const std::invalid_argument&) {
            ++refused;
        }
    }
    CHECK(refused == 3);
}

TEST(trellis_layers_agree_between_sets_threads_and_batches) {
    std::mt19937 rng(22);
    for (const auto& shape : {std::pair<int64_t, int64_t>{40, 17}, {17, 40}, {576, 576}, {33, 576}}) {
        const int64_t out = shape.first, in = shape.second;
        for (int bits : {2, 3, 4}) {
            std::vector<uint8_t> codes(static_cast<std::size_t>((out + 63) / 64 * ((in + 31) / 32) * 256 * bits));
            for (auto& c : codes) c = static_cast<uint8_t>(rng());
            const TrellisForm form = trellis_form(bits);
            std::vector<int8_t> table(static_cast<std::size_t>(form.table_size()));
            for (auto& t : table) t = static_cast<int8_t>(static_cast<int8_t>(rng()) % (127 / form.window + 1));
            const auto input = std::make_shared<Rotation>(in, random_signs(in, 23));
            const auto output = std::make_shared<Rotation>(out, random_signs(out, 24));
            TrellisLinear layer(nullptr, codes.data(), table.data(), random_floats(out, 25), bits, out, in,
                                input, output);
            layer.set_bias(random_floats(out, 26));
            const auto x = random_floats(33 * in, 27);
            std::vector<float> reference;
            for (Isa isa : all_sets()) {
                std::vector<float> few;
                for (int threads : {1, 2, 3})
                    for (int64_t n : {33, 8, 1, 2, 5}) {
                        ThreadPool pool(threads);
                        Workspace workspace(kernels(isa), threads, n);
                        workspace.reserve(layer);
                        workspace.allocate();
                        std::vector<float> y(static_cast<std::size_t>(n * out));
                        const Target target{&layer, y.data()};
                        multiply_group(pool, workspace, &target, 1, x.data(), n);
                        if (reference.empty()) reference = y;
                        double error = 0.0, size = 0.0;
                        for (std::size_t i = 0; i < y.size(); ++i) {
                            error = std::max<double>(error, std::abs(y[i] - reference[i]));
                            size = std::max<double>(size, std::abs(reference[i]));
                        }
                        // Rotations differ by rounding, which may turn single look-ups by one.
                        CHECK(error < 0.02 * size);
                        if (few.empty()) few = y;  // 33 vectors on one thread
                        CHECK(std::equal(y.begin(), y.end(), few.begin()));
                    }
            }
        }
    }
}
