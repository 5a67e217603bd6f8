#include "geometry/rational_table.h"

namespace gnomon::geometry {

bool RationalTable::insert(const Equation& equation) {
    Row row;
    row.terms = reduce(equation, row.sources);
    if (row.terms.empty()) return false;
    add_multiple(row.sources, {{size_, Rational(1)}}, Rational(1));
    const Rational scale = Rational(1) / row.terms.front().second;
    for (auto* part : {&row.terms, &row.sources})
        for (auto& entry : *part) entry.second = entry.second * scale;
    row_of_[row.terms.front().first] = static_cast<int>(rows_.size());
    rows_.push_back(std::move(row));
    ++size_;
    return true;
}

std::optional<Combination> RationalTable::combination(const Equation& target) const {
    Vector sources;
    if (!reduce(target, sources).empty()) return std::nullopt;
    for (auto& entry : sources) entry.second = -entry.second;
    return sources;
}

RationalTable::Vector RationalTable::reduce(const Equation& equation, Vector& sources) const {
    Vector rest;
    for (const Term& term : equation)
        add_multiple(rest, {{term.variable, Rational(1)}}, Rational(term.coefficient));
    // A pivot is its row's smallest variable, so that one pass in order takes out all of them.
    for (size_t i = 0; i < rest.size();) {
        const int row = row_of_[rest[i].first];
        if (row < 0) {
            ++i;
            continue;
        }
        const Rational factor = -rest[i].second;
        add_multiple(rest, rows_[row].terms, factor);
        add_multiple(sources, rows_[row].sources, factor);
    }
    return rest;
}

void RationalTable::add_multiple(Vector& vector, const Vector& other, const Rational& factor) {
    Vector sum;
    sum.reserve(vector.size() + other.size());
    auto mine = vector.begin();
    for (const auto& [index, coefficient] : other) {
        while (mine != vector.end() && mine->first < index) sum.push_back(std::move(*mine++));
        Rational entry = coefficient * factor;
        if (mine != vector.end() && mine->first == index) entry = entry + (mine++)->second;
        if (!entry.is_zero()) sum.emplace_back(index, std::move(entry));
    }
    for (; mine != vector.end(); ++mine) sum.push_back(std::move(*mine));
    vector = std::move(sum);
}

}  // namespace gnomon::geometry
