#include "geometry/state.h"

#include <utility>

namespace gnomon::geometry {

namespace {

constexpr const char* kRuleNames[] = {
    "given",         "directions",     "ratios",       "lengths",        "same line",     "same circle",
    "centre",        "two chords",     "isosceles",    "isosceles back", "AA",            "SAS",
    "SSS",           "SSA",            "parallels",    "line ratios",    "parallels back", "bisector",
    "bisector back", "right angle",    "equal chords", "parallel chords", "trapezoid",    "arc middle",
    "between",       "midpoint",       "circle",       "congruent",
};

}  // namespace

const char* rule_name(Rule rule) { return kRuleNames[static_cast<int>(rule)]; }

State::State(Diagrams diagrams) : diagrams_(std::move(diagrams)) {
    for (int point = 0; point < diagrams_.size(); ++point) welcome(point);
}

void State::add_point(const Diagrams::Point (&places)[kDiagrams]) {
    diagrams_.add(places);
    welcome(diagrams_.size() - 1);
}

void State::welcome(int point) {
    const int variables = variables_of(point + 1);
    for (ModularTable& table : tables_) table.grow(variables);
    lines_.resize(static_cast<size_t>(variables));
    for (int other = 0; other < point; ++other) lines_[pair_of(other, point)] = bit(other) | bit(point);
    candidates.extend(diagrams_, point);
}

bool State::add(const Statement& conclusion, Rule rule, std::vector<Statement> premises) {
    const bool is_new = record(conclusion, rule, std::move(premises));
    const auto& p = conclusion.points;
    if (conclusion.kind == Kind::kColl || conclusion.kind == Kind::kMidp) join_lines(p[0], p[1], p[2]);
    if (conclusion.kind == Kind::kCyclic) join_circles(bit(p[0]) | bit(p[1]) | bit(p[2]) | bit(p[3]));
    return is_new;
}

void State::claim(const Statement& conclusion, Rule rule, std::vector<Statement> premises) {
    if (!add(conclusion, rule, premises)) facts_.push_back({conclusion, rule, std::move(premises)});
}

bool State::record(const Statement& conclusion, Rule rule, std::vector<Statement> premises) {
    const std::vector<TableEquation> equations = consequences(conclusion);
    const int fact = static_cast<int>(facts_.size());
    bool is_new = false;
    for (size_t i = 0; i < equations.size(); ++i) {
        const int table = static_cast<int>(equations[i].table);
        if (!tables_[table].insert(equations[i].equation)) continue;
        sources_[table].push_back({fact, static_cast<int>(i)});
        is_new = true;
    }
    if (is_new) facts_.push_back({conclusion, rule, std::move(premises)});
    return is_new;
}

bool State::follows(const Statement& statement, TableId table) const {
    return is_equation(statement, table) &&
           tables_[static_cast<int>(table)].follows(equation_of(statement, table)) && diagrams_.agree(statement);
}

bool State::on_known_circle(PointSet points) const {
    for (const PointSet circle : circles_)
        if ((circle & points) == points) return true;
    return false;
}

void State::join_lines(int a, int b, int c) {
    if (on_known_line(a, b, c)) return;
    PointSet joined = bit(a) | bit(b) | bit(c);
    // Every known line with two points in common is the same line.
    for (bool is_grown = true; is_grown;) {
        is_grown = false;
        const std::vector<int> points = points_of(joined);
        for (size_t j = 1; j < points.size() && !is_grown; ++j)
            for (size_t i = 0; i < j && !is_grown; ++i) {
                const int p = points[i], q = points[j];
                const PointSet other = lines_[pair_of(p, q)];
                const PointSet outside = other & ~joined;
                if (outside == 0) continue;
                const PointSet inside = joined & ~other;
                joined |= other;
                is_grown = true;
                for (const int x : points_of(outside))
                    for (const int y : points_of(inside))
                        record(Statement::of(Kind::kColl, {p, x, y}), Rule::kSameLine,
                               {Statement::of(Kind::kColl, {p, q, x}), Statement::of(Kind::kColl, {p, q, y})});
            }
    }
    const std::vector<int> points = points_of(joined);
    for (size_t j = 1; j < points.size(); ++j)
        for (size_t i = 0; i < j; ++i) lines_[pair_of(points[i], points[j])] |= joined;
}

void State::join_circles(PointSet points) {
    if (on_known_circle(points)) return;
    for (size_t i = 0; i < circles_.size();) {
        const PointSet other = circles_[i], shared = other & points;
        if (count(shared) < 3) {
            ++i;
            continue;
        }
        circles_.erase(circles_.begin() + static_cast<std::ptrdiff_t>(i));
        const std::vector<int> common = points_of(shared);
        const int p = common[0], q = common[1], r = common[2];
        const PointSet mine = points & ~other;
        points |= other;
        for (const int x : points_of(other & ~shared))
            for (const int y : points_of(mine))
                record(Statement::of(Kind::kCyclic, {p, q, x, y}), Rule::kSameCircle,
                       {Statement::of(Kind::kCyclic, {p, q, r, x}), Statement::of(Kind::kCyclic, {p, q, r, y})});
        i = 0;
    }
    circles_.push_back(points);
}

}  // namespace gnomon::geometry
