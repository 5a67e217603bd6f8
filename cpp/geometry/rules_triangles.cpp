// Similar triangles: those of one shape meet where what is known of them is the same.
#include <algorithm>
#include <tuple>
#include <vector>

#include "geometry/rules.h"

namespace gnomon::geometry {

namespace {

// Two of these decide a triangle's shape: the angle at each corner, and the ratio of the sides that meet there.
enum Measure { kAngleA, kAngleB, kAngleC, kRatioA, kRatioB, kRatioC };

struct Criterion {
    Rule rule;
    Measure first, second;
};

// For SSA the angle lies opposite to one of the two sides.
constexpr Criterion kCriteria[] = {
    {Rule::kAngleAngle, kAngleA, kAngleB},      {Rule::kSideAngleSide, kAngleA, kRatioA},
    {Rule::kSideAngleSide, kAngleB, kRatioB},   {Rule::kSideAngleSide, kAngleC, kRatioC},
    {Rule::kSideSideSide, kRatioA, kRatioB},    {Rule::kSideSideAngle, kAngleA, kRatioB},
    {Rule::kSideSideAngle, kAngleA, kRatioC},   {Rule::kSideSideAngle, kAngleB, kRatioA},
    {Rule::kSideSideAngle, kAngleB, kRatioC},   {Rule::kSideSideAngle, kAngleC, kRatioA},
    {Rule::kSideSideAngle, kAngleC, kRatioB},
};

std::array<int, 3> corners(const Triple& t, int corner) {
    const int points[] = {t.a, t.b, t.c};
    return {points[corner % 3], points[(corner + 1) % 3], points[(corner + 2) % 3]};
}

Residue measure(const State& state, const Triple& t, Measure measure) {
    const auto [v, x, y] = corners(t, measure % 3);
    if (measure >= kRatioA) return state.logarithms().difference(pair_of(v, x), pair_of(v, y));
    const Residue angle = state.directions().difference(pair_of(v, x), pair_of(v, y));
    return t.turn > 0 ? angle : -angle;  // a triangle that is turned over has the opposite angles
}

Statement equal_measure(const Triple& t, const Triple& u, Measure measure) {
    const auto [v, x, y] = corners(t, measure % 3);
    const auto [w, r, s] = corners(u, measure % 3);
    if (measure >= kRatioA) return Statement::of(Kind::kEqratio, {v, x, v, y, w, r, w, s});
    if (t.turn == u.turn) return Statement::of(Kind::kEqangle, {v, x, v, y, w, r, w, s});
    return Statement::of(Kind::kEqangle, {v, x, v, y, w, s, w, r});
}

// SSA leaves two values for the third angle, which add up to a half turn; the diagrams show that it is the same
// in both triangles. Where it is a right angle they show nothing, and the rule keeps out.
bool is_decided(const State& state, const Triple& t, Measure angle, Measure ratio) {
    const auto [v, x, y] = corners(t, 3 - angle % 3 - ratio % 3);
    return !state.diagrams().agree(Statement::of(Kind::kPerp, {v, x, v, y}));
}

bool join_by(State& state, int shape, const Criterion& criterion) {
    std::vector<std::tuple<Residue, Residue, int>> keyed;
    {
        const Shapes& shapes = state.candidates.triangles;
        for (int member = shapes.first(shape); member >= 0; member = shapes.next(member)) {
            if (!shapes.is_root(member)) continue;
            const Triple& t = shapes.item(member);
            keyed.emplace_back(measure(state, t, criterion.first), measure(state, t, criterion.second), member);
        }
    }
    std::sort(keyed.begin(), keyed.end());
    bool is_new = false;
    for (size_t i = 1; i < keyed.size(); ++i) {
        if (!(std::get<0>(keyed[i]) == std::get<0>(keyed[i - 1])) ||
            !(std::get<1>(keyed[i]) == std::get<1>(keyed[i - 1])))
            continue;
        Shapes& shapes = state.candidates.triangles;
        const int one = std::get<2>(keyed[i - 1]), other = std::get<2>(keyed[i]);
        const Triple t = shapes.item(one), u = shapes.item(other);
        if (criterion.rule == Rule::kSideSideAngle && !is_decided(state, t, criterion.first, criterion.second))
            continue;
        shapes.join(shape, one, other);
        const Kind kind = t.turn == u.turn ? Kind::kSimtri : Kind::kSimtrir;
        is_new |= state.add(Statement::of(kind, {t.a, t.b, t.c, u.a, u.b, u.c}), criterion.rule,
                            {equal_measure(t, u, criterion.first), equal_measure(t, u, criterion.second)});
    }
    return is_new;
}

}  // namespace

bool compare_isosceles(State& state) {
    bool is_new = false;
    for (const Isosceles& triangle : state.candidates.isosceles) {
        const auto [o, a, b] = triangle;
        const bool is_sides = state.logarithms().value(pair_of(o, a)) == state.logarithms().value(pair_of(o, b));
        const bool is_angles = state.directions().difference(pair_of(a, b), pair_of(a, o)) ==
                               state.directions().difference(pair_of(b, o), pair_of(a, b));
        if (is_sides == is_angles) continue;
        const Statement sides = Statement::of(Kind::kCong, {o, a, o, b});
        const Statement angles = Statement::of(Kind::kEqangle, {a, b, a, o, b, o, b, a});
        is_new |= is_sides ? state.add(angles, Rule::kIsosceles, {sides})
                           : state.add(sides, Rule::kIsoscelesBack, {angles});
    }
    return is_new;
}

bool find_similar_triangles(State& state) {
    bool is_new = false;
    for (int shape = 0; shape < state.candidates.triangles.groups(); ++shape)
        for (const Criterion& criterion : kCriteria)
            if (state.candidates.triangles.is_open(shape)) is_new |= join_by(state, shape, criterion);
    return is_new;
}

}  // namespace gnomon::geometry
