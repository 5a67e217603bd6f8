#include "geometry/statement.h"

#include <algorithm>
#include <cassert>
#include <iterator>
#include <stdexcept>
#include <tuple>

namespace gnomon::geometry {

namespace {

constexpr KindInfo kKinds[] = {
    {"coll", 3},   {"para", 4},   {"perp", 4}, {"eqangle", 8}, {"aconst", 4}, {"cyclic", 4},
    {"cong", 4},   {"eqratio", 8}, {"rconst", 4}, {"lconst", 2},  {"sum", 3},    {"midp", 3},
    {"circle", 4}, {"simtri", 6}, {"simtrir", 6}, {"contri", 6}, {"contrir", 6},
    {"r2const", 4}, {"l2const", 2},
};

// factor * log(number), as the logarithms of the number's primes.
void add_logarithm(Equation& equation, int64_t number, int factor) {
    for (int index = 0; index < kPrimeCount; ++index)
        for (; number % kPrimes[index] == 0; number /= kPrimes[index])
            equation.push_back({index, factor});
    if (number != 1)
        throw std::invalid_argument("a ratio or length must be made of primes up to 47; change its units");
}

std::vector<TableEquation> of_similar(const std::array<int8_t, 8>& p, int sign, bool is_congruent) {
    const int a = p[0], b = p[1], c = p[2], d = p[3], e = p[4], f = p[5];
    const auto angle = [sign](int v, int x, int y, int w, int r, int s) {  // ∠(vx, vy) = ±∠(wr, ws)
        return TableEquation{TableId::kDirections,
                             {{pair_of(v, x), 1}, {pair_of(v, y), -1}, {pair_of(w, r), -sign}, {pair_of(w, s), sign}}};
    };
    std::vector<TableEquation> all = {angle(a, b, c, d, e, f), angle(b, c, a, e, f, d)};
    if (is_congruent) {
        for (const auto& [x, y] : {std::pair(pair_of(a, b), pair_of(d, e)), std::pair(pair_of(b, c), pair_of(e, f)),
                                  std::pair(pair_of(c, a), pair_of(f, d))})
            for (const TableId table : {TableId::kLogarithms, TableId::kLengths})
                all.push_back({table, {{x, 1}, {y, -1}}});
    } else {
        const auto ratio = [](int x, int y, int z, int w) {
            return TableEquation{TableId::kLogarithms, {{x, 1}, {y, -1}, {z, -1}, {w, 1}}};
        };
        all.push_back(ratio(pair_of(a, b), pair_of(a, c), pair_of(d, e), pair_of(d, f)));
        all.push_back(ratio(pair_of(b, c), pair_of(b, a), pair_of(e, f), pair_of(e, d)));
    }
    return all;
}

}  // namespace

const KindInfo& info_of(Kind kind) { return kKinds[static_cast<int>(kind)]; }

bool is_number_of_lengths(Kind kind) {
    return kind == Kind::kRconst || kind == Kind::kLconst || kind == Kind::kR2const || kind == Kind::kL2const;
}

Kind kind_named(const std::string& name) {
    const auto found = std::find_if(std::begin(kKinds), std::end(kKinds),
                                    [&](const KindInfo& info) { return name == info.name; });
    if (found == std::end(kKinds)) throw std::invalid_argument("no such predicate: " + name);
    return static_cast<Kind>(found - std::begin(kKinds));
}

Statement Statement::of(Kind kind, std::initializer_list<int> points) {
    Statement result{kind, {}, 0, 1};
    result.points.fill(-1);
    assert(static_cast<int>(points.size()) == info_of(kind).points);
    std::transform(points.begin(), points.end(), result.points.begin(),
                   [](int point) { return static_cast<int8_t>(point); });
    return result;
}

bool Statement::operator<(const Statement& other) const {
    return std::tie(kind, points, numerator, denominator) <
           std::tie(other.kind, other.points, other.numerator, other.denominator);
}

std::vector<TableEquation> consequences(const Statement& statement) {
    const auto& p = statement.points;
    const auto pair = [&p](int i, int j) { return pair_of(p[i], p[j]); };
    const auto four = [&pair](TableId table) {
        return TableEquation{table, {{pair(0, 1), 1}, {pair(2, 3), -1}, {pair(4, 5), -1}, {pair(6, 7), 1}}};
    };
    constexpr TableId kD = TableId::kDirections, kLog = TableId::kLogarithms, kLen = TableId::kLengths;
    switch (statement.kind) {
        case Kind::kColl:
            return {{kD, {{pair(0, 1), 1}, {pair(0, 2), -1}}}, {kD, {{pair(0, 1), 1}, {pair(1, 2), -1}}}};
        case Kind::kPara:
        case Kind::kPerp:
        case Kind::kAconst:
            return {{kD, {{pair(0, 1), 1}, {pair(2, 3), -1}}}};
        case Kind::kEqangle:
            return {four(kD)};
        case Kind::kCyclic:
            return {{kD, {{pair(2, 0), 1}, {pair(2, 1), -1}, {pair(3, 0), -1}, {pair(3, 1), 1}}},
                    {kD, {{pair(1, 0), 1}, {pair(1, 2), -1}, {pair(3, 0), -1}, {pair(3, 2), 1}}}};
        case Kind::kCong:
            return {{kLog, {{pair(0, 1), 1}, {pair(2, 3), -1}}}, {kLen, {{pair(0, 1), 1}, {pair(2, 3), -1}}}};
        case Kind::kEqratio:
            return {four(kLog)};
        case Kind::kRconst: {
            Equation logarithms = {{pair(0, 1), 1}, {pair(2, 3), -1}};
            add_logarithm(logarithms, statement.numerator, -1);
            add_logarithm(logarithms, statement.denominator, 1);
            return {{kLog, logarithms},
                    {kLen, {{pair(0, 1), statement.denominator}, {pair(2, 3), -statement.numerator}}}};
        }
        case Kind::kLconst:
        case Kind::kL2const: {
            Equation logarithms = {{pair(0, 1), statement.kind == Kind::kLconst ? 1 : 2}};
            add_logarithm(logarithms, statement.numerator, -1);
            add_logarithm(logarithms, statement.denominator, 1);
            return {{kLog, logarithms}};
        }
        case Kind::kR2const: {
            Equation logarithms = {{pair(0, 1), 2}, {pair(2, 3), -2}};
            add_logarithm(logarithms, statement.numerator, -1);
            add_logarithm(logarithms, statement.denominator, 1);
            return {{kLog, logarithms}};
        }
        case Kind::kSum:
            return {{kLen, {{pair(0, 1), 1}, {pair(1, 2), 1}, {pair(0, 2), -1}}}};
        case Kind::kMidp:
            return {{kD, {{pair(0, 1), 1}, {pair(0, 2), -1}}},
                    {kD, {{pair(0, 1), 1}, {pair(1, 2), -1}}},
                    {kLog, {{pair(0, 1), 1}, {pair(0, 2), -1}}},
                    {kLen, {{pair(0, 1), 1}, {pair(0, 2), -1}}},
                    {kLog, {{pair(0, 1), 1}, {pair(1, 2), -1}, {0, 1}}},
                    {kLen, {{pair(0, 1), 2}, {pair(1, 2), -1}}}};
        case Kind::kCircle:
            return {{kLog, {{pair(0, 1), 1}, {pair(0, 2), -1}}},
                    {kLog, {{pair(0, 1), 1}, {pair(0, 3), -1}}},
                    {kLen, {{pair(0, 1), 1}, {pair(0, 2), -1}}},
                    {kLen, {{pair(0, 1), 1}, {pair(0, 3), -1}}}};
        case Kind::kSimtri:
        case Kind::kSimtrir:
            return of_similar(p, statement.kind == Kind::kSimtri ? 1 : -1, false);
        case Kind::kContri:
        case Kind::kContrir:
            return of_similar(p, statement.kind == Kind::kContri ? 1 : -1, true);
    }
    return {};
}

bool is_equation(const Statement& statement, TableId table) {
    switch (statement.kind) {
        case Kind::kColl:
        case Kind::kPara:
        case Kind::kPerp:
        case Kind::kAconst:
        case Kind::kEqangle:
        case Kind::kCyclic:
            return table == TableId::kDirections;
        case Kind::kCong:
        case Kind::kRconst:
            return table != TableId::kDirections;
        case Kind::kEqratio:
        case Kind::kLconst:
        case Kind::kR2const:
        case Kind::kL2const:
            return table == TableId::kLogarithms;
        case Kind::kSum:
            return table == TableId::kLengths;
        default:
            return false;
    }
}

Equation equation_of(const Statement& statement, TableId table) {
    for (TableEquation& consequence : consequences(statement))
        if (consequence.table == table) return std::move(consequence.equation);
    throw std::logic_error("the statement has no equation in that table");
}

}  // namespace gnomon::geometry
