"""Conditions: what a diagram decides and nobody proves, such as the order of points on a line.

They say which configuration is meant, or what a construction needs before it can be drawn. Their
names and meanings are Newclid's (arXiv 2411.11938). A condition is a predicate whose error is 0 or
infinite.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from gnomon.geometry.predicates import TOLERANCE, Coordinates, Predicate, Statement, cross, dot

_APART = 1e-2  # two points nearer than this, or lines at a smaller sine, are as good as together


def meets(condition: Statement, at: Coordinates) -> bool:
    """Whether a diagram meets a condition."""
    points = [at[point] for point in condition.points]
    return CONDITIONS[condition.predicate].error(points, condition.numbers) == 0


def _are_different(p: Sequence[complex]) -> bool:
    return abs(p[0] - p[1]) > _APART


def _are_open(u: complex, v: complex) -> bool:
    return abs(cross(u, v)) > _APART * abs(u) * abs(v)


def _is_triangle(p: Sequence[complex]) -> bool:
    a, b, c = p
    return _are_open(b - a, c - a) and _are_open(c - b, a - b)


def _are_not_parallel(p: Sequence[complex]) -> bool:
    return _are_open(p[1] - p[0], p[3] - p[2])


def _are_not_perpendicular(p: Sequence[complex]) -> bool:
    return _are_open(p[1] - p[0], (p[3] - p[2]) * 1j)


def _sign(product: float, u: complex, v: complex) -> int:
    """-1, 0 or 1 for a product of two vectors, which is 0 up to the tolerance."""
    share = product / (abs(u) * abs(v) or 1e-300)
    return (share > TOLERANCE) - (share < -TOLERANCE)


def _side(p: Sequence[complex]) -> int:
    """1, 0 or -1: the angle at p[0] is acute, right or obtuse."""
    u, v = p[1] - p[0], p[2] - p[0]
    return _sign(dot(u, v), u, v)


def _clock(p: Sequence[complex]) -> int:
    """1, 0 or -1: the triangle turns counter-clockwise, is flat, or turns clockwise."""
    u, v = p[1] - p[0], p[2] - p[0]
    return _sign(cross(u, v), u, v)


def _condition(
    points: int, is_met: Callable[[Sequence[complex]], bool], *, segments: bool = False
) -> Predicate:
    return Predicate(
        points=points, error=lambda p, _: 0.0 if is_met(p) else math.inf, segments=segments
    )


CONDITIONS: dict[str, Predicate] = {
    "diff": _condition(2, _are_different),
    "ncoll": _condition(3, _is_triangle),
    "npara": _condition(4, _are_not_parallel, segments=True),
    "nperp": _condition(4, _are_not_perpendicular, segments=True),
    "obtuse_angle": _condition(3, lambda p: _side((p[1], p[0], p[2])) < 0),
    "sameclock": _condition(6, lambda p: _clock(p[:3]) * _clock(p[3:]) > 0),
    "sameside": _condition(6, lambda p: _side(p[:3]) == _side(p[3:])),
    "nsameside": _condition(6, lambda p: _side(p[:3]) != _side(p[3:])),
}
