"""The checker refuses proofs that were tampered with."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest

from gnomon.geometry import Problem, Proof, solve
from gnomon.geometry.check import ProofRejected, check
from gnomon.geometry.diagram import draw
from gnomon.geometry.predicates import statement
from gnomon.geometry.proof import ProofStep, Term
from gnomon.geometry.rules import same

_PROBLEM = Problem.parse(
    "a b c = triangle a b c; d = foot d a b c; e = foot e b a c ? eqratio c d c a c e c b"
)
_DIAGRAMS = [draw(_PROBLEM, seed=seed) for seed in (11, 12)]


@pytest.fixture(scope="module")
def proof() -> Proof:
    found = solve(_PROBLEM).proof
    assert found is not None
    return found


def _reason(steps: list[ProofStep]) -> str:
    with pytest.raises(ProofRejected) as caught:
        check(Proof(steps=tuple(steps)), _PROBLEM, _DIAGRAMS)
    return str(caught.value)


def _algebraic(proof: Proof) -> int:
    return next(i for i, step in enumerate(proof.steps) if step.rule == "directions")


def test_the_proof_itself_is_accepted(proof: Proof):
    check(proof, _PROBLEM, _DIAGRAMS)


def test_no_steps():
    assert "needs steps" in _reason([])


def test_another_goal(proof: Proof):
    assert "not the goal" in _reason(list(proof.steps[:-1]))


def test_a_false_step():
    step = ProofStep(conclusion=statement("cong a b a c"), rule="given", premises=())
    assert "not true" in _reason([step])


@pytest.mark.parametrize(
    "text",
    ["cong a b a z", "cong a b a", "cong a a a b", "cyclic a b b c", "nothing a b", "sum a d d"],
)
def test_no_statement(text: str):
    step = ProofStep(conclusion=statement(text), rule="given", premises=())
    assert "no statement" in _reason([step])


def test_true_but_not_given():
    step = ProofStep(conclusion=statement("perp c b a d"), rule="given", premises=())
    assert "does not say so" in _reason([step])


def test_a_wrong_coefficient(proof: Proof):
    at = _algebraic(proof)
    step = proof.steps[at]
    assert step.premises[0].coefficient is not None
    wrong = replace(step.premises[0], coefficient=step.premises[0].coefficient * 2)
    steps = list(proof.steps)
    steps[at] = replace(step, premises=(wrong, *step.premises[1:]))
    assert "does not give the conclusion" in _reason(steps)


def test_a_premise_left_out(proof: Proof):
    at = _algebraic(proof)
    steps = list(proof.steps)
    steps[at] = replace(steps[at], premises=steps[at].premises[1:])
    assert "does not give" in _reason(steps)


def test_a_circle_of_steps(proof: Proof):
    last = len(proof.steps) - 1
    steps = list(proof.steps)
    steps[last] = replace(steps[last], premises=(Term(last, 0, Fraction(1)),))
    assert "not before it" in _reason(steps)


def test_an_unknown_rule(proof: Proof):
    steps = list(proof.steps)
    steps[-1] = replace(steps[-1], rule="obvious")
    assert "no such rule" in _reason(steps)


def test_a_rule_with_the_wrong_premises(proof: Proof):
    at = next(i for i, step in enumerate(proof.steps) if step.rule == "AA")
    steps = list(proof.steps)
    first = steps[at].premises[0]
    steps[at] = replace(steps[at], premises=(first, first))
    assert "no instance" in _reason(steps)


def test_the_intercept_theorem_needs_two_lines():
    problem = Problem.parse("a b = segment a b; m = midpoint m a b ? rconst m a m b 1")
    line = ProofStep(conclusion=statement("midp m a b"), rule="given", premises=())
    coll = ProofStep(
        conclusion=statement("coll a m b"),
        rule="directions",
        premises=(Term(0, 1, Fraction(1)),),
    )
    other = replace(
        coll,
        conclusion=statement("coll b m a"),
        premises=(Term(0, 1, Fraction(1)), Term(0, 0, Fraction(-1))),
    )
    trivial = ProofStep(conclusion=statement("para a b b a"), rule="directions", premises=())
    wrong = ProofStep(
        conclusion=statement("eqratio a m a b b m b a"),
        rule="parallels",
        premises=(Term(1, 0, None), Term(2, 0, None), Term(3, 0, None)),
    )
    with pytest.raises(ProofRejected, match="parallels"):
        check(Proof(steps=(line, coll, other, trivial, wrong)), problem, [
            draw(problem, seed=seed) for seed in (1, 2)
        ])  # fmt: skip


@pytest.mark.parametrize(
    ("one", "other", "are_same"),
    [
        ("perp a b c d", "perp d c a b", True),
        ("para a b c d", "perp a b c d", False),
        ("coll a b c", "coll c a b", True),
        ("coll a b c", "coll a b d", False),
        ("aconst a b c d 60", "aconst c d a b -60", True),
        ("aconst a b c d 60", "aconst c d a b 60", False),
        ("cong a b c d", "cong d c a b", True),
        ("eqangle a b c d e f g h", "eqangle c d a b g h e f", True),
        ("eqangle a b c d e f g h", "eqangle a b c d g h e f", False),
        ("midp m a b", "midp a m b", False),
        ("circle o a b c", "circle o a b d", False),
        ("simtri a b c d e f", "simtri a b c d f e", False),
        ("rconst a b c d 1/2", "rconst c d a b 2", True),
        ("rconst a b c d 1/2", "rconst a b c d 2", False),
    ],
)
def test_what_is_the_same(one: str, other: str, are_same: bool):
    assert same(statement(one), statement(other)) == are_same


def test_shares_of_a_turn_too_fine_for_a_diagram_to_tell_apart():
    # 60.0001° is true up to the diagrams' tolerance; 1/N and 1 - 1/N of one equation leave it open.
    problem = Problem.parse("a b = segment a b; x = s_angle a b x 60 ? aconst b a b x 60.0001")
    share = Fraction(1, 1_800_000)
    steps = (
        ProofStep(conclusion=statement("aconst b a b x 60"), rule="given", premises=()),
        ProofStep(
            conclusion=statement("aconst b a b x 600001/10000"),
            rule="directions",
            premises=(Term(0, 0, share), Term(0, 0, 1 - share)),
        ),
    )
    with pytest.raises(ProofRejected, match="too small"):
        check(Proof(steps=steps), problem, [draw(problem, seed=seed) for seed in (1, 2)])
