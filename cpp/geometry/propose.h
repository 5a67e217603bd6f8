// Points that might be added to a figure, and how promising they look.
#pragma once

#include <optional>
#include <vector>

#include "geometry/candidates.h"
#include "geometry/statement.h"

namespace gnomon::geometry {

struct Proposal {
    int form;                     // its place in `proposal_forms`
    std::array<int8_t, 6> points;  // a b c … of the form; unused ones are -1
    Diagrams::Point places[kDiagrams];
    double score;                 // larger is better
};

// The constructions as texts of the problem language: x is new, a b c … are known.
const std::vector<const char*>& proposal_forms();

// Proposals about a figure, best first. `goal` makes those near it more likely. With `newest_only`, only those
// whose construction uses the newest point.
std::vector<Proposal> propose(const Diagrams& diagrams, const Candidates& candidates,
                              const std::optional<Statement>& goal, bool newest_only, int most);

}  // namespace gnomon::geometry
