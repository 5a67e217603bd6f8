"""Problems in other languages, and files that are none."""

from __future__ import annotations

import io
import zipfile
from fractions import Fraction

import pytest

from gnomon.errors import DataError, UsageError
from gnomon.geometry import Problem, Status, read_problem, solve
from gnomon.geometry.conditions import meets
from gnomon.geometry.diagram import draw
from gnomon.geometry.predicates import Statement, holds, statement


def ggb(*entries: str, name: str = "geogebra.xml") -> bytes:
    """A GeoGebra file with this construction."""
    raw = io.BytesIO()
    with zipfile.ZipFile(raw, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(
            name, f"<geogebra><construction>{''.join(entries)}</construction></geogebra>"
        )
    return raw.getvalue()


def point(label: str, x: float, y: float) -> str:
    return f'<element type="point" label="{label}"><coords x="{x}" y="{y}" z="1"/></element>'


def command(name: str, inputs: str, outputs: str) -> str:
    def attributes(values: str) -> str:
        return " ".join(f'a{i}="{v}"' for i, v in enumerate(values.split(";")))

    return (
        f'<command name="{name}"><input {attributes(inputs)}/>'
        f"<output {attributes(outputs)}/></command>"
    )


TRIANGLE = (point("A", 0, 0), point("B", 4, 0), point("C", 1, 3))


def test_altitudes_from_geogebra():
    raw = ggb(
        *TRIANGLE,
        command("Segment", "B;C", "f"),
        command("Segment", "C;A", "g"),
        command("OrthogonalLine", "A;f", "h"),
        command("OrthogonalLine", "B;g", "i"),
        command("Intersect", "h;i", "D"),
        point("D", 1, 1),
        command("Line", "C;D", "j"),
        command("Line", "A;B", "k"),
        command("ArePerpendicular", "j;k", "l"),
    )
    problem = read_problem(raw)
    assert str(problem.goal) == "perp c d a b"
    assert problem.places["d"] == 1 + 1j
    assert solve(problem, time_s=5).status is Status.PROVED


def test_circles_and_midpoints_from_geogebra():
    raw = ggb(
        *TRIANGLE,
        command("Circle", "A;B;C", "c"),
        command("Center", "c", "O"),
        point("O", 2, 1),
        command("Midpoint", "A;B", "M"),
        point("M", 2, 0),
        '<expression label="d" exp="Segment(O, M) ⟂ Segment(A, B)" type="boolean"/>',
    )
    assert solve(read_problem(raw), time_s=5).status is Status.PROVED


def test_prove_with_a_relation_inside():
    raw = ggb(*TRIANGLE, command("Midpoint", "A;B", "M"), point("M", 2, 0),
              command("Prove", "AreCollinear(A, M, B)", "p"))  # fmt: skip
    assert str(read_problem(raw).goal) == "coll a m b"


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"PK\x03\x04 and then nothing", "damaged"),
        (ggb(*TRIANGLE)[:-40], "damaged"),
        (ggb(*TRIANGLE, name="other.xml"), "without geogebra.xml"),
        (ggb(*TRIANGLE), "needs one relation"),
        (ggb("<a"), "damaged"),
        (ggb(*TRIANGLE, command("Conic", "A;B", "c")), "does not know GeoGebra's Conic"),
        (ggb(*TRIANGLE, command("AreCollinear", "A;B;Q", "c")), "must be a line"),
        (ggb(command("AreCollinear", "A;B;Q", "c")), "must be a line"),
        (ggb('<element type="point" label="A"><coords x="1" y="1" z="0"/></element>'), "no place"),
        (ggb(" " * 9_000_000), "more than"),
        (b"", "empty"),
        (b"\xff\xfe\x00", "line 1, column 1: byte 0xff"),
        (b"\xef\xbb\xbf# a\n\xc3\xa9\xe9", "line 2, column 2: byte 0xe9"),
    ],
)
def test_what_is_no_geogebra_file(raw: bytes, message: str):
    with pytest.raises(DataError, match=message):
        read_problem(raw)


def test_entities_are_not_expanded():
    raw = io.BytesIO()
    with zipfile.ZipFile(raw, "w") as archive:
        archive.writestr("geogebra.xml", '<!DOCTYPE a [<!ENTITY b "c">]><geogebra>&b;</geogebra>')
    with pytest.raises(DataError, match="document type"):
        read_problem(raw.getvalue())


def test_newclids_dialect():
    text = b"a b c = triangle a b c | m = midpoint m a b; d = s_angle a b d 60o ? cong m a m b"
    problem = read_problem(text)
    assert problem.points == ("a", "b", "c", "m", "d")
    assert problem.clauses[2].steps[0].binding["y"] == Fraction(60)
    radians = Problem.parse("a b = segment a b; d = s_angle a b d 2pi/3")
    assert radians.clauses[1].steps[0].binding["y"] == Fraction(120)


@pytest.mark.parametrize(
    "text",
    [
        "a b c d = quadrangle a b c d; x = rconst a b c x 2/3",
        "a b = segment a b; x = rconst2 x a b 2",
        "a b = segment a b; x = rconst2 x a b 1",
        "a b c d e = pentagon a b c d e; x = eqratio6 x a b c d d e",
        "a b c d e = pentagon a b c d e; f g = segment f g; x = eqratio x a b c d e f g",
        "a b c d e = pentagon a b c d e; f g = segment f g; x = on_aline0 x a b c d e f g",
        "a b c = triangle a b c; x = aconst a b c x 40o",
        "a = free a; x = lconst x a 1",
        "a b c = triangle a b c; x = iso_trapezoid2 x a b c",
        "a b c = triangle a b c; x = iso_triangle_vertex_angle x b c",
        "a b c d = iso_trapezoid a b c d",
        "a b c = between a b c",
        "a b = segment a b; x = between_bound x a b",
        "a b = segment a b; o = free o; x = between_bound x a b, on_circle x b o",
        "a b c = triangle a b c; p q = segment p q; r = simtri r a b c p q",
        "a b c = triangle a b c; p q = segment p q; r = simtrir r a b c p q",
        "a b c = triangle a b c; p = free p; q r = contri q r a b c p",
        "a b c = triangle a b c; p = free p; q r = contrir q r a b c p",
        "a b = segment a b; x = r2const a b a x 2",
        "a = free a; x = l2const x a 2",
        "o a = segment o a; w b = segment w b; x y z i = cc_itangent x y z i o a w b",
        "a b c = triangle a b c; x = parallelogram x a b c",
        "a b = segment a b; x y = square x y a b",
    ],
)
def test_newclids_constructions_are_drawn_as_they_say(text: str):
    problem = Problem.parse(text)
    at = draw(problem, seed=3)
    assert problem.facts()
    assert all(holds(fact, at, tolerance=1e-6) for fact in problem.facts())
    steps = [step for clause in problem.clauses for step in clause.steps]
    assert all(meets(condition, at) for step in steps for condition in step.order())


def test_new_points_first_or_where_alphageometry_has_them():
    ours = Problem.parse("a b c = triangle a b c; x = parallelogram a b c x")
    newclids = Problem.parse("a b c = triangle a b c; x = parallelogram x a b c")
    assert ours == newclids
    turned = Problem.parse("a b = segment a b; y x = square x y a b")
    assert turned.facts()[0] == statement("perp a b b x")


def test_several_goals_and_conditions():
    text = "a b c = triangle a b c; p = free p; q r = contri q r a b c p "
    text += "? sameclock a b c p q r; cong a b p q; simtri a b c p q r"
    problem = Problem.parse(text + ";")
    assert str(problem) == text
    assert list(map(str, problem.conditions)) == ["sameclock a b c p q r"]
    parts = problem.parts()
    assert [str(part.goal) for part in parts] == ["cong a b p q", "simtri a b c p q r"]
    assert all(solve(part, time_s=5).status is Status.PROVED for part in parts)
    with pytest.raises(UsageError, match="has 2 goals"):
        solve(problem)
    longer = Problem.parse("a b c d e = pentagon a b c d e ? cyclic a b c d e; coll a b c")
    goals = [str(part.goal) for part in longer.parts()]
    assert goals == ["cyclic a b c d", "cyclic a b c e", "coll a b c"]


def test_a_condition_says_which_configuration_is_meant():
    """Three pairs of equal sides give a triangle or its mirror image."""
    text = "a b c = triangle a b c; p = free p; q = eqdistance q p a b; "
    text += "r = eqdistance r q b c, eqdistance r p a c ? {}contri a b c p q r"
    either = solve(Problem.parse(text.format("")), time_s=5)
    assert either.status is Status.PROVED_IN_PART
    one = solve(Problem.parse(text.format("sameclock a b c p q r; ")), time_s=5)
    assert one.status is Status.PROVED
    other = solve(Problem.parse(text.format("sameclock a b c p r q; ")), time_s=5)
    assert other.status is Status.FALSE
    assert other.counterexample is not None
    assert meets(statement("sameclock a b c p r q"), other.counterexample)


@pytest.mark.parametrize(
    ("condition", "is_met"),
    [
        ("sameclock a b c a c d", True),
        ("sameclock a b c a d c", False),
        ("obtuse_angle a b c", False),  # a right angle
        ("obtuse_angle a m c", True),
        ("sameside m a b d b a", False),
        ("sameside b a c d c a", True),
        ("nsameside m a b d b a", True),
        ("ncoll a m c", False),
        ("npara a b c d", False),
        ("nperp a c b d", False),
        ("diff a m", True),
    ],
)
def test_conditions_in_a_square(condition: str, is_met: bool):
    at = {"a": 0j, "b": 1 + 0j, "c": 1 + 1j, "d": 1j, "m": 0.5 + 0.4j}
    at["m"] = 0.5 + 0.5j if "a m c" in condition else 0.5 + 0.3j
    assert meets(statement(condition), at) == is_met


def test_squared_constants_are_deduced():
    """Half a diagonal of a square, and a length from its square."""
    for text in (
        "a b c d = isquare a b c d; o = intersection_ll o a c b d ? r2const a b a o 2/1",
        "a = free a; b = l2const b a 4 ? lconst a b 2",
        "a b = segment a b; c = r2const a b a c 3; d = r2const a c a d 1/3 ? cong a b a d",
    ):
        assert solve(Problem.parse(text), time_s=5).status is Status.PROVED, text


def test_an_acute_triangle_is_acute():
    at = draw(Problem.parse("a b c = acute_triangle a b c"), seed=1)
    for p, q, r in (("a", "b", "c"), ("b", "c", "a"), ("c", "a", "b")):
        u, v = at[q] - at[p], at[r] - at[p]
        assert u.real * v.real + u.imag * v.imag > 0


def test_a_problem_is_written_as_it_is_read():
    text = "a@1.5_-2.0 b@0.0_1.0 = segment a b; m = midpoint m a b ? cong m a m b"
    problem = Problem.parse(text)
    assert str(problem) == text
    assert problem.places == {"a": 1.5 - 2j, "b": 1j}
    assert Problem.parse(str(problem)) == problem


def test_marked_places_choose_the_configuration():
    """Of the two intersections, the one near its mark is drawn."""
    for sign in (1, -1):
        text = f"o@0_0 a@1_0 = segment o a; x@0.5_{sign * 0.866} = on_circle x o a, on_circle x a o"
        at = draw(Problem.parse(text), seed=2)
        u, v = at["a"] - at["o"], at["x"] - at["o"]
        assert sign * (u.real * v.imag - u.imag * v.real) > 0


def test_statements_with_numbers_are_read_back():
    assert statement("rconst a b c d 1/2") == Statement("rconst", tuple("abcd"), (Fraction(1, 2),))


def test_a_triangle_centre_without_its_number():
    raw = ggb(*TRIANGLE, command("TriangleCenter", "A;B;C", "D"))
    with pytest.raises(DataError, match="does not know GeoGebra's TriangleCenter"):
        read_problem(raw)


def test_a_drawing_with_too_many_points_is_refused_at_once():
    raw = ggb(*(point(f"P{number}", number, 0) for number in range(65)))
    with pytest.raises(DataError, match="more than 64 points"):
        read_problem(raw)
