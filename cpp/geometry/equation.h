// Homogeneous linear equations over the variables of one table.
#pragma once

#include <cstdint>
#include <vector>

namespace gnomon::geometry {

// One variable for the logarithm of every small prime, then one for every pair of points, so that more
// points only add variables. A constant angle needs no variable: what a constant is, the diagrams say.
constexpr int kMostPoints = 64;
constexpr int kPrimes[] = {2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47};
constexpr int kPrimeCount = static_cast<int>(sizeof(kPrimes) / sizeof(kPrimes[0]));

// How many variables so many points have.
constexpr int variables_of(int points) { return kPrimeCount + points * (points - 1) / 2; }
constexpr int kVariables = variables_of(kMostPoints);

// The variable of the pair {a, b}.
constexpr int pair_of(int a, int b) { return a < b ? variables_of(b) + a : variables_of(a) + b; }

struct Term {
    int variable;
    int64_t coefficient;
};

// The sum of the terms is zero (for directions: a constant, modulo a half turn). Variables may repeat.
using Equation = std::vector<Term>;

}  // namespace gnomon::geometry
