"""Auxiliary points: what may be added to a figure, and what follows then.

`HeuristicProposer` and `PointVerifier` are the two halves of `gnomon.search.search` for geometry. A
state is a saturated figure; a step adds one point by a construction of the language.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from gnomon.geometry.language import Problem
from gnomon.search import Accepted, Extended, Proposal, Rejected

if TYPE_CHECKING:
    from gnomon._native import GeometryState

Native = tuple[str, list[int], int, int]  # a statement as the native engine takes it

# In nats. A point more has to be e times as promising; among one state's proposals the rank decides.
_POINT_COST = 2.0
_MOST_FIRST, _MOST_LATER = 4000, 500  # proposals about the given figure, and about the newest point


@dataclass(frozen=True, slots=True)
class AuxiliaryPoint:
    """A new point: the number of a construction, the numbers of the points that it uses, and its
    places in the two diagrams of the engine.
    """

    form: int
    points: tuple[int, ...]
    places: tuple[complex, complex]
    score: float


@dataclass(frozen=True, slots=True)
class Step:
    """Take a point, and leave alone what ranks before it: `later` may still be added after it."""

    point: AuxiliaryPoint
    later: tuple[Sequence[AuxiliaryPoint], int]  # a ranking and where to go on in it


@dataclass(frozen=True, slots=True)
class Figure:
    """A saturated figure with what has been added to it."""

    state: GeometryState
    added: tuple[AuxiliaryPoint, ...] = ()
    later: tuple[Sequence[AuxiliaryPoint], int] = ((), 0)


@cache
def forms() -> tuple[str, ...]:
    """The constructions that points are added by, with x for the new one and a, b, … for others."""
    from gnomon import _native

    return tuple(_native.geometry_proposal_forms())


@cache
def _facts_of(form: int) -> tuple[tuple[str, tuple[int, ...]], ...]:
    """What a construction gives: predicates, and places in its arguments (-1: the new point)."""
    text = forms()[form]
    letters = sorted({word for word in text.replace(",", " ").split() if len(word) == 1} - {"x"})
    free = "; ".join(f"{letter} = free {letter}" for letter in letters)
    problem = Problem.parse(f"{free}; x = {text}")
    return tuple(
        (fact.predicate, tuple(-1 if p == "x" else letters.index(p) for p in fact.points))
        for fact in problem.facts()
    )


def facts_of(point: AuxiliaryPoint, number: int) -> list[Native]:
    """What is given of an added point that gets this number."""
    return [
        (name, [number if place < 0 else point.points[place] for place in places], 0, 1)
        for name, places in _facts_of(point.form)
    ]


def clause_of(point: AuxiliaryPoint, name: str, points: Sequence[str]) -> str:
    """How it is written: `x = midpoint x a b`."""
    letters = {"x": name} | {
        letter: points[place] for letter, place in zip("abcdef", point.points, strict=False)
    }
    words = [
        letters.get(word.rstrip(","), word.rstrip(",")) + ("," if word.endswith(",") else "")
        for word in forms()[point.form].split()
    ]
    return f"{name} = {' '.join(words)}"


class HeuristicProposer:
    """Ranks constructions by kind, by what else their point lies on, and by the goal.

    The incidences are counted in the diagrams (cpp/geometry/propose.cpp). The k-th in the ranking
    has a probability in proportion to 1/k. What ranked before a point that was taken is not
    proposed after it: that order of the two has been tried.
    """

    least_cost = _POINT_COST

    def __init__(self, goal: Native) -> None:
        self._goal = goal

    def propose(self, state: Figure) -> list[Proposal[Step]]:
        """Steps, the best first."""
        is_first = not state.added
        found = [
            AuxiliaryPoint(form, tuple(points), (first, second), score)
            for form, points, first, second, score in state.state.propose(
                self._goal, not is_first, _MOST_FIRST if is_first else _MOST_LATER
            )
        ]
        if not is_first:
            ranking, start = state.later
            found = sorted(
                [*found, *ranking[start : start + _MOST_LATER]], key=lambda p: -p.score
            )
        return [
            Proposal(Step(point, (found, rank + 1)), _POINT_COST + math.log1p(rank))
            for rank, point in enumerate(found)
        ]


class PointVerifier:
    """Adds the point and deduces; accepts what `accept` makes of a figure in which the goal is
    known (None: it was no proof).
    """

    def __init__(
        self, goal: Native, accept: Callable[[Figure], Any | None], *, time_s: float = 1.0
    ) -> None:
        self._goal = goal
        self._accept = accept
        self._time_s = time_s

    def verify(self, state: Figure, step: Step) -> Accepted[Any] | Extended[Figure] | Rejected:
        """What comes of adding the point. `time_s` bounds one saturation."""
        point = step.point
        facts = facts_of(point, state.state.points)
        try:
            native, is_solved = state.state.extend(
                *point.places, facts, self._goal, self._time_s
            )
        except ValueError as error:
            return Rejected(str(error))
        figure = Figure(native, (*state.added, point), step.later)
        if not is_solved:
            return Extended(figure)
        result = self._accept(figure)
        return Rejected("the checker refuses the proof") if result is None else Accepted(result)
