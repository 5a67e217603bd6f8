"""IMO-AG-30 by deduction alone: gnomon beside Newclid with Yuclid, in one run.

    python -m venv build/peer && build/peer/bin/pip install 'newclid[yuclid]' pyyaml
    python benchmarks/geometry_peer.py --data DIR [--peer build/peer/bin/python] [--keep]

DIR holds `imo_ag_30.txt`. The two take turns, problem by problem, on one thread each, with no
auxiliary points. *Deduction* is what each spends between a drawn diagram and the answer, in
processor seconds, its child processes included: for gnomon from the diagrams to the saturated state
or the goal, in process; for Newclid its `run()`, which starts the `yuclid` program and reads what
it printed. *Whole* is from the problem's text to the end, with gnomon's proof checked and shortened
(Newclid's is not written). Newclid gets each problem with all arguments written out, as it asks
for, a parallelogram's new corner first. A problem that it cannot draw in ten tries is not solved.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from gnomon.errors import GnomonError
from gnomon.geometry import Problem, parse_problems, solve
from gnomon.geometry.configuration import Configuration, find_configuration
from gnomon.geometry.native import make_state, to_native
from record import print_table, publish

# Runs under the peer's Python: a line with a problem comes in, a line of JSON goes out.
PEER = """
import importlib.metadata, json, logging, os, sys, time
from newclid import GeometricSolverBuilder
from newclid.jgex.problem_builder import JGEXProblemBuilder
logging.disable(logging.CRITICAL)
out, sys.stdout = sys.stdout, sys.stderr
def spent():
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system
def emit(value):
    print(json.dumps(value), file=out, flush=True)
emit({name: importlib.metadata.version(name) for name in ("newclid", "py-yuclid")})
for line in sys.stdin:
    start = spent()
    try:
        text = json.loads(line)
        builder = JGEXProblemBuilder(rng=0).with_problem_from_txt(text)
        setup = builder.build(max_attempts_to_satisfy_goals_numerically=10)
        solver = GeometricSolverBuilder(rng=0).build(setup)
        drawn = spent()
        solved = bool(solver.run())
        emit({"solved": solved, "deduction_s": spent() - drawn, "whole_s": spent() - start})
    except Exception as error:
        emit({"solved": False, "error": f"{type(error).__name__}: {error}"[:200]})
"""


def measure(problem: Problem) -> dict[str, Any]:
    """gnomon's answer and processor time on one problem."""
    start = time.process_time()
    try:
        solved = solve(problem, points="none").proof is not None
        whole_s = time.process_time() - start
        found = find_configuration(problem, seed=0)
    except GnomonError as error:
        return {"solved": False, "error": str(error)}
    if not isinstance(found, Configuration) or problem.goal is None:
        return {"solved": False, "whole_s": whole_s}
    start = time.process_time()
    state = make_state(problem, found.diagrams)
    state.solve(to_native(problem.goal, problem.points), time_s=60.0)
    return {"solved": solved, "deduction_s": time.process_time() - start, "whole_s": whole_s}


def in_newclids_words(problem: Problem) -> str:
    """The problem with every argument written out, a parallelogram's new corner first."""
    return re.sub(r"parallelogram (\S+ \S+ \S+) ([^\s;,]+)", r"parallelogram \2 \1", str(problem))


class Peer:
    """The other program, kept running so that its imports are not counted."""

    def __init__(self, python: Path) -> None:
        binaries = f"{python.parent.absolute()}{os.pathsep}{os.environ.get('PATH', '')}"
        kept = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
        self._process = subprocess.Popen(
            [str(python.absolute()), "-c", PEER],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env={**kept, "PATH": binaries},
        )
        self.versions = self._read()

    def measure(self, text: str) -> dict[str, Any]:
        """The peer's answer and processor time on one problem."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(text) + "\n")
        self._process.stdin.flush()
        return self._read()

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            sys.exit(f"the peer ended with status {self._process.wait()}; is newclid installed?")
        return json.loads(line)


def summarise(name: str, rows: list[dict[str, Any]]) -> dict[str, Any]:
    """One line of the table."""
    deduction = [row["deduction_s"] for row in rows if "deduction_s" in row]
    whole = [row["whole_s"] for row in rows if "whole_s" in row]
    return {
        "by": name,
        "problems": len(rows),
        "solved": sum(row["solved"] for row in rows),
        "errors": sum("error" in row for row in rows),
        "median deduction, ms": 1000 * statistics.median(deduction),
        "slowest, ms": 1000 * max(deduction),
        "median whole, ms": 1000 * statistics.median(whole),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", default=os.environ.get("GNOMON_DATA"))
    parser.add_argument("--peer", type=Path, default=Path("build/peer/bin/python"))
    parser.add_argument("--keep", action="store_true", help="write the result's file")
    options = parser.parse_args()
    if options.data is None:
        parser.error("--data DIR (or GNOMON_DATA) must name the folder of the problems")
    text = (Path(options.data) / "imo_ag_30.txt").read_text(encoding="utf-8")
    problems = list(parse_problems(text))
    peer = Peer(options.peer)
    rows = []
    for problem in problems:
        theirs = peer.measure(in_newclids_words(problem))
        row = {"name": problem.name, "gnomon": measure(problem), "peer": theirs}
        print(json.dumps(row), file=sys.stderr, flush=True)
        rows.append(row)
    table = [
        summarise("gnomon", [row["gnomon"] for row in rows]),
        summarise("newclid[yuclid]", [row["peer"] for row in rows]),
    ]
    print_table(table)
    result = {"peer": peer.versions, "table": table, "problems": rows}
    publish("geometry-peer", result, is_kept=options.keep)


if __name__ == "__main__":
    main()
