"""What each proposer solves at equal time, of the problems that the engine does not solve alone.

    python benchmarks/geometry_proposers.py --data DIR [--time 5] [--threads 2] [--keep]

DIR holds `imo_ag_30.txt` and `jgex_ag_231.txt` of AlphaGeometry (Nature 2024).
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import Any

from gnomon.geometry import Problem, parse_problems, solve
from record import print_table, publish

FILES = ("imo_ag_30", "jgex_ag_231")
KINDS = ("heuristic", "learned", "mixed")


def measure(problem: Problem, options: argparse.Namespace) -> dict[str, Any] | None:
    """Attempts that each proposer needs (None: not found), or None where none is needed."""
    if solve(problem, points="none", seed=options.seed, minimise_s=0).proof is not None:
        return None
    row: dict[str, Any] = {"name": problem.name}
    for kind in KINDS:
        solution = solve(
            problem,
            time_s=options.time,
            threads=options.threads,
            seed=options.seed,
            points=kind,
            minimise_s=0,
        )
        row[kind] = solution.attempts if solution.proof else None
    print(row, file=sys.stderr, flush=True)
    return row


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", default=os.environ.get("GNOMON_DATA"))
    parser.add_argument("--time", type=float, default=5.0, help="seconds for each attempt at one")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", action="store_true", help="write the result's file")
    options = parser.parse_args()
    if options.data is None:
        parser.error("--data DIR (or GNOMON_DATA) must name the folder of the two files")
    table, problems = [], {}
    for name in FILES:
        text = (Path(options.data) / f"{name}.txt").read_text(encoding="utf-8")
        rows = [row for problem in parse_problems(text) if (row := measure(problem, options))]
        solved = {kind: sum(row[kind] is not None for row in rows) for kind in KINDS}
        table.append({"problems": name, "not solved alone": len(rows), **solved})
        problems[name] = rows
    print_table(table)
    result = {"time_s": options.time, "threads": options.threads, "table": table}
    publish("geometry-proposers", {**result, "problems": problems}, is_kept=options.keep)


if __name__ == "__main__":
    main()
