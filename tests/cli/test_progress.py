"""What a terminal is left with, and what a log is."""

from __future__ import annotations

import pytest

from gnomon.cli.progress import ProgressDisplay
from gnomon.progress import Progress


@pytest.fixture(params=[True, False], ids=["terminal", "log"])
def shown(request, monkeypatch, capsys):
    """What stands on stderr after some steps."""
    monkeypatch.setenv("TTY_COMPATIBLE", "1" if request.param else "0")
    monkeypatch.setenv("TERM", "xterm")

    def show(*steps):
        with ProgressDisplay() as display:
            for step in steps:
                display(step)
        return capsys.readouterr().err

    return show


def test_notes_are_left_standing(shown):
    notes = [
        Progress(stage="takes", done=0, total=0, detail=detail, is_note=True)
        for detail in ("an hour", "or two")
    ]
    bar = Progress(stage="work", done=1, total=1, detail="the last")
    left = shown(*notes, bar)
    assert [left.count(f"takes  {note.detail}\n") for note in notes] == [1, 1]
    assert "work" in left


def test_quiet_says_nothing(capsys):
    with ProgressDisplay(quiet=True) as display:
        display(Progress(stage="takes", done=0, total=0, detail="an hour", is_note=True))
    assert capsys.readouterr().err == ""
