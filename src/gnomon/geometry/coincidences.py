"""What two independent diagrams show about pairs, triples and quadruples of points."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import combinations

from gnomon.geometry.loci import circumcentre
from gnomon.geometry.native import Native
from gnomon.geometry.predicates import cross, direction

_DIGITS = 6  # of directions in half turns, logarithms of lengths and coordinates; exact to 1e-8
_FLAT = 1e-3  # triangles with a smaller sine have no circle here


def coincidences(places: Sequence[tuple[complex, complex]]) -> Iterator[Native]:
    """Collinear and concyclic points, parallels, perpendiculars and equal lengths, of points by
    their places in the two diagrams. What rounding divides is left out; each kind in order.
    """
    count = len(places)
    directions: defaultdict[tuple[float, ...], list[tuple[int, int]]] = defaultdict(list)
    lengths: defaultdict[tuple[float, ...], list[tuple[int, int]]] = defaultdict(list)
    for a, b in combinations(range(count), 2):
        ends = list(zip(places[a], places[b], strict=True))
        directions[_rounded(direction(p, q) for p, q in ends)].append((a, b))
        lengths[_rounded(math.log(abs(q - p)) for p, q in ends)].append((a, b))
    for parallels in directions.values():
        for one, other in combinations(parallels, 2):
            points = {*one, *other}
            if len(points) == 3 and one[0] == other[0]:  # each line of three once
                yield "coll", sorted(points), 0, 1
            elif len(points) == 4:
                yield "para", [*one, *other], 0, 1
    for key, lines in directions.items():
        turned = _rounded((part + 0.5) % 1.0 for part in key)
        for one in lines:
            for other in directions.get(turned, ()):
                if one < other:
                    yield "perp", [*one, *other], 0, 1
    for equal in lengths.values():
        for one, other in combinations(equal, 2):
            yield "cong", [*one, *other], 0, 1
    yield from _circles(places)


def _circles(places: Sequence[tuple[complex, complex]]) -> Iterator[Native]:
    circles: defaultdict[tuple[float, ...], set[int]] = defaultdict(set)
    for triple in combinations(range(len(places)), 3):
        key: list[float] = []
        for corners in zip(*(places[point] for point in triple), strict=True):
            a, b, c = corners
            if abs(cross(b - a, c - a)) < _FLAT * abs(b - a) * abs(c - a):
                break
            centre = circumcentre(a, b, c)
            key += [centre.real, centre.imag, abs(centre - a)]
        else:
            circles[_rounded(key)].update(triple)
    for points in circles.values():
        first, second, third, *others = sorted(points)
        for other in others:
            yield "cyclic", [first, second, third, other], 0, 1


def _rounded(numbers: Iterable[float]) -> tuple[float, ...]:
    return tuple(round(number, _DIGITS) for number in numbers)
