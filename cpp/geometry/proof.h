// A proof, traced back from its goal.
#pragma once

#include <string>
#include <vector>

#include "geometry/state.h"

namespace gnomon::geometry {

// `coefficient` times the equation number `equation` of what step `step` says.
struct ProofTerm {
    int step;
    int equation;
    std::string coefficient;  // a fraction; empty where the premise is used as a whole
};

struct ProofStep {
    Statement conclusion;
    Rule rule;
    std::vector<ProofTerm> premises;  // earlier steps only
};

// The steps that lead to a statement which is known, the statement last. Elimination is done again, exactly.
// Throws std::runtime_error where it does not confirm what the modular tables said.
std::vector<ProofStep> trace(const State& state, const Statement& goal);

}  // namespace gnomon::geometry
