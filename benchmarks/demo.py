"""What `gnomon demo` takes and gives: wall time, peak memory, and its own table.

    python benchmarks/demo.py [--output out] [--keep]

Run it in the environment that `make demo` makes; the time of that set-up is not in it.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from pathlib import Path

from record import print_table, publish

FIGURES = ("size_bytes", "bits_per_weight", "perplexity", "tokens_per_second", "seconds")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, default=Path("out"))
    parser.add_argument("--keep", action="store_true", help="write benchmarks/results/")
    options = parser.parse_args()
    start = time.perf_counter()
    command = [sys.executable, "-m", "gnomon", "demo", "--json", "--output", str(options.output)]
    run = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True)
    seconds = time.perf_counter() - start
    peak_kib = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    result = json.loads(run.stdout)
    rows = [
        {"model": name, **{figure: result[name][figure] for figure in FIGURES}}
        for name in ("original", "compressed")
    ]
    print_table(rows)
    publish(
        "demo",
        {
            "rows": rows,
            "perplexity_ratio": result["perplexity_ratio"],
            "seconds": round(seconds, 1),
            "peak_memory_bytes": peak_kib * 1024,
            "threads": result["threads"],
            "evaluation": result["evaluation"],
            "options": result["options"],
            "prompt": result["prompt"],
            "answer": result["answer"],
        },
        is_kept=options.keep,
    )


if __name__ == "__main__":
    main()
