"""Lines, rays and circles of the plane, where points are complex numbers, and where they meet."""

from __future__ import annotations

import cmath
import math
from dataclasses import dataclass

from gnomon.geometry.predicates import cross, dot

_PARALLEL = 1e-9  # a sine below this is drawn as parallel: the meeting point would be far away
_TOUCHING = 1e-10  # of the squared radius: what is nearer to zero is a point of contact, rounded


@dataclass(frozen=True, slots=True)
class Line:
    """Points `start + t * heading` for real t; a ray prefers t > 0."""

    start: complex
    heading: complex
    is_ray: bool = False


@dataclass(frozen=True, slots=True)
class Circle:
    """A circle by centre and radius."""

    centre: complex
    radius: float


Locus = Line | Circle


def line(a: complex, b: complex) -> Line:
    """The line through a and b, in steps of ab."""
    return Line(a, b - a)


def parallel(through: complex, a: complex, b: complex) -> Line:
    """The parallel to ab."""
    return Line(through, b - a)


def perpendicular(through: complex, a: complex, b: complex) -> Line:
    """The perpendicular to ab."""
    return Line(through, (b - a) * 1j)


def perpendicular_bisector(a: complex, b: complex) -> Line:
    """The points as far from a as from b."""
    return Line((a + b) / 2, (b - a) * 1j)


def bisector(a: complex, b: complex, c: complex) -> Line:
    """The inner bisector of the angle abc."""
    return Line(b, (a - b) / abs(a - b) + (c - b) / abs(c - b))


def outer_bisector(a: complex, b: complex, c: complex) -> Line:
    """The outer bisector of the angle abc."""
    return Line(b, ((a - b) / abs(a - b) + (c - b) / abs(c - b)) * 1j)


def turned(start: complex, heading: complex, half_turns: float) -> Line:
    """The ray from `start` whose heading is turned counter-clockwise."""
    return Line(start, heading * cmath.exp(1j * math.pi * half_turns), is_ray=True)


def circle(centre: complex, through: complex) -> Circle:
    """The circle around `centre` through a point."""
    return Circle(centre, abs(through - centre))


def apollonius(a: complex, b: complex, ratio: float) -> Locus:
    """The points x with |xa| = ratio |xb|."""
    if abs(ratio - 1) < _PARALLEL:
        return perpendicular_bisector(a, b)
    rest = 1 - ratio**2
    return Circle((a - ratio**2 * b) / rest, abs(ratio * (b - a) / rest))


def circumcentre(a: complex, b: complex, c: complex) -> complex:
    """The point as far from a as from b and c."""
    u, v = b - a, c - a
    return a + 1j * (u * abs(v) ** 2 - v * abs(u) ** 2) / (2 * cross(u, v))


def circumcircle(a: complex, b: complex, c: complex) -> Circle:
    """The circle through three points."""
    return circle(circumcentre(a, b, c), a)


def foot(point: complex, a: complex, b: complex) -> complex:
    """The nearest point of the line ab."""
    u = b - a
    return a + u * dot(point - a, u) / abs(u) ** 2


def meet(one: Locus, other: Locus) -> list[complex]:
    """The common points, in an order that small changes do not upset; those on rays only, if
    there are such. Raises ArithmeticError where two loci are nearly the same or nearly parallel.
    """
    if isinstance(one, Line) and isinstance(other, Line):
        points = [_lines(one, other)]
    elif isinstance(one, Line) and isinstance(other, Circle):
        points = _line_and_circle(one, other)
    elif isinstance(one, Circle) and isinstance(other, Line):
        points = _line_and_circle(other, one)
    else:
        assert isinstance(one, Circle)
        assert isinstance(other, Circle)
        points = _circles(one, other)
    on_rays = [p for p in points if all(_is_ahead(p, locus) for locus in (one, other))]
    return on_rays or points


def lies_on(point: complex, locus: Locus, tolerance: float) -> bool:
    """Whether a point is on a line or circle."""
    if isinstance(locus, Circle):
        return abs(abs(point - locus.centre) - locus.radius) < tolerance
    return abs(cross(locus.heading, point - locus.start)) < tolerance * abs(locus.heading)


def nearest(point: complex, locus: Locus) -> complex:
    """The point of a line or circle that is nearest."""
    if isinstance(locus, Circle):
        away = point - locus.centre
        return locus.centre + away / (abs(away) or 1.0) * locus.radius
    return foot(point, locus.start, locus.start + locus.heading)


def _is_ahead(point: complex, locus: Locus) -> bool:
    return (
        isinstance(locus, Circle) or not locus.is_ray or dot(point - locus.start, locus.heading) > 0
    )


def _lines(one: Line, other: Line) -> complex:
    sine = cross(one.heading, other.heading)
    if abs(sine) < _PARALLEL * abs(one.heading) * abs(other.heading):
        raise ArithmeticError("the lines are parallel")
    return one.start + one.heading * (cross(other.start - one.start, other.heading) / sine)


def _line_and_circle(one: Line, other: Circle) -> list[complex]:
    unit = one.heading / abs(one.heading)
    along = dot(other.centre - one.start, unit)
    height = cross(unit, other.centre - one.start)
    half = other.radius**2 - height**2
    if abs(half) < _TOUCHING * other.radius**2:
        return [one.start + unit * along]
    if half < 0:
        raise ArithmeticError("the line misses the circle")
    return [one.start + unit * (along + sign * math.sqrt(half)) for sign in (-1, 1)]


def _circles(one: Circle, other: Circle) -> list[complex]:
    between = other.centre - one.centre
    distance = abs(between)
    if distance < _PARALLEL * (one.radius + other.radius):
        raise ArithmeticError("the circles have the same centre")
    along = (distance**2 + one.radius**2 - other.radius**2) / (2 * distance)
    half = one.radius**2 - along**2
    unit = between / distance
    if abs(half) < _TOUCHING * one.radius**2:
        return [one.centre + unit * along]
    if half < 0:
        raise ArithmeticError("the circles do not meet")
    return [one.centre + unit * complex(along, sign * math.sqrt(half)) for sign in (-1, 1)]
