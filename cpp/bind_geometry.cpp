// Bindings of the geometry engine: names become kinds here, the work is done in cpp/geometry/.
#include <nanobind/nanobind.h>
#include <nanobind/stl/complex.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <complex>
#include <stdexcept>
#include <string>
#include <tuple>
#include <vector>

#include "geometry/proof.h"
#include "geometry/propose.h"
#include "geometry/saturate.h"

namespace nb = nanobind;
using namespace gnomon::geometry;

namespace {

// A predicate's name, its points, and its number as numerator and denominator.
using Said = std::tuple<std::string, std::vector<int>, int64_t, int64_t>;
using Places = std::vector<std::complex<double>>;
using Step = std::tuple<Said, std::string, std::vector<std::tuple<int, int, std::string>>>;

// A segment needs two points, a triangle three.
void require_different(const Statement& statement) {
    const int count = info_of(statement.kind).points;
    const bool are_segments = statement.kind == Kind::kPara || statement.kind == Kind::kPerp ||
                              statement.kind == Kind::kEqangle || statement.kind == Kind::kAconst ||
                              statement.kind == Kind::kCong || statement.kind == Kind::kEqratio ||
                              is_number_of_lengths(statement.kind);
    const int group = are_segments ? 2 : count == 6 ? 3 : count;
    for (int first = 0; first < count; first += group)
        for (int i = first; i < first + group; ++i)
            for (int j = first; j < i; ++j)
                if (statement.points[i] == statement.points[j])
                    throw std::invalid_argument("A point is given twice where two are needed.");
}

Statement to_statement(const Said& said, int size) {
    const auto& [name, points, numerator, denominator] = said;
    Statement statement{kind_named(name), {}, numerator, denominator};
    statement.points.fill(-1);
    if (static_cast<int>(points.size()) != info_of(statement.kind).points)
        throw std::invalid_argument(name + " takes " + std::to_string(info_of(statement.kind).points) + " points.");
    for (size_t i = 0; i < points.size(); ++i) {
        if (points[i] < 0 || points[i] >= size) throw std::invalid_argument("No such point.");
        statement.points[i] = static_cast<int8_t>(points[i]);
    }
    if (denominator <= 0) throw std::invalid_argument("The denominator must be positive.");
    if (is_number_of_lengths(statement.kind) && numerator <= 0)
        throw std::invalid_argument("A ratio or length must be positive.");
    require_different(statement);
    return statement;
}

Said to_said(const Statement& statement) {
    const int count = info_of(statement.kind).points;
    return {info_of(statement.kind).name, {statement.points.begin(), statement.points.begin() + count},
            statement.numerator, statement.denominator};
}

State make_state(const Places& first, const Places& second) {
    if (first.size() != second.size()) throw std::invalid_argument("Both diagrams must have the same points.");
    Diagrams diagrams;
    for (size_t i = 0; i < first.size(); ++i) diagrams.add({first[i], second[i]});
    return State(std::move(diagrams));
}

void give(State& state, const Said& said) {
    const Statement statement = to_statement(said, state.diagrams().size());
    if (!state.diagrams().agree(statement)) throw std::invalid_argument("The diagrams contradict a given fact.");
    state.add(statement, Rule::kGiven);
}

bool run(State& state, const Said& goal, double time_s) {
    const Statement statement = to_statement(goal, state.diagrams().size());
    nb::gil_scoped_release release;
    saturate(state, statement, time_s);
    return is_proved(state, statement);
}

bool run_to_the_end(State& state, double time_s) {
    nb::gil_scoped_release release;
    return saturate(state, std::nullopt, time_s);
}

bool knows(State& state, const Said& said) {
    return is_proved(state, to_statement(said, state.diagrams().size()));
}

// A form, its points, the places in both diagrams, the score.
using Proposed = std::tuple<int, std::vector<int>, std::complex<double>, std::complex<double>, double>;

std::vector<Proposed> propose_points(const State& state, const Said& said, bool newest_only, int most) {
    const Statement goal = to_statement(said, state.diagrams().size());
    std::vector<Proposal> found;
    {
        nb::gil_scoped_release release;
        found = propose(state.diagrams(), state.candidates, goal, newest_only, most);
    }
    std::vector<Proposed> all;
    for (const Proposal& proposal : found) {
        std::vector<int> points;
        for (const int8_t point : proposal.points)
            if (point >= 0) points.push_back(point);
        all.emplace_back(proposal.form, std::move(points), proposal.places[0], proposal.places[1], proposal.score);
    }
    return all;
}

// A point's places and what is given of it.
using NewPoint = std::tuple<std::complex<double>, std::complex<double>, std::vector<Said>>;

// A copy with more points, saturated again, and whether the goal is known there.
std::pair<State, bool> extend(const State& state, const std::vector<NewPoint>& points, const Said& said,
                              double time_s) {
    int size = state.diagrams().size();
    std::vector<std::vector<Statement>> given;
    for (const auto& [first, second, facts] : points) {
        ++size;
        given.emplace_back();
        for (const Said& fact : facts) given.back().push_back(to_statement(fact, size));
    }
    const Statement goal = to_statement(said, size);
    nb::gil_scoped_release release;
    State extended(state);
    for (size_t i = 0; i < points.size(); ++i) {
        extended.add_point({std::get<0>(points[i]), std::get<1>(points[i])});
        for (const Statement& statement : given[i]) {
            if (!extended.diagrams().agree(statement))
                throw std::invalid_argument("The diagrams contradict a given fact.");
            extended.add(statement, Rule::kGiven);
        }
    }
    saturate(extended, goal, time_s);
    const bool is_solved = is_proved(extended, goal);
    return {std::move(extended), is_solved};
}

std::vector<Step> prove(State& state, const Said& said) {
    const Statement goal = to_statement(said, state.diagrams().size());
    if (!is_proved(state, goal)) throw std::invalid_argument("The statement is not known.");
    std::vector<Step> steps;
    for (const ProofStep& step : trace(state, goal)) {
        std::vector<std::tuple<int, int, std::string>> premises;
        for (const ProofTerm& term : step.premises) premises.emplace_back(term.step, term.equation, term.coefficient);
        steps.emplace_back(to_said(step.conclusion), rule_name(step.rule), std::move(premises));
    }
    return steps;
}

}  // namespace

void bind_geometry(nb::module_& m) {
    m.def("geometry_proposal_forms", [] {
        return std::vector<std::string>(proposal_forms().begin(), proposal_forms().end());
    }, "The constructions that GeometryState.propose names by number.");
    nb::class_<State>(m, "GeometryState", "What is known about a figure. See cpp/geometry/state.h.")
        .def("__init__", [](State* self, const Places& first, const Places& second) {
                 new (self) State(make_state(first, second));
             }, nb::arg("first"), nb::arg("second"))
        .def("copy", [](const State& state) { return State(state); }, "A state of its own, to go on from here.")
        .def("add_point", [](State& state, std::complex<double> first, std::complex<double> second) {
                 state.add_point({first, second});
             }, nb::arg("first"), nb::arg("second"))
        .def("give", &give, nb::arg("fact"), "Adds a given fact, which both diagrams must show.")
        .def("solve", &run, nb::arg("goal"), nb::arg("time_s"), "Applies the rules until the goal is known.")
        .def("saturate", &run_to_the_end, nb::arg("time_s"), "False where the time did not suffice.")
        .def("propose", &propose_points, nb::arg("goal"), nb::arg("newest_only"), nb::arg("most"),
             "(form, points, first place, second place, score), best first. See cpp/geometry/propose.h.")
        .def("extend", &extend, nb::arg("points"), nb::arg("goal"), nb::arg("time_s"),
             "A copy with more points (first place, second place, facts), saturated; is the goal known?")
        .def("knows", &knows, nb::arg("statement"))
        .def("conclusions", [](const State& state) {
                 std::vector<Said> said;
                 for (const Fact& fact : state.facts())
                     if (fact.rule != Rule::kGiven) said.push_back(to_said(fact.conclusion));
                 return said;
             }, "The facts that were deduced, in order.")
        .def("prove", &prove, nb::arg("statement"),
             "(statement, rule, [(step, equation, coefficient)]) for every step. See cpp/geometry/proof.h.")
        .def_prop_ro("points", [](const State& state) { return state.diagrams().size(); })
        .def_prop_ro("facts", [](const State& state) { return state.facts().size(); });
}
