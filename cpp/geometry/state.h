// Everything that is known about a figure, and why. A plain value: copy it to start from it again.
#pragma once

#include <vector>

#include "geometry/candidates.h"
#include "geometry/diagrams.h"
#include "geometry/modular_table.h"
#include "geometry/statement.h"

namespace gnomon::geometry {

// Why a fact holds. The names in Python and in proofs are those of `rule_name`.
enum class Rule : uint8_t {
    kGiven,
    kDirections,       // by the equations of that table
    kLogarithms,
    kLengths,
    kSameLine,         // two points of a line decide it
    kSameCircle,       // three points of a circle decide it
    kCentre,           // equal radii
    kTwoChords,        // a point on the perpendicular bisectors of two chords is the centre
    kIsosceles,        // equal sides, equal angles
    kIsoscelesBack,
    kAngleAngle,
    kSideAngleSide,
    kSideSideSide,
    kSideSideAngle,
    kParallels,        // parallels cut two lines in equal ratios
    kRatioOnLines,     // one ratio of three points on a line decides the others
    kParallelsBack,    // equal ratios on two lines give parallels
    kBisectorRatio,
    kBisectorAngle,
    kRightAngle,       // Thales: the middle of the hypotenuse
    kEqualChords,      // equal chords, from parallels
    kParallelChords,   // and back
    kTrapezoid,        // a trapezoid with equal legs, and no parallelogram, has a circle
    kArcMiddle,        // a bisector meets the perpendicular bisector of the other side on the circle
    kBetween,          // a point between two others cuts the segment in two
    kMidpoint,         // the definition
    kCircle,           // the definition
    kCongruent,        // similar, and one pair of sides equal
};
const char* rule_name(Rule rule);

struct Fact {
    Statement conclusion;
    Rule rule;
    std::vector<Statement> premises;  // all true before this fact
};

// Where an equation of a table comes from: an equation of a fact's conclusion.
struct Source {
    int fact;
    int equation;  // its place in consequences()
};

class State {
  public:
    explicit State(Diagrams diagrams);

    const Diagrams& diagrams() const { return diagrams_; }
    const std::vector<Fact>& facts() const { return facts_; }
    const std::vector<Source>& sources(TableId table) const { return sources_[static_cast<int>(table)]; }
    const ModularTable& table(TableId id) const { return tables_[static_cast<int>(id)]; }
    const ModularTable& directions() const { return table(TableId::kDirections); }
    const ModularTable& logarithms() const { return table(TableId::kLogarithms); }
    const ModularTable& lengths() const { return table(TableId::kLengths); }

    // Adds a point to both diagrams; what was known stays known.
    void add_point(const Diagrams::Point (&places)[kDiagrams]);

    // Keeps a fact if it says something new. Every premise must be known already.
    bool add(const Statement& conclusion, Rule rule, std::vector<Statement> premises = {});

    // Keeps a fact whether or not it says something new: proofs refer to it.
    void claim(const Statement& conclusion, Rule rule, std::vector<Statement> premises);

    // Whether a statement follows by what one table says and both diagrams show.
    bool follows(const Statement& statement, TableId table) const;

    bool on_known_line(int a, int b, int c) const { return (lines_[pair_of(a, b)] & bit(c)) != 0; }
    const std::vector<PointSet>& known_circles() const { return circles_; }
    bool on_known_circle(PointSet points) const;

    Candidates candidates;  // with what the rules remember about them

  private:
    void welcome(int point);  // makes room for it, and finds its candidates
    bool record(const Statement& conclusion, Rule rule, std::vector<Statement> premises);
    void join_lines(int a, int b, int c);
    void join_circles(PointSet points);

    Diagrams diagrams_;
    std::vector<Fact> facts_;
    ModularTable tables_[kTables] = {ModularTable(0), ModularTable(0), ModularTable(0)};
    std::vector<Source> sources_[kTables];
    std::vector<PointSet> lines_;    // by pair: the points known to be on its line
    std::vector<PointSet> circles_;  // four points or more each, no three of them on two circles
};

}  // namespace gnomon::geometry
