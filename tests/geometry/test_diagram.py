from __future__ import annotations

import pytest

from gnomon.geometry import Problem
from gnomon.geometry.configuration import look_elsewhere
from gnomon.geometry.constructions import CONSTRUCTIONS
from gnomon.geometry.diagram import DiagramError, draw
from gnomon.geometry.predicates import PREDICATES, holds, statement

# What a construction needs beside free points.
_BEFORE = {
    "2l1c": "a b c = triangle a b c; o = circle o a b c",
    "e5128": "b c = segment b c; a = on_tline a b b c; d = on_circle d c b",
    "on_pline": "a b c = triangle a b c",
}


@pytest.mark.parametrize("name", sorted(CONSTRUCTIONS))
def test_every_construction_is_drawn_and_holds(name: str):
    row = CONSTRUCTIONS[name]
    known = [part for part in row.known if part not in row.numbers]
    before = _BEFORE.get(name) or "; ".join(f"{point} = free {point}" for point in known)
    arguments = " ".join("40" if part in row.numbers else part for part in row.signature)
    problem = Problem.parse(f"{before}; {' '.join(row.new)} = {name} {arguments}".lstrip("; "))
    for seed, is_wide in [(1, False), (2, False), (3, True), (4, True)]:
        at = draw(problem, seed=seed, is_wide=is_wide)
        for fact in problem.facts():
            assert holds(fact, at, tolerance=1e-7), f"{fact} with seed {seed}"


def _wide(text: str) -> list[dict[str, complex]]:
    problem = Problem.parse(text)
    return [draw(problem, seed=seed, choice=seed, is_wide=True) for seed in range(1, 41)]


def test_figures_are_drawn_in_all_proportions():
    rectangles = [abs((at["d"] - at["a"]) / (at["b"] - at["a"])) for at in _wide(
        "a b c d = rectangle a b c d"
    )]  # fmt: skip
    assert min(rectangles) < 0.5
    assert max(rectangles) > 2
    trapezoids = [abs((at["d"] - at["c"]) / (at["b"] - at["a"])) for at in _wide(
        "a b c d = trapezoid a b c d"
    )]  # fmt: skip
    assert min(trapezoids) < 0.5
    assert max(trapezoids) > 2


def test_an_acute_triangle_stays_acute():
    for at in _wide("a b c = acute_triangle a b c"):
        for p, q, r in ("abc", "bca", "cab"):
            assert ((at[q] - at[p]) / (at[r] - at[p])).real > 0


def test_the_same_seed_draws_the_same():
    problem = Problem.parse("a b c = triangle a b c; d = on_line d b c")
    assert draw(problem, seed=3) == draw(problem, seed=3)
    assert draw(problem, seed=3) != draw(problem, seed=4)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a b = segment a b; c = on_line c a b; d = foot d a b c", "needs 'ncoll"),
        ("a b c = triangle a b c; d = on_line d a b, on_line d b c, on_line d c a", "no diagram"),
        (
            "a b c = triangle a b c; d = on_line d a b, on_line d a c",
            "points a and d are the same place in every figure: one point with two names; use one",
        ),
        (  # both halve the same segment: Varignon
            "a b c d = quadrangle a b c d; p = midpoint a b; q = midpoint b c; r = midpoint c d; "
            "s = midpoint d a; k = midpoint p r; l = midpoint q s",
            "points k and l are the same place",
        ),
        (  # once at b, once at c: neither is another name of d
            "a b c = triangle a b c; o = circle o a b c; d = on_circle d o a, on_line d b c",
            "falls together with point [bc]",
        ),
        ("a b c = triangle a b c; d = on_pline d a b c, on_line d b c", "parallel"),
        ("a b c = triangle a b c; d = circle d a b c, on_line d a b", "over-constrained"),
        ("a b c = triangle a b c; d = midpoint d a b, midpoint d a c", "over-constrained"),
    ],
)
def test_what_cannot_be_drawn_is_said(text: str, message: str):
    with pytest.raises(DiagramError, match=message):
        draw(Problem.parse(text), seed=0)


_SQUARE = {"a": 0j, "b": 2 + 0j, "c": 2 + 2j, "d": 2j, "m": 1 + 1j, "n": 1 + 0j, "e": 5 + 1j}


@pytest.mark.parametrize(
    ("true", "false"),
    [
        ("coll a m c", "coll a m b"),
        ("para a b c d", "para a b a c"),
        ("perp a b b c", "perp a b a c"),
        ("cong a c b d", "cong a b a c"),
        ("eqangle a b a c a c a d", "eqangle a b a c a c a e"),
        ("eqratio a n a b a m a c", "eqratio a n a b a b a c"),
        ("cyclic a b c d", "cyclic a b c e"),
        ("midp m a c", "midp n a c"),
        ("circle m a b c", "circle n a b c"),
        ("aconst a b a c 45", "aconst a b a c 135"),
        ("s_angle b a c 45", "s_angle c a b 45"),
        ("rconst a n a b 1/2", "rconst a b a n 1/2"),
        ("lconst a b 2", "lconst a b 3"),
        ("r2const a n a b 1/4", "r2const a n a b 1/2"),
        ("l2const a b 4", "l2const a b 2"),
        ("simtri a b c c d a", "simtri a b c a d c"),
        ("simtrir a b c a d c", "simtrir a b c c d a"),
        ("contri a b c c d a", "contri a b c a n m"),
        ("contrir a b c a d c", "contrir a b c a n m"),
    ],
)
def test_predicates(true: str, false: str):
    assert holds(statement(true), _SQUARE)
    assert not holds(statement(false), _SQUARE)


def test_every_predicate_is_tested():
    marks = next(m for m in test_predicates.pytestmark if m.name == "parametrize")
    assert {true.split()[0] for true, _ in marks.args[1]} == set(PREDICATES)


def test_four_points_of_a_line_are_on_no_circle():
    line = {"a": 0j, "b": 1 + 0j, "c": 2 + 0j, "d": 3 + 0j}
    assert not holds(statement("cyclic a b c d"), line)


def test_sixty_points_of_a_circle_are_drawn():
    text = "; ".join(f"p{number} = on_circle p{number} o a" for number in range(56))
    problem = Problem.parse(f"a b c = triangle a b c; o = circumcenter o a b c; {text}")
    for seed in range(3):
        places = list(draw(problem, seed=seed).values())
        gaps = [abs(one - other) for i, one in enumerate(places) for other in places[:i]]
        assert len(places) == 60
        assert min(gaps) >= 1e-2


def test_time_ends_the_look_at_other_configurations_when_enough_were_seen():
    problem = Problem.parse("a b c = triangle a b c; h = orthocenter h a b c ? perp c h a b")
    hurried, patient = (look_elsewhere(problem, seed=1, time_s=time_s) for time_s in (0.0, 60.0))
    assert hurried.is_true
    assert hurried.pictures == 10
    assert patient.pictures > 30
