// The rules: each looks at its candidates and adds what follows now. All return whether anything is new.
#pragma once

#include "geometry/state.h"

namespace gnomon::geometry {

// ab ∥ ac: a, b and c are on one line.
bool find_collinear_points(State& state);

// Equal inscribed angles; equal radii; equal chords.
bool find_concyclic_points(State& state);
bool compare_radii(State& state);
bool compare_chords(State& state);

// Equal sides and equal angles of a triangle, both ways.
bool compare_isosceles(State& state);
bool find_arc_middles(State& state);

// Triangles by AA, SAS, SSS and SSA. A diagram decides between the two triangles that SSA leaves open, and
// between an angle and the one that differs by a half turn.
bool find_similar_triangles(State& state);

// Ratios on lines: parallels that cut two lines, bisectors, the middle of a hypotenuse.
bool compare_collinear_points(State& state);
bool compare_bisectors(State& state);
bool compare_right_angles(State& state);

// Between lengths and their logarithms; sums of lengths on a line.
bool add_sums(State& state);
bool exchange_lengths(State& state);

}  // namespace gnomon::geometry
