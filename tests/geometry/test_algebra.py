"""The native algebra against elimination in plain Python, with fractions."""

from __future__ import annotations

import itertools
from fractions import Fraction
from random import Random

import pytest

from gnomon.geometry import Problem
from gnomon.geometry.diagram import draw
from gnomon.geometry.equations import ONE, TABLES, Equation, combine, equations, logarithm
from gnomon.geometry.native import make_state, to_native
from gnomon.geometry.predicates import Statement, holds

# Several kinds of given facts, none that two facts about lines or circles imply together.
_PROBLEMS = [
    "a b c = triangle a b c; d = on_aline d a b a b c, on_pline d c a b; e = eqdistance e d a b",
    "a b c d = isquare a b c d; e = on_circle e a b; f = on_bline f e a",
    "a b = segment a b; c = s_angle a b c 40; d = s_angle b c d 25, on_tline d a b c",
    "a b c = triangle a b c; d = on_circum d a b c; e = on_circle e a b",
    "c a b = ieq_triangle c a b; d = eqdistance d a b c; e = parallelogram d a b e",
]


class Reference:
    """Echelon form, one dense row after the other; the constant term is left to the diagrams."""

    def __init__(self) -> None:
        self._rows: list[tuple[object, Equation]] = []

    def reduce(self, equation: Equation) -> Equation:
        rest = {variable: value for variable, value in equation.items() if variable != ONE}
        for pivot, row in self._rows:
            if pivot in rest:
                rest = combine([(Fraction(1), rest), (-rest[pivot], row)])
        return rest

    def insert(self, equation: Equation) -> None:
        rest = self.reduce(equation)
        if rest:
            pivot = next(iter(rest))
            self._rows.append((pivot, combine([(1 / rest[pivot], rest)])))


@pytest.mark.parametrize("text", _PROBLEMS)
def test_knows_exactly_what_elimination_gives(text: str):
    problem = Problem.parse(text)
    diagrams = tuple(draw(problem, seed=seed) for seed in (1, 2))
    state = make_state(problem, diagrams)
    references = {table: Reference() for table in TABLES}
    for fact in problem.facts():
        for table, equation in equations(fact):
            references[table].insert(equation)

    pairs = list(itertools.combinations(problem.points, 2))
    rng = Random(5)
    asked = [Statement(kind, (*one, *other)) for kind in ("para", "perp", "cong")
             for one, other in itertools.combinations(pairs, 2)]  # fmt: skip
    for kind in ("eqangle", "eqratio"):
        asked += [Statement(kind, tuple(p for _ in range(4) for p in rng.choice(pairs)))
                  for _ in range(400)]  # fmt: skip
    known = 0
    for fact in asked:
        by_elimination = any(
            not references[table].reduce(equation) for table, equation in equations(fact)
        ) and all(holds(fact, at, tolerance=1e-7) for at in diagrams)
        assert state.knows(to_native(fact, problem.points)) == by_elimination, str(fact)
        known += by_elimination
    assert known > 5


def test_logarithms_of_numbers():
    assert logarithm(Fraction(12, 25)) == {"log 2": 2, "log 3": 1, "log 5": -2}
    assert logarithm(Fraction(1)) == {}
