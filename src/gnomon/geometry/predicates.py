"""Statements about points, and whether one holds in a diagram.

A diagram gives each point a complex number. Every predicate says how far a diagram is from making
it true (its `error`, free of units), so that one tolerance serves all.
"""

from __future__ import annotations

import cmath
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

# Points are drawn within a few units of one another and at least 1e-2 apart; a double carries
# 1e-16, and some thirty constructions in a row lose six of its digits at worst. What holds by
# accident is this near with a chance of about 1e-8 in one diagram, 1e-16 in two.
TOLERANCE = 1e-8

Coordinates = Mapping[str, complex]


@dataclass(frozen=True, slots=True)
class Statement:
    """A predicate of some points and numbers, such as `cong a b c d`."""

    predicate: str
    points: tuple[str, ...]
    numbers: tuple[Fraction, ...] = ()

    def __str__(self) -> str:
        return " ".join([self.predicate, *self.points, *map(str, self.numbers)])

    def bind(self, binding: Mapping[str, str | Fraction]) -> Statement:
        """The same statement with names replaced; a number's name moves to the numbers."""
        points = tuple(
            str(binding.get(point, point))
            for point in self.points
            if not isinstance(binding.get(point), Fraction)
        )
        numbers = tuple(
            value for point in self.points if isinstance(value := binding.get(point), Fraction)
        )
        return Statement(self.predicate, points, self.numbers + numbers)


def statement(text: str) -> Statement:
    """`statement("rconst a b c d 1/2")`: trailing numbers are numbers, the rest points."""
    name, *words = text.split()
    numbers = tuple(Fraction(word) for word in words if word[0].isdigit() or word[0] == "-")
    return Statement(name, tuple(words[: len(words) - len(numbers)]), numbers)


@dataclass(frozen=True, slots=True, kw_only=True)
class Predicate:
    """How many points and numbers a predicate takes, and how false it is in a diagram."""

    points: int
    error: Callable[[Sequence[complex], Sequence[Fraction]], float]
    numbers: int = 0
    segments: bool = False  # its points are pairs, and the two of a pair must differ
    is_size: bool = False  # its number is that of a ratio or a length, and positive

    def problem_of(self, points: Sequence[str], numbers: Sequence[Fraction]) -> str:
        """Why these arguments make no statement, or nothing."""
        if self.is_size and numbers[0] <= 0:
            return f"a ratio or length is positive, not {numbers[0]}"
        if self.segments:
            for first, second in zip(points[::2], points[1::2], strict=True):
                if first == second:
                    return f"'{first} {second}' is no segment: a point and itself"
        size = 3 if self.points == 6 else self.points
        groups = [] if self.segments else [points[:size], points[size:]]
        if any(len(set(group)) < len(group) for group in groups):
            return "a point is given twice"
        return ""


def holds(fact: Statement, at: Coordinates, *, tolerance: float = TOLERANCE) -> bool:
    """Whether `fact` is true in this diagram, up to the tolerance."""
    predicate = PREDICATES[fact.predicate]
    return predicate.error([at[point] for point in fact.points], fact.numbers) < tolerance


def cross(u: complex, v: complex) -> float:
    """u × v."""
    return u.real * v.imag - u.imag * v.real


def dot(u: complex, v: complex) -> float:
    """u · v."""
    return u.real * v.real + u.imag * v.imag


def direction(a: complex, b: complex) -> float:
    """The direction of the line ab in half turns, in [0, 1)."""
    return cmath.phase(b - a) / math.pi % 1.0


def _sine(u: complex, v: complex) -> float:
    return abs(cross(u, v)) / (abs(u) * abs(v) or 1e-300)


def _half_turns(turn: float) -> float:
    """How far a number of half turns is from a whole one."""
    return abs(turn - round(turn))


def _coll(p: Sequence[complex], _: Sequence[Fraction]) -> float:
    return max(_sine(p[1] - p[0], point - p[0]) for point in p[2:])


def _para(p: Sequence[complex], _: Sequence[Fraction]) -> float:
    return _sine(p[1] - p[0], p[3] - p[2])


def _perp(p: Sequence[complex], _: Sequence[Fraction]) -> float:
    u, v = p[1] - p[0], p[3] - p[2]
    return abs(dot(u, v)) / (abs(u) * abs(v))


def _ratio(*, over: float, under: float) -> float:
    return abs(math.log(over / under)) if over > 0 and under > 0 else math.inf


def _cong(p: Sequence[complex], _: Sequence[Fraction]) -> float:
    return _ratio(over=abs(p[1] - p[0]), under=abs(p[3] - p[2]))


def _eqratio(p: Sequence[complex], _: Sequence[Fraction]) -> float:
    ab, cd, ef, gh = (abs(p[i + 1] - p[i]) for i in (0, 2, 4, 6))
    return _ratio(over=ab * gh, under=cd * ef)


def _eqangle(p: Sequence[complex], _: Sequence[Fraction]) -> float:
    ab, cd, ef, gh = (direction(p[i], p[i + 1]) for i in (0, 2, 4, 6))
    return _half_turns(ab - cd - ef + gh)


def _cyclic(p: Sequence[complex], _: Sequence[Fraction]) -> float:
    a, b, *others = p
    first = others[0]
    if _sine(b - a, first - a) < TOLERANCE:
        return math.inf  # three points of a line lie on no circle
    seen = direction(first, a) - direction(first, b)
    return max(_half_turns(direction(c, a) - direction(c, b) - seen) for c in others[1:])


def _midp(p: Sequence[complex], _: Sequence[Fraction]) -> float:
    return abs(p[1] + p[2] - 2 * p[0]) / abs(p[1] - p[2])


def _circle(p: Sequence[complex], _: Sequence[Fraction]) -> float:
    radius = abs(p[1] - p[0])
    return max(_ratio(over=abs(q - p[0]), under=radius) for q in p[2:])


def _aconst(p: Sequence[complex], numbers: Sequence[Fraction]) -> float:
    turn = direction(p[2], p[3]) - direction(p[0], p[1])
    return _half_turns(turn - float(numbers[0]) / 180)


def _s_angle(p: Sequence[complex], numbers: Sequence[Fraction]) -> float:
    return _aconst([p[1], p[0], p[1], p[2]], numbers)


def _rconst(p: Sequence[complex], numbers: Sequence[Fraction]) -> float:
    return _ratio(over=abs(p[1] - p[0]), under=abs(p[3] - p[2]) * float(numbers[0]))


def _lconst(p: Sequence[complex], numbers: Sequence[Fraction]) -> float:
    return _ratio(over=abs(p[1] - p[0]), under=float(numbers[0]))


def _r2const(p: Sequence[complex], numbers: Sequence[Fraction]) -> float:
    return 2 * _ratio(over=abs(p[1] - p[0]), under=abs(p[3] - p[2]) * math.sqrt(numbers[0]))


def _l2const(p: Sequence[complex], numbers: Sequence[Fraction]) -> float:
    return 2 * _ratio(over=abs(p[1] - p[0]), under=math.sqrt(numbers[0]))


def _similarity(p: Sequence[complex], *, is_mirrored: bool) -> float:
    """|ratio of the complex sides - 1|: two triangles are similar as complex numbers turn."""
    first, second = (p[1] - p[0]) / (p[2] - p[0]), (p[4] - p[3]) / (p[5] - p[3])
    return abs(first / (second.conjugate() if is_mirrored else second) - 1)


def _simtri(p: Sequence[complex], _: Sequence[Fraction]) -> float:
    return _similarity(p, is_mirrored=False)


def _simtrir(p: Sequence[complex], _: Sequence[Fraction]) -> float:
    return _similarity(p, is_mirrored=True)


def _contri(p: Sequence[complex], numbers: Sequence[Fraction]) -> float:
    return max(_simtri(p, numbers), _ratio(over=abs(p[1] - p[0]), under=abs(p[4] - p[3])))


def _contrir(p: Sequence[complex], numbers: Sequence[Fraction]) -> float:
    return max(_simtrir(p, numbers), _ratio(over=abs(p[1] - p[0]), under=abs(p[4] - p[3])))


# Every predicate of the language. `simtri` and `contri` keep the orientation, `simtrir` and
# `contrir` turn it over.
PREDICATES: dict[str, Predicate] = {
    "coll": Predicate(points=3, error=_coll),
    "para": Predicate(points=4, error=_para, segments=True),
    "perp": Predicate(points=4, error=_perp, segments=True),
    "cong": Predicate(points=4, error=_cong, segments=True),
    "eqangle": Predicate(points=8, error=_eqangle, segments=True),
    "eqratio": Predicate(points=8, error=_eqratio, segments=True),
    "cyclic": Predicate(points=4, error=_cyclic),
    "midp": Predicate(points=3, error=_midp),
    "circle": Predicate(points=4, error=_circle),
    "aconst": Predicate(points=4, numbers=1, error=_aconst, segments=True),
    "s_angle": Predicate(points=3, numbers=1, error=_s_angle),
    "rconst": Predicate(points=4, numbers=1, error=_rconst, segments=True, is_size=True),
    "lconst": Predicate(points=2, numbers=1, error=_lconst, segments=True, is_size=True),
    "r2const": Predicate(points=4, numbers=1, error=_r2const, segments=True, is_size=True),
    "l2const": Predicate(points=2, numbers=1, error=_l2const, segments=True, is_size=True),
    "simtri": Predicate(points=6, error=_simtri),
    "simtrir": Predicate(points=6, error=_simtrir),
    "contri": Predicate(points=6, error=_contri),
    "contrir": Predicate(points=6, error=_contrir),
}
