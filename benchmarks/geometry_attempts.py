"""How many auxiliary points are tried a second.

    python benchmarks/geometry_attempts.py --data DIR [--threads 2] [--time 3] [--keep]

For every problem of `imo_ag_30.txt` in DIR that the engine does not solve alone, the search runs
for so long, and no proof is accepted, so that it goes on. Two figures: *warm starts* is the
verifier alone (copy, add a point, saturate) on the best-ranked points, on one thread; *search* is
the whole loop, with proposing, states that are made again, and bundles of points, each counted as
one attempt. Both a second of processor time; by the clock, several threads do up to so many times
as much, and less where others work too.
"""

from __future__ import annotations

import argparse
import itertools
import os
import statistics
import time
from pathlib import Path
from typing import Any

from gnomon.geometry import Problem, parse_problems
from gnomon.geometry.auxiliary import Figure, HeuristicProposer, PointVerifier
from gnomon.geometry.configuration import Configuration, find_configuration
from gnomon.geometry.native import make_state, to_native
from gnomon.search import search
from record import print_table, publish

WARM_STARTS = 300


def measure(problem: Problem, options: argparse.Namespace) -> dict[str, Any] | None:
    """One problem, or None where its goal is known without a point, or true in no diagram."""
    found = find_configuration(problem, seed=options.seed)
    if not isinstance(found, Configuration):
        return None
    assert problem.goal is not None
    goal = to_native(problem.goal, problem.points)
    state = make_state(problem, found.diagrams)
    state.saturate(60.0)
    if state.knows(goal):
        return None
    proposer, verifier = HeuristicProposer(goal), PointVerifier(goal, lambda _: None)
    best = itertools.islice(proposer.propose(Figure(state)), WARM_STARTS)
    points = [proposal for proposal in best if len(proposal.step.points) == 1]
    start = time.thread_time()
    for proposal in points:
        verifier.verify(Figure(state), proposal.step)
    warm_s = time.thread_time() - start
    clock, processor = time.perf_counter(), time.process_time()
    outcome = search(
        Figure(state),
        proposer,
        verifier,
        time_s=options.time,
        threads=options.threads,
        most_depth=4,
        least_cost=proposer.least_cost,
    )
    clock_s, processor_s = time.perf_counter() - clock, time.process_time() - processor
    return {
        "name": problem.name,
        "points": len(problem.points),
        "warm starts/s": len(points) / warm_s,
        "search/s": outcome.attempts / processor_s,
        "search/s by the clock": outcome.attempts / clock_s,
        "states expanded": outcome.expanded,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", default=os.environ.get("GNOMON_DATA"))
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--time", type=float, default=3.0, help="seconds a problem")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", action="store_true", help="write the result's file")
    options = parser.parse_args()
    if options.data is None:
        parser.error("--data DIR (or GNOMON_DATA) must name the folder of the problems")
    text = (Path(options.data) / "imo_ag_30.txt").read_text(encoding="utf-8")
    rows = [row for problem in parse_problems(text) if (row := measure(problem, options))]
    table = [
        {
            "problems": len(rows),
            **{
                f"{kind} ({name})": measured([row[kind] for row in rows])
                for kind in ("warm starts/s", "search/s", "search/s by the clock")
                for name, measured in (("median", statistics.median), ("least", min))
            },
        }
    ]
    print_table(table)
    result = {"threads": options.threads, "time_s": options.time, "table": table, "problems": rows}
    publish("geometry-attempts", result, is_kept=options.keep)


if __name__ == "__main__":
    main()
