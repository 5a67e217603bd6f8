"""What statements say as linear equations, for the checker.

Three kinds of quantity: directions of lines in half turns, modulo one; logarithms of lengths;
lengths. An equation maps variables to coefficients; the constant term is under the key `ONE` (a
logarithm's constants are variables of their own, one for each prime). The sum is zero.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from fractions import Fraction

from gnomon.geometry.predicates import Statement

ONE = "1"
Variable = frozenset[str] | str
Equation = dict[Variable, Fraction]
TABLES = ("directions", "ratios", "lengths")


def segment(a: str, b: str) -> Variable:
    """The variable of a line, a logarithm or a length."""
    return frozenset((a, b))


def linear(terms: Iterable[tuple[Variable, int | Fraction]]) -> Equation:
    """A sum of terms, without zeros."""
    total: Equation = {}
    for variable, coefficient in terms:
        total[variable] = total.get(variable, Fraction(0)) + coefficient
    return {variable: coefficient for variable, coefficient in total.items() if coefficient}


def combine(parts: Iterable[tuple[Fraction, Mapping[Variable, Fraction]]]) -> Equation:
    """The sum of multiples of equations."""
    return linear(
        (variable, factor * coefficient)
        for factor, equation in parts
        for variable, coefficient in equation.items()
    )


def equations(fact: Statement) -> list[tuple[str, Equation]]:
    """All equations of a statement with their tables, in the order in which proofs count them."""
    p = fact.points
    number = fact.numbers[0] if fact.numbers else Fraction(0)
    match fact.predicate:
        case "coll":
            return _lines(p)
        case "para":
            return [("directions", _difference(p))]
        case "perp":
            return [
                ("directions", combine([(_1, _difference(p)), (_1, _constant(Fraction(1, 2)))]))
            ]
        case "aconst":
            turn = _constant(number / 180)
            return [("directions", combine([(_1, _difference(p)), (_1, turn)]))]
        case "eqangle":
            return [("directions", _four(p))]
        case "cyclic":
            a, b, c, d = p
            return [
                ("directions", _four((c, a, c, b, d, a, d, b))),
                ("directions", _four((b, a, b, c, d, a, d, c))),
            ]
        case "cong":
            return _equal(p)
        case "eqratio":
            return [("ratios", _four(p))]
        case "rconst":
            lengths = linear(
                [
                    (segment(p[0], p[1]), number.denominator),
                    (segment(p[2], p[3]), -number.numerator),
                ]
            )
            return [
                ("ratios", combine([(_1, _difference(p)), (-_1, logarithm(number))])),
                ("lengths", lengths),
            ]
        case "lconst":
            length = linear([(segment(p[0], p[1]), 1)])
            return [("ratios", combine([(_1, length), (-_1, logarithm(number))]))]
        case "r2const":
            squares = combine([(_2, _difference(p)), (-_1, logarithm(number))])
            return [("ratios", squares)]
        case "l2const":
            square = linear([(segment(p[0], p[1]), 2)])
            return [("ratios", combine([(_1, square), (-_1, logarithm(number))]))]
        case "sum":
            a, b, c = p
            return [
                ("lengths", linear([(segment(a, b), 1), (segment(b, c), 1), (segment(a, c), -1)]))
            ]
        case "midp":
            m, a, b = p
            half = equations(Statement("rconst", (m, a, a, b), (Fraction(1, 2),)))
            return [*_lines(p), *_equal((m, a, m, b)), *half]
        case "circle":
            o, a, b, c = p
            one, other = _equal((o, a, o, b)), _equal((o, a, o, c))
            return [one[0], other[0], one[1], other[1]]
        case "simtri" | "simtrir" | "contri" | "contrir":
            return _similar(fact.predicate, p)
    return []


def logarithm(number: Fraction) -> Equation:
    """log(number) over the logarithms of primes, which no rational relation ties together."""
    return combine(
        (Fraction(sign), {f"log {prime}": Fraction(1)})
        for part, sign in ((number.numerator, 1), (number.denominator, -1))
        for prime in _primes(part)
    )


def least_common_denominator(numbers: Iterable[Fraction]) -> int:
    """1 for none."""
    return math.lcm(*(number.denominator for number in numbers))


_1, _2 = Fraction(1), Fraction(2)


def _primes(number: int) -> Iterable[int]:
    divisor = 2
    while number > 1 and divisor < 50:
        while number % divisor == 0:
            yield divisor
            number //= divisor
        divisor += 1
    if number > 1:
        yield number  # whatever it is, it stands for itself


def _constant(number: Fraction) -> Equation:
    return linear([(ONE, number)])


def _difference(p: tuple[str, ...]) -> Equation:
    return linear([(segment(p[0], p[1]), 1), (segment(p[2], p[3]), -1)])


def _four(p: tuple[str, ...]) -> Equation:
    signs = (1, -1, -1, 1)
    return linear((segment(p[2 * i], p[2 * i + 1]), sign) for i, sign in enumerate(signs))


def _lines(p: tuple[str, ...]) -> list[tuple[str, Equation]]:
    a, b, c = p
    return [("directions", _difference((a, b, a, c))), ("directions", _difference((a, b, b, c)))]


def _equal(p: tuple[str, ...]) -> list[tuple[str, Equation]]:
    return [("ratios", _difference(p)), ("lengths", _difference(p))]


def _similar(predicate: str, p: tuple[str, ...]) -> list[tuple[str, Equation]]:
    a, b, c, d, e, f = p
    pairs = [((a, b, a, c), (d, e, d, f)), ((b, c, b, a), (e, f, e, d))]
    if predicate in ("simtrir", "contrir"):
        pairs = [(one, other[2:] + other[:2]) for one, other in pairs]
    found = [("directions", _four(one + other)) for one, other in pairs]
    if predicate in ("contri", "contrir"):
        for sides in ((a, b, d, e), (b, c, e, f), (c, a, f, d)):
            found += _equal(sides)
        return found
    return [
        *found,
        ("ratios", _four((a, b, a, c, d, e, d, f))),
        ("ratios", _four((b, c, b, a, e, f, e, d))),
    ]
