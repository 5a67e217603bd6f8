"""A small theorem for every rule; its proof must use the rule, and the checker must agree."""

from __future__ import annotations

import pytest

from gnomon.geometry import Problem, Status, solve
from gnomon.geometry.wording import RULES

_CASES = {
    "given": "a b = segment a b; c = on_bline c a b ? cong c a c b",
    "directions": "a b c = triangle a b c; h = orthocenter h a b c; "
    "d = on_line d a h ? perp a d b c",
    "ratios": "a b = segment a b; c = on_circle c a b; d = on_circle d a c ? cong a b a d",
    "lengths": "a b = segment a b; x y = trisegment x y a b ? rconst a x a b 1/3",
    "same line": "a b = segment a b; c = on_line c a b; d = on_line d a b; e = on_tline e c c d "
    "? perp c e c b",
    "same circle": "a b c = triangle a b c; d = on_circum d a b c; e = on_circum e a b c "
    "? eqangle d a d e b a b e",
    "centre": "a b c = triangle a b c; o = circle o a b c; d = on_circle d o a ? cyclic a b c d",
    "two chords": "a b c = triangle a b c; d = on_circum d a b c; "
    "o = on_bline o a b, on_bline o c d ? cong o a o c",
    "isosceles": "a b c = iso_triangle a b c ? eqangle b a b c c b c a",
    "isosceles back": "a b c = triangle a b c; e = on_line e a c, on_aline e b a b a c "
    "? cong e a e b",
    "AA": "a b c = triangle a b c; d = foot d a b c; e = foot e b a c ? eqratio c d c a c e c b",
    "SAS": "a b c = triangle a b c; m = midpoint m a b; n = midpoint n a c ? para m n b c",
    "SSS": "a b c = triangle a b c; d = free d; e = eqdistance e d a b; "
    "f = eqdistance f d a c, eqdistance f e b c ? eqangle a b a c d e d f",
    "SSA": "a b c = triangle a b c; d = free d; e = eqdistance e d a c; "
    "f = on_aline f d e b a c, eqdistance f e c b ? cong d f a b",
    "parallels": "a b c d = trapezoid a b c d; e = on_line e a d; "
    "f = on_pline f e a b, on_line f b c "
    "? eqratio a e e d b f f c",
    "line ratios": "a b c = triangle a b c; d = on_line d a b; e = on_pline e d b c, on_line e a c "
    "? eqratio a d d b a e e c",
    "parallels back": "a b c d = trapezoid a b c d; e = midpoint e a d; f = midpoint f b c "
    "? para e f a b",
    "bisector": "a b c = triangle a b c; d = angle_bisector d b a c, on_line d b c "
    "? eqratio d b d c a b a c",
    "bisector back": "a b c = triangle12 a b c; d e = trisegment d e b c ? eqangle a b a d a d a c",
    "right angle": "a b c = r_triangle a b c; m = midpoint m b c ? cong m a m b",
    "equal chords": "a b c = triangle a b c; "
    "d = on_pline d c a b, on_circum d a b c ? cong a d b c",
    "parallel chords": "o a = segment o a; b = on_circle b o a; c = on_circle c o a; "
    "d = eqdistance d c a b, on_circle d o a ? para a d b c",
    "trapezoid": "d c b = triangle d c b; "
    "a = eqdistance a d c b, on_pline a b d c ? cyclic a b c d",
    "arc middle": "a m n = triangle a m n; r = angle_bisector r m a n, on_bline r m n "
    "? cyclic a m r n",
    "between": "a b = segment a b; x y = trisegment x y a b ? rconst a x a b 1/3",
    "midpoint": "a b c d = isquare a b c d; m = on_line m a c, on_line m b d ? midp m a c",
    "circle": "a b c = triangle a b c; o = on_bline o a b, on_bline o a c ? circle o a b c",
    "congruent": "a b c = triangle a b c; d = parallelogram a b c d ? contri a b c c d a",
}


@pytest.mark.parametrize("rule", _CASES)
def test_rule(rule: str):
    solution = solve(Problem.parse(_CASES[rule]), time_s=5, points="none", minimise_s=0)
    assert solution.status in (Status.PROVED, Status.PROVED_IN_PART)
    assert solution.refusal == ""
    assert solution.proof is not None
    used = {step.rule for step in solution.proof.steps}
    assert rule in used, f"{rule} is not among {used}"


def test_the_engine_does_not_take_one_line_for_two():
    """It once compared three points of a line with themselves in reverse: e c = c d is true, and
    follows from no rule without a further point.
    """
    text = "a b = segment a b; c = on_bline c a b; d = on_tline d b a b; "
    text += "e = intersection_lt e c d a a b ? cong e c c d"
    solution = solve(Problem.parse(text), time_s=5, points="none")
    assert (solution.status, solution.refusal) == (Status.NOT_FOUND, "")


@pytest.mark.parametrize(
    "text",
    [
        "o = free o; a = free a; b = eqdistance b o o a; c = eqdistance c o o b; "
        "d = eqdistance d o o c ? cyclic a b c d",
        "d c b = triangle d c b; a = eqdistance a d b c, on_pline a b d c ? cyclic a b c d",
    ],
)
def test_the_order_of_a_given_fact_does_not_matter(text: str):
    solution = solve(Problem.parse(text), time_s=5, points="none", minimise_s=0)
    assert solution.status in (Status.PROVED, Status.PROVED_IN_PART)


def test_every_rule_has_a_case():
    assert set(_CASES) == set(RULES)
