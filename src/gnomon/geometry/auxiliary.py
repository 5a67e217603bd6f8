"""Auxiliary points: what may be added to a figure, and what follows then.

`HeuristicProposer` and `PointVerifier` are the two halves of `gnomon.search.search` for geometry. A
state is a saturated figure; a step adds one point by a construction of the language.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from random import Random
from typing import TYPE_CHECKING, Any

from gnomon.geometry.language import Problem
from gnomon.search import Accepted, Extended, Proposal, Rejected

if TYPE_CHECKING:
    from gnomon._native import GeometryState

Native = tuple[str, list[int], int, int]  # a statement as the native engine takes it

# In nats: a point more has to be so much more promising. Within one state the rank decides.
POINT_COST = 2.0
_TWIN_BONUS = 1.0  # in the score, for the construction that was used last
_MOST_FIRST, _MOST_LATER = 4000, 250  # proposals about the given figure, and about the newest point

# Bundles fill a figure up to so many points, with the first of the ranking, the better ones rather.
_BUNDLE_LEAST, _BUNDLE_MOST, _BUNDLE_TOTAL = 4, 10, 25
_BUNDLE_FROM, _BUNDLE_FLATNESS = 160, 25
_MOST_BUNDLES = 1_000_000
_APART = 1e-2


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
    """Take some points. After a single one, what ranks before it is left alone: `later` may still
    be added after it. After a bundle of several nothing is added.
    """

    points: tuple[AuxiliaryPoint, ...]
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
    proposed after it: that order of the two has been tried. About the given figure, every fourth
    proposal is a bundle: several well-ranked points at once, drawn at random, of which the proof
    keeps what it needs.
    """

    least_cost = POINT_COST

    def __init__(self, goal: Native, *, seed: int = 0) -> None:
        self._goal = goal
        self._seed = seed

    def rank(self, state: Figure) -> list[AuxiliaryPoint]:
        """Points to add, the best first."""
        is_first = not state.added
        found = [
            AuxiliaryPoint(form, tuple(points), (first, second), score)
            for form, points, first, second, score in state.state.propose(
                self._goal, not is_first, _MOST_FIRST if is_first else _MOST_LATER
            )
        ]
        if not is_first:
            # Figures are symmetric more often than not: what helps here helps there, too.
            twin, (ranking, start) = state.added[-1].form, state.later
            found = [*found, *ranking[start : start + _MOST_LATER]]
            found.sort(key=lambda p: -p.score - (_TWIN_BONUS if p.form == twin else 0.0))
        return found

    def propose(self, state: Figure) -> Sequence[Proposal[Step]]:
        """Steps, the best first."""
        found = self.rank(state)
        if not state.added and len(found) > _BUNDLE_LEAST:
            return _WithBundles(found, size=state.state.points, seed=self._seed)
        return [
            Proposal(Step((point,), (found, rank + 1)), POINT_COST + math.log1p(rank))
            for rank, point in enumerate(found)
        ]


class _WithBundles(Sequence[Proposal[Step]]):
    """Every point of a ranking by itself, and a random bundle after every three."""

    def __init__(self, ranking: Sequence[AuxiliaryPoint], *, size: int, seed: int) -> None:
        self._ranking = ranking
        self._seed = seed
        self._bundle = max(_BUNDLE_LEAST, min(_BUNDLE_MOST, _BUNDLE_TOTAL - size))
        best = ranking[:_BUNDLE_FROM]
        self._best = best
        self._weights = [1 / (rank + _BUNDLE_FLATNESS) for rank in range(len(best))]

    def __len__(self) -> int:
        return _MOST_BUNDLES * 4

    def __getitem__(self, number: int) -> Proposal[Step]:  # type: ignore[override]
        if not 0 <= number < len(self):
            raise IndexError(number)
        rank = number - (number + 1) // 4
        cost = POINT_COST + math.log1p(number)
        if number % 4 == 3 or rank >= len(self._ranking):
            return Proposal(Step(self._draw(number), ((), 0)), cost)
        return Proposal(Step((self._ranking[rank],), (self._ranking, rank + 1)), cost)

    def _draw(self, number: int) -> tuple[AuxiliaryPoint, ...]:
        """Points that keep apart from one another in both diagrams."""
        rng = Random(f"{self._seed}/{number}")
        bundle: list[AuxiliaryPoint] = []
        for point in rng.choices(self._best, self._weights, k=2 * self._bundle):
            is_apart = all(
                abs(one - other) > _APART
                for known in bundle
                for one, other in zip(known.places, point.places, strict=True)
            )
            if is_apart and len(bundle) < self._bundle:
                bundle.append(point)
        return tuple(bundle)


class PointVerifier:
    """Adds the points and deduces; accepts what `accept` makes of a figure in which the goal is
    known (None: it was no proof).
    """

    def __init__(
        self, goal: Native, accept: Callable[[Figure], Any | None], *, time_s: float = 1.0
    ) -> None:
        self._goal = goal
        self._accept = accept
        self._time_s = time_s

    def verify(self, state: Figure, step: Step) -> Accepted[Any] | Extended[Figure] | Rejected:
        """What comes of adding the points. `time_s` bounds one saturation."""
        size = state.state.points
        points = [
            (*point.places, facts_of(point, size + number))
            for number, point in enumerate(step.points)
        ]
        try:
            native, is_solved = state.state.extend(points, self._goal, self._time_s)
        except ValueError as error:
            return Rejected(str(error))
        figure = Figure(native, (*state.added, *step.points), step.later)
        if is_solved:
            result = self._accept(figure)
            return Rejected("the checker refuses") if result is None else Accepted(result)
        return Extended(figure) if len(step.points) == 1 else Rejected("a bundle in vain")
