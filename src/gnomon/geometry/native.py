"""Between statements by name and the native engine's numbers."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import TYPE_CHECKING

from gnomon.errors import DataError
from gnomon.geometry.diagram import Diagram
from gnomon.geometry.language import Problem
from gnomon.geometry.predicates import Statement
from gnomon.geometry.proof import Proof, ProofStep, Term

if TYPE_CHECKING:
    from gnomon._native import GeometryState

Native = tuple[str, list[int], int, int]  # a predicate, points, numerator, denominator


def make_state(problem: Problem, diagrams: Sequence[Diagram]) -> GeometryState:
    """The native engine's state: two diagrams and what is given."""
    from gnomon import _native

    first, second = ([at[point] for point in problem.points] for at in diagrams[:2])
    state = _native.GeometryState(first, second)
    for fact in problem.facts():
        try:
            state.give(to_native(fact, problem.points))
        except ValueError as error:
            raise DataError(f"'{fact}' cannot be used: {error}") from error
    return state


def to_native(fact: Statement, points: Sequence[str]) -> Native:
    """(name, points by number, numerator, denominator)."""
    if fact.predicate == "s_angle":
        a, b, x = fact.points
        fact = Statement("aconst", (b, a, b, x), fact.numbers)
    number = fact.numbers[0] if fact.numbers else Fraction(0)
    if max(abs(number.numerator), number.denominator) > 10**12:
        raise DataError(f"the number {number} in '{fact}' is beyond 1e12")
    places = [points.index(point) for point in fact.points]
    return fact.predicate, places, number.numerator, number.denominator


def proof_of(state: GeometryState, goal: Native, points: Sequence[str]) -> Proof:
    """The proof of a goal that the state knows."""
    made = []
    for (name, places, numerator, denominator), rule, premises in state.prove(goal):
        has_number = name in ("aconst", "rconst", "lconst", "r2const", "l2const")
        conclusion = Statement(
            name,
            tuple(points[place] for place in places),
            (Fraction(numerator, denominator),) if has_number else (),
        )
        terms = tuple(
            Term(step, equation, Fraction(coefficient) if coefficient else None)
            for step, equation, coefficient in premises
        )
        made.append(ProofStep(conclusion=conclusion, rule=rule, premises=terms))
    return Proof(steps=tuple(made))
