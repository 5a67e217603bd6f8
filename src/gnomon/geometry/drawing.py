"""What a figure shows: which segments and circles, and where the labels go.

Coordinates are those of a diagram, moved and scaled into a box of `WIDTH` × `HEIGHT` with y
upwards; SVG and TikZ are two ways to write the same `Drawing`.
"""

from __future__ import annotations

import cmath
import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from gnomon.geometry.language import Problem
from gnomon.geometry.loci import circumcentre
from gnomon.geometry.predicates import Statement, cross, dot

WIDTH, HEIGHT, MARGIN = 640.0, 520.0, 48.0
_LABEL = 15.0  # from a point to the middle of its label

Segment = tuple[str, str]
# Through three points, or around the first point through the second one.
CircleBy = tuple[str, str, str] | tuple[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Marks:
    """What belongs to a statement in the figure."""

    segments: tuple[Segment, ...] = ()
    circles: tuple[CircleBy, ...] = ()
    angles: tuple[tuple[str, str, str], ...] = ()  # the corner in the middle
    triangles: tuple[tuple[str, str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawing:
    """A figure in its box."""

    points: Mapping[str, complex]
    labels: Mapping[str, complex]  # the middles of the labels
    segments: tuple[Segment, ...]
    circles: tuple[CircleBy, ...]
    added: tuple[str, ...]  # points that the problem does not have

    def circle(self, by: CircleBy) -> tuple[complex, float]:
        """Centre and radius."""
        return circle_of(by, self.points)


def circle_of(by: CircleBy, at: Mapping[str, complex]) -> tuple[complex, float]:
    """Centre and radius."""
    if len(by) == 2:
        return at[by[0]], abs(at[by[1]] - at[by[0]])
    centre = circumcentre(*(at[point] for point in by))
    return centre, abs(at[by[0]] - centre)


def draw_figure(problem: Problem, at: Mapping[str, complex], added: Sequence[str] = ()) -> Drawing:
    """The figure of a problem: sides, lines and circles of its constructions, and its goal."""
    segments: dict[Segment, None] = {}
    circles: dict[CircleBy, None] = {}
    for clause in problem.clauses:
        for step in clause.steps:
            names = [step.binding[name] for name in step.construction.signature]
            given = [name for name in names if isinstance(name, str)]
            if not step.construction.known and len(given) > 1:
                sides = zip(given, given[1:] + given[:1], strict=True)
                segments.update(dict.fromkeys(_ordered(*side) for side in sides))
            if step.construction.name == "on_circle":
                circles[(given[1], given[2])] = None
                continue
            for fact in step.facts():
                marks = marks_of(fact, at)
                segments.update(dict.fromkeys(marks.segments))
                circles.update(dict.fromkeys(marks.circles))
    if problem.goal is not None:
        segments.update(dict.fromkeys(marks_of(problem.goal, at).segments))
    circles = _different(circles, at)
    visible = [at[point] for point in problem.points]
    for by in circles:
        centre, radius = circle_of(by, at)
        if radius < 2 * _size(visible):
            visible += [centre + radius * cmath.exp(0.25j * math.pi * k) for k in range(8)]
    points = _fit({point: at[point] for point in problem.points}, visible)
    kept = _joined(segments, points)
    return Drawing(
        points=points,
        labels=_place_labels(points, kept, [circle_of(by, points) for by in circles]),
        segments=kept,
        circles=tuple(circles),
        added=tuple(added),
    )


def marks_of(fact: Statement, at: Mapping[str, complex]) -> Marks:
    """The segments, circles, angles and triangles that a statement speaks of."""
    p = fact.points
    pairs = tuple(_ordered(p[i], p[i + 1]) for i in range(0, len(p) - 1, 2))
    match fact.predicate:
        case "coll" | "sum" | "midp":
            return Marks(segments=(_ends(p, at),))
        case "cyclic":
            return Marks(circles=((p[0], p[1], p[2]),))
        case "circle":
            return Marks(circles=((p[1], p[2], p[3]),), segments=tuple((p[0], q) for q in p[1:]))
        case "eqangle" | "aconst":
            quads = [p[i : i + 4] for i in range(0, len(p), 4)]
            angles = tuple(angle for quad in quads if (angle := _corner(quad)))
            return Marks(segments=pairs, angles=angles)
        case "s_angle":
            return Marks(
                segments=(_ordered(p[0], p[1]), _ordered(p[1], p[2])), angles=((p[0], p[1], p[2]),)
            )
        case "simtri" | "simtrir" | "contri" | "contrir":
            return Marks(triangles=((p[0], p[1], p[2]), (p[3], p[4], p[5])))
        case _:
            return Marks(segments=pairs)


def clarity(at: Mapping[str, complex]) -> float:
    """How well the points of a picture can be told apart: the least distance to the size."""
    places = list(at.values())
    least = min((abs(a - b) for a, b in itertools.combinations(places, 2)), default=1.0)
    return least / _size(places)


def _size(places: Iterable[complex]) -> float:
    real, imaginary = zip(*((place.real, place.imag) for place in places), strict=True)
    return max(max(real) - min(real), max(imaginary) - min(imaginary), 1e-9)


def _ordered(a: str, b: str) -> Segment:
    return (a, b) if a < b else (b, a)


def _ends(points: Sequence[str], at: Mapping[str, complex]) -> Segment:
    """The two of some points on a line that are farthest apart."""
    pairs = itertools.combinations(points, 2)
    return _ordered(*max(pairs, key=lambda pair: abs(at[pair[0]] - at[pair[1]])))


def _corner(quad: Sequence[str]) -> tuple[str, str, str] | None:
    for i, j in itertools.product((0, 1), (2, 3)):
        if quad[i] == quad[j]:
            return quad[1 - i], quad[i], quad[5 - j]
    return None


def _different(circles: Iterable[CircleBy], at: Mapping[str, complex]) -> dict[CircleBy, None]:
    """Each circle once, whatever points name it."""
    kept: dict[CircleBy, tuple[complex, float]] = {}
    for by in circles:
        centre, radius = circle_of(by, at)
        if all(abs(centre - o) + abs(radius - r) > 1e-6 for o, r in kept.values()):
            kept[by] = centre, radius
    return dict.fromkeys(kept)


def _joined(segments: Iterable[Segment], at: Mapping[str, complex]) -> tuple[Segment, ...]:
    """Without segments that lie within others."""
    every = list(segments)

    def lies_within(one: Segment, other: Segment) -> bool:
        a, b = at[other[0]], at[other[1]]
        along = b - a
        return all(
            abs(cross(along, at[p] - a)) < 1e-6 * abs(along) ** 2
            and -1e-6 < dot(along, at[p] - a) / abs(along) ** 2 < 1 + 1e-6
            for p in one
        )

    return tuple(s for s in every if not any(s != o and lies_within(s, o) for o in every))


def _fit(at: Mapping[str, complex], visible: Sequence[complex]) -> dict[str, complex]:
    left, right = min(p.real for p in visible), max(p.real for p in visible)
    low, high = min(p.imag for p in visible), max(p.imag for p in visible)
    scale = min(
        (WIDTH - 2 * MARGIN) / max(right - left, 1e-9),
        (HEIGHT - 2 * MARGIN) / max(high - low, 1e-9),
    )
    middle = complex((left + right) / 2, (low + high) / 2)
    return {
        point: (place - middle) * scale + complex(WIDTH / 2, HEIGHT / 2)
        for point, place in at.items()
    }


def _place_labels(
    points: Mapping[str, complex],
    segments: Sequence[Segment],
    circles: Sequence[tuple[complex, float]],
) -> dict[str, complex]:
    """Beside each point, where least is in the way."""
    labels: dict[str, complex] = {}
    for point, place in points.items():

        def crowding(spot: complex, point: str = point) -> float:
            near = [abs(spot - other) for name, other in points.items() if name != point]
            near += [1.3 * abs(spot - other) for other in labels.values()]
            total = sum(math.exp(-distance / 9) for distance in near) * 2
            for a, b in segments:
                total += math.exp(-_distance(spot, points[a], points[b]) / 5)
            for centre, radius in circles:
                total += 0.7 * math.exp(-abs(abs(spot - centre) - radius) / 5)
            return total

        spots = [place + _LABEL * cmath.exp(1j * math.pi * k / 8) for k in range(16)]
        labels[point] = min(spots, key=crowding)
    return labels


def _distance(p: complex, a: complex, b: complex) -> float:
    along = b - a
    t = max(0.0, min(1.0, dot(p - a, along) / (abs(along) ** 2 or 1.0)))
    return abs(p - a - t * along)
