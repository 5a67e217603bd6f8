// Homogeneous linear equations over the variables of one table.
#pragma once

#include <cstdint>
#include <vector>

namespace gnomon::geometry {

// One variable for every pair of points, stable when points are added, then one for the logarithm
// of every small prime. A constant angle needs no variable: what a constant is, the diagrams say.
constexpr int kMostPoints = 64;
constexpr int kPairs = kMostPoints * (kMostPoints - 1) / 2;
constexpr int kPrimes[] = {2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47};
constexpr int kPrimeCount = static_cast<int>(sizeof(kPrimes) / sizeof(kPrimes[0]));
constexpr int kVariables = kPairs + kPrimeCount;

// The variable of the pair {a, b}.
constexpr int pair_of(int a, int b) { return a < b ? b * (b - 1) / 2 + a : a * (a - 1) / 2 + b; }

struct Term {
    int variable;
    int64_t coefficient;
};

// The sum of the terms is zero (for directions: a constant, modulo a half turn). Variables may repeat.
using Equation = std::vector<Term>;

}  // namespace gnomon::geometry
