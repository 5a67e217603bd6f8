"""The rules that a proof may use, each with its side conditions, as the checker sees them.

Each takes a conclusion, the premises in order, and diagrams in which all of them are true, and says
whether the one follows from the others.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from itertools import permutations

from gnomon.geometry.equations import ONE, Equation, combine, equations
from gnomon.geometry.predicates import Coordinates, Statement, dot, holds

Diagrams = Sequence[Coordinates]
RuleCheck = Callable[[Statement, Sequence[Statement], Diagrams], bool]

_TOLERANCE = 1e-6
_UNORDERED = ("coll", "cyclic")
# Their first equation says all of it.
_ONE_EQUATION = (
    "para", "perp", "aconst", "eqangle", "cong", "eqratio", "rconst", "lconst", "r2const",
    "l2const", "sum",
)  # fmt: skip


def same(one: Statement, other: Statement) -> bool:
    """Whether two statements say the same in another order."""
    if one == other:
        return True
    if one.predicate in _UNORDERED:
        return one.predicate == other.predicate and set(one.points) == set(other.points)
    if one.predicate != other.predicate or one.predicate not in _ONE_EQUATION:
        return False
    left, right = equations(one)[0][1], equations(other)[0][1]
    mirrored = combine([(Fraction(-1), right)])
    return _whole(left) in (_whole(right), _whole(mirrored))


def _whole(equation: Equation) -> Equation:
    """The equation with its constant, if any, modulo one half turn."""
    if ONE not in equation:
        return equation
    return {**equation, ONE: equation[ONE] % 1}


def is_between(p: Sequence[str], at: Coordinates) -> bool:
    """Whether p[1] lies between p[0] and p[2], on their line."""
    a, b, c = (at[point] for point in p)
    return holds(Statement("coll", tuple(p)), at, tolerance=_TOLERANCE) and dot(a - b, c - b) < 0


def _are(premises: Sequence[Statement], expected: Sequence[Statement]) -> bool:
    return len(premises) == len(expected) and all(
        same(premise, wanted) for premise, wanted in zip(premises, expected, strict=True)
    )


def _s(predicate: str, *points: str) -> Statement:
    return Statement(predicate, points)


def _same_line(fact: Statement, premises: Sequence[Statement], _: Diagrams) -> bool:
    """Two lines with two points in common are one."""
    return fact.predicate == "coll" and _share(fact, premises, "coll", 2)


def _same_circle(fact: Statement, premises: Sequence[Statement], _: Diagrams) -> bool:
    """Two circles with three points in common are one."""
    return fact.predicate == "cyclic" and _share(fact, premises, "cyclic", 3)


def _share(fact: Statement, premises: Sequence[Statement], predicate: str, least: int) -> bool:
    if [premise.predicate for premise in premises] != [predicate] * 2:
        return False
    one, other = (set(premise.points) for premise in premises)
    return len(one & other) >= least and set(fact.points) <= one | other


def _centre(fact: Statement, premises: Sequence[Statement], _: Diagrams) -> bool:
    """Four points as far from o are on a circle; a point of the circle abc is as far as these."""
    if fact.predicate == "cyclic":
        if not premises:
            return False
        a, *others = fact.points
        return any(
            _are(premises, [_s("cong", o, a, o, point) for point in others])
            for o in premises[0].points
            if o not in fact.points
        )
    if fact.predicate != "cong" or len(premises) != 3 or premises[0].predicate != "cyclic":
        return False
    o, a, _o, x = fact.points
    others = [point for point in premises[0].points if point not in (a, x)]
    return (
        _o == o
        and len(others) == 2
        and {a, x} < set(premises[0].points)
        and any(
            _are(premises[1:], [_s("cong", o, a, o, b), _s("cong", o, a, o, c)])
            for b, c in (others, others[::-1])
        )
    )


def _isosceles(fact: Statement, premises: Sequence[Statement], diagrams: Diagrams) -> bool:
    """oa = ob gives equal angles at a and b, and these give oa = ob in a triangle."""
    if len(premises) != 1:
        return False
    sides, angles = (fact, premises[0]) if fact.predicate == "cong" else (premises[0], fact)
    if sides.predicate != "cong":
        return False
    for o, a in (sides.points[:2], sides.points[1::-1]):
        others = [x for x in sides.points[2:] if x != o]
        if o not in sides.points[2:] or len(others) != 1:
            continue
        (b,) = others
        if len({o, a, b}) == 3 and same(angles, _s("eqangle", a, b, a, o, b, o, b, a)):
            return not any(holds(_s("coll", o, a, b), at, tolerance=1e-4) for at in diagrams)
    return False


def _two_chords(fact: Statement, premises: Sequence[Statement], diagrams: Diagrams) -> bool:
    """o as far from p as from q and from r as from s, on a circle pqrs: its centre, if the two
    perpendicular bisectors are different lines.
    """
    if fact.predicate != "cong" or len(premises) != 3 or premises[0].predicate != "cyclic":
        return False
    o, p, other, r = fact.points
    q, s = (
        next((x for x in premise.points if x not in (o, known)), "")
        for premise, known in ((premises[1], p), (premises[2], r))
    )
    wanted = [_s("cong", o, p, o, q), _s("cong", o, r, o, s)]
    return (
        other == o
        and {p, q, r, s} == set(premises[0].points)
        and _are(premises[1:], wanted)
        and not any(holds(_s("para", p, q, r, s), at, tolerance=1e-4) for at in diagrams)
    )


def _measures(fact: Statement) -> tuple[list[Statement], list[Statement]]:
    """Equal angles at the corners of similar triangles, and equal ratios of the sides there."""
    one, other = fact.points[:3], fact.points[3:]
    angles, ratios = [], []
    for i in range(3):
        v, x, y = (one[(i + k) % 3] for k in range(3))
        w, r, s = (other[(i + k) % 3] for k in range(3))
        ratios.append(_s("eqratio", v, x, v, y, w, r, w, s))
        if fact.predicate == "simtrir":
            r, s = s, r
        angles.append(_s("eqangle", v, x, v, y, w, r, w, s))
    return angles, ratios


def _corners(premise: Statement, measures: Sequence[Statement]) -> list[int]:
    """At which corners a premise is the measure: two of them in an isosceles triangle."""
    return [i for i, measure in enumerate(measures) if same(premise, measure)]


def _similar(kind: str) -> RuleCheck:
    """AA, SAS, SSS, SSA. The triangles are real, and similar in the diagrams as is claimed, which
    decides between an angle and the one that differs by a half turn.
    """

    def check(fact: Statement, premises: Sequence[Statement], diagrams: Diagrams) -> bool:
        if fact.predicate not in ("simtri", "simtrir") or len(premises) != 2:
            return False
        for triangle in (fact.points[:3], fact.points[3:]):
            line = Statement("coll", triangle)
            if len(set(triangle)) < 3 or any(holds(line, at, tolerance=1e-4) for at in diagrams):
                return False
        angles, ratios = _measures(fact)
        kinds = {"AA": (angles, angles), "SSS": (ratios, ratios)}.get(kind, (angles, ratios))
        places = [
            (one, other)
            for one in _corners(premises[0], kinds[0])
            for other in _corners(premises[1], kinds[1])
        ]
        if kind == "SAS":
            return any(one == other for one, other in places)
        apart = [(one, other) for one, other in places if one != other]
        if kind != "SSA":
            return bool(apart)
        # The third angle is known up to its supplement: the diagrams must tell the two apart.
        for one, other in apart:
            v, x, y = (fact.points[(3 - one - other + k) % 3] for k in range(3))
            right = _s("perp", v, x, v, y)
            if not any(holds(right, at, tolerance=1e-4) for at in diagrams):
                return True
        return False

    return check


def _line_pair(premises: Sequence[Statement]) -> bool:
    return len(premises) >= 3 and [p.predicate for p in premises[:2]] == ["coll", "coll"]


def _ratios_of(t: Sequence[str], u: Sequence[str]) -> list[Statement]:
    (a, b, c), (d, e, f) = t, u
    return [
        _s("eqratio", a, b, a, c, d, e, d, f),
        _s("eqratio", b, c, a, c, e, f, d, f),
        _s("eqratio", a, b, b, c, d, e, e, f),
    ]


def _triples(
    fact: Statement, premises: Sequence[Statement]
) -> list[tuple[Sequence[str], Sequence[str]]]:
    """The orders of the two lines' points in which one of their ratios is `fact`."""
    t, u = premises[0].points, premises[1].points
    return [
        (one, other)
        for one in permutations(t)
        for other in permutations(u)
        if any(same(fact, ratio) for ratio in _ratios_of(one, other))
    ]


def _order_agrees(t: Sequence[str], u: Sequence[str], diagrams: Diagrams) -> bool:
    """Whether both lines carry their points in the same order and signed ratio."""
    for at in diagrams:
        shares = []
        for a, b, c in (t, u):
            whole = at[c] - at[a]
            shares.append(dot(at[b] - at[a], whole) / abs(whole) ** 2)
        if abs(shares[0] - shares[1]) > _TOLERANCE * max(1, abs(shares[0])):
            return False
    return True


def _are_two_lines(t: Sequence[str], u: Sequence[str], diagrams: Diagrams) -> bool:
    return not any(
        all(
            holds(_s("coll", t[0], t[2], x), at, tolerance=1e-4) for x in u if x not in (t[0], t[2])
        )
        for at in diagrams
    )


def _joins(t: Sequence[str], u: Sequence[str]) -> list[tuple[str, str]]:
    return [(x, y) for x, y in zip(t, u, strict=True) if x != y]


def _parallels(fact: Statement, premises: Sequence[Statement], diagrams: Diagrams) -> bool:
    """Parallels through equal places cut two lines in equal ratios."""
    if fact.predicate != "eqratio" or not _line_pair(premises):
        return False
    for t, u in _triples(fact, premises):
        joins = _joins(t, u)
        wanted = [_s("para", *joins[0], *join) for join in joins[1:]]
        if (
            len(joins) >= 2
            and _are(premises[2:], wanted)
            and _are_two_lines(t, u, diagrams)
            and _order_agrees(t, u, diagrams)
        ):
            return True
    return False


def _line_ratios(fact: Statement, premises: Sequence[Statement], diagrams: Diagrams) -> bool:
    """With the same order on both lines, one ratio of three points determines the others."""
    return (
        fact.predicate == "eqratio"
        and _line_pair(premises)
        and len(premises) == 3
        and any(
            any(same(premises[2], ratio) for ratio in _ratios_of(t, u))
            and _order_agrees(t, u, diagrams)
            for t, u in _triples(fact, premises)
        )
    )


def _parallels_back(fact: Statement, premises: Sequence[Statement], diagrams: Diagrams) -> bool:
    """Equal ratios on two lines: their joins are parallel, if two are, or if one is a point."""
    if fact.predicate != "para" or not _line_pair(premises):
        return False
    for t, u in _triples(premises[2], premises):
        joins = _joins(t, u)
        pairs = [(one, other) for one in joins for other in joins if one != other]
        is_pair_known = len(joins) == 2 or any(
            same(premise, _s("para", *one, *other))
            for premise in premises[3:]
            for one, other in pairs
        )
        if (
            len(joins) >= 2
            and is_pair_known
            and any(same(fact, _s("para", *one, *other)) for one, other in pairs)
            and _are_two_lines(t, u, diagrams)
            and _order_agrees(t, u, diagrams)
        ):
            return True
    return False


def _bisector(fact: Statement, premises: Sequence[Statement], diagrams: Diagrams) -> bool:
    """ad bisects the angle bac (or its neighbour) exactly if d divides bc as ab to ac."""
    if len(premises) != 2 or premises[0].predicate != "coll":
        return False
    angle, ratio = (premises[1], fact) if fact.predicate == "eqratio" else (fact, premises[1])
    for d in premises[0].points:
        b, c = (point for point in premises[0].points if point != d)
        for a in {*angle.points} - {*premises[0].points}:
            if same(angle, _s("eqangle", a, b, a, d, a, d, a, c)) and same(
                ratio, _s("eqratio", d, b, d, c, a, b, a, c)
            ):
                return not any(holds(_s("coll", a, b, c), at, tolerance=1e-4) for at in diagrams)
    return False


def _right_angle(fact: Statement, premises: Sequence[Statement], _: Diagrams) -> bool:
    """m on ac with ma = mc, and a right angle at b: ma = mb."""
    if fact.predicate != "cong" or len(premises) != 3:
        return False
    m, a, other, b = fact.points
    c = next((point for point in premises[0].points if point not in (m, a)), "")
    wanted = [_s("coll", m, a, c), _s("cong", m, a, m, c), _s("perp", b, a, b, c)]
    return other == m and len({m, a, b, c}) == 4 and _are(premises, wanted)


def _chords(fact: Statement, premises: Sequence[Statement], _: Diagrams) -> bool:
    """On a circle pqrs: pq = rs with ps ∥ qr, one from the other; diagrams decide which pair."""
    if len(premises) != 2 or premises[0].predicate != "cyclic":
        return False
    cong, para = (fact, premises[1]) if fact.predicate == "cong" else (premises[1], fact)
    if cong.predicate != "cong" or para.predicate != "para":
        return False
    p, q, r, s = cong.points
    return {p, q, r, s} == set(premises[0].points) and any(
        same(para, _s("para", p, one, q, other)) for one, other in ((s, r), (r, s))
    )


def _trapezoid(fact: Statement, premises: Sequence[Statement], diagrams: Diagrams) -> bool:
    """pq = rs and ps ∥ qr: p q r s is a parallelogram or cyclic; the diagrams exclude the first."""
    if len(premises) != 2 or fact.predicate != "cyclic" or premises[0].predicate != "cong":
        return False
    p, q, *ends = premises[0].points
    return (
        {p, q, *ends} == set(fact.points)
        and any(same(premises[1], _s("para", p, s, q, r)) for r, s in (ends, ends[::-1]))
        and not any(holds(_s("para", p, q, *ends), at, tolerance=1e-4) for at in diagrams)
    )


def _arc_middle(fact: Statement, premises: Sequence[Statement], diagrams: Diagrams) -> bool:
    """rm = rn, ar bisects the angle man: am = an or a circle; the diagrams exclude the first."""
    if len(premises) != 2 or fact.predicate != "cyclic" or premises[0].predicate != "cong":
        return False
    one, other = set(premises[0].points[:2]), set(premises[0].points[2:])
    if len(one & other) != 1:
        return False
    (r,), (m, n), rest = one & other, one ^ other, set(fact.points) - one - other
    if len(rest) != 1:
        return False
    (a,) = rest
    return same(premises[1], _s("eqangle", a, m, a, r, a, r, a, n)) and not any(
        holds(_s("cong", a, m, a, n), at, tolerance=1e-4) for at in diagrams
    )


def _between(fact: Statement, premises: Sequence[Statement], diagrams: Diagrams) -> bool:
    return (
        fact.predicate == "sum"
        and _are(premises, [Statement("coll", fact.points)])
        and all(is_between(fact.points, at) for at in diagrams)
    )


def _midpoint(fact: Statement, premises: Sequence[Statement], _: Diagrams) -> bool:
    m, a, b = fact.points[:3]
    return fact.predicate == "midp" and _are(
        premises, [_s("coll", m, a, b), _s("cong", m, a, m, b)]
    )


def _circle(fact: Statement, premises: Sequence[Statement], _: Diagrams) -> bool:
    o, a, b, c = fact.points[:4]
    wanted = [_s("cong", o, a, o, b), _s("cong", o, a, o, c)]
    return fact.predicate == "circle" and _are(premises, wanted)


def _congruent(fact: Statement, premises: Sequence[Statement], _: Diagrams) -> bool:
    if fact.predicate not in ("contri", "contrir"):
        return False
    similar = Statement(fact.predicate.replace("con", "sim"), fact.points)
    side = _s("cong", fact.points[0], fact.points[1], fact.points[3], fact.points[4])
    return _are(premises, [similar, side])


RULE_CHECKS: dict[str, RuleCheck] = {
    "same line": _same_line,
    "same circle": _same_circle,
    "centre": _centre,
    "two chords": _two_chords,
    "isosceles": _isosceles,
    "isosceles back": _isosceles,
    "AA": _similar("AA"),
    "SAS": _similar("SAS"),
    "SSS": _similar("SSS"),
    "SSA": _similar("SSA"),
    "parallels": _parallels,
    "line ratios": _line_ratios,
    "parallels back": _parallels_back,
    "bisector": _bisector,
    "bisector back": _bisector,
    "right angle": _right_angle,
    "equal chords": _chords,
    "parallel chords": _chords,
    "trapezoid": _trapezoid,
    "arc middle": _arc_middle,
    "between": _between,
    "midpoint": _midpoint,
    "circle": _circle,
    "congruent": _congruent,
}
