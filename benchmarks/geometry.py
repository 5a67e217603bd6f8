"""How many problems are solved, alone and with auxiliary points, and how long it takes.

    python benchmarks/geometry.py --data DIR [--points heuristic] [--time 120] [--keep]

DIR holds `imo_ag_30.txt` and `jgex_ag_231.txt` of AlphaGeometry (Nature 2024). A problem counts as
solved when the checker accepts the proof, which `certificate.verify` then checks once more in
fresh diagrams. Of those, "in part" are theorems of the configuration drawn that are false in
another one. Saturation is timed without a goal, from two diagrams and the given facts to the moment
when no rule finds anything new: processor time of one thread, the least of some repetitions.
Attempts a second are those of the problems that needed some, by the clock and by processor time.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import time
from pathlib import Path
from typing import Any

from gnomon.errors import GnomonError
from gnomon.geometry import Problem, parse_problems, solve
from gnomon.geometry.certificate import verify
from gnomon.geometry.configuration import Configuration, find_configuration
from gnomon.geometry.native import make_state
from record import print_table, publish

FILES = ("imo_ag_30", "jgex_ag_231")
REPETITIONS = 3


def measure(problem: Problem, options: argparse.Namespace) -> dict[str, Any]:
    """How one problem ends, and how long its saturation takes."""
    start = time.process_time()
    try:
        solution = solve(
            problem,
            time_s=options.time,
            threads=options.threads,
            seed=options.seed,
            points=options.points,
            minimise_s=options.minimise,
        )
        found = find_configuration(problem, seed=options.seed)
    except GnomonError as error:
        return {"name": problem.name, "status": f"error: {error}"}
    row: dict[str, Any] = {
        "name": problem.name,
        "status": solution.status.value,
        "steps": solution.proof.length if solution.proof else None,
        "points": [str(clause) for clause in solution.added],
        "attempts": solution.attempts,
        "seconds": round(solution.seconds, 2),
        "search_seconds": round(solution.search_s, 2),
        "processor_seconds": round(time.process_time() - start, 2),
        "refusal": solution.refusal,
        "checked_again": None,
    }
    if solution.proof:
        try:
            verify(solution.proof, solution.problem, seed=options.seed + 77)
            row["checked_again"] = True
        except GnomonError as error:
            row["checked_again"] = str(error)
    if isinstance(found, Configuration):
        row["saturate_ms"] = min(_saturation_ms(problem, found) for _ in range(REPETITIONS))
    return row


def _saturation_ms(problem: Problem, found: Configuration) -> float:
    start = time.thread_time()
    state = make_state(problem, found.diagrams)
    state.saturate(60.0)
    return 1000 * (time.thread_time() - start)


def summarise(name: str, rows: list[dict[str, Any]]) -> dict[str, Any]:
    """One line of the table."""
    times = [row["saturate_ms"] for row in rows if "saturate_ms" in row]
    steps = [row["steps"] for row in rows if row.get("steps") is not None]
    tried = [row for row in rows if row.get("attempts", 0) > 20]
    attempts = sum(row["attempts"] for row in tried)
    return {
        "problems": name,
        "all": len(rows),
        "solved": sum(row.get("steps") is not None for row in rows),
        "in part": sum(row["status"] == "proved in some configurations" for row in rows),
        "refused": sum(bool(row.get("refusal")) for row in rows),
        "checked again": sum(row.get("checked_again") is True for row in rows),
        "median saturation, ms": statistics.median(times),
        "slowest, ms": max(times),
        "median steps": statistics.median(steps),
        "attempts/s": attempts / sum(row["search_seconds"] for row in tried) if tried else 0.0,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", default=os.environ.get("GNOMON_DATA"), required=False)
    parser.add_argument("--points", default="none", help="who proposes: none, heuristic, …")
    parser.add_argument("--time", type=float, default=120.0, help="seconds a problem")
    parser.add_argument("--minimise", type=float, default=2.0, help="seconds for shorter proofs")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", action="store_true", help="write the result's file")
    options = parser.parse_args()
    if options.data is None:
        parser.error("--data DIR (or GNOMON_DATA) must name the folder of the two files")
    table, problems = [], {}
    for name in FILES:
        text = (Path(options.data) / f"{name}.txt").read_text(encoding="utf-8")
        rows = []
        for problem in parse_problems(text):
            rows.append(measure(problem, options))
            print(f"{rows[-1]['name']}: {rows[-1]['status']}", file=sys.stderr, flush=True)
        table.append(summarise(name, rows))
        problems[name] = rows
    print_table(table)
    result = {
        "points": options.points,
        "threads": options.threads,
        "time_s": options.time,
        "table": table,
        "problems": problems,
    }
    kind = "alone" if options.points == "none" else options.points
    publish(f"geometry-{kind}", result, is_kept=options.keep)


if __name__ == "__main__":
    main()
