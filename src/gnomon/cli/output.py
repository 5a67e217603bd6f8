"""Results on stdout: one JSON object, or a table for people."""

from __future__ import annotations

import json
import math
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

# Control characters but tab and line feed, and marks that turn the direction of what follows.
_COMMANDS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def print_json(result: Mapping[str, Any]) -> None:
    """One line of strict JSON: no NaN, no infinity (they become null), paths as strings.

    Characters are themselves where stdout is UTF-8, and \\u escapes everywhere else.
    """
    is_utf8 = (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"
    print(json.dumps(_plain(result), ensure_ascii=not is_utf8, allow_nan=False))


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(entry) for entry in value]
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def _harmless(text: str) -> str:
    """`text`, which may be anybody's, without what would command a terminal or turn its lines."""
    return _COMMANDS.sub("\ufffd", text)


def print_table(
    columns: Sequence[str], rows: Iterable[Sequence[str]], *, title: str | None = None
) -> None:
    """A table on stdout, the first column to the left and the others to the right.

    Cells are text and never markup: a tensor called `[red]` prints as just that.
    """
    table = Table(box=box.SIMPLE_HEAD, title=title, title_justify="left", pad_edge=False)
    for index, column in enumerate(columns):
        table.add_column(Text(column), justify="left" if index == 0 else "right", overflow="fold")
    for row in rows:
        table.add_row(*(Text(_harmless(cell)) for cell in row))
    _print(table)


def print_facts(facts: Mapping[str, str]) -> None:
    """Names on the left, what is true of them on the right."""
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for name, fact in facts.items():
        table.add_row(Text(name), Text(_harmless(fact)))
    _print(table)


def _print(table: Table) -> None:
    console = Console(highlight=False)  # made here: it writes to the stdout of this moment
    if console.is_terminal:
        console.print(table)
        return
    console.width = 160  # in a file or a pipe nothing should wrap at 80
    with console.capture() as capture:
        console.print(table)
    print("\n".join(line.rstrip() for line in capture.get().rstrip().splitlines()))


def format_bytes(size_bytes: int) -> str:
    """
    >>> format_bytes(98_362_432)
    '98.4 MB'
    """
    size = float(size_bytes)
    for unit in ("B", "kB", "MB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.2f} GB"
