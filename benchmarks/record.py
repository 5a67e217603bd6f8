"""One benchmark's result: a table for people, then one JSON line with what it was measured on."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"


def print_table(rows: Sequence[Mapping[str, Any]]) -> None:
    """Rows with the same keys, aligned, floats to four significant digits."""
    cells = [[_cell(value) for value in row.values()] for row in rows]
    lines = [list(rows[0]), *cells]
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    for line in lines:
        print("  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True)))


def publish(name: str, result: Mapping[str, Any], *, is_kept: bool) -> None:
    """Prints the JSON line; with `is_kept` it is also written to benchmarks/results/<name>.json."""
    line = json.dumps({"benchmark": name, **result, "measured_on": machine()})
    print(line)
    if is_kept:
        RESULTS.mkdir(exist_ok=True)
        (RESULTS / f"{name}.json").write_text(line + "\n", encoding="utf-8")


def machine() -> dict[str, Any]:
    """Processor, cores, versions, commit, date and the command itself."""
    cpu = [
        line.split(":", 1)[1].strip()
        for line in Path("/proc/cpuinfo").read_text().splitlines()
        if line.startswith("model name")
    ]
    return {
        "cpu": cpu[0] if cpu else platform.processor(),
        "cores": len(os.sched_getaffinity(0)),
        "python": platform.python_version(),
        "commit": _git("rev-parse", "--short", "HEAD"),
        "has_local_changes": bool(_git("status", "--porcelain", "--", "src", "cpp")),
        "date": date.today().isoformat(),
        "command": " ".join(["python", *(_portable(argument) for argument in sys.argv)]),
    }


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}" if abs(value) < 1e5 else f"{value:,.0f}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def _portable(argument: str) -> str:
    """What lies outside the project is this machine's affair; a path's last part is enough."""
    path = Path(argument)
    return path.name if path.is_absolute() or ".." in path.parts else argument


def _git(*arguments: str) -> str:
    try:
        run = subprocess.run(
            ["git", *arguments],
            cwd=Path(__file__).parent.parent,
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return run.stdout.strip()
