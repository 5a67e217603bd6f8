// The lines and circles of a figure, drawn or only possible, for those who look for new points.
#pragma once

#include <vector>

#include "geometry/candidates.h"

namespace gnomon::geometry {

// A figure with more points is crowded: circles that are not drawn, and places where nothing unexpected
// happens, are not looked at.
constexpr int kCrowded = 24;

struct FigureLine {
    PointSet points;
    int a, b;  // two of them
};

struct FigureCircle {
    PointSet points;
    int centre;  // the point there, or -1
    Diagrams::Point centres[kDiagrams];
    double radii[kDiagrams];
    bool is_drawn;  // four points or more, or two around a centre
};

// What else a place lies on, beyond what its construction says. Only what both diagrams show counts.
struct Incidences {
    int lines = 0;       // lines of two points
    int long_lines = 0;  // of three or more
    int circles = 0;     // circles that are drawn
    int three_circles = 0;
    int bisectors = 0;   // equally far from two points
    int lengths = 0;     // as far from a point as two others from one another
    int directions = 0;  // parallel or perpendicular to a line
};

class Figure {
  public:
    Figure(const Diagrams& diagrams, const Candidates& candidates);

    const std::vector<FigureLine>& lines() const { return lines_; }
    const std::vector<FigureCircle>& circles() const { return circles_; }
    // Lines and circles by the points on them.
    const std::vector<int>& lines_through(int point) const { return lines_through_[point]; }
    const std::vector<int>& circles_through(int point) const { return circles_through_[point]; }

    // Whether a place is far enough from all points, and near enough to see.
    bool is_free(const Diagrams::Point (&places)[kDiagrams]) const;
    // How many lines and circles a place of the first diagram seems to lie on: quick, before all else.
    int hits(Diagrams::Point place) const;
    Incidences incidences(const Diagrams::Point (&places)[kDiagrams]) const;
    // The part of them that takes time: lengths and directions.
    void measure(const Diagrams::Point (&places)[kDiagrams], Incidences& found) const;

  private:
    const Diagrams& diagrams_;
    std::vector<FigureLine> lines_;
    std::vector<FigureCircle> circles_;
    std::vector<std::vector<int>> lines_through_, circles_through_;
    // In the first diagram: unit normals of the lines and how far they are from the origin; centres, squared
    // radii, and the tolerance of the squares.
    std::vector<double> normal_x_, normal_y_, offset_, centre_x_, centre_y_, square_, square_tolerance_;
    std::vector<std::pair<double, int>> directions_;  // of the lines in the first diagram, in order; which line
    std::vector<std::pair<double, int>> lengths_;     // likewise, with a pair
};

}  // namespace gnomon::geometry
