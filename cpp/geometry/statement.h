// What can be said about points, and the equations that each statement stands for.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "geometry/equation.h"

namespace gnomon::geometry {

enum class Kind : uint8_t {
    kColl,     // a b c on one line
    kPara,     // ab ∥ cd
    kPerp,     // ab ⊥ cd
    kEqangle,  // ∠(ab, cd) = ∠(ef, gh), directed, modulo a half turn
    kAconst,   // ∠(ab, cd) is a number of degrees
    kCyclic,   // a b c d on one circle
    kCong,     // |ab| = |cd|
    kEqratio,  // |ab| / |cd| = |ef| / |gh|
    kRconst,   // |ab| / |cd| is a number
    kLconst,   // |ab| is a number
    kSum,      // |ab| + |bc| = |ac|
    kMidp,     // a is the midpoint of bc
    kCircle,   // a is the centre of the circle bcd
    kSimtri,   // triangles abc and def are similar
    kSimtrir,  // ... and one of them is turned over
    kContri,   // congruent
    kContrir,  // ... and one of them is turned over
    kR2const,  // |ab|² / |cd|² is a number
    kL2const,  // |ab|² is a number
};

// The name and the number of points of every kind, in the enumeration's order.
struct KindInfo {
    const char* name;
    int points;
};
const KindInfo& info_of(Kind kind);
bool is_number_of_lengths(Kind kind);  // whether it says that a ratio or length is some number
Kind kind_named(const std::string& name);  // throws std::invalid_argument

struct Statement {
    Kind kind;
    std::array<int8_t, 8> points;       // those beyond the kind's count are -1
    int64_t numerator = 0;              // of the number, where the kind has one
    int64_t denominator = 1;

    static Statement of(Kind kind, std::initializer_list<int> points);
    bool operator<(const Statement& other) const;
};

// The three systems of equations: directions of lines (modulo a half turn), logarithms of lengths,
// lengths themselves.
enum class TableId : uint8_t { kDirections, kLogarithms, kLengths };
constexpr int kTables = 3;

struct TableEquation {
    TableId table;
    Equation equation;
};

// Everything that a statement says as equations; proofs name them by their place in this list.
std::vector<TableEquation> consequences(const Statement& statement);

// Whether some one equation is the same as the statement (given that a diagram agrees), in `table`.
bool is_equation(const Statement& statement, TableId table);
// That equation: the first of the statement's in that table.
Equation equation_of(const Statement& statement, TableId table);

}  // namespace gnomon::geometry
