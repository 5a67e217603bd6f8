// What two diagrams suggest: the only things the rules try to prove.
#pragma once

#include <utility>
#include <vector>

#include "geometry/diagrams.h"
#include "geometry/groups.h"

namespace gnomon::geometry {

// A triangle with its corners in the order of the opposite sides' lengths, or three points of a line
// (a, b between, c) with ab no longer than bc.
struct Triple {
    int8_t a, b, c;
    int8_t turn;  // of the triangle abc in the first diagram: +1 or -1
};

// Triples by shape, and which of one shape are proved similar (a union-find).
class Shapes : public Groups<Triple> {
  public:
    void add(uint64_t key, const Triple& triple);
    int find(int member);
    void join(int shape, int one, int other);
    // Whether some of a shape are still apart.
    bool is_open(int shape) const { return classes_[shape] > 1; }
    bool is_root(int member) const { return parent_[member] == member; }

  private:
    std::vector<int> parent_, classes_;
};

// Points at equal distance from a centre.
struct CentredCircle {
    int centre;
    PointSet points;
};

// apex a = apex b, and not on the line ab.
struct Isosceles {
    int8_t apex, a, b;
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
    Shapes triangles, collinear;
    std::vector<Isosceles> isosceles;
    std::vector<Bisector> bisectors;
    std::vector<RightAngle> right_angles;
    std::vector<EqualChords> chords;
    std::vector<ArcMiddle> arc_middles;
    Groups<int> lengths;  // pairs of points, by length
    std::vector<PairRatio> ratios;
    std::vector<std::pair<double, int>> different_lengths;  // in the first diagram, with a pair each; in order

    // Adds all that involves the diagrams' newest point, number `point`, and no later one.
    void extend(const Diagrams& diagrams, int point);
};

// The points of a set, in order.
std::vector<int> points_of(PointSet set);
int count(PointSet set);

}  // namespace gnomon::geometry
