#include "geometry/modular_table.h"

#include <algorithm>

namespace gnomon::geometry {

void ModularTable::grow(int variables) {
    for (int variable = static_cast<int>(values_.size()); variable < variables; ++variable)
        values_.push_back(Residue::random(static_cast<uint64_t>(variable)));
    rows_.resize(values_.size());
    is_pivot_.resize(values_.size());
    users_.resize(values_.size());
}

bool ModularTable::follows(const Equation& equation) const {
    Residue sum;
    for (const Term& term : equation) sum = sum + Residue(term.coefficient) * values_[term.variable];
    return sum.is_zero();
}

bool ModularTable::insert(const Equation& equation) {
    if (follows(equation)) return false;
    Row row, scratch;
    for (const Term& term : equation) {
        const Residue factor(term.coefficient);
        if (is_pivot_[term.variable])
            add_multiple(row, rows_[term.variable], factor, scratch);
        else
            add_multiple(row, {{term.variable, Residue(1)}}, factor, scratch);
    }
    // The variable that fewest rows hold becomes the pivot: it is replaced in those.
    const auto fewest = std::min_element(row.begin(), row.end(), [this](const auto& a, const auto& b) {
        return std::make_pair(users_[a.first].size(), -a.first) < std::make_pair(users_[b.first].size(), -b.first);
    });
    const int pivot = fewest->first;
    const Residue scale = -fewest->second.inverse();
    row.erase(fewest);
    Residue value;
    for (auto& [variable, coefficient] : row) {
        coefficient = coefficient * scale;
        value = value + coefficient * values_[variable];
        users_[variable].push_back(pivot);
    }
    rows_[pivot] = std::move(row);
    values_[pivot] = value;
    is_pivot_[pivot] = true;
    ++rank_;
    eliminate(pivot);
    return true;
}

void ModularTable::eliminate(int pivot) {
    Row scratch;
    const std::vector<int> users = std::move(users_[pivot]);
    users_[pivot].clear();
    for (const int user : users) {
        Row& row = rows_[user];
        const auto found = std::lower_bound(row.begin(), row.end(), pivot,
                                            [](const auto& term, int wanted) { return term.first < wanted; });
        if (found == row.end() || found->first != pivot) continue;
        const Residue factor = found->second;
        row.erase(found);
        for (const auto& term : rows_[pivot])
            if (!std::binary_search(row.begin(), row.end(), term,
                                    [](const auto& a, const auto& b) { return a.first < b.first; }))
                users_[term.first].push_back(user);
        add_multiple(row, rows_[pivot], factor, scratch);
        Residue value;
        for (const auto& [variable, coefficient] : row) value = value + coefficient * values_[variable];
        values_[user] = value;
    }
}

void ModularTable::add_multiple(Row& row, const Row& other, Residue factor, Row& scratch) {
    scratch.clear();
    auto mine = row.begin();
    for (const auto& [variable, coefficient] : other) {
        while (mine != row.end() && mine->first < variable) scratch.push_back(*mine++);
        Residue sum = coefficient * factor;
        if (mine != row.end() && mine->first == variable) sum = sum + (mine++)->second;
        if (!sum.is_zero()) scratch.emplace_back(variable, sum);
    }
    scratch.insert(scratch.end(), mine, row.end());
    row.swap(scratch);
}

}  // namespace gnomon::geometry
