"""From a problem to an answer: draw it, deduce, check the proof."""

from __future__ import annotations

import itertools
import time
from dataclasses import dataclass
from enum import Enum
from fractions import Fraction

from gnomon.errors import DataError, UsageError
from gnomon.geometry.check import ProofRejected, check, is_true_in
from gnomon.geometry.diagram import Diagram, DiagramError, draw, draw_many
from gnomon.geometry.language import Problem
from gnomon.geometry.predicates import Statement, holds
from gnomon.geometry.proof import Proof, ProofStep, Term

_CHOICES = 12  # how many configurations are looked at for one in which the goal is true
_PICTURES = 3  # of each; the engine sees two
_FRESH = 12  # pictures for the checker: three are enough if they show the same configuration


class Status(Enum):
    """How an attempt ended."""

    PROVED = "proved"
    NOT_FOUND = "not found"  # nothing more follows from the rules, or the time is over
    FALSE = "false"


@dataclass(frozen=True, slots=True, kw_only=True)
class Solution:
    """What became of a problem."""

    status: Status
    diagram: Diagram  # for FALSE it is a counterexample
    proof: Proof | None
    refusal: str  # why the checker did not accept what the engine found; empty where it did
    facts: int  # how many the engine derived
    seconds: float
    # False: the goal or a step of the proof is not true for other intersections or orders.
    is_every_choice: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """A choice of intersections in which the goal is true, as far as pictures tell."""

    choice: int
    diagrams: tuple[Diagram, ...]
    counterexample: Diagram | None  # a picture of another choice in which it is not


def solve(problem: Problem, *, time_s: float = 60.0, seed: int = 0) -> Solution:
    """Deduce the goal of `problem`. A proof is returned only if the checker accepts it.

    >>> text = "a b c = triangle a b c; h = orthocenter h a b c ? perp c h a b"
    >>> solve(Problem.parse(text)).status.value
    'proved'
    """
    start = time.perf_counter()
    if problem.goal is None:
        raise DataError("the problem has no goal; add '? ' and what is to be shown")
    if not time_s >= 0:
        raise UsageError(f"the time must be 0 seconds or more, not {time_s}")
    found = find_configuration(problem, seed=seed)
    if isinstance(found, dict):
        return Solution(
            status=Status.FALSE,
            diagram=found,
            proof=None,
            refusal="",
            facts=0,
            seconds=time.perf_counter() - start,
            is_every_choice=True,
        )
    state = make_state(problem, found.diagrams)
    goal = to_native(problem.goal, problem.points)
    status, proof, refusal, is_general = Status.NOT_FOUND, None, "", True
    if state.solve(goal, time_s=max(0.0, time_s - (time.perf_counter() - start))):
        made = _from_native(state.prove(goal), problem.points)
        refusal, is_general = _refusal(made, problem, seed=seed + 1, choice=found.choice)
        if not refusal:
            status, proof = Status.PROVED, made
            is_general = is_general and _is_true_elsewhere(problem, seed=seed + 2)
    return Solution(
        status=status,
        diagram=found.diagrams[0],
        proof=proof,
        refusal=refusal,
        facts=state.facts,
        seconds=time.perf_counter() - start,
        is_every_choice=is_general and found.counterexample is None,
    )


def _is_true_elsewhere(problem: Problem, *, seed: int) -> bool:
    """Whether the goal is true in a picture of every choice that can be drawn."""
    assert problem.goal is not None
    for choice in range(_CHOICES):
        try:
            if not holds(problem.goal, draw(problem, seed=seed, choice=choice)):
                return False
        except DiagramError:
            continue
    return True


def _refusal(proof: Proof, problem: Problem, *, seed: int, choice: int) -> tuple[str, bool]:
    """Why the checker refuses a proof (or nothing), and whether any fresh diagram may be taken.

    A fresh diagram may show another configuration: the other of two intersections, another order
    of points on a line. Then the proof is for the configuration in which all its steps are true.
    """
    assert problem.goal is not None
    fresh = list(itertools.islice(draw_many(problem, seed=seed, choice=choice), _FRESH))
    try:
        check(proof, problem, fresh[:_PICTURES])
        return "", True
    except ProofRejected as error:
        refusal = str(error)
    alike = [at for at in fresh if is_true_in(proof, at)]
    if len(alike) >= _PICTURES:
        try:
            check(proof, problem, alike)
            return "", False
        except ProofRejected as error:
            refusal = str(error)
    return refusal, False


def find_configuration(problem: Problem, *, seed: int) -> Configuration | Diagram:
    """Pictures in which the goal is true, or a counterexample. Raises DiagramError."""
    assert problem.goal is not None
    counterexample: Diagram | None = None
    failure: DiagramError | None = None
    for choice in range(_CHOICES):
        try:
            drawn = tuple(itertools.islice(draw_many(problem, seed=seed, choice=choice), _PICTURES))
        except DiagramError as error:
            failure = error
            if choice == 1 and counterexample is None:
                break  # twice in vain: more choices do not help
            continue
        wrong = next((at for at in drawn if not holds(problem.goal, at)), None)
        if wrong is None:
            return Configuration(choice=choice, diagrams=drawn, counterexample=counterexample)
        counterexample = counterexample or wrong
    if counterexample is None:
        assert failure is not None
        raise failure
    return counterexample


def make_state(problem: Problem, diagrams: tuple[Diagram, ...]):
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


def to_native(fact: Statement, points: tuple[str, ...]) -> tuple[str, list[int], int, int]:
    """(name, points by number, numerator, denominator)."""
    if fact.predicate == "s_angle":
        a, b, x = fact.points
        fact = Statement("aconst", (b, a, b, x), fact.numbers)
    number = fact.numbers[0] if fact.numbers else Fraction(0)
    if max(abs(number.numerator), number.denominator) > 10**12:
        raise DataError(f"the number {number} in '{fact}' is beyond 1e12")
    places = [points.index(point) for point in fact.points]
    return fact.predicate, places, number.numerator, number.denominator


def _from_native(steps, points: tuple[str, ...]) -> Proof:
    made = []
    for (name, places, numerator, denominator), rule, premises in steps:
        has_number = name in ("aconst", "rconst", "lconst")
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
