// Between the table of lengths and that of their logarithms.
#include <utility>
#include <vector>

#include "geometry/rules.h"

namespace gnomon::geometry {

namespace {

bool follows(const State& state, int a, int b, int c) {
    const auto length = [&state](int x, int y) { return state.lengths().value(pair_of(x, y)); };
    return length(a, b) + length(b, c) == length(a, c);
}

}  // namespace

bool add_sums(State& state) {
    bool is_new = false;
    for (const PointSet line : state.candidates.lines) {
        const std::vector<int> points = points_of(line);
        for (size_t k = 2; k < points.size(); ++k)
            for (size_t j = 1; j < k; ++j)
                for (size_t i = 0; i < j; ++i) {
                    if (!state.on_known_line(points[i], points[j], points[k])) continue;
                    for (const auto [a, b, c] : {std::array{points[i], points[j], points[k]},
                                                 std::array{points[j], points[i], points[k]},
                                                 std::array{points[i], points[k], points[j]}})
                        if (!follows(state, a, b, c) && state.diagrams().is_between(a, b, c))
                            is_new |= state.add(Statement::of(Kind::kSum, {a, b, c}), Rule::kBetween,
                                                {Statement::of(Kind::kColl, {a, b, c})});
                }
    }
    return is_new;
}

namespace {

std::pair<int, int> points_of_pair(int pair) {
    int b = 1;
    while (variables_of(b + 1) <= pair) ++b;
    return {pair - variables_of(b), b};
}

bool exchange_equal(State& state, int group) {
    const Groups<int>& lengths = state.candidates.lengths;
    std::vector<int> pairs;
    for (int item = lengths.first(group); item >= 0; item = lengths.next(item)) pairs.push_back(lengths.item(item));
    bool is_new = false;
    for (size_t i = 1; i < pairs.size(); ++i)
        for (size_t j = 0; j < i; ++j) {
            const bool by_lengths = state.lengths().value(pairs[i]) == state.lengths().value(pairs[j]);
            const bool by_logarithms = state.logarithms().value(pairs[i]) == state.logarithms().value(pairs[j]);
            if (by_lengths && by_logarithms) break;  // as the earlier one, which has been compared with all
            if (by_lengths == by_logarithms) continue;
            const auto [a, b] = points_of_pair(pairs[i]);
            const auto [c, d] = points_of_pair(pairs[j]);
            is_new |= state.add(Statement::of(Kind::kCong, {a, b, c, d}),
                                by_lengths ? Rule::kLengths : Rule::kLogarithms);
        }
    return is_new;
}

bool exchange_ratio(State& state, const PairRatio& ratio) {
    const auto [a, b] = points_of_pair(ratio.first);
    const auto [c, d] = points_of_pair(ratio.second);
    Statement rconst = Statement::of(Kind::kRconst, {a, b, c, d});
    rconst.numerator = ratio.numerator;
    rconst.denominator = ratio.denominator;
    const bool by_lengths = state.lengths().follows(equation_of(rconst, TableId::kLengths));
    const bool by_logarithms = state.logarithms().follows(equation_of(rconst, TableId::kLogarithms));
    if (by_lengths == by_logarithms) return false;
    return state.add(rconst, by_lengths ? Rule::kLengths : Rule::kLogarithms);
}

}  // namespace

bool exchange_lengths(State& state) {
    bool is_new = false;
    for (int group = 0; group < state.candidates.lengths.groups(); ++group)
        if (!state.candidates.lengths.is_single(group)) is_new |= exchange_equal(state, group);
    for (const PairRatio& ratio : state.candidates.ratios) is_new |= exchange_ratio(state, ratio);
    return is_new;
}

}  // namespace gnomon::geometry
