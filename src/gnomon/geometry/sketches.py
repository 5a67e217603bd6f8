"""How the constructions that are not a single line or circle place their points.

Every sketch takes what is known and a random generator and returns the possible placements, each
with one complex number for every new point. Sketches without known points make a figure near the
origin; its position does not matter. Impossible ones raise ArithmeticError.
"""

from __future__ import annotations

import cmath
import math
from random import Random

from gnomon.geometry.loci import (
    Circle,
    Line,
    bisector,
    circle,
    circumcentre,
    foot,
    line,
    meet,
    outer_bisector,
    parallel,
    perpendicular,
)
from gnomon.geometry.predicates import cross

Placement = tuple[complex, ...]


def _moved(rng: Random, *points: complex) -> list[Placement]:
    """A figure turned at random, and the same turned over: no direction of the paper is special."""
    turn = cmath.exp(2j * math.pi * rng.random())
    placed = tuple(point * turn for point in points)
    return [placed, tuple(point.conjugate() for point in placed)]


def free(rng: Random) -> list[Placement]:
    return [(complex(rng.uniform(-1.2, 1.2), rng.uniform(-1.2, 1.2)),)]


def segment(rng: Random) -> list[Placement]:
    return _moved(rng, -0.5 + 0j, complex(rng.uniform(0.4, 0.9), rng.uniform(-0.2, 0.2)))


def triangle(rng: Random) -> list[Placement]:
    apex = cmath.rect(rng.uniform(0.7, 1.4), rng.uniform(0.27, 0.62) * math.pi)
    return _moved(rng, apex, 0j, complex(rng.uniform(0.9, 1.3)))


def acute_triangle(rng: Random) -> list[Placement]:
    left, right = rng.uniform(0.25, 0.42) * math.pi, rng.uniform(0.28, 0.42) * math.pi
    height = 1.2 / (1 / math.tan(left) + 1 / math.tan(right))
    return _moved(rng, complex(height / math.tan(left), height), 0j, 1.2 + 0j)


def between(rng: Random) -> list[Placement]:
    """c, a, b on a line, in the order a, c, b."""
    return _moved(rng, complex(rng.uniform(0.25, 0.75)), 0j, 1 + 0j)


def iso_triangle(rng: Random) -> list[Placement]:
    half = rng.uniform(0.3, 0.7)
    return _moved(rng, complex(0, rng.uniform(0.5, 1.3)), complex(-half), complex(half))


def right_triangle(rng: Random) -> list[Placement]:
    return _moved(rng, 0j, complex(rng.uniform(0.6, 1.5)), complex(0, rng.uniform(0.6, 1.5)))


def right_isosceles(rng: Random) -> list[Placement]:
    return _moved(rng, 0j, 1 + 0j, 1j)


def equilateral(rng: Random) -> list[Placement]:
    return _moved(rng, 0j, 1 + 0j, cmath.rect(1, math.pi / 3))


def triangle_1_2(rng: Random) -> list[Placement]:
    return _moved(rng, 0j, 1 + 0j, cmath.rect(2, rng.uniform(0.3, 0.8) * math.pi))


def square_figure(rng: Random) -> list[Placement]:
    return _moved(rng, 0j, 1 + 0j, 1 + 1j, 1j)


def rectangle(rng: Random) -> list[Placement]:
    width = rng.uniform(1.2, 2)
    return _moved(rng, 0j, complex(width), complex(width, 1), 1j)


def trapezoid(rng: Random) -> list[Placement]:
    height, left = rng.uniform(0.6, 1.2), rng.uniform(0.1, 0.4)
    top = complex(left + rng.uniform(0.4, 0.7), height)
    return _moved(rng, complex(left, height), top, complex(rng.uniform(1.2, 1.8)), 0j)


def right_trapezoid(rng: Random) -> list[Placement]:
    return _moved(rng, 1j, complex(rng.uniform(0.5, 0.9), 1), complex(rng.uniform(1.1, 1.7)), 0j)


def equal_trapezoid(rng: Random) -> list[Placement]:
    half, top, height = rng.uniform(0.7, 1), rng.uniform(0.3, 0.6), rng.uniform(0.6, 1.1)
    return _moved(rng, complex(-half), complex(half), complex(top, height), complex(-top, height))


def quadrangle(rng: Random) -> list[Placement]:
    return _moved(
        rng,
        *(cmath.rect(rng.uniform(0.6, 1.2), (k + rng.uniform(-0.3, 0.3)) * math.pi / 2)
          for k in range(4)),
    )  # fmt: skip


def equal_sides(rng: Random) -> list[Placement]:
    side = rng.uniform(0.6, 1.2)
    d = cmath.rect(side, rng.uniform(0.35, 0.6) * math.pi)
    return _moved(rng, 0j, 1.2 + 0j, 1.2 + cmath.rect(side, rng.uniform(0.3, 0.5) * math.pi), d)


def equal_diagonals(rng: Random) -> list[Placement]:
    m, n, turn = rng.uniform(0.3, 0.7), rng.uniform(0.3, 0.7), rng.uniform(0.3, 0.7) * math.pi
    return _moved(rng, complex(-m), cmath.rect(-n, turn), complex(1 - m), cmath.rect(1 - n, turn))


def pentagon(rng: Random) -> list[Placement]:
    return _moved(
        rng,
        *(cmath.rect(rng.uniform(0.85, 1.15), (k + rng.uniform(-0.2, 0.2)) * math.pi * 0.4)
          for k in range(5)),
    )  # fmt: skip


def touching(i: complex, a: complex, b: complex, c: complex) -> list[Placement]:
    """The feet of i on the three sides, then i."""
    return [(foot(i, b, c), foot(i, c, a), foot(i, a, b), i)]


def incentre(a: complex, b: complex, c: complex) -> complex:
    return meet(bisector(b, a, c), bisector(a, b, c))[0]


def excentre(a: complex, b: complex, c: complex) -> complex:
    """The one opposite a."""
    return meet(bisector(b, a, c), outer_bisector(a, b, c))[0]


def orthocentre(a: complex, b: complex, c: complex) -> complex:
    return meet(perpendicular(a, b, c), perpendicular(b, c, a))[0]


def medial(a: complex, b: complex, c: complex) -> Placement:
    return (b + c) / 2, (c + a) / 2, (a + b) / 2


def equal_angle_point(rng: Random, a: complex, b: complex, c: complex) -> list[Placement]:
    """x with ∠(ab, ax) = ∠(cx, cb): turn ab about a by some part of the angle bac, and cb alike."""
    placements = []
    part = rng.uniform(0.25, 0.75)
    for share in (part, -part, 1 + part):
        turn = cmath.phase((c - a) / (b - a)) * share
        at_a = Line(a, (b - a) * cmath.exp(1j * turn))
        at_c = Line(c, (b - c) * cmath.exp(-1j * turn))
        placements.append((meet(at_a, at_c)[0],))
    return placements


def inscribed_circle(a: complex, b: complex, turn: float) -> Circle:
    """The points x with ∠(xa, xb) = `turn` half turns (directed, modulo one)."""
    heading = (b - a) * cmath.exp(0.7j)
    one = Line(a, heading)
    other = Line(b, heading * cmath.exp(-1j * math.pi * turn))
    return circle(circumcentre(a, b, meet(one, other)[0]), a)


def trisectors(a: complex, b: complex, c: complex) -> list[Placement]:
    turn = cmath.phase((c - b) / (a - b)) / 3
    one = Line(b, (a - b) * cmath.exp(1j * turn))
    two = Line(b, (a - b) * cmath.exp(2j * turn))
    return [(meet(one, line(a, c))[0], meet(two, line(a, c))[0])]


def tangent_points(a: complex, centre: complex, radius: float) -> list[complex]:
    """Where the tangents from a touch."""
    return meet(circle((a + centre) / 2, a), Circle(centre, radius))


def common_tangents(
    o: complex, a: complex, w: complex, b: complex, *, are_inner: bool = False
) -> list[Placement]:
    """x y, z i: where the two outer or inner tangents touch the circles (o, a) and (w, b)."""
    r, s = abs(a - o), -abs(b - w) if are_inner else abs(b - w)
    cosine = (r - s) / abs(w - o)
    if abs(cosine) >= 1:
        raise ArithmeticError("the circles have no such common tangents")
    unit = (w - o) / abs(w - o)
    sides = [unit * cmath.exp(sign * 1j * math.acos(cosine)) for sign in (1, -1)]
    x, z = (o + r * side for side in sides)
    y, i = (w + s * side for side in sides)
    return [(x, y, z, i), (z, i, x, y)]


def similar_corner(
    a: complex, b: complex, c: complex, p: complex, q: complex, *, is_mirrored: bool = False
) -> complex:
    """The r with which pqr is similar to abc, or to its mirror image."""
    shape = (c - a) / (b - a)
    return p + (q - p) * (shape.conjugate() if is_mirrored else shape)


def congruent_sides(
    rng: Random, a: complex, b: complex, c: complex, p: complex, *, is_mirrored: bool = False
) -> list[Placement]:
    """q, r with which pqr is congruent to abc, or to its mirror image, turned at random."""
    q = p + abs(b - a) * cmath.exp(2j * math.pi * rng.random())
    return [(q, similar_corner(a, b, c, p, q, is_mirrored=is_mirrored))]


def lines_and_circle(a: complex, b: complex, c: complex, o: complex) -> list[Placement]:
    """x y z i: the circle around i that touches ac, bc and, from within, the circle (o, a)."""
    radius = abs(a - o)
    heading = bisector(a, c, b).heading
    unit = heading / abs(heading)
    slope = abs(cross((a - c) / abs(a - c), unit))
    # i = c + t unit has distance t slope from both lines and must have o i = radius - t slope.
    gap = c - o
    linear = 2 * (gap.real * unit.real + gap.imag * unit.imag) + 2 * radius * slope
    square = 1 - slope**2
    rest = abs(gap) ** 2 - radius**2
    discriminant = linear**2 - 4 * square * rest
    if discriminant < 0:
        raise ArithmeticError("no circle touches the two lines and the circle")
    placements = []
    for sign in (1, -1):
        t = (-linear + sign * math.sqrt(discriminant)) / (2 * square)
        if t > 1e-6:
            i = c + t * unit
            touch = o + (i - o) / abs(i - o) * radius
            placements.append((foot(i, a, c), foot(i, b, c), touch, i))
    if not placements:
        raise ArithmeticError("no circle touches the two lines and the circle")
    return placements


def equal_cut(rng: Random, a: complex, b: complex, c: complex) -> list[Placement]:
    """x on ab, y on ac, and z on bc halfway between them."""
    z = b + (c - b) * rng.uniform(1.15, 1.6)
    x = meet(parallel(2 * z - c, c, a), line(a, b))[0]
    return [(x, 2 * z - x, z)]


def e5128(a: complex, b: complex, c: complex, d: complex) -> list[Placement]:
    """y halfway between a and b, x on the circle (c, b) and the line dy."""
    y = (a + b) / 2
    return [(x, y) for x in meet(line(d, y), circle(c, b)) if abs(x - d) > 1e-6]
