"""Random diagrams of a problem, in double precision.

A drawing has two sources of chance. `seed` moves what is free; `choice` decides between two
intersections and on which side of a segment a point lies. Two diagrams with the same choice and
different seeds are independent pictures of one configuration. Where the problem says where points
may be drawn, choice 0 follows it: free points are near there, and of two intersections the nearer
one is taken.
"""

from __future__ import annotations

import itertools
import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from random import Random

from gnomon.errors import DataError
from gnomon.geometry.conditions import CONDITIONS, meets
from gnomon.geometry.language import Clause, Problem, Step
from gnomon.geometry.loci import Circle, Locus, lies_on, meet, nearest
from gnomon.geometry.predicates import TOLERANCE, Statement, holds

_TRIES = 60
_MOVES = 4  # of a point that falls together with another one, before the figure is drawn anew
_NEAREST = 1e-2  # two points closer than this are drawn anew
_FURTHEST = 40.0
_AWAY = 2.0  # how far from the first figure another one may be, in either coordinate
_WIDE = (0.1, 4.0)  # how far along a ray, or beyond a segment's ends, in lengths of it
_STRETCH = (0.4, 2.5)  # by how much a figure may be longer along its first side than its sketch
_SHAKE = 0.04  # how far from its marked place a point is drawn, the figure being about 2 wide

Diagram = dict[str, complex]


class DiagramError(DataError):
    """No diagram can be drawn: the constructions contradict or degenerate, or say too much."""


def draw(problem: Problem, *, seed: int, choice: int = 0, is_wide: bool = False) -> Diagram:
    """One diagram in which every construction holds. Points on lines are drawn where they are easy
    to see, and figures in pleasing proportions; `is_wide` draws points also near a line's first
    point and far beyond the second, and figures in others. Raises DiagramError.
    """
    reason = ""
    # By how many points were placed: which pair fell together, None where it was something else.
    same: defaultdict[int, set[tuple[str, str] | None]] = defaultdict(set)
    places = _scaled(problem.places) if choice == 0 else {}
    for attempt in range(_TRIES):
        rng = Random(f"{seed}/{choice}/{attempt}")
        choices = Random(f"{choice}/{attempt // 12}")
        at: Diagram = {}
        try:
            for clause in problem.clauses:
                at.update(_place_apart(clause, at, rng, choices, places, is_wide=is_wide))
        except (ArithmeticError, ValueError) as error:
            placed = len(at)
            clause = next(c for c in problem.clauses if c.points[0] not in at)
            reason = f"'{clause}' (after {placed} points): {error}"
            same[placed].add(error.same if isinstance(error, _TooNear) else None)
            continue
        unmet = next((c for c in problem.conditions if not meets(c, at)), None)
        if unmet is None:
            return at
        reason = f"the condition '{unmet}'"
        same[len(at)].add(None)
    furthest = list(same[max(same)])
    if len(furthest) == 1 and (pair := furthest[0]):
        raise DiagramError(
            f"points {pair[0]} and {pair[1]} are the same place in every figure: "
            "one point with two names; use one of them"
        )
    raise DiagramError(
        f"no diagram can be drawn in {_TRIES} tries; the last one failed at {reason}. "
        "The construction is degenerate or contradictory"
    )


def draw_many(problem: Problem, *, seed: int, choice: int = 0) -> Iterator[Diagram]:
    """Independent diagrams of one configuration, without end."""
    for number in itertools.count():
        yield draw(problem, seed=seed * 1000 + number, choice=choice)


def place(clause: Clause, at: Diagram, *, seed: int) -> Diagram:
    """The new points of one more clause in a diagram. Raises ArithmeticError where it fails."""
    try:
        return _place(clause, at, Random(seed), Random(seed), {})
    except ValueError as error:
        raise ArithmeticError(str(error)) from error


def _scaled(places: Mapping[str, complex]) -> Diagram:
    """Marked places, moved and scaled to the size of other drawings."""
    if len(places) < 2:
        return {}
    middle = sum(places.values()) / len(places)
    size = max(abs(place - middle) for place in places.values()) or 1.0
    return {point: (place - middle) / size for point, place in places.items()}


class _TooNear(ArithmeticError):
    """A point falls together with another one, or far away."""

    def __init__(self, message: str, *, same: tuple[str, str] | None = None) -> None:
        super().__init__(message)
        self.same = same  # an earlier and a later point that have one place, wherever they meet


def _place_apart(
    clause: Clause,
    at: Diagram,
    rng: Random,
    choices: Random,
    places: Mapping[str, complex],
    *,
    is_wide: bool,
) -> Diagram:
    """The new points of a clause; one that is free is moved until it is apart from the others."""
    choice = choices.getstate()
    for _ in range(_MOVES):
        before = rng.getstate()
        try:
            return _place(clause, at, rng, choices, places, is_wide=is_wide)
        except _TooNear:
            if rng.getstate() == before:
                raise  # nothing of it is free
            choices.setstate(choice)
    return _place(clause, at, rng, choices, places, is_wide=is_wide)


def _place(
    clause: Clause,
    at: Diagram,
    rng: Random,
    choices: Random,
    places: Mapping[str, complex],
    *,
    is_wide: bool = False,
) -> Diagram:
    for step in clause.steps:
        _require(step.needs(), at, f"'{step.construction.name}' needs")
    loci: list[Locus] = []
    placements: list[tuple[complex, ...]] | None = None
    for step in clause.steps:
        construction = step.construction
        known = [_value(step, name, at) for name in construction.known]
        if construction.locus is not None:
            loci.append(construction.locus(*known))
        elif placements is None:
            assert construction.place is not None
            placements = construction.place(rng, *known)
            if is_wide and not known:
                placements = [_in_other_proportions(step, p, rng) for p in placements]
            if at and not known and len(construction.new) > 1:  # beside the first figure
                away = complex(rng.uniform(-_AWAY, _AWAY), rng.uniform(-_AWAY, _AWAY))
                placements = [tuple(point + away for point in p) for p in placements]
        else:
            placements = _agreeing(placements, construction.place(rng, *known))  # type: ignore[misc]
    marked = tuple(
        places[point] + _SHAKE * complex(rng.uniform(-1, 1), rng.uniform(-1, 1))
        for point in clause.points
        if point in places
    )
    if len(marked) < len(clause.points):
        marked = ()
    if placements is None:
        placements = _on_loci(loci, rng, choices, marked, is_wide=is_wide)
        loci = loci[2:]
    elif marked and not any(step.construction.known or step.facts() for step in clause.steps):
        placements = [marked]  # a figure of free points
    on_all = [p for p in placements if all(lies_on(p[0], o, TOLERANCE * _FURTHEST) for o in loci)]
    if not on_all:
        raise ArithmeticError("over-constrained: no point satisfies all of it")
    apart = [p for p in on_all if _is_apart(p, at)]
    if not apart:
        found = [_clash(clause.points, placed, at) for placed in on_all]
        same = {error.same for error in found}
        raise found[0] if len(same) == 1 else _TooNear(str(found[0]))
    number = choices.randrange(len(apart))
    chosen = min(apart, key=lambda p: _gap(p, marked)) if marked else apart[number]
    names = (str(clause.steps[0].binding[name]) for name in clause.steps[0].construction.new)
    placed = dict(zip(names, chosen, strict=True))
    drawn = {**at, **placed}
    for step in clause.steps:
        for fact in step.facts():
            if not holds(fact, drawn, tolerance=100 * TOLERANCE):
                raise ArithmeticError(f"over-constrained: '{fact}' does not hold")
        _require(step.order(), drawn, f"'{step.construction.name}' means")
    return placed


def _in_other_proportions(
    step: Step, points: tuple[complex, ...], rng: Random
) -> tuple[complex, ...]:
    """A figure with its names moved on, and stretched along its first side: each of both, if the
    construction allows it.
    """
    names = [str(step.binding[name]) for name in step.construction.new]

    def is_still_one(moved: tuple[complex, ...]) -> bool:
        at = dict(zip(names, moved, strict=True))
        is_true = all(holds(fact, at, tolerance=TOLERANCE) for fact in step.facts())
        return is_true and all(meets(condition, at) for condition in step.order())

    if len(points) < 2:
        return points
    first = rng.randrange(len(points))
    renamed = points[first:] + points[:first]
    points = renamed if is_still_one(renamed) else points
    factor = math.exp(rng.uniform(math.log(_STRETCH[0]), math.log(_STRETCH[1])))
    along = (points[1] - points[0]) / abs(points[1] - points[0])
    stretched = tuple(
        along * complex(factor * (point / along).real, (point / along).imag) for point in points
    )
    return stretched if is_still_one(stretched) else points


def _gap(one: tuple[complex, ...], other: tuple[complex, ...]) -> float:
    return sum(abs(a - b) for a, b in zip(one, other, strict=True))


def _on_loci(
    loci: list[Locus],
    rng: Random,
    choices: Random,
    marked: tuple[complex, ...],
    *,
    is_wide: bool,
) -> list[tuple[complex, ...]]:
    """Points on the first two loci, or a free point on the only one."""
    if len(loci) >= 2:
        return [(point,) for point in meet(loci[0], loci[1])]
    if marked:
        return [(nearest(marked[0], loci[0]),)]
    return [(_somewhere(loci[0], rng, choices, is_wide=is_wide),)]


def _somewhere(locus: Locus, rng: Random, choices: Random, *, is_wide: bool) -> complex:
    if isinstance(locus, Circle):
        turn = choices.randrange(6) + rng.uniform(0.05, 0.95)
        return locus.centre + locus.radius * complex(
            math.cos(turn * math.pi / 3), math.sin(turn * math.pi / 3)
        )
    where = choices.choice(["between", "between", "between", "after", "before"])
    if is_wide and (where != "between" or locus.is_ray):
        beyond = math.exp(rng.uniform(math.log(_WIDE[0]), math.log(_WIDE[1])))
        t = beyond if locus.is_ray else 1 + beyond if where == "after" else -beyond
    elif where == "between" or locus.is_ray:
        t = rng.uniform(0.2, 0.8)
    else:
        t = rng.uniform(1.2, 1.7) if where == "after" else rng.uniform(-0.7, -0.2)
    return locus.start + locus.heading * t


def _agreeing(
    first: list[tuple[complex, ...]], second: list[tuple[complex, ...]]
) -> list[tuple[complex, ...]]:
    return [
        p
        for p in first
        if any(all(abs(a - b) < TOLERANCE for a, b in zip(p, q, strict=True)) for q in second)
    ]


def _is_apart(points: tuple[complex, ...], at: Diagram) -> bool:
    others = [*at.values(), *points]
    return all(
        abs(point) < _FURTHEST and sum(abs(point - other) < _NEAREST for other in others) == 1
        for point in points
    )


def _clash(names: Sequence[str], points: Sequence[complex], at: Diagram) -> _TooNear:
    """Why points are not apart."""
    drawn = {**at, **dict(zip(names, points, strict=True))}
    for name in names:
        for other, place in drawn.items():
            gap = abs(place - drawn[name])
            if other != name and gap < _NEAREST:
                return _TooNear(
                    f"point {name} falls together with point {other}",
                    same=(other, name) if gap < 100 * TOLERANCE else None,
                )
    return _TooNear(f"a point falls {_FURTHEST:.0f} units or more away")


def _value(step: Step, name: str, at: Diagram) -> complex | float:
    bound = step.binding[name]
    return at[bound] if isinstance(bound, str) else float(bound)


def _require(needed: Iterable[Statement], at: Mapping[str, complex], why: str) -> None:
    """Conditions are met here, and statements true. Raises ArithmeticError."""
    for need in needed:
        is_condition = need.predicate in CONDITIONS
        if not (meets(need, at) if is_condition else holds(need, at, tolerance=100 * TOLERANCE)):
            raise ArithmeticError(f"{why} '{need}'")
