from __future__ import annotations

import contextlib
import re
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gnomon.geometry import Problem, ProblemError, parse_problems
from gnomon.geometry.conditions import CONDITIONS
from gnomon.geometry.constructions import CONSTRUCTIONS
from gnomon.geometry.predicates import PREDICATES

PROBLEMS = Path(__file__).parent / "problems.txt"


def test_reads_a_problem():
    problem = Problem.parse("name\na b c = triangle a b c; d = foot d a b c ? perp a d b c\n")
    assert problem.name == "name"
    assert problem.points == ("a", "b", "c", "d")
    assert [str(fact) for fact in problem.facts()] == ["perp d a b c", "coll d b c"]
    assert str(problem.goal) == "perp a d b c"


def test_a_problem_ends_with_the_line_of_its_goal():
    text = (
        "one\n# it\na b c = triangle a b c;\r\n\n# its midpoint\nd = midpoint b c\n? coll b c d\n"
        "two\na b = segment a b ? cong a b b a\n"
    )
    one, two = parse_problems(text)
    line = "one\na b c = triangle a b c; d = midpoint b c ? coll b c d"
    assert one == Problem.parse(line)
    assert (two.name, two.points) == ("two", ("a", "b"))


@pytest.mark.parametrize(
    ("text", "line", "column", "message"),
    [
        ("a b c = triangle a b c\nd = midpoint b c\n? coll b c d", 2, 1, "';', '?' or the end"),
        ("a b c = triangle a b c;\n\n d = midpont b c\n? coll b c d", 3, 6, "'midpoint'"),
        ("a b c = triangle a b c;\nd = midpoint b c\n? coll b c e", 3, 12, "'e' is not known"),
        ("a b c = triangle a b c;\nd = midpoint b c\n?", 3, 2, "a predicate was expected"),
        ("a = free a\n\nhello\n", 3, 1, "not 'hello'"),
    ],
)
def test_errors_of_several_lines_have_a_place(text: str, line: int, column: int, message: str):
    with pytest.raises(ProblemError) as caught:
        Problem.parse(text)
    assert message in str(caught.value)
    assert (caught.value.line, caught.value.column) == (line, column)


def test_new_points_may_be_left_out():
    short = Problem.parse("a b c = triangle; d = angle_bisector b a c, on_line b c")
    long = Problem.parse("a b c = triangle a b c; d = angle_bisector d b a c, on_line d b c")
    assert short.facts() == long.facts()


def test_arguments_say_which_new_point_is_which():
    problem = Problem.parse("c a b = iso_triangle a b c")
    assert [str(fact) for fact in problem.facts()] == ["cong a b a c"]


def test_coordinates_are_read_and_dropped():
    problem = Problem.parse("x@4.96_-0.13 y@1_2 = segment x y")
    assert problem.points == ("x", "y")


def test_a_number_of_degrees():
    problem = Problem.parse("a b = segment a b; c = s_angle b a c -7.5")
    assert problem.facts()[0].numbers == (Fraction(-15, 2),)


def test_reads_many_with_comments():
    problems = list(parse_problems(PROBLEMS.read_text(encoding="utf-8")))
    assert len(problems) == 13
    assert all(problem.goal and problem.name for problem in problems)


@pytest.mark.parametrize("name", sorted(CONSTRUCTIONS))
def test_every_row_speaks_of_its_own_parameters(name: str):
    row = CONSTRUCTIONS[name]
    for fact in (*row.facts, *row.needs, *row.order):
        assert set(fact.points) <= set(row.signature), f"{name}: {fact}"
    assert (row.locus is None) != (row.place is None)


def test_the_manual_names_every_word():
    manual = (Path(__file__).parents[2] / "docs" / "geometry.md").read_text(encoding="utf-8")
    words = set(re.findall(r"\w+", manual))
    assert not {*CONSTRUCTIONS, *PREDICATES, *CONDITIONS} - words


@pytest.mark.parametrize(
    ("text", "column", "message"),
    [
        ("a b c = trangle a b c", 9, "did you mean 'triangle'"),
        ("a b = segment a b; c = midpoint c a x", 37, "'x' is not known"),
        ("a b = segment a b; a = midpoint a a b", 20, "named twice"),
        ("a b = segment a", 7, "takes 2 arguments"),
        ("a b c = segment a b", 9, "makes 2 point(s)"),
        ("a b = segment a b ? cong a b a", 21, "takes 4 arguments"),
        ("a b = segment a b ? cong a a a b", 21, "no segment"),
        ("a b = segment a b ? congr a b a b", 21, "did you mean 'cong'"),
        ("a b; c = free c", 4, "'=' were expected"),
        ("a b = segment a b; c = s_angle a b c sixty", 38, "a number"),
        ("a b = segment a b ? coll a b b", 21, "twice"),
        ("a b = segment c d", 15, "a new point goes here"),
        ("1a = free 1a", 1, "no name"),
        ("a b = segment a b = c", 19, "was expected"),
        (
            "a b = segment a b; c = on_line c a a",
            24,
            "'on_line c a a' means 'coll c a a': a point is given twice",
        ),
        ("a b = segment a b; c = rconst a b a c 0", 24, "is positive, not 0"),
        ("a b = segment a b ? lconst a b -1", 21, "is positive, not -1"),
        ("a b = segment a b ? cong a b b a; cong a b b x", 46, "'x' is not known"),
        ("a b c = triangle a b c ? ncoll a b c", 24, "add what is to be shown"),
    ],
)
def test_errors_have_a_place(text: str, column: int, message: str):
    with pytest.raises(ProblemError) as caught:
        Problem.parse("# a comment\n" + text)
    assert message in str(caught.value)
    assert (caught.value.line, caught.value.column) == (2, column)


_WORDS = [
    "a",
    "b",
    "c",
    "=",
    ";",
    ",",
    "?",
    "triangle",
    "midpoint",
    "on_line",
    "cong",
    "60",
    "@",
    "é",
]


@given(st.lists(st.sampled_from(_WORDS), max_size=14).map(" ".join) | st.text(max_size=40))
def test_any_text_is_a_problem_or_an_error_of_its_own(text: str):
    with contextlib.suppress(ProblemError):
        Problem.parse(text)


def test_no_problem_at_all():
    with pytest.raises(ProblemError, match="neither '=' nor"):
        Problem.parse("hello")
    with pytest.raises(ProblemError, match="line 3, column 1: 'hello'"):
        Problem.parse("a b = segment a b ? cong a b b a\n\nhello\n")
    with pytest.raises(ProblemError, match="there are 2"):
        Problem.parse("a b = segment a b ? cong a b b a\n" * 2)


def test_too_many_points():
    text = "; ".join(f"p{i} = free p{i}" for i in range(65))
    with pytest.raises(ProblemError, match="more than 64"):
        Problem.parse(text)
