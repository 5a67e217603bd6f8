"""What a reader sees: order, numbers, reasons, figures."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from gnomon.errors import DataError
from gnomon.geometry import Problem, Solution, certificate, solve
from gnomon.geometry.check import ProofRejected
from gnomon.geometry.drawing import WIDTH, draw_figure
from gnomon.geometry.explanation import Explanation, explain, to_text
from gnomon.geometry.figure_formats import to_svg, to_tikz
from gnomon.geometry.latex import to_latex
from gnomon.geometry.page import to_html
from gnomon.geometry.predicates import statement
from gnomon.geometry.wording import label, say, say_clause

TEXT = (
    "a b c d = quadrangle a b c d; e = midpoint e b a; f = foot f a c d; g = foot g b c d "
    "? cong e f e g"
)


@pytest.fixture(scope="module")
def solution() -> Solution:
    """A theorem that needs a further point."""
    found = solve(Problem.parse(TEXT), time_s=20, minimise_s=0.3)
    assert found.proof is not None
    return found


@pytest.fixture(scope="module")
def explanation(solution: Solution) -> Explanation:
    assert solution.proof is not None
    return explain(solution.proof, solution.problem, solution.added)


def test_lines_use_what_stands_above_them(explanation: Explanation):
    seen: set[str] = set()
    for line in explanation.lines:
        assert set(line.uses) <= seen
        seen.add(line.number)
    assert [line.number for line in explanation.steps] == [
        str(number + 1) for number in range(len(explanation.steps))
    ]
    assert explanation.lines[-1].statements[0] == statement("cong e f e g")


def test_a_point_comes_before_what_is_said_of_it(explanation: Explanation):
    shown = set("abcdefg")
    for line in explanation.lines:
        if line.point:
            shown.add(line.point)
        for fact in line.statements:
            assert set(fact.points) <= shown, line.text
    assert explanation.points
    assert set(explanation.points) <= shown


def test_the_text_is_whole(explanation: Explanation):
    text = to_text(explanation)
    assert text.startswith("ABCD is a quadrilateral.\nE is the midpoint of BA.")
    assert "To show: EF = EG." in text
    assert "Add X: " in text


@pytest.mark.parametrize(
    ("clause", "said"),
    [
        ("d = on_aline d b c b c a, on_line d a c", "∠DBC = ∠BCA, and D is on AC"),
        ("d = on_line d a c, on_bline d a b", "D is on AC and on the perpendicular bisector of AB"),
        ("d = on_line d a c, on_pline d b a c", "D is on AC, and DB is parallel to AC"),
        (
            "d = intersection_lp d a b c a b, on_line d b c",
            "D is on AB, and CD ∥ AB, and D is on BC",
        ),
    ],
)
def test_two_constructions_are_two_sentences(clause: str, said: str):
    problem = Problem.parse(f"a b c = triangle a b c; {clause}")
    assert say_clause(problem.clauses[1]) == said


def test_what_is_given_comes_in_the_problems_order(solution: Solution, explanation: Explanation):
    facts = solution.problem.facts()
    given = [
        facts.index(line.statements[0]) for line in explanation.lines if line.reason == "given"
    ]
    assert len(given) > 3
    assert given == sorted(given)


def test_the_text_says_once_that_angles_are_directed():
    text = "a b c = iso_triangle a b c ? eqangle b a b c c b c a"
    for goal, count in ((text, 1), (text.partition("?")[0] + "? cong a c a b", 0)):
        problem = Problem.parse(goal)
        proof = solve(problem, points="none").proof
        assert proof is not None
        assert to_text(explain(proof, problem, ())).count("Angles are directed") == count


def test_key_lines_leave_out_what_is_routine(explanation: Explanation):
    reasons = [line.reason for line in explanation.key_lines]
    assert "given" not in reasons
    assert "the midpoint halves the segment" not in reasons
    assert [line.point for line in explanation.key_lines if line.point] == ["x"]
    problem = Problem.parse("a b = segment a b; m = midpoint a b ? coll a m b")
    proof = solve(problem, points="none").proof
    assert proof is not None
    alone = explain(proof, problem, ()).key_lines
    assert [line.reason for line in alone] == ["the midpoint is on the segment"]


def test_names_of_points_and_angles():
    assert label("a1") == "A₁"
    assert say(statement("eqangle a b a c d e d f")) == "∠BAC = ∠EDF"
    assert say(statement("eqangle a b c d e f g h")) == "∠(AB, CD) = ∠(EF, GH)"


def test_the_figure_shows_every_point_apart(solution: Solution, explanation: Explanation):
    drawing = draw_figure(solution.problem, solution.diagram, explanation.points)
    svg = to_svg(drawing)
    assert svg.count("<text ") == len(solution.problem.points)
    assert ">X</text>" in svg
    assert all(0 < place.real < WIDTH for place in drawing.points.values())
    spots = list(drawing.labels.values())
    assert all(abs(a - b) > 10 for i, a in enumerate(spots) for b in spots[:i])
    assert to_tikz(drawing).count(r"\node") == len(spots)


def test_latex_is_ascii_and_balanced(solution: Solution, explanation: Explanation):
    drawing = draw_figure(solution.problem, solution.diagram, explanation.points)
    latex = to_latex(explanation, drawing)
    assert latex.isascii()
    for name in ("document", "tikzpicture", "description", "center"):
        assert latex.count(f"\\begin{{{name}}}") == latex.count(f"\\end{{{name}}}") == 1


def test_the_page_stands_alone(solution: Solution, explanation: Explanation):
    named = Problem(
        name="</script><b>", clauses=solution.problem.clauses, goal=solution.problem.goal
    )
    drawing = draw_figure(named, solution.diagram, explanation.points)
    page = to_html(explanation, drawing, named)
    assert "<b>" not in page
    assert "default-src 'none'" in page
    assert not re.search(r"https?://|src=|@import|url\(", page)
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.S)
    assert found is not None
    data = json.loads(found.group(1))
    assert len(data["lines"]) == len(explanation.lines)
    assert set(data["points"]) == set(named.points)


def test_a_certificate_is_read_back(solution: Solution):
    assert solution.proof is not None
    data = certificate.to_dict(solution.proof, solution.problem, solution.added)
    proof, extended, problem = certificate.read(json.dumps(data))
    assert (proof, extended.clauses) == (solution.proof, solution.problem.clauses)
    assert problem.clauses == Problem.parse(TEXT).clauses
    assert certificate.verify(proof, extended, seed=5) >= 3
    within = certificate.read(json.dumps({"status": "proved", "proof": data}))
    assert within == (proof, extended, problem)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"status": "false", "proof": null}', "no proof: the answer is 'false'"),
        ('{"status": "proved", "parts": []}', "--goal N --format json"),
        ('{"status": "proved"}', "write one with 'solve --format json'"),
    ],
)
def test_what_to_write_for_the_checker(text: str, message: str):
    with pytest.raises(DataError, match=message):
        certificate.read(text)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"cong e f e g"', '"cong e f e a"'),  # another goal
        ('"coefficient": "1"', '"coefficient": "2"'),
        ('"rule": "given"', '"rule": "circle"'),
        ('"problem": "a b c d = quadrangle', '"problem": "a b c d = trapezoid'),
    ],
)
def test_a_changed_certificate_is_refused(solution: Solution, old: str, new: str):
    assert solution.proof is not None
    text = json.dumps(certificate.to_dict(solution.proof, solution.problem, solution.added))
    assert old in text
    changed = text.replace(old, new)
    if "trapezoid" in new:
        # A special case of the problem: what was proved is true there, and it is another problem.
        assert certificate.read(changed)[1].clauses != solution.problem.clauses
        return
    with pytest.raises(ProofRejected):
        certificate.verify(*certificate.read(changed)[:2], seed=5)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"proof": 1}',
        '{"parts": 1}',
        "[" * 100_000,
        '{"format": "another 1", "steps": []}',
        '{"format": "gnomon geometry proof 1", "steps": [1]}',
        '{"format": "gnomon geometry proof 1", "steps": [], "problem": 3}',
        '{"format": "gnomon geometry proof 1", "steps": [{"conclusion": "rconst a b c d 1e999999"'
        ', "rule": "given", "premises": []}], "problem": "a b = segment a b ? cong a b b a"}',
        '{"format": "gnomon geometry proof 1", "steps": [{"conclusion": "cong a b b a", "rule": '
        '"x", "premises": [{"step": 0, "coefficient": "1/0"}]}], "problem": "a = free a"}',
        *(
            '{"format": "gnomon geometry proof 1", "steps": [{"conclusion": "cong a b a b", '
            f'"rule": "x", "premises": [{term}]}}], "problem": "a b = segment a b"}}'
            for term in ('{"step": 1e999}', '{"step": 0, "equation": -1e999}')
        ),
        '{"format": "gnomon geometry proof 1", "steps": [], "problem": "a = free b"}',
        '{"format": "gnomon geometry proof 1", "steps": [], "problem": "a = free a",'
        ' "points": ["? cong a a a a"]}',
    ],
)
def test_what_is_no_certificate(text: str):
    with pytest.raises(DataError):
        certificate.verify(*certificate.read(text)[:2], seed=0)


@pytest.mark.parametrize(
    "point",
    [
        # That the three altitudes meet would be smuggled in.
        "h = on_tline h a b c, on_tline h b c a, on_tline h c a b",
        "h = orthocenter h a b c, on_line h a b",
        "x y = e5128 x y a b c d",
        # That x is between a and b would choose a configuration.
        "x = between_bound x a b, on_line x c d",
    ],
)
def test_an_added_point_brings_no_theorem(point: str):
    text = {
        "format": "gnomon geometry proof 1",
        "problem": "a b c d = quadrangle a b c d ? perp a b c d",
        "points": [point],
        "steps": [],
    }
    with pytest.raises(ProofRejected, match="more of an added point"):
        certificate.read(json.dumps(text))


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="LaTeX is not installed")
def test_latex_sets_every_name(tmp_path: Path):
    text = "a' b_1 C2 = triangle a' b_1 C2; m_n = midpoint m_n a' b_1; p' = midpoint p' a' C2 "
    found = solve(Problem.parse(f"{text} ? para m_n p' b_1 C2"), points="none")
    assert found.proof is not None
    said = explain(found.proof, found.problem, found.added, note="50 % & more #1")
    drawing = draw_figure(found.problem, found.diagram)
    (tmp_path / "proof.tex").write_text(to_latex(said, drawing), encoding="utf-8")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "proof.tex"]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout[-2000:]
    assert "Overfull" not in run.stdout
