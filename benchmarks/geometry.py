"""How many problems the deduction engine solves alone, and how long it takes to saturate them.

    python benchmarks/geometry.py --data DIR [--keep]

DIR holds `imo_ag_30.txt` and `jgex_ag_231.txt` of AlphaGeometry (Nature 2024). A problem counts as
solved when the checker accepts the proof. Saturation is timed without a goal, from two diagrams and
the given facts to the moment when no rule finds anything new: processor time of one thread, the
least of some repetitions.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from pathlib import Path

from gnomon.errors import GnomonError
from gnomon.geometry import Problem, Status, parse_problems, solve
from gnomon.geometry.solver import Configuration, find_configuration, make_state
from record import print_table, publish

FILES = ("imo_ag_30", "jgex_ag_231")
REPETITIONS = 3
TIME_S = 60.0


def measure(problem: Problem, seed: int) -> dict[str, object]:
    """How one problem ends, and how long its saturation takes."""
    try:
        solution = solve(problem, time_s=TIME_S, seed=seed)
        found = find_configuration(problem, seed=seed)
    except GnomonError as error:
        return {"name": problem.name, "status": f"error: {error}"}
    steps = len(solution.proof.steps) if solution.proof else None
    row = {"name": problem.name, "status": solution.status.value, "steps": steps}
    row["refusal"] = solution.refusal
    if isinstance(found, Configuration):
        row["saturate_ms"] = min(_saturation_ms(problem, found) for _ in range(REPETITIONS))
    return row


def _saturation_ms(problem: Problem, found: Configuration) -> float:
    start = time.thread_time()
    state = make_state(problem, found.diagrams)
    state.saturate(TIME_S)
    return 1000 * (time.thread_time() - start)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", default=os.environ.get("GNOMON_DATA"), required=False)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", action="store_true", help="write the result's file")
    options = parser.parse_args()
    if options.data is None:
        parser.error("--data DIR (or GNOMON_DATA) must name the folder of the two files")
    table, problems = [], {}
    for name in FILES:
        text = (Path(options.data) / f"{name}.txt").read_text(encoding="utf-8")
        rows = [measure(problem, options.seed) for problem in parse_problems(text)]
        times = [row["saturate_ms"] for row in rows if "saturate_ms" in row]
        steps = [row["steps"] for row in rows if row.get("steps")]
        table.append(
            {
                "problems": name,
                "all": len(rows),
                "solved": sum(row["status"] == Status.PROVED.value for row in rows),
                "refused": sum(bool(row.get("refusal")) for row in rows),
                "not drawn as true": len(rows) - len(times),
                "median saturation, ms": statistics.median(times),
                "slowest, ms": max(times),
                "median steps": statistics.median(steps),
            }
        )
        problems[name] = rows
    print_table(table)
    publish("geometry", {"threads": 1, "table": table, "problems": problems}, is_kept=options.keep)


if __name__ == "__main__":
    main()
