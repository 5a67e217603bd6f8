from __future__ import annotations

from pathlib import Path

import pytest

_PROBLEMS = {
    "proved": "a b c = triangle a b c; h = orthocenter h a b c ? perp c h a b",
    "false": "a b c = triangle a b c ? cong a b a c",
    "not found": "a b c d = quadrangle a b c d; e = midpoint e b a; f = foot f a c d; "
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
    [("proved", 0), ("not found", 7), ("false", 8), ("unreadable", 4), ("undrawable", 4)],
)
def test_exit_codes(gnomon, files: dict[str, str], name: str, exit_code: int):
    assert gnomon("geometry", "solve", files[name]).exit_code == exit_code


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
    assert run.stdout.startswith("False: not AB = AC")
    assert "c = (" in run.stdout


def test_where_the_mistake_is(gnomon, files: dict[str, str]):
    run = gnomon("geometry", "solve", files["unreadable"])
    assert "line 1, column 9" in run.stderr
    assert "did you mean 'triangle'" in run.stderr
    assert run.stdout == ""


def test_no_time(gnomon, files: dict[str, str]):
    assert gnomon("geometry", "solve", files["proved"], "--time", "0").exit_code in (0, 7)


def test_no_file(gnomon, tmp_path: Path):
    assert gnomon("geometry", "solve", str(tmp_path / "none")).exit_code == 4
