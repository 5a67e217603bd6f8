// Ratios of points on lines.
#include <array>
#include <utility>
#include <vector>

#include "geometry/rules.h"

namespace gnomon::geometry {

namespace {

bool is_known(const State& state, const Triple& t) { return state.on_known_line(t.a, t.b, t.c); }

Statement on_line(const Triple& t) { return Statement::of(Kind::kColl, {t.a, t.b, t.c}); }

// ab/ac, bc/ac and ab/bc; one of them decides the others, the order on the line being known.
std::array<Statement, 3> equal_ratios(const Triple& t, const Triple& u) {
    return {Statement::of(Kind::kEqratio, {t.a, t.b, t.a, t.c, u.a, u.b, u.a, u.c}),
            Statement::of(Kind::kEqratio, {t.b, t.c, t.a, t.c, u.b, u.c, u.a, u.c}),
            Statement::of(Kind::kEqratio, {t.a, t.b, t.b, t.c, u.a, u.b, u.b, u.c})};
}

// Adds that the ratios on two lines are equal, as the first two of them.
bool add_equal_ratios(State& state, const Triple& t, const Triple& u, Rule rule,
                      const std::vector<Statement>& premises) {
    const auto ratios = equal_ratios(t, u);
    bool is_new = false;
    for (int i = 0; i < 2; ++i) is_new |= state.add(ratios[i], rule, premises);
    return is_new;
}

bool compare_known_ratios(State& state, Shapes& shapes, int shape, int one, int other) {
    const Triple t = shapes.item(one), u = shapes.item(other);
    for (const Statement& ratio : equal_ratios(t, u)) {
        if (!state.logarithms().follows(equation_of(ratio, TableId::kLogarithms))) continue;
        shapes.join(shape, one, other);
        return add_equal_ratios(state, t, u, Rule::kRatioOnLines, {on_line(t), on_line(u), ratio});
    }
    return false;
}

bool are_on_one_line(const State& state, const Triple& t, const Triple& u) {
    const auto is_on = [&](int x) { return x == t.a || x == t.c || state.diagrams().are_collinear(t.a, t.c, x); };
    return is_on(u.a) && is_on(u.c);
}

// The lines that join equal places of two lines: all parallel where the ratios are equal.
bool compare_parallels(State& state, Shapes& shapes, int shape, int one, int other) {
    const Triple t = shapes.item(one), u = shapes.item(other);
    if (are_on_one_line(state, t, u)) return false;
    std::vector<std::pair<int, int>> joins;
    for (const auto& [x, y] : {std::pair(t.a, u.a), std::pair(t.b, u.b), std::pair(t.c, u.c)})
        if (x != y) joins.emplace_back(x, y);
    if (joins.size() < 2) return false;
    const auto para = [&joins](int i, int j) {
        return Statement::of(Kind::kPara, {joins[i].first, joins[i].second, joins[j].first, joins[j].second});
    };
    const auto are_parallel = [&](int i, int j) {
        return state.directions().value(pair_of(joins[i].first, joins[i].second)) ==
                   state.directions().value(pair_of(joins[j].first, joins[j].second)) &&
               state.diagrams().agree(para(i, j));
    };
    const bool is_pair = joins.size() == 2;  // the third join is a common point
    const bool are_similar = shapes.find(one) == shapes.find(other);
    const bool first = are_parallel(0, 1), second = is_pair ? first : are_parallel(0, 2);
    if (!are_similar && first && second) {
        std::vector<Statement> premises = {on_line(t), on_line(u), para(0, 1)};
        if (!is_pair) premises.push_back(para(0, 2));
        shapes.join(shape, one, other);
        return add_equal_ratios(state, t, u, Rule::kParallels, premises);
    }
    if (!are_similar || (first && second)) return false;
    std::vector<Statement> premises = {on_line(t), on_line(u), equal_ratios(t, u)[0]};
    if (is_pair) return state.add(para(0, 1), Rule::kParallelsBack, premises);
    const bool third = are_parallel(1, 2);
    if (!first && !second && !third) return false;
    premises.push_back(first ? para(0, 1) : second ? para(0, 2) : para(1, 2));
    return state.add(first ? para(0, 2) : para(0, 1), Rule::kParallelsBack, premises);
}

}  // namespace

bool compare_collinear_points(State& state) {
    bool is_new = false;
    // The shapes are taken out while facts are added; adding does not look at them.
    Shapes shapes = std::move(state.candidates.collinear);
    std::vector<int> known;
    for (int shape = 0; shape < shapes.groups(); ++shape) {
        if (shapes.is_single(shape)) continue;
        known.clear();
        for (int other = shapes.first(shape); other >= 0; other = shapes.next(other)) {
            if (!is_known(state, shapes.item(other))) continue;
            for (const int one : known) {
                if (shapes.find(one) != shapes.find(other))
                    is_new |= compare_known_ratios(state, shapes, shape, one, other);
                is_new |= compare_parallels(state, shapes, shape, one, other);
            }
            known.push_back(other);
        }
    }
    state.candidates.collinear = std::move(shapes);
    return is_new;
}

bool compare_bisectors(State& state) {
    bool is_new = false;
    for (const Bisector& bisector : state.candidates.bisectors) {
        const auto [a, b, c, d] = bisector;
        if (!state.on_known_line(b, c, d)) continue;
        const Statement angle = Statement::of(Kind::kEqangle, {a, b, a, d, a, d, a, c});
        const Statement ratio = Statement::of(Kind::kEqratio, {d, b, d, c, a, b, a, c});
        const bool is_angle = state.directions().follows(equation_of(angle, TableId::kDirections));
        const bool is_ratio = state.logarithms().follows(equation_of(ratio, TableId::kLogarithms));
        if (is_angle == is_ratio) continue;
        const Statement line = Statement::of(Kind::kColl, {b, c, d});
        is_new |= is_angle ? state.add(ratio, Rule::kBisectorRatio, {line, angle})
                           : state.add(angle, Rule::kBisectorAngle, {line, ratio});
    }
    return is_new;
}

bool compare_right_angles(State& state) {
    bool is_new = false;
    for (const RightAngle& angle : state.candidates.right_angles) {
        const auto [m, a, b, c] = angle;
        const auto radius = [&, m = m](int point) { return state.logarithms().value(pair_of(m, point)); };
        if (!state.on_known_line(m, a, c) || !(radius(a) == radius(c)) || radius(a) == radius(b)) continue;
        if (!(state.directions().value(pair_of(a, b)) == state.directions().value(pair_of(b, c)))) continue;
        is_new |= state.add(Statement::of(Kind::kCong, {m, a, m, b}), Rule::kRightAngle,
                            {Statement::of(Kind::kColl, {m, a, c}), Statement::of(Kind::kCong, {m, a, m, c}),
                             Statement::of(Kind::kPerp, {b, a, b, c})});
    }
    return is_new;
}

}  // namespace gnomon::geometry
