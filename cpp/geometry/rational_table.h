// Exact elimination that knows which combination of the given equations every result is.
#pragma once

#include <optional>
#include <utility>
#include <vector>

#include "geometry/equation.h"
#include "geometry/rational.h"

namespace gnomon::geometry {

// How much of which equation, by the equation's number.
using Combination = std::vector<std::pair<int, Rational>>;

// Sparse echelon form over the rationals. The equations given are independent, so that the
// combination which gives a target is unique: it cannot use an equation that came later than the
// moment at which the target followed for the first time.
class RationalTable {
  public:
    // Adds the next equation; its number is the count of those before. False where it depends on
    // them: then nothing is added, and no number is used.
    bool insert(const Equation& equation);

    // The combination that sums to `target`, or nothing where it does not follow.
    std::optional<Combination> combination(const Equation& target) const;

    int size() const { return size_; }

  private:
    using Vector = std::vector<std::pair<int, Rational>>;  // sorted by index, no zeros
    struct Row {
        Vector terms;    // the pivot, first, has coefficient 1
        Vector sources;  // the same row as a combination of equations
    };
    // Takes out every pivot; returns what is left and, in `sources`, minus what was used.
    Vector reduce(const Equation& equation, Vector& sources) const;
    static void add_multiple(Vector& vector, const Vector& other, const Rational& factor);

    std::vector<Row> rows_;
    std::vector<int> row_of_ = std::vector<int>(kVariables, -1);
    int size_ = 0;
};

}  // namespace gnomon::geometry
