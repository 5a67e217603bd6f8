// Points on one line and on one circle.
#include <algorithm>
#include <utility>
#include <vector>

#include "geometry/rules.h"

namespace gnomon::geometry {

bool find_collinear_points(State& state) {
    bool is_new = false;
    for (const PointSet line : state.candidates.lines) {
        const std::vector<int> points = points_of(line);
        for (size_t k = 2; k < points.size(); ++k)
            for (size_t j = 1; j < k; ++j)
                for (size_t i = 0; i < j; ++i) {
                    const int a = points[i], b = points[j], c = points[k];
                    if (state.on_known_line(a, b, c)) continue;
                    const auto at = [&state](int x, int y) { return state.directions().value(pair_of(x, y)); };
                    for (const auto [p, q, r] : {std::array{a, b, c}, std::array{b, a, c}, std::array{c, a, b}}) {
                        if (!(at(p, q) == at(p, r))) continue;
                        state.add(Statement::of(Kind::kColl, {p, q, r}), Rule::kDirections);
                        is_new = true;
                        break;
                    }
                }
    }
    return is_new;
}

bool find_concyclic_points(State& state) {
    bool is_new = false;
    std::vector<std::pair<Residue, int>> seen;
    for (const PointSet circle : state.candidates.circles) {
        if (state.on_known_circle(circle)) continue;
        const std::vector<int> points = points_of(circle);
        for (size_t j = 1; j < points.size(); ++j)
            for (size_t i = 0; i < j; ++i) {
                const int a = points[i], b = points[j];
                seen.clear();
                for (const int c : points)
                    if (c != a && c != b)
                        seen.emplace_back(state.directions().difference(pair_of(c, a), pair_of(c, b)), c);
                std::sort(seen.begin(), seen.end());
                for (size_t k = 1; k < seen.size(); ++k) {
                    const int c = seen[k - 1].second, d = seen[k].second;
                    if (!(seen[k].first == seen[k - 1].first)) continue;
                    if (state.on_known_circle(bit(a) | bit(b) | bit(c) | bit(d))) continue;
                    state.add(Statement::of(Kind::kCyclic, {a, b, c, d}), Rule::kDirections);
                    is_new = true;
                }
            }
    }
    return is_new;
}

// o is on the perpendicular bisectors of the chords pq and rs of one circle, which are not parallel: its centre.
bool compare_two_chords(State& state, int o, std::vector<std::pair<Residue, int>>& radii) {
    bool is_new = false;
    for (const PointSet known : state.known_circles()) {
        int chords[2][2];
        int count = 0;
        for (size_t i = 1; i < radii.size() && count < 2; ++i) {
            const int p = radii[i - 1].second, q = radii[i].second;
            if (!(radii[i].first == radii[i - 1].first) || !(known & bit(p)) || !(known & bit(q))) continue;
            if (count == 1 && radii[i].first == state.logarithms().value(pair_of(o, chords[0][0]))) continue;
            chords[count][0] = p;
            chords[count++][1] = q;
        }
        if (count < 2) continue;
        const auto [p, q] = chords[0];
        const auto [r, s] = chords[1];
        if (state.diagrams().agree(Statement::of(Kind::kPara, {p, q, r, s}))) continue;
        is_new |= state.add(Statement::of(Kind::kCong, {o, p, o, r}), Rule::kTwoChords,
                            {Statement::of(Kind::kCyclic, {p, q, r, s}), Statement::of(Kind::kCong, {o, p, o, q}),
                             Statement::of(Kind::kCong, {o, r, o, s})});
    }
    return is_new;
}

bool compare_radii(State& state) {
    bool is_new = false;
    for (const CentredCircle& circle : state.candidates.centred) {
        const int o = circle.centre;
        std::vector<std::pair<Residue, int>> radii;
        for (const int point : points_of(circle.points))
            radii.emplace_back(state.logarithms().value(pair_of(o, point)), point);
        std::sort(radii.begin(), radii.end());
        is_new |= compare_two_chords(state, o, radii);
        for (size_t first = 0, last = 0; first < radii.size(); first = last) {
            PointSet equal = 0;
            for (; last < radii.size() && radii[last].first == radii[first].first; ++last)
                equal |= bit(radii[last].second);
            if (last - first < 3) continue;
            const std::vector<int> points = points_of(equal);
            const auto cong = [&](int x) { return Statement::of(Kind::kCong, {o, points[0], o, x}); };
            for (size_t i = 3; i < points.size(); ++i) {
                if (state.on_known_circle(bit(points[0]) | bit(points[1]) | bit(points[2]) | bit(points[i]))) continue;
                state.add(Statement::of(Kind::kCyclic, {points[0], points[1], points[2], points[i]}), Rule::kCentre,
                          {cong(points[1]), cong(points[2]), cong(points[i])});
                is_new = true;
            }
            for (const PointSet known : state.known_circles()) {
                const std::vector<int> shared = points_of(known & equal);
                if (shared.size() < 3) continue;
                const int a = shared[0], b = shared[1], c = shared[2];
                for (const int x : points_of(known & ~equal))
                    is_new |= state.add(Statement::of(Kind::kCong, {o, a, o, x}), Rule::kCentre,
                                        {Statement::of(Kind::kCyclic, {a, b, c, x}),
                                         Statement::of(Kind::kCong, {o, a, o, b}),
                                         Statement::of(Kind::kCong, {o, a, o, c})});
            }
        }
    }
    return is_new;
}

bool compare_chords(State& state) {
    bool is_new = false;
    for (const EqualChords& chord : state.candidates.chords) {
        const auto [p, q, r, s] = chord;
        const bool are_equal = state.logarithms().value(pair_of(p, q)) == state.logarithms().value(pair_of(r, s));
        const bool are_parallel = state.directions().value(pair_of(p, s)) == state.directions().value(pair_of(q, r));
        const bool is_circle = state.on_known_circle(bit(p) | bit(q) | bit(r) | bit(s));
        if (are_equal + are_parallel + is_circle != 2) continue;
        const Statement cyclic = Statement::of(Kind::kCyclic, {p, q, r, s});
        const Statement cong = Statement::of(Kind::kCong, {p, q, r, s});
        const Statement para = Statement::of(Kind::kPara, {p, s, q, r});
        if (is_circle)
            is_new |= are_equal ? state.add(para, Rule::kParallelChords, {cyclic, cong})
                                : state.add(cong, Rule::kEqualChords, {cyclic, para});
        else if (!state.diagrams().agree(Statement::of(Kind::kPara, {p, q, r, s})))  // no parallelogram
            is_new |= state.add(cyclic, Rule::kTrapezoid, {cong, para});
    }
    return is_new;
}

bool find_arc_middles(State& state) {
    bool is_new = false;
    for (const ArcMiddle& arc : state.candidates.arc_middles) {
        const auto [a, m, r, n] = arc;
        if (state.on_known_circle(bit(a) | bit(m) | bit(r) | bit(n))) continue;
        const Statement cong = Statement::of(Kind::kCong, {r, m, r, n});
        const Statement angle = Statement::of(Kind::kEqangle, {a, m, a, r, a, r, a, n});
        if (!state.logarithms().follows(equation_of(cong, TableId::kLogarithms)) ||
            !state.directions().follows(equation_of(angle, TableId::kDirections)))
            continue;
        is_new |= state.add(Statement::of(Kind::kCyclic, {a, m, r, n}), Rule::kArcMiddle, {cong, angle});
    }
    return is_new;
}

}  // namespace gnomon::geometry
