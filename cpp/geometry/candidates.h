// What two diagrams suggest: the only things the rules try to prove.
#pragma once

#include <vector>

#include "geometry/diagrams.h"

namespace gnomon::geometry {

// A triangle with its corners in the order of the opposite sides' lengths, or three points of a line
// (a, b between, c) with ab no longer than bc.
struct Triple {
    int8_t a, b, c;
    int8_t turn;  // of the triangle abc in the first diagram: +1 or -1
};

// Triples of one shape. `parent` joins those proved similar (a union-find).
struct Shape {
    std::vector<Triple> members;
    std::vector<int> parent;
    int classes;  // how many are still apart

    int find(int member);
    void join(int one, int other);
};

// Points at equal distance from a centre.
struct CentredCircle {
    int centre;
    PointSet points;
};

// d on the line bc, and db / dc = ab / ac.
struct Bisector {
    int8_t a, b, c, d;
};

// m is halfway between a and c, and b as far from m.
struct RightAngle {
    int8_t m, a, b, c;
};

// pq and rs are equal chords of the circle pqrs, and ps ∥ qr.
struct EqualChords {
    int8_t p, q, r, s;
};

// ar bisects the angle man, and rm = rn without am = an: a, m, r, n are on a circle.
struct ArcMiddle {
    int8_t a, m, r, n;
};

// |first| / |second| = numerator / denominator.
struct PairRatio {
    int first, second, numerator, denominator;
};

struct Candidates {
    std::vector<PointSet> lines;    // three points or more
    std::vector<PointSet> circles;  // four points or more
    std::vector<CentredCircle> centred;
    std::vector<Shape> triangles, collinear;
    std::vector<Bisector> bisectors;
    std::vector<RightAngle> right_angles;
    std::vector<EqualChords> chords;
    std::vector<ArcMiddle> arc_middles;
    std::vector<std::vector<int>> equal_pairs;  // pairs of points, by length
    std::vector<PairRatio> ratios;
};

Candidates find_candidates(const Diagrams& diagrams);

// The points of a set, in order.
std::vector<int> points_of(PointSet set);
int count(PointSet set);

}  // namespace gnomon::geometry
