"""Writes docs/geometry-results.md from the kept results of benchmarks/geometry.py.

python benchmarks/geometry_table.py
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from record import RESULTS

_KINDS = ("alone", "heuristic", "mixed", "learned")
_PAGE = Path(__file__).parent.parent / "docs" / "geometry-results.md"
_SHORT = {"proved": "✓", "proved in some configurations": "✓*", "not found": "–"}


def read() -> dict[str, dict[str, Any]]:
    """The results that there are, by kind."""
    paths = {kind: RESULTS / f"geometry-{kind}.json" for kind in _KINDS}
    return {kind: json.loads(p.read_text("utf-8")) for kind, p in paths.items() if p.exists()}


def page(results: dict[str, dict[str, Any]]) -> str:
    """Summaries, then every problem."""
    lines = [
        "# Geometry: the results, problem by problem",
        "",
        "Written by `python benchmarks/geometry_table.py` from "
        "`benchmarks/results/geometry-*.json`; [geometry.md](geometry.md) explains the words.",
        "✓ proved and checked; ✓* proved for the configuration drawn, false in another one; "
        "– not found. Steps are those to read; attempts are steps of the search, bundles counted "
        "once.",
        "",
    ]
    columns = ["all", "solved", "in part", "checked again", "median saturation, ms", "median steps"]
    for kind, result in results.items():
        on = result["measured_on"]
        lines += [
            f"**{kind}**: {result['time_s']:g} s a problem, {result['threads']} threads, "
            f"{on['cpu']} ({on['cores']} cores), {on['date']}, commit {on['commit']}",
            "",
            f"| problems | {' | '.join(columns)} |",
            f"|---|{'---:|' * len(columns)}",
        ]
        for row in result["table"]:
            cells = (f"{row[c]:.3g}" if isinstance(row[c], float) else str(row[c]) for c in columns)
            lines.append(f"| {row['problems']} | {' | '.join(cells)} |")
        lines.append("")
    names = list(next(iter(results.values()))["problems"])
    for name in names:
        lines += [
            f"## {name}",
            "",
            f"| problem | {' | '.join(results)} | steps | attempts | added points |",
            f"|---|{':---:|' * len(results)}---:|---:|---|",
        ]
        by_kind = {
            kind: {row["name"]: row for row in result["problems"][name]}
            for kind, result in results.items()
        }
        best = by_kind.get("heuristic") or next(iter(by_kind.values()))
        for problem, row in best.items():
            marks = (
                _SHORT.get(rows.get(problem, {}).get("status", ""), "") for rows in by_kind.values()
            )
            short = problem.removeprefix("translated_").removeprefix("examples/complete2/")
            added = "; ".join(row.get("points") or [])
            cells = [*marks, str(row.get("steps") or ""), str(row.get("attempts") or ""), added]
            lines.append(f"| {short} | {' | '.join(cells)} |")
        lines.append("")
    return "\n".join(lines)


def main() -> None:
    _PAGE.write_text(page(read()), encoding="utf-8")


if __name__ == "__main__":
    main()
