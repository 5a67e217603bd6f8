"""The checker of proofs. It shares no code with the engine and knows nothing of how it searches.

A proof is accepted if every step is given, or is the stated combination of earlier equations, or an
instance of a rule with its side conditions; if every step is true in fresh diagrams; and if the
last step is the goal. Algebra is done in fractions. A combination with denominators leaves a
direction open up to a part of a half turn, and a few rules leave two cases open: there the fresh
diagrams must all show the case that the step claims.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from gnomon.errors import DataError
from gnomon.geometry.equations import ONE, TABLES, combine, equations, least_common_denominator
from gnomon.geometry.language import Clause, Problem
from gnomon.geometry.predicates import PREDICATES, Coordinates, Statement, holds
from gnomon.geometry.proof import Proof, ProofStep
from gnomon.geometry.rules import RULE_CHECKS, is_between, same

_NOT_DEGENERATE = {"diff", "ncoll", "npara", "nperp"}
_TOLERANCE = 1e-6  # fresh diagrams are as exact as others; what is wrong is wrong by far more
# A diagram tells 1/1000 of a half turn from 0 by far; it could not, near the tolerance.
_MOST_PARTS = 1000


class ProofRejected(DataError):
    """A step that does not hold; the message says which and why."""


def check(proof: Proof, problem: Problem, diagrams: Sequence[Coordinates]) -> None:
    """Accept `proof` as a proof of `problem`, or raise ProofRejected."""
    given = [plain(fact) for fact in problem.facts()]
    if not proof.steps or problem.goal is None or len(diagrams) < 2:
        raise ProofRejected("a proof needs steps, a goal and two diagrams")
    for number, step in enumerate(proof.steps):
        reason = _fault(step, number, proof.steps[:number], given, diagrams)
        if reason:
            raise ProofRejected(f"step {number + 1} ({step.conclusion}, {step.rule}): {reason}")
    if not same(proof.steps[-1].conclusion, plain(problem.goal)):
        raise ProofRejected(f"the last step is not the goal '{problem.goal}'")


def check_added(clauses: Sequence[Clause]) -> None:
    """Accept points that a proof adds, or raise ProofRejected.

    A point may always be added where two lines or circles meet, or by a construction that asks for
    no more than a figure that is not degenerate. A third line through it would be a theorem, and an
    order of points a condition on the figure.
    """
    for clause in clauses:
        constructions = [step.construction for step in clause.steps]
        are_loci = all(construction.locus is not None for construction in constructions)
        asked = {need.predicate for construction in constructions for need in construction.needs}
        is_ordered = any(construction.order for construction in constructions)
        is_more = len(constructions) > (2 if are_loci else 1) or not asked <= _NOT_DEGENERATE
        if is_more or is_ordered:
            raise ProofRejected(f"'{clause}' says more of an added point than where it is")


def is_true_in(proof: Proof, at: Coordinates) -> bool:
    """Whether a diagram shows everything that a proof says."""
    return all(
        _is_well_formed(step.conclusion, at) and _is_true(step.conclusion, at)
        for step in proof.steps
    )


def plain(fact: Statement) -> Statement:
    """`s_angle a b x y` is `aconst b a b x y`; everything else stays."""
    if fact.predicate != "s_angle":
        return fact
    a, b, x = fact.points
    return Statement("aconst", (b, a, b, x), fact.numbers)


def _fault(
    step: ProofStep,
    number: int,
    earlier: Sequence[ProofStep],
    given: Sequence[Statement],
    diagrams: Sequence[Coordinates],
) -> str:
    """What is wrong with a step, or nothing."""
    if not _is_well_formed(step.conclusion, diagrams[0]):
        return "it is no statement about the problem's points"
    if any(not 0 <= term.step < number for term in step.premises):
        return "it uses a step that is not before it"
    if not all(_is_true(step.conclusion, at) for at in diagrams):
        return "it is not true in a fresh diagram"
    if step.rule == "given":
        is_given = step.conclusion in given and not step.premises
        return "" if is_given else "the problem does not say so"
    if step.rule in TABLES:
        return _algebra_fault(step, earlier)
    rule = RULE_CHECKS.get(step.rule)
    if rule is None:
        return "no such rule"
    premises = [earlier[term.step].conclusion for term in step.premises]
    return "" if rule(step.conclusion, premises, diagrams) else "it is no instance of the rule"


def _is_well_formed(fact: Statement, at: Coordinates) -> bool:
    """Known points as many as it takes, different ones where they have to be."""
    if any(point not in at for point in fact.points):
        return False
    if fact.predicate == "sum":
        return len(fact.points) == 3 == len(set(fact.points))
    predicate = PREDICATES.get(fact.predicate)
    return (
        predicate is not None
        and len(fact.points) == predicate.points
        and len(fact.numbers) == predicate.numbers
        and not predicate.problem_of(fact.points, fact.numbers)
    )


def _algebra_fault(step: ProofStep, earlier: Sequence[ProofStep]) -> str:
    parts = []
    for term in step.premises:
        known = equations(earlier[term.step].conclusion)
        if term.coefficient is None or not 0 <= term.equation < len(known):
            return "a premise names no equation"
        table, equation = known[term.equation]
        if table != step.rule:
            return "a premise is no equation of that kind"
        parts.append((term.coefficient, equation))
    target = next((e for table, e in equations(step.conclusion) if table == step.rule), None)
    if target is None or step.conclusion.predicate not in _SINGLE:
        return "the conclusion is not one equation of that kind"
    rest = combine([*parts, (Fraction(-1), target)])
    # Directions are known modulo a half turn, and so are their multiples: a constant may be off by
    # whole numbers times the coefficients. The fresh diagrams have shown which of these it is.
    constant = rest.pop(ONE, Fraction(0))
    if rest:
        return "the combination does not give the conclusion"
    parts_of_turn = least_common_denominator(factor for factor, _ in parts)
    if step.rule == "directions" and parts_of_turn > _MOST_PARTS:
        return f"it leaves parts of a turn open that are too small to see: 1/{parts_of_turn}"
    if (constant * parts_of_turn).denominator != 1:
        return "the combination gives another constant"
    return ""


# Statements that one of their equations says completely.
_SINGLE = (
    "coll", "para", "perp", "aconst", "eqangle", "cyclic", "cong", "eqratio", "rconst", "lconst",
    "r2const", "l2const",
)  # fmt: skip


def _is_true(fact: Statement, at: Coordinates) -> bool:
    if fact.predicate == "sum":
        return is_between(fact.points, at)
    return holds(fact, at, tolerance=_TOLERANCE)
