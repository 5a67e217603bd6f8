// Two independent pictures of the same points, which say what is worth trying to prove.
#pragma once

#include <complex>
#include <cstdint>
#include <vector>

#include "geometry/equation.h"
#include "geometry/statement.h"

namespace gnomon::geometry {

using PointSet = uint64_t;  // bit i: point i
constexpr PointSet bit(int point) { return PointSet{1} << point; }

constexpr int kDiagrams = 2;

// Coordinates are a few units large and points at least 1e-2 apart, so that rounding errors stay
// below 1e-9; an accident is as near as this tolerance once in 1e7 in one diagram, 1e14 in both.
constexpr double kTolerance = 1e-7;

class Diagrams {
  public:
    using Point = std::complex<double>;

    Diagrams();

    // Adds a point by its place in each diagram. Throws std::invalid_argument where it falls on
    // another one, or where there are kMostPoints already.
    void add(const Point (&places)[kDiagrams]);

    int size() const { return static_cast<int>(places_[0].size()); }
    Point at(int diagram, int point) const { return places_[diagram][point]; }
    double length(int diagram, int pair) const { return lengths_[diagram][pair]; }
    // The direction of the line through the pair, in half turns, in [0, 1).
    double direction(int diagram, int pair) const { return directions_[diagram][pair]; }

    // Whether the statement is true in both diagrams.
    bool agree(const Statement& statement) const;
    bool are_collinear(int a, int b, int c) const;
    // +1 or -1 where the triangle abc turns in a diagram.
    int orientation(int diagram, int a, int b, int c) const;
    // Whether b lies between a and c, in both.
    bool is_between(int a, int b, int c) const;
    // |x| / |y| = ratio for two pairs, in both.
    bool have_ratio(int x, int y, double ratio) const;

  private:
    bool agrees(int diagram, const Statement& statement) const;

    std::vector<Point> places_[kDiagrams];
    // By variable. A prime counts as a length, so that the logarithms of a true equation add up to zero.
    std::vector<double> lengths_[kDiagrams], directions_[kDiagrams];
};

}  // namespace gnomon::geometry
