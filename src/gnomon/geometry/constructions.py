"""The table of constructions: what each needs, how it is drawn, which facts it gives.

The names, the order of their arguments and their facts are those of AlphaGeometry (Nature 2024),
and of Newclid (arXiv 2411.11938) where AlphaGeometry has none.
A construction either restricts its point to a line or circle (`locus`), so that two of them meet,
or places all its points (`place`).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from gnomon.geometry import loci, sketches
from gnomon.geometry.loci import Locus
from gnomon.geometry.predicates import Statement, direction, statement
from gnomon.geometry.sketches import Placement

Locate = Callable[..., Locus]
Place = Callable[..., list[Placement]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Construction:
    """One row of the table. `locus` and `place` take the known arguments in order; `place` takes
    a random generator first.
    """

    name: str
    signature: tuple[str, ...]
    new: tuple[str, ...]
    numbers: tuple[str, ...]
    needs: tuple[Statement, ...]  # conditions, and what problems have to prove first
    facts: tuple[Statement, ...]
    order: tuple[Statement, ...]  # conditions that every diagram meets, and no proof uses
    locus: Locate | None
    place: Place | None

    @property
    def known(self) -> tuple[str, ...]:
        """The parameters that are given."""
        return tuple(part for part in self.signature if part not in self.new)

    def usage(self) -> str:
        """How it is written: `x = foot x a b c`."""
        return " ".join([*self.new, "=", self.name, *self.signature])


def _fixed(place: Callable[..., complex]) -> Place:
    """A sketch of one point without choice."""
    return lambda rng, *known: [(place(*known),)]


def _known(place: Callable[..., list[Placement]]) -> Place:
    """A sketch that needs no random number."""
    return lambda rng, *known: place(*known)


def _each(points: Callable[..., list[complex]]) -> Place:
    """A sketch of one point with some possible places."""
    return lambda rng, *known: [(point,) for point in points(*known)]


def _row(
    form: str,
    facts: str,
    *,
    needs: str = "",
    order: str = "",
    number: str = "",
    locus: Locate | None = None,
    place: Place | None = None,
) -> Construction:
    """`form` is `new points = name arguments`."""
    new, _, rest = form.partition("=")
    name, *signature = rest.split()
    return Construction(
        name=name,
        signature=tuple(signature),
        new=tuple(new.split()),
        numbers=(number,) if number else (),
        needs=tuple(statement(part) for part in needs.split(",") if part.strip()),
        facts=tuple(statement(part) for part in facts.split(",") if part.strip()),
        order=tuple(statement(part) for part in order.split(",") if part.strip()),
        locus=locus,
        place=place,
    )


def _angle_line(a: complex, b: complex, c: complex, d: complex, e: complex) -> Locus:
    """x with ∠(ax, ab) = ∠(dc, de)."""
    return loci.Line(a, (b - a) * (c - d) / abs(c - d) * abs(e - d) / (e - d), is_ray=True)


def _angle_mirror(a: complex, b: complex, c: complex) -> Locus:
    return loci.Line(b, (c - b) ** 2 / abs(c - b) ** 2 * abs(a - b) / (a - b), is_ray=True)


def _angle_circle(a: complex, b: complex, d: complex, e: complex, f: complex) -> Locus:
    return sketches.inscribed_circle(a, b, direction(d, e) - direction(d, f))


def _angle_line_2(a: complex, b: complex, c: complex, d: complex, e: complex) -> Locus:
    """x with ∠(xa, xb) = ∠(dc, de)."""
    return sketches.inscribed_circle(a, b, direction(d, c) - direction(d, e))


def _equal_angle_line(
    a: complex, b: complex, c: complex, d: complex, e: complex, f: complex, g: complex
) -> Locus:
    """x with ∠(ab, cd) = ∠(ef, gx)."""
    return loci.Line(g, (f - e) * (d - c) / (b - a) * abs(b - a) / (abs(f - e) * abs(d - c)))


_INCENTRE = "eqangle a b a i a i a c, eqangle b c b i b i b a, eqangle c a c i c i c b"
_TOUCHING = (
    ", coll x b c, perp i x b c, coll y c a, perp i y c a, coll z a b, perp i z a b"
    ", cong i x i y, cong i y i z"
)
_SQUARE = (
    "perp a b b c, cong a b b c, para a b c d, para a d b c, perp a d d c, cong b c c d,"
    "cong c d d a, perp a c b d, cong a c b d"
)

_ROWS = [
    # Figures of their own
    _row("a = free a", "", place=sketches.free),
    _row("a b = segment a b", "", place=sketches.segment),
    _row("c a b = between c a b", "coll a b c", order="obtuse_angle a c b", place=sketches.between),
    _row("a b c = triangle a b c", "", place=sketches.triangle),
    _row("a b c = iso_triangle a b c", "cong a b a c", place=sketches.iso_triangle),
    _row("a b c = iso_triangle0 a b c", "cong a b a c", place=sketches.iso_triangle),
    _row("a b c = acute_triangle a b c", "", order="sameside a b c b c a, sameside b c a c a b",
         place=sketches.acute_triangle),
    _row("a b c = r_triangle a b c", "perp a b a c", place=sketches.right_triangle),
    _row("a b c = risos a b c", "perp a b a c, cong a b a c", place=sketches.right_isosceles),
    _row("a b c = ieq_triangle a b c", "cong a b b c, cong b c c a", place=sketches.equilateral),
    _row("a b c = triangle12 a b c", "rconst a b a c 1/2", place=sketches.triangle_1_2),
    _row("a b c d = isquare a b c d", _SQUARE, place=sketches.square_figure),
    _row(
        "a b c d = rectangle a b c d",
        "perp a b b c, para a b c d, para a d b c, perp a b a d, cong a b c d, cong a d b c,"
        "cong a c b d",
        place=sketches.rectangle,
    ),
    _row("a b c d = trapezoid a b c d", "para a b c d", place=sketches.trapezoid),
    _row(
        "a b c d = r_trapezoid a b c d",
        "para a b c d, perp a b a d",
        place=sketches.right_trapezoid,
    ),
    _row(
        "a b c d = eq_trapezoid a b c d",
        "para d c a b, cong d a b c",
        place=sketches.equal_trapezoid,
    ),
    _row(
        "a b c d = iso_trapezoid a b c d",
        "para d c a b, cong d a b c",
        place=sketches.equal_trapezoid,
    ),
    _row("a b c d = quadrangle a b c d", "", place=sketches.quadrangle),
    _row("a b c d = eq_quadrangle a b c d", "cong d a b c", place=sketches.equal_sides),
    _row("a b c d = eqdia_quadrangle a b c d", "cong d b a c", place=sketches.equal_diagonals),
    _row("a b c d e = pentagon a b c d e", "", place=sketches.pentagon),
    # Lines and circles on which a point may lie
    _row("x = on_line x a b", "coll x a b", needs="diff a b", locus=loci.line),
    _row("x = between_bound x a b", "coll x a b", needs="diff a b", order="obtuse_angle a x b",
         locus=lambda a, b: loci.Line(a, b - a, is_ray=True)),
    _row("x = on_opline x a b", "coll x a b", needs="diff a b",
         locus=lambda a, b: loci.Line(a, a - b, is_ray=True)),
    _row("x = on_pline x a b c", "para x a b c", needs="ncoll a b c", locus=loci.parallel),
    _row("x = on_tline x a b c", "perp x a b c", needs="diff b c", locus=loci.perpendicular),
    _row("x = on_bline x a b", "cong x a x b", needs="diff a b",
         locus=loci.perpendicular_bisector),
    _row("x = angle_bisector x a b c", "eqangle b a b x b x b c", needs="ncoll a b c",
         locus=loci.bisector),
    _row("x = angle_mirror x a b c", "eqangle b a b c b c b x", needs="ncoll a b c",
         locus=_angle_mirror),
    _row("x = on_aline x a b c d e", "eqangle a x a b d c d e", needs="ncoll c d e",
         locus=_angle_line),
    _row("x = on_aline2 x a b c d e", "eqangle x a x b d c d e", needs="ncoll c d e",
         locus=_angle_line_2),
    _row("x = eqangle3 x a b d e f", "eqangle x a x b d e d f", needs="ncoll d e f",
         locus=_angle_circle),
    _row("x = s_angle a b x y", "aconst b a b x y", needs="diff a b", number="y",
         locus=lambda a, b, y: loci.turned(b, a - b, float(y) / 180)),
    _row("x = lc_tangent x a o", "perp a x a o", needs="diff a o",
         locus=lambda a, o: loci.perpendicular(a, a, o)),
    _row("x = on_circle x o a", "cong o x o a", needs="diff o a", locus=loci.circle),
    _row("x = on_circum x a b c", "cyclic a b c x", needs="ncoll a b c", locus=loci.circumcircle),
    _row("x = on_dia x a b", "perp x a x b", needs="diff a b",
         locus=lambda a, b: loci.circle((a + b) / 2, a)),
    _row("x = eqdistance x a b c", "cong x a b c", needs="diff b c",
         locus=lambda a, b, c: loci.Circle(a, abs(c - b))),
    _row("x = on_pline0 x a b c", "para x a b c", needs="diff b c", locus=loci.parallel),
    _row("x = on_aline0 x a b c d e f g", "eqangle a b c d e f g x",
         needs="diff a b, diff c d, diff e f", locus=_equal_angle_line),
    _row("x = aconst a b c x y", "aconst a b c x y", needs="diff a b", number="y",
         locus=lambda a, b, c, y: loci.turned(c, b - a, float(y) / 180)),
    _row("x = iso_triangle_vertex x b c", "cong x b x c", needs="diff b c",
         locus=loci.perpendicular_bisector),
    _row("x = iso_triangle_vertex_angle x b c", "eqangle x b b c b c x c", needs="diff b c",
         locus=loci.perpendicular_bisector),
    _row("x = rconst a b c x y", "rconst a b c x y", needs="diff a b", number="y",
         locus=lambda a, b, c, y: loci.Circle(c, abs(b - a) / float(y))),
    _row("x = rconst2 x a b y", "rconst x a x b y", needs="diff a b", number="y",
         locus=lambda a, b, y: loci.apollonius(a, b, float(y))),
    _row("x = eqratio x a b c d e f g", "eqratio a b c d e f g x",
         needs="diff a b, diff c d, diff e f",
         locus=lambda a, b, c, d, e, f, g: loci.Circle(g, abs(f - e) * abs(d - c) / abs(b - a))),
    _row("x = eqratio6 x a c e f g h", "eqratio a x c x e f g h", needs="diff e f, diff g h",
         locus=lambda a, c, e, f, g, h: loci.apollonius(a, c, abs(f - e) / abs(h - g))),
    _row("x = lconst x a y", "lconst x a y", number="y",
         locus=lambda a, y: loci.Circle(a, float(y))),
    _row("x = r2const a b c x y", "r2const a b c x y", needs="diff a b", number="y",
         locus=lambda a, b, c, y: loci.Circle(c, abs(b - a) / math.sqrt(y))),
    _row("x = l2const x a y", "l2const x a y", number="y",
         locus=lambda a, y: loci.Circle(a, math.sqrt(y))),
    # One point, with at most the choice between two places
    _row("x = circle x a b c", "circle x a b c", needs="ncoll a b c",
         place=_fixed(loci.circumcentre)),
    _row("x = circumcenter x a b c", "circle x a b c", needs="ncoll a b c",
         place=_fixed(loci.circumcentre)),
    _row("x = midpoint x a b", "midp x a b", needs="diff a b",
         place=_fixed(lambda a, b: (a + b) / 2)),
    _row("x = mirror x a b", "midp b a x", needs="diff a b", place=_fixed(lambda a, b: 2 * b - a)),
    _row("x = foot x a b c", "perp x a b c, coll x b c", needs="ncoll a b c",
         place=_fixed(loci.foot)),
    _row("x = reflect x a b c", "cong b a b x, cong c a c x, perp b c a x", needs="ncoll a b c",
         place=_fixed(lambda a, b, c: 2 * loci.foot(a, b, c) - a)),
    _row("x = orthocenter x a b c", "perp x a b c, perp x b c a, perp x c a b",
         needs="ncoll a b c", place=_fixed(sketches.orthocentre)),
    _row("x = incenter x a b c", _INCENTRE.replace("i", "x"), needs="ncoll a b c",
         place=_fixed(sketches.incentre)),
    _row("x = excenter x a b c", _INCENTRE.replace("i", "x"), needs="ncoll a b c",
         place=_fixed(sketches.excentre)),
    _row("x = parallelogram a b c x",
         "para a b c x, para a x b c, cong a b c x, cong a x b c", needs="ncoll a b c",
         place=_fixed(lambda a, b, c: a + c - b)),
    _row("x = iso_trapezoid2 x a b c", "cong x b a c, cong x a b c", needs="ncoll a b c",
         place=_fixed(lambda a, b, c: a + b - 2 * loci.foot(c, a, b) + c)),
    _row("x = shift x b c d", "cong x b c d, cong x c b d, para x b c d, para x c b d",
         needs="diff b d", place=_fixed(lambda b, c, d: b + c - d)),
    _row("x = nsquare x a b", "cong x a a b, perp x a a b", needs="diff a b",
         place=_fixed(lambda a, b: a - 1j * (b - a))),
    _row("x = psquare x a b", "cong x a a b, perp x a a b", needs="diff a b",
         place=_fixed(lambda a, b: a + 1j * (b - a))),
    _row("x = eq_triangle x b c", "cong x b b c, cong b c c x", needs="diff b c",
         place=_each(lambda b, c: loci.meet(loci.circle(b, c), loci.circle(c, b)))),
    _row("x = eqangle2 x a b c", "eqangle a b a x c x c b", needs="ncoll a b c",
         place=sketches.equal_angle_point),
    _row("x = intersection_cc x o w a", "cong o a o x, cong w a w x", needs="ncoll o w a",
         place=_fixed(lambda o, w, a: 2 * loci.foot(a, o, w) - a)),
    _row("x = intersection_lc x a o b", "coll x a b, cong o b o x", needs="nperp b o b a",
         place=_fixed(lambda a, o, b: 2 * loci.foot(o, a, b) - b)),
    _row("x = intersection_ll x a b c d", "coll x a b, coll x c d", needs="npara a b c d",
         place=_each(lambda a, b, c, d: loci.meet(loci.line(a, b), loci.line(c, d)))),
    _row("x = intersection_lp x a b c m n", "coll x a b, para c x m n", needs="npara m n a b",
         place=_each(lambda a, b, c, m, n: loci.meet(loci.line(a, b), loci.parallel(c, m, n)))),
    _row("x = intersection_lt x a b c d e", "coll x a b, perp x c d e", needs="nperp a b d e",
         place=_each(
             lambda a, b, c, d, e: loci.meet(loci.line(a, b), loci.perpendicular(c, d, e)))),
    _row("x = intersection_pp x a b c d e f", "para x a b c, para x d e f",
         needs="npara b c e f",
         place=_each(lambda a, b, c, d, e, f: loci.meet(
             loci.parallel(a, b, c), loci.parallel(d, e, f)))),
    _row("x = intersection_tt x a b c d e f", "perp x a b c, perp x d e f",
         needs="npara b c e f",
         place=_each(lambda a, b, c, d, e, f: loci.meet(
             loci.perpendicular(a, b, c), loci.perpendicular(d, e, f)))),
    _row("r = simtri r a b c p q", "simtri a b c p q r", needs="ncoll a b c, diff p q",
         place=_fixed(sketches.similar_corner)),
    _row("r = simtrir r a b c p q", "simtrir a b c p q r", needs="ncoll a b c, diff p q",
         place=_fixed(partial(sketches.similar_corner, is_mirrored=True))),
    # Several points at once
    _row("q r = contri q r a b c p", "contri a b c p q r", needs="ncoll a b c",
         place=sketches.congruent_sides),
    _row("q r = contrir q r a b c p", "contrir a b c p q r", needs="ncoll a b c",
         place=partial(sketches.congruent_sides, is_mirrored=True)),
    _row("x y = square a b x y", _SQUARE.replace("c", "x").replace("d", "y")
         .replace("xong", "cong"), needs="diff a b",
         place=_known(lambda a, b: [(b + 1j * (b - a), a + 1j * (b - a))])),
    _row("x y z i = incenter2 x y z i a b c", _INCENTRE + _TOUCHING, needs="ncoll a b c",
         place=_known(lambda a, b, c: sketches.touching(sketches.incentre(a, b, c), a, b, c))),
    _row("x y z i = excenter2 x y z i a b c", _INCENTRE + _TOUCHING, needs="ncoll a b c",
         place=_known(lambda a, b, c: sketches.touching(sketches.excentre(a, b, c), a, b, c))),
    _row("x y z i = centroid x y z i a b c",
         "midp x b c, midp y c a, midp z a b, coll a x i, coll b y i, coll c z i",
         needs="ncoll a b c",
         place=_known(lambda a, b, c: [(*sketches.medial(a, b, c), (a + b + c) / 3)])),
    _row("x y z i = ninepoints x y z i a b c",
         "midp x b c, midp y c a, midp z a b, circle i x y z", needs="ncoll a b c",
         place=_known(lambda a, b, c: [
             (*sketches.medial(a, b, c), loci.circumcentre(*sketches.medial(a, b, c)))])),
    _row("x y = trisegment x y a b", "coll x a b, coll y a b, cong x a x y, cong y x y b",
         needs="diff a b",
         place=_known(lambda a, b: [((2 * a + b) / 3, (a + 2 * b) / 3)])),
    _row("x y = trisect x y a b c",
         "coll x a c, coll y a c, eqangle b a b x b x b y, eqangle b x b y b y b c",
         needs="ncoll a b c", place=_known(sketches.trisectors)),
    _row("x y = tangent x y a o b", "cong o x o b, perp a x o x, cong o y o b, perp a y o y",
         needs="diff o b",
         place=_known(lambda a, o, b: [tuple(sketches.tangent_points(a, o, abs(b - o)))])),
    _row("x y = cc_tangent0 x y o a w b", "cong o x o a, cong w y w b, perp x o x y, perp y w y x",
         needs="diff o w",
         place=_known(lambda o, a, w, b: [
             found[:2] for found in sketches.common_tangents(o, a, w, b)])),
    _row("x y z i = cc_tangent x y z i o a w b",
         "cong o x o a, cong w y w b, perp x o x y, perp y w y x,"
         "cong o z o a, cong w i w b, perp z o z i, perp i w i z",
         needs="diff o w", place=_known(sketches.common_tangents)),
    _row("x y z i = cc_itangent x y z i o a w b",
         "cong o x o a, cong w y w b, perp x o x y, perp y w y x,"
         "cong o z o a, cong w i w b, perp z o z i, perp i w i z",
         needs="diff o w", place=_known(partial(sketches.common_tangents, are_inner=True))),
    _row("x y z i = 2l1c x y z i a b c o",
         "coll x a c, coll y b c, cong o a o z, coll i o z, cong i x i y, cong i y i z,"
         "perp i x a c, perp i y b c",
         needs="cong o a o b, ncoll a b c", place=_known(sketches.lines_and_circle)),
    _row("x y z = 3peq x y z a b c", "coll z b c, coll x a b, coll y a c, coll x y z, cong z x z y",
         needs="ncoll a b c", place=sketches.equal_cut),
    _row("x y = e5128 x y a b c d", "cong c b c x, coll y a b, coll x y d, eqangle a b a d x a x y",
         needs="cong c b c d, perp b c b a", place=_known(sketches.e5128)),
]  # fmt: skip

CONSTRUCTIONS: dict[str, Construction] = {row.name: row for row in _ROWS}
