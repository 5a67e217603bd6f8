"""Help texts at the widths that people have."""

from __future__ import annotations

from itertools import pairwise

import pytest
import typer.main

from gnomon.cli import main
from gnomon.cli.app import app


def verbs():
    for name, command in typer.main.get_command(app).commands.items():
        yield from ((name, part) for part in getattr(command, "commands", {}))
        yield (name,)


@pytest.mark.parametrize("width", [80, 100])
@pytest.mark.parametrize("verb", list(verbs()), ids=" ".join)
def test_lines_are_broken_where_the_terminal_ends(capsys, monkeypatch, verb, width):
    monkeypatch.setenv("COLUMNS", str(width))
    assert main([*verb, "--help"]) == 0
    about = capsys.readouterr().out.partition("╭")[0]
    for line, following in pairwise(line.strip() for line in about.splitlines()):
        if line and following:
            assert len(line) + 1 + len(following.split()[0]) > width - 2, line
