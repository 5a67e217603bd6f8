#include "geometry/diagrams.h"

#include <cmath>
#include <iterator>
#include <stdexcept>

namespace gnomon::geometry {

namespace {

constexpr double kPi = 3.14159265358979323846;

double cross(Diagrams::Point u, Diagrams::Point v) { return u.real() * v.imag() - u.imag() * v.real(); }

bool is_whole(double half_turns) { return std::abs(half_turns - std::round(half_turns)) < kTolerance; }

}  // namespace

Diagrams::Diagrams() {
    for (int diagram = 0; diagram < kDiagrams; ++diagram) {
        lengths_[diagram].assign(std::begin(kPrimes), std::end(kPrimes));
        directions_[diagram].assign(kPrimeCount, 0.0);
    }
}

void Diagrams::add(const Point (&places)[kDiagrams]) {
    if (size() == kMostPoints) throw std::invalid_argument("at most 64 points");
    for (int diagram = 0; diagram < kDiagrams; ++diagram)
        for (const Point& other : places_[diagram])
            if (!(std::abs(other - places[diagram]) > kTolerance))
                throw std::invalid_argument("two points fall together, or one is at no place");
    for (int diagram = 0; diagram < kDiagrams; ++diagram) {
        for (const Point& other : places_[diagram]) {
            const Point along = places[diagram] - other;
            const double direction = std::arg(along) / kPi;
            lengths_[diagram].push_back(std::abs(along));
            directions_[diagram].push_back(direction - std::floor(direction));
        }
        places_[diagram].push_back(places[diagram]);
    }
}

bool Diagrams::agree(const Statement& statement) const {
    for (int diagram = 0; diagram < kDiagrams; ++diagram)
        if (!agrees(diagram, statement)) return false;
    return true;
}

bool Diagrams::are_collinear(int a, int b, int c) const {
    for (int diagram = 0; diagram < kDiagrams; ++diagram)
        if (!is_whole(direction(diagram, pair_of(a, b)) - direction(diagram, pair_of(a, c)))) return false;
    return true;
}

int Diagrams::orientation(int diagram, int a, int b, int c) const {
    return cross(at(diagram, b) - at(diagram, a), at(diagram, c) - at(diagram, a)) > 0 ? 1 : -1;
}

bool Diagrams::is_between(int a, int b, int c) const {
    for (int diagram = 0; diagram < kDiagrams; ++diagram) {
        const Point u = at(diagram, a) - at(diagram, b), v = at(diagram, c) - at(diagram, b);
        if (u.real() * v.real() + u.imag() * v.imag() > 0) return false;
    }
    return true;
}

bool Diagrams::have_ratio(int x, int y, double ratio) const {
    for (int diagram = 0; diagram < kDiagrams; ++diagram)
        if (std::abs(length(diagram, x) / (length(diagram, y) * ratio) - 1) > kTolerance) return false;
    return true;
}

bool Diagrams::agrees(int diagram, const Statement& statement) const {
    const auto& p = statement.points;
    const double number = static_cast<double>(statement.numerator) / static_cast<double>(statement.denominator);
    const auto& turns = directions_[diagram];
    if (is_equation(statement, TableId::kDirections)) {
        double sum = statement.kind == Kind::kPerp ? 0.5 : statement.kind == Kind::kAconst ? number / 180 : 0.0;
        for (const Term& term : equation_of(statement, TableId::kDirections))
            sum += static_cast<double>(term.coefficient) * turns[term.variable];
        if (statement.kind == Kind::kCyclic && are_collinear(p[0], p[1], p[2])) return false;
        return is_whole(sum);
    }
    if (statement.kind == Kind::kMidp)
        return agrees(diagram, Statement::of(Kind::kColl, {p[0], p[1], p[2]})) &&
               agrees(diagram, Statement::of(Kind::kCong, {p[0], p[1], p[0], p[2]}));
    if (statement.kind == Kind::kSum)
        return agrees(diagram, Statement::of(Kind::kColl, {p[0], p[1], p[2]})) && is_between(p[0], p[1], p[2]);
    for (const TableEquation& equation : consequences(statement)) {
        if (equation.table == TableId::kLengths) continue;  // another one says the same
        double sum = 0;
        for (const Term& term : equation.equation)
            sum += static_cast<double>(term.coefficient) *
                   (equation.table == TableId::kDirections ? turns[term.variable]
                                                           : std::log(lengths_[diagram][term.variable]));
        if (equation.table == TableId::kDirections ? !is_whole(sum) : std::abs(sum) > kTolerance) return false;
    }
    return true;
}

}  // namespace gnomon::geometry
