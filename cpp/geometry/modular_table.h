// A system of linear equations modulo a prime, as the quick filter in front of exact elimination.
#pragma once

#include <utility>
#include <vector>

#include "geometry/equation.h"
#include "geometry/prime_field.h"

namespace gnomon::geometry {

// Sparse reduced row echelon form modulo 2^61 - 1, and a random solution of the system.
//
// An equation follows from the system (modulo the prime) only if the random solution satisfies it,
// and one that does not follow is satisfied with probability 2^-61: so `follows` costs one
// multiplication per term. Nothing is proved here; RationalTable finds the exact combination.
// The table is a plain value: a copy is a saturated state to start from.
class ModularTable {
  public:
    explicit ModularTable(int variables = kVariables) { grow(variables); }

    // Makes room for so many variables.
    void grow(int variables);

    // The random solution at one variable.
    Residue value(int variable) const { return values_[variable]; }
    // The difference of two variables there: the key under which equal differences meet.
    Residue difference(int first, int second) const { return values_[first] - values_[second]; }

    bool follows(const Equation& equation) const;

    // Adds an equation; false where it follows already.
    bool insert(const Equation& equation);

    int rank() const { return rank_; }

  private:
    using Row = std::vector<std::pair<int, Residue>>;  // sorted by variable

    void eliminate(int pivot);
    static void add_multiple(Row& row, const Row& other, Residue factor, Row& scratch);

    std::vector<Residue> values_;
    std::vector<Row> rows_;                 // by pivot: the pivot is the sum of the row's terms
    std::vector<bool> is_pivot_;
    std::vector<std::vector<int>> users_;   // pivots whose rows hold a variable (or once held it)
    int rank_ = 0;
};

}  // namespace gnomon::geometry
