#include "geometry/saturate.h"

#include <array>
#include <chrono>

#include "geometry/rules.h"

namespace gnomon::geometry {

namespace {

using Clock = std::chrono::steady_clock;

bool are_all_proved(State& state, const std::vector<Statement>& statements) {
    for (const Statement& statement : statements)
        if (!is_proved(state, statement)) return false;
    return true;
}

// Two measures that decide a triangle, as statements: angles (opposite where it is turned over) and ratios.
bool is_similar(State& state, const Statement& goal) {
    const auto& p = goal.points;
    const bool is_turned = goal.kind == Kind::kSimtrir || goal.kind == Kind::kContrir;
    std::array<Statement, 6> measures{};
    for (int corner = 0; corner < 3; ++corner) {
        const int v = p[corner], x = p[(corner + 1) % 3], y = p[(corner + 2) % 3];
        const int w = p[3 + corner], r = p[3 + (corner + 1) % 3], s = p[3 + (corner + 2) % 3];
        measures[corner] = is_turned ? Statement::of(Kind::kEqangle, {v, x, v, y, w, s, w, r})
                                     : Statement::of(Kind::kEqangle, {v, x, v, y, w, r, w, s});
        measures[3 + corner] = Statement::of(Kind::kEqratio, {v, x, v, y, w, r, w, s});
    }
    const Kind kind = is_turned ? Kind::kSimtrir : Kind::kSimtri;
    const Statement similar = Statement::of(kind, {p[0], p[1], p[2], p[3], p[4], p[5]});
    const auto by = [&](Rule rule, int first, int second) {
        if (!are_all_proved(state, {measures[first], measures[second]})) return false;
        state.claim(similar, rule, {measures[first], measures[second]});
        return true;
    };
    if (by(Rule::kAngleAngle, 0, 1) || by(Rule::kSideSideSide, 3, 4)) return true;
    for (int corner = 0; corner < 3; ++corner)
        if (by(Rule::kSideAngleSide, corner, 3 + corner)) return true;
    return false;
}

// What the definition of a kind asks for.
bool is_defined(State& state, const Statement& goal) {
    const auto& p = goal.points;
    if (goal.kind == Kind::kMidp) {
        const std::vector<Statement> parts = {Statement::of(Kind::kColl, {p[0], p[1], p[2]}),
                                              Statement::of(Kind::kCong, {p[0], p[1], p[0], p[2]})};
        if (!are_all_proved(state, parts)) return false;
        state.claim(goal, Rule::kMidpoint, parts);
        return true;
    }
    if (goal.kind == Kind::kCircle) {
        const std::vector<Statement> parts = {Statement::of(Kind::kCong, {p[0], p[1], p[0], p[2]}),
                                              Statement::of(Kind::kCong, {p[0], p[1], p[0], p[3]})};
        if (!are_all_proved(state, parts)) return false;
        state.claim(goal, Rule::kCircle, parts);
        return true;
    }
    if (goal.kind == Kind::kSimtri || goal.kind == Kind::kSimtrir) return is_similar(state, goal);
    if (goal.kind != Kind::kContri && goal.kind != Kind::kContrir) return false;
    const Kind similar = goal.kind == Kind::kContri ? Kind::kSimtri : Kind::kSimtrir;
    const std::vector<Statement> parts = {Statement::of(similar, {p[0], p[1], p[2], p[3], p[4], p[5]}),
                                          Statement::of(Kind::kCong, {p[0], p[1], p[3], p[4]})};
    if (!is_proved(state, parts[1]) || !is_similar(state, goal)) return false;
    state.claim(goal, Rule::kCongruent, parts);
    return true;
}

}  // namespace

bool is_proved(State& state, const Statement& goal) {
    if (!state.diagrams().agree(goal)) return false;
    for (const TableId table : {TableId::kDirections, TableId::kLogarithms, TableId::kLengths})
        if (state.follows(goal, table)) return true;
    return is_defined(state, goal);
}

bool saturate(State& state, const std::optional<Statement>& goal, double time_s) {
    using Step = bool (*)(State&);
    constexpr Step kSteps[] = {find_collinear_points, find_concyclic_points,  compare_radii,
                               compare_isosceles,     compare_chords,         find_arc_middles,
                               find_similar_triangles, compare_right_angles,  compare_bisectors,
                               add_sums,              compare_collinear_points, exchange_lengths};
    const auto deadline = Clock::now() + std::chrono::duration<double>(time_s);
    for (bool is_new = true; is_new;) {
        if (goal && is_proved(state, *goal)) return true;
        is_new = false;
        for (const Step step : kSteps) {
            is_new |= step(state);
            if (Clock::now() > deadline) return false;
        }
    }
    return true;
}

}  // namespace gnomon::geometry
