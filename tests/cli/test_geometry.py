from __future__ import annotations

import json
from pathlib import Path

import pytest

_PROBLEMS = {
    "proved": "a b c = triangle a b c; h = orthocenter h a b c ? perp c h a b",
    "false": "a b c = triangle a b c ? cong a b a c",
    "not found": "a b c d = quadrangle a b c d; e = midpoint e b a; f = foot f a c d; "
    "g = foot g b c d ? cong e f e g",
    "partly": "d c b = triangle d c b; a = eqdistance a d c b, on_pline a b d c ? cyclic a b c d",
    "auxiliary": "a b c d = quadrangle a b c d; e = midpoint e b a; f = foot f a c d; "
    "g = foot g b c d ? cong e f e g",
    "unreadable": "a b c = triangel a b c",
    "undrawable": "a b = segment a b; c = on_line c a b; d = foot d a b c ? cong a b a d",
}


@pytest.fixture
def files(tmp_path: Path) -> dict[str, str]:
    for name, text in _PROBLEMS.items():
        (tmp_path / name).write_text(text + "\n", encoding="utf-8")
    return {name: str(tmp_path / name) for name in _PROBLEMS}


@pytest.mark.parametrize(
    ("name", "exit_code"),
    [
        ("proved", 0),
        ("partly", 9),
        ("not found", 7),
        ("false", 8),
        ("unreadable", 4),
        ("undrawable", 4),
    ],
)
def test_exit_codes(gnomon, files: dict[str, str], name: str, exit_code: int):
    run = gnomon("geometry", "solve", files[name], "--points", "none")
    assert run.exit_code == exit_code


def test_a_proof_for_people(gnomon, files: dict[str, str]):
    run = gnomon("geometry", "solve", files["proved"])
    assert run.stdout.splitlines()[-1] == "Proved and checked: CH ⊥ AB"
    assert "[given]" in run.stdout


def test_a_proof_for_programs(gnomon, files: dict[str, str]):
    answer = gnomon("geometry", "solve", files["proved"], "--json").json
    assert answer["status"] == "proved"
    assert answer["proof"]["format"] == "gnomon geometry proof 1"
    assert answer["proof"]["steps"][-1]["conclusion"] in ("perp c h a b", "perp h c a b")
    assert set(answer["diagram"]) == {"a", "b", "c", "h"}


def test_a_counterexample(gnomon, files: dict[str, str]):
    run = gnomon("geometry", "solve", files["false"])
    assert run.stdout.startswith("It is false that AB = AC. A diagram")
    assert "C = (" in run.stdout


@pytest.mark.parametrize("form", ["html", "latex", "json"])
def test_no_proof_is_no_page(gnomon, files: dict[str, str], form: str):
    run = gnomon("geometry", "solve", files["false"], "--format", form)
    assert (run.exit_code, run.stdout) == (8, "")
    assert f"no proof to write as {form}. It is false that AB = AC." in run.stderr


def test_where_the_mistake_is(gnomon, files: dict[str, str]):
    run = gnomon("geometry", "solve", files["unreadable"])
    assert "line 1, column 9" in run.stderr
    assert "did you mean 'triangle'" in run.stderr
    assert run.stdout == ""


def test_no_time(gnomon, files: dict[str, str]):
    run = gnomon("geometry", "solve", files["proved"], "--time", "0")
    assert run.exit_code == 7
    assert "no proof was found in 0 seconds" in run.stdout


def test_several_goals(gnomon, tmp_path: Path):
    file = tmp_path / "problem"
    text = "a b c = iso_triangle a b c; m = midpoint m b c ? coll b m c; cong a b b c; perp a m b c"
    file.write_text(text, encoding="utf-8")
    run = gnomon("geometry", "solve", str(file), "--points", "none")
    assert run.exit_code == 8
    assert "[the midpoint is on the segment, from a]" in run.stdout
    assert "It is false that AB = BC." in run.stdout
    assert run.stdout.splitlines()[-1] == "Proved and checked: AM ⊥ BC"
    run = gnomon("geometry", "solve", str(file), "--points", "none", "--json")
    answer = json.loads(run.stdout)
    assert answer["status"] == "false"
    assert [part["status"] for part in answer["parts"]] == ["proved", "false", "proved"]
    third = ("geometry", "solve", str(file), "--goal", "3")
    assert gnomon(*third, "--json").json["goal"] == "perp a m b c"
    assert gnomon(*third, "--format", "html").exit_code == 0
    assert gnomon("geometry", "solve", str(file), "--goal", "4").exit_code == 2
    assert gnomon("geometry", "solve", str(file), "--format", "html").exit_code == 2
    assert gnomon("geometry", "hint", str(file)).exit_code == 2


def test_no_file(gnomon, tmp_path: Path):
    assert gnomon("geometry", "solve", str(tmp_path / "none")).exit_code == 4


def test_a_point_is_added_and_explained(gnomon, files: dict[str, str]):
    run = gnomon("geometry", "solve", files["auxiliary"], "--threads", "1")
    assert run.exit_code == 0
    assert "Add X: " in run.stdout
    assert "it helps, because" in run.stdout


def test_unused_hypotheses_are_said(gnomon, tmp_path: Path):
    file = tmp_path / "problem"
    file.write_text("a b c = iso_triangle a b c; m = midpoint m b c ? eqangle b a b c c b c a")
    assert "Not needed: M is the midpoint of BC." in gnomon("geometry", "solve", str(file)).stdout


def test_a_proof_goes_through_a_file(gnomon, files: dict[str, str], tmp_path: Path):
    proof = gnomon("geometry", "solve", files["auxiliary"], "--format", "json").stdout
    file = tmp_path / "proof.json"
    file.write_text(proof, encoding="utf-8")
    run = gnomon("geometry", "check", str(file))
    assert (run.exit_code, run.stdout.split(":")[0]) == (0, "Accepted")
    answer = tmp_path / "answer.json"
    answer.write_text(gnomon("geometry", "solve", files["proved"], "--json").stdout, "utf-8")
    assert gnomon("geometry", "check", str(answer)).exit_code == 0
    file.write_text(proof.replace('"directions"', '"lengths"', 1), encoding="utf-8")
    run = gnomon("geometry", "check", str(file))
    assert run.exit_code == 4
    assert "step" in run.stderr
    file.write_text(proof[:50], encoding="utf-8")
    assert gnomon("geometry", "check", str(file)).exit_code == 4


def test_a_proof_for_some_configurations_is_no_more_when_checked(
    gnomon, files: dict[str, str], tmp_path: Path
):
    file = tmp_path / "proof.json"
    file.write_text(gnomon("geometry", "solve", files["partly"], "--format", "json").stdout)
    run = gnomon("geometry", "check", str(file))
    assert run.exit_code == 9
    assert "for some configurations" in run.stdout
    answer = json.loads(gnomon("geometry", "check", str(file), "--json").stdout)
    assert (answer["accepted"], answer["is_every_configuration"]) == (True, False)


def test_added_points_do_not_choose_the_configuration(gnomon, tmp_path: Path):
    """The angle is 60° or -60°. One of the added points can be drawn for the first only."""
    file = tmp_path / "problem"
    text = "a b = segment a b; c = on_circle c a b, on_circle c b a ? aconst a b a c 60"
    file.write_text(text, encoding="utf-8")
    proof = json.loads(gnomon("geometry", "solve", str(file), "--format", "json").stdout)
    square = ["q = psquare q a b", "r = mirror r a q"]
    proof["points"] = [*square, "w = on_circle w r q, eqdistance w c a b"]
    file.write_text(json.dumps(proof), encoding="utf-8")
    assert gnomon("geometry", "check", str(file)).exit_code == 9


def test_a_proof_is_of_one_goal_and_says_which(gnomon, tmp_path: Path):
    """Of two goals, of which the second is false, the first would do for both."""
    file = tmp_path / "problem"
    text = "a b = segment a b; m = midpoint m a b ? cong m a m b"
    file.write_text(text, encoding="utf-8")
    proof = json.loads(gnomon("geometry", "solve", str(file), "--format", "json").stdout)
    file.write_text(json.dumps(proof), encoding="utf-8")
    run = gnomon("geometry", "check", str(file))
    assert run.exit_code == 0
    assert run.stdout.startswith(f"Accepted: {text}\n")
    file.write_text(json.dumps({**proof, "problem": f"{text}; cong m a a b"}), encoding="utf-8")
    run = gnomon("geometry", "check", str(file))
    assert run.exit_code == 4
    assert "the problem in the proof has 2 goals" in run.stderr


def test_other_formats(gnomon, files: dict[str, str], tmp_path: Path):
    page = gnomon("geometry", "solve", files["proved"], "--format", "html").stdout
    assert page.startswith("<!doctype html>")
    assert "http:" not in page.replace("http-equiv", "")
    assert "src=" not in page
    latex = gnomon("geometry", "solve", files["proved"], "--format", "latex").stdout
    assert r"\begin{tikzpicture}" in latex
    assert latex.isascii()
    figure = tmp_path / "figure.svg"
    gnomon("geometry", "solve", files["proved"], "--figure", str(figure))
    assert ">H</text>" in figure.read_text("utf-8")
    assert gnomon("geometry", "solve", files["proved"], "--figure", "a.png").exit_code == 2


def test_a_hint_gives_one_step(gnomon, files: dict[str, str]):
    first = gnomon("geometry", "hint", files["auxiliary"])
    assert first.stdout.startswith("Hint 1 of ")
    assert first.stdout.count("\n") == 1
    assert gnomon("geometry", "hint", files["auxiliary"], "--number", "99").exit_code == 2
    assert "given" in gnomon("geometry", "hint", files["proved"]).stdout
