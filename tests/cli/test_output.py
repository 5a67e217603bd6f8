"""JSON that every parser takes, and tables that show names as they are."""

import json
import math
from pathlib import Path

import pytest

from gnomon.cli.output import format_bytes, print_facts, print_json, print_table


def test_what_is_no_number_is_null(capsys):
    print_json({"a": math.nan, "b": [math.inf, 1.5], "c": {"d": -math.inf}, "e": (Path("x"), 2)})
    found = json.loads(capsys.readouterr().out, parse_constant=pytest.fail)
    assert found == {"a": None, "b": [None, 1.5], "c": {"d": None}, "e": ["x", 2]}


def test_lines_end_where_their_text_ends(capsys):
    print_facts({"short": "x", "long": "[bold]a longer fact[/bold]"})
    lines = capsys.readouterr().out.splitlines()
    assert lines == [line.rstrip() for line in lines]
    assert lines[1].endswith("[bold]a longer fact[/bold]")


def test_nothing_in_a_table_commands_the_terminal(capsys):
    for text in ("a\x1b[2Jb", "a\x9b2Jb", "a\x07b\x7f", "a\u202eb", "\u2067a"):
        print_facts({"answer": text})
        print_table(["sentence"], [[text]])
        out = capsys.readouterr().out
        assert not set(out) & set("\x07\x1b\x7f\x9b\u202e\u2067")
        assert out.count("\ufffd") >= 2


@pytest.mark.parametrize(
    ("size_bytes", "text"),
    [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (98_362_432, "98.4 MB"), (4e9, "4.00 GB")],
)
def test_sizes_are_decimal(size_bytes, text):
    assert format_bytes(size_bytes) == text
