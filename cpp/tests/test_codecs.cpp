// The code search, without Python: threads, row counts and damage that sanitizers would see.
#include <cstdint>
#include <random>
#include <vector>

#include "check.h"
#include "codecs/beam_search.h"
#include "codecs/codewords.h"

using namespace gnomon;

namespace {

std::vector<float> random_floats(int64_t n, unsigned seed) {
    std::mt19937 rng(seed);
    std::normal_distribution<float> normal;
    std::vector<float> v(static_cast<std::size_t>(n));
    for (float& f : v) f = normal(rng);
    return v;
}

struct Problem {
    int64_t rows, columns;
    int books;
    std::vector<float> weight, coupling, factors, codebooks;

    Problem(int64_t rows, int64_t groups, int books)
        : rows(rows),
          columns(8 * groups),
          books(books),
          weight(random_floats(rows * columns, 1)),
          coupling(random_floats(columns * columns, 2)),
          factors(random_floats(groups * 64, 3)),
          codebooks(random_floats(books * 256 * 8, 4)) {
        for (float& f : coupling) f *= 0.1f;
    }

    std::vector<uint8_t> search(int threads, Isa isa, int beam, int width) const {
        std::vector<uint8_t> codes(static_cast<std::size_t>(rows * columns / 8 * books), 77);
        ThreadPool pool(threads);
        for (bool is_sweep : {false, true}) {
            const BeamSearchJob job{weight.data(), weight.data(), coupling.data(), factors.data(),
                                    codebooks.data(), rows, columns, books, beam, width, is_sweep,
                                    codes.data()};
            beam_search(job, pool, isa);
        }
        return codes;
    }
};

}  // namespace

TEST(beam_search_is_the_same_with_any_number_of_threads) {
    for (Isa isa : available_isas()) {
        for (int64_t rows : {1, 16, 70}) {
            const Problem problem(rows, 3, 2);
            const auto alone = problem.search(1, isa, 3, 8);
            for (int threads : {2, 3}) CHECK(problem.search(threads, isa, 3, 8) == alone);
        }
    }
}

TEST(beam_search_takes_its_limits) {
    CHECK(Problem(2, 2, kMostBooks).search(1, detect_isa(), kMostBeam, 256).size() == 2 * 2 * kMostBooks);
    CHECK(Problem(0, 2, 1).search(2, detect_isa(), 1, 8).empty());
}

TEST(codewords_are_added_and_summed_up) {
    constexpr int64_t count = 50, books = 3;
    std::vector<uint8_t> codes(count * books);
    for (std::size_t i = 0; i < codes.size(); ++i) codes[i] = static_cast<uint8_t>(37 * i);
    const auto codebooks = random_floats(books * 256 * 8, 5), vectors = random_floats(count * 8, 6);
    std::vector<float> sums(count * 8);
    std::vector<double> totals(books * 256 * 8);
    add_codewords(codes.data(), count, books, codebooks.data(), sums.data());
    sum_by_codeword(codes.data(), count, books, vectors.data(), totals.data());
    double forth = 0, back = 0;  // one is the transpose of the other
    for (std::size_t i = 0; i < sums.size(); ++i) forth += static_cast<double>(sums[i]) * vectors[i];
    for (std::size_t i = 0; i < totals.size(); ++i) back += totals[i] * codebooks[i];
    CHECK(forth - back < 1e-3 && back - forth < 1e-3);
}
