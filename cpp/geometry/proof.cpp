#include "geometry/proof.h"

#include <map>
#include <stdexcept>

#include "geometry/rational_table.h"

namespace gnomon::geometry {

namespace {

class Tracer {
  public:
    explicit Tracer(const State& state) : state_(state), step_of_fact_(state.facts().size(), -1) {
        for (int table = 0; table < kTables; ++table)
            for (const Source& source : state.sources(static_cast<TableId>(table)))
                tables_[table].insert(consequences(state.facts()[source.fact].conclusion)[source.equation].equation);
        for (int fact = 0; fact < static_cast<int>(state.facts().size()); ++fact)
            first_fact_.try_emplace(state.facts()[fact].conclusion, fact);
    }

    // The step that says `statement`, as it was known before a fact was added.
    int explain(const Statement& statement, int before) {
        const auto known = first_fact_.find(statement);
        if (known != first_fact_.end() && known->second < before) return explain_fact(known->second);
        const auto seen = step_of_statement_.find(statement);
        if (seen != step_of_statement_.end()) return seen->second;
        for (const TableId table : {TableId::kDirections, TableId::kLogarithms, TableId::kLengths}) {
            if (!state_.follows(statement, table)) continue;
            const int step = combine(statement, table, before);
            if (step < 0) continue;
            step_of_statement_[statement] = step;
            return step;
        }
        throw std::runtime_error("exact elimination does not confirm a step");
    }

    std::vector<ProofStep> steps;

  private:
    int explain_fact(int index) {
        if (step_of_fact_[index] >= 0) return step_of_fact_[index];
        const Fact& fact = state_.facts()[index];
        int step = -1;
        if (fact.rule == Rule::kDirections || fact.rule == Rule::kLogarithms || fact.rule == Rule::kLengths) {
            const auto table = static_cast<TableId>(static_cast<int>(fact.rule) - static_cast<int>(Rule::kDirections));
            step = combine(fact.conclusion, table, index);
            if (step < 0) throw std::runtime_error("exact elimination does not confirm a fact");
        } else {
            ProofStep made{fact.conclusion, fact.rule, {}};
            for (const Statement& premise : fact.premises) made.premises.push_back({explain(premise, index), 0, ""});
            step = append(std::move(made));
        }
        return step_of_fact_[index] = step;
    }

    // -1 where the statement is no combination of what one table knew before a fact was added.
    int combine(const Statement& statement, TableId table, int before) {
        // Collinear points may be known by any of the directions of their three pairs.
        for (const Statement& form : forms(statement)) {
            const auto combination = tables_[static_cast<int>(table)].combination(equation_of(form, table));
            if (!combination) continue;
            const std::vector<Source>& sources = state_.sources(table);
            bool is_earlier = true;
            for (const auto& [row, coefficient] : *combination) is_earlier &= sources[row].fact < before;
            if (!is_earlier) continue;
            if (says_the_same(form, *combination, sources)) return explain_fact(sources[combination->front().first].fact);
            const auto rule = static_cast<Rule>(static_cast<int>(Rule::kDirections) + static_cast<int>(table));
            ProofStep made{form, rule, {}};
            for (const auto& [row, coefficient] : *combination)
                made.premises.push_back(
                    {explain_fact(sources[row].fact), sources[row].equation, coefficient.to_string()});
            return append(std::move(made));
        }
        return -1;
    }

    // Whether a fact is the statement in another order of its points.
    bool says_the_same(const Statement& statement, const Combination& combination,
                       const std::vector<Source>& sources) const {
        if (combination.size() != 1 || statement.kind == Kind::kAconst || is_number_of_lengths(statement.kind))
            return false;
        const auto& [row, coefficient] = combination.front();
        return state_.facts()[sources[row].fact].conclusion.kind == statement.kind &&
               (coefficient == Rational(1) || coefficient == Rational(-1));
    }

    static std::vector<Statement> forms(const Statement& statement) {
        const auto& p = statement.points;
        if (statement.kind == Kind::kColl)
            return {statement, Statement::of(Kind::kColl, {p[1], p[0], p[2]}),
                    Statement::of(Kind::kColl, {p[2], p[0], p[1]})};
        if (statement.kind == Kind::kCyclic)
            return {statement, Statement::of(Kind::kCyclic, {p[0], p[2], p[1], p[3]}),
                    Statement::of(Kind::kCyclic, {p[0], p[3], p[1], p[2]})};
        return {statement};
    }

    int append(ProofStep step) {
        steps.push_back(std::move(step));
        return static_cast<int>(steps.size()) - 1;
    }

    const State& state_;
    RationalTable tables_[kTables];
    std::map<Statement, int> first_fact_, step_of_statement_;
    std::vector<int> step_of_fact_;
};

}  // namespace

std::vector<ProofStep> trace(const State& state, const Statement& goal) {
    Tracer tracer(state);
    const int last = tracer.explain(goal, static_cast<int>(state.facts().size()));
    std::vector<ProofStep> steps = std::move(tracer.steps);
    if (last != static_cast<int>(steps.size()) - 1) throw std::runtime_error("the goal is not the last step");
    return steps;
}

}  // namespace gnomon::geometry
