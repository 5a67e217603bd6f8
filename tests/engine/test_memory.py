"""What an engine holds in memory: the mapped file once, the sessions' caches, and little else."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
MEASURE = """
import json, sys
from functools import partial
from pathlib import Path
from gnomon.bench import Case, OurModel, Plan
from gnomon.bench.ours import resident_bytes
from gnomon.models import open_model
from random_model import SHAPES, write_ours

folder = write_ours(Path(sys.argv[1]), SHAPES["llama-2-7b"], blocks=2)
before = resident_bytes()
plan = Plan(prompts=(64,), contexts=(64,), batches=(2,), decode=4)
ours = OurModel(partial(open_model, folder), plan=plan, threads=2)
ours.speed(Case(kind="prompt", tokens=64))
ours.speed(Case(kind="decode", tokens=4, context=64, batch=2))
file = ours.engine.model.size_bytes
caches = sum(ours.engine.session_bytes(each) for each in plan.capacities())
print(json.dumps({"held": resident_bytes() - before, "file": file, "caches": caches}))
"""


def test_weights_are_held_once(tmp_path):
    """A second copy of the codes, or decoded matrices, would be 160 MB and more."""
    command = [sys.executable, "-c", MEASURE, str(tmp_path / "model")]
    said = subprocess.run(command, cwd=BENCHMARKS, capture_output=True, text=True, check=True)
    found = json.loads(said.stdout)
    assert found["file"] > 160e6
    assert found["held"] < found["file"] + found["caches"] + 100e6
