// The engine's arithmetic, elimination and state.
#include <complex>
#include <cstdint>
#include <optional>
#include <random>
#include <stdexcept>
#include <vector>

#include "check.h"
#include "geometry/big_integer.h"
#include "geometry/modular_table.h"
#include "geometry/groups.h"
#include "geometry/proof.h"
#include "geometry/propose.h"
#include "geometry/rational.h"
#include "geometry/rational_table.h"
#include "geometry/saturate.h"

using namespace gnomon::geometry;

namespace {

BigInteger power(int64_t base, int exponent) {
    BigInteger result(1);
    for (int i = 0; i < exponent; ++i) result = result * BigInteger(base);
    return result;
}

// The triangle a b c, the midpoints m of ab and n of ac.
State midline() {
    Diagrams diagrams;
    const std::vector<std::complex<double>> places[kDiagrams] = {{{0, 0}, {4, 0.5}, {1, 3}},
                                                                 {{0, 1}, {5, 0}, {2, 4.5}}};
    for (int point = 0; point < 3; ++point) diagrams.add({places[0][point], places[1][point]});
    for (int other = 1; other < 3; ++other)
        diagrams.add({(places[0][0] + places[0][other]) / 2.0, (places[1][0] + places[1][other]) / 2.0});
    State state(std::move(diagrams));
    state.add(Statement::of(Kind::kMidp, {3, 0, 1}), Rule::kGiven);
    state.add(Statement::of(Kind::kMidp, {4, 0, 2}), Rule::kGiven);
    return state;
}

}  // namespace

TEST(big_integers_are_integers) {
    CHECK(power(10, 30).to_string() == "1000000000000000000000000000000");
    CHECK((-power(10, 20)).to_string() == "-100000000000000000000");
    CHECK((power(7, 40) - power(7, 40)).is_zero());
    CHECK((power(2, 64) - BigInteger(1)).to_string() == "18446744073709551615");
    CHECK(BigInteger(INT64_MIN + 1).to_int64() == INT64_MIN + 1);
    CHECK(power(2, 62).fits_int64() && !power(2, 63).fits_int64());
    const auto [quotient, remainder] = (power(3, 50) + BigInteger(5)).divide(power(3, 30));
    CHECK(quotient == power(3, 20) && remainder == BigInteger(5));
    const auto [negative, rest] = BigInteger(-7).divide(BigInteger(2));
    CHECK(negative == BigInteger(-3) && rest == BigInteger(-1));
    CHECK(BigInteger::greatest_common_divisor(power(6, 25), -power(10, 25)) == power(2, 25));
}

TEST(rationals_leave_64_bits_and_come_back) {
    const Rational third = Rational(1) / Rational(3);
    CHECK((third + third + third) == Rational(1));
    CHECK((third - Rational(1)).to_string() == "-2/3");
    CHECK((Rational(1) / Rational(-2)).to_string() == "-1/2");
    Rational large(1);
    for (int i = 0; i < 30; ++i) large = large * Rational(1000);
    CHECK(large.is_big());
    Rational small = large;
    for (int i = 0; i < 30; ++i) small = small / Rational(1000);
    CHECK(!small.is_big() && small == Rational(1));
    CHECK((large - large).is_zero());
    CHECK((Rational(INT64_MAX) + Rational(1)).to_string() == "9223372036854775808");
    CHECK((Rational(INT64_MIN + 1) - Rational(1)).to_string() == "-9223372036854775808");
}

TEST(residues_are_a_field) {
    CHECK((Residue(-1) + Residue(1)).is_zero());
    CHECK(Residue(INT64_MIN) + Residue(INT64_MAX) == Residue(-1));
    for (uint64_t i = 0; i < 50; ++i) CHECK(Residue::random(i) * Residue::random(i).inverse() == Residue(1));
}

// Both tables must agree on what follows, and the combination must add up to its target.
TEST(modular_and_exact_elimination_agree) {
    std::mt19937 random(1);
    const auto coefficient = [&] { return static_cast<int64_t>(random() % 7) - 3; };
    for (int round = 0; round < 40; ++round) {
        ModularTable modular;
        RationalTable exact;
        std::vector<Equation> equations;
        for (int i = 0; i < 14; ++i) {
            Equation equation;
            for (int k = 0; k < 4; ++k) equation.push_back({static_cast<int>(random() % 12), coefficient()});
            const bool is_new = exact.insert(equation);
            CHECK(modular.insert(equation) == is_new);
            if (is_new) equations.push_back(equation);
        }
        CHECK(modular.rank() == exact.size());
        for (int i = 0; i < 10; ++i) {
            Equation target;
            for (int k = 0; k < 3; ++k) {
                const int64_t factor = coefficient();
                for (const Term& term : equations[random() % equations.size()])
                    target.push_back({term.variable, factor * term.coefficient});
            }
            if (i % 2) target.push_back({static_cast<int>(random() % 14), 1});
            const auto combination = exact.combination(target);
            CHECK(modular.follows(target) == combination.has_value());
            if (!combination) continue;
            std::vector<Rational> sum(14);
            for (const auto& [index, factor] : *combination)
                for (const Term& term : equations[index])
                    sum[term.variable] = sum[term.variable] + factor * Rational(term.coefficient);
            for (const Term& term : target) sum[term.variable] = sum[term.variable] - Rational(term.coefficient);
            for (const Rational& rest : sum) CHECK(rest.is_zero());
        }
    }
}

TEST(elimination_survives_large_coefficients) {
    RationalTable table;
    for (int i = 0; i < 20; ++i) CHECK(table.insert({{i, 1000003}, {i + 1, -999983}}));
    const auto combination = table.combination({{0, 1}});
    CHECK(!combination);
    CHECK(table.insert({{20, 1}}));
    const auto all = table.combination({{0, 1}});
    CHECK(all && all->size() == 21 && all->back().second.is_big());
}

TEST(a_midline_is_parallel_and_its_proof_ends_with_that) {
    State state = midline();
    const Statement goal = Statement::of(Kind::kPara, {3, 4, 1, 2});
    CHECK(!is_proved(state, goal));
    CHECK(saturate(state, goal, 10.0));
    CHECK(is_proved(state, goal));
    const std::vector<ProofStep> steps = trace(state, goal);
    CHECK(steps.back().conclusion.kind == Kind::kPara);
    for (size_t i = 0; i < steps.size(); ++i)
        for (const ProofTerm& term : steps[i].premises) CHECK(term.step >= 0 && term.step < static_cast<int>(i));
}

TEST(a_copy_goes_its_own_way) {
    State state = midline();
    CHECK(saturate(state, std::nullopt, 10.0));
    const size_t facts = state.facts().size();
    State copy = state;
    const auto& diagrams = state.diagrams();
    copy.add_point({(diagrams.at(0, 1) + diagrams.at(0, 2)) / 2.0, (diagrams.at(1, 1) + diagrams.at(1, 2)) / 2.0});
    copy.add(Statement::of(Kind::kMidp, {5, 1, 2}), Rule::kGiven);
    CHECK(saturate(copy, std::nullopt, 10.0));
    CHECK(is_proved(copy, Statement::of(Kind::kPara, {3, 5, 0, 2})));
    CHECK(state.facts().size() == facts && state.diagrams().size() == 5);
}

TEST(items_meet_under_equal_keys) {
    Groups<int> groups;
    for (int item = 0; item < 500; ++item) groups.add(static_cast<uint64_t>(item % 50) << 32, item);
    CHECK(groups.groups() == 50 && !groups.is_single(7));
    int members = 0;
    for (int number = groups.first(7); number >= 0; number = groups.next(number), ++members)
        CHECK(groups.item(number) % 50 == 7);
    CHECK(members == 10);
    CHECK(groups.add(uint64_t{3}, 1) == 50 && groups.is_single(50));
}

TEST(a_table_that_grows_is_as_one_that_was_large) {
    ModularTable small(variables_of(3)), large;
    const Equation early = {{pair_of(0, 1), 1}, {pair_of(1, 2), -2}};
    CHECK(small.insert(early) && large.insert(early));
    small.grow(variables_of(5));
    const Equation late = {{pair_of(0, 1), 1}, {pair_of(3, 4), 1}};
    CHECK(small.insert(late) && large.insert(late));
    CHECK(small.follows({{pair_of(1, 2), 2}, {pair_of(3, 4), 1}}));
    for (int variable = 0; variable < variables_of(5); ++variable)
        CHECK(small.value(variable) == large.value(variable));
}

TEST(proposals_are_apart_from_all_points_and_in_order) {
    const State state = midline();
    const Statement goal = Statement::of(Kind::kPara, {3, 4, 1, 2});
    const std::vector<Proposal> all = propose(state.diagrams(), state.candidates, goal, false, 200);
    CHECK(all.size() > 50 && all.size() <= 200);
    for (size_t i = 0; i < all.size(); ++i) {
        CHECK(i == 0 || all[i].score <= all[i - 1].score);
        CHECK(all[i].form >= 0 && all[i].form < static_cast<int>(proposal_forms().size()));
        for (int point = 0; point < state.diagrams().size(); ++point)
            CHECK(std::abs(all[i].places[0] - state.diagrams().at(0, point)) > 1e-3);
    }
    for (const Proposal& proposal : propose(state.diagrams(), state.candidates, goal, true, 200)) {
        bool is_with_newest = false;
        for (const int8_t point : proposal.points) is_with_newest |= point == 4;
        CHECK(is_with_newest);
    }
}

TEST(no_time_is_no_answer) {
    State state = midline();
    CHECK(!saturate(state, std::nullopt, -1.0));
}

TEST(points_that_coincide_are_refused) {
    Diagrams diagrams;
    diagrams.add({{0, 0}, {0, 0}});
    bool is_refused = false;
    try {
        diagrams.add({{1, 0}, {0, 0}});
    } catch (const std::invalid_argument&) {
        is_refused = true;
    }
    CHECK(is_refused);
}
