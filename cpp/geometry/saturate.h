// From given facts to all that follows from them.
#pragma once

#include <optional>

#include "geometry/state.h"

namespace gnomon::geometry {

// Applies the rules until nothing is new, the goal is known, or the time is over (then false).
bool saturate(State& state, const std::optional<Statement>& goal, double time_s);

// Whether a statement is known: by one table's equations, or by the definition of its kind. The facts that a
// definition needs are added.
bool is_proved(State& state, const Statement& goal);

}  // namespace gnomon::geometry
