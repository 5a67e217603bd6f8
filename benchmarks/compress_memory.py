"""How much memory and time a compression takes, with its activations in memory and on disk.

Each run is a process of its own. Its peak is the resident memory that the system accounts to it,
which counts the pages of the model's file that it has read and the system could take back; without
them it is the greatest of some samples a second. Options of `gnomon compress` may be given; without
any, nothing is tuned.

    python benchmarks/compress_memory.py [MODEL] [--activations memory disk] [--keep]
    python benchmarks/compress_memory.py MODEL --activations memory --output out/small \\
        --options="--effort standard --size 480MB" --keep

`--output DIR` leaves the model there, and goes on with an interrupted run, whose figures are then
those of the rest; the result is called after it.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from gnomon.compress.job import partial_folder
from gnomon.models import open_model
from record import print_table, publish

SAMPLE_S = 0.2
GIB = 2**30


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", nargs="?", default="smollm2", help="a folder or file")
    parser.add_argument("--activations", nargs="+", default=["memory", "disk"])
    parser.add_argument("--output", type=Path, default=None, help="where the model is left")
    parser.add_argument("--scratch", type=Path, default=None, help="a folder on a roomy disk")
    parser.add_argument("--keep", action="store_true", help="write benchmarks/results/")
    parser.add_argument("--options", type=shlex.split, default=[], help="of gnomon compress")
    options = parser.parse_args()
    if options.output is not None and len(options.activations) > 1:
        parser.error("--output takes one model: name one kind of --activations")
    model = open_model(options.model)
    rows = [run(options, activations) for activations in options.activations]
    print_table(rows)
    name = "" if options.output is None else f"_{options.output.name}"
    publish(
        f"compress_memory{name}",
        {"model": model.name, "model_bytes": model.size_bytes, "rows": rows},
        is_kept=options.keep,
    )


def run(options: argparse.Namespace, activations: str) -> dict[str, Any]:
    """One compression in a process of its own."""
    with tempfile.TemporaryDirectory(dir=options.scratch) as scratch:
        output = Path(scratch, "model") if options.output is None else options.output.resolve()
        is_resumed = partial_folder(output).exists()
        command = [sys.executable, "-m", "gnomon", "compress", options.model, "-o", str(output)]
        command += ["--activations", activations, "--resume", "--json", *options.options]
        start = time.monotonic()
        with open(f"{scratch}/said", "w") as said:
            process = subprocess.Popen(command, stdout=said)
        anonymous, kept = 0, 0
        while (ended := os.wait4(process.pid, os.WNOHANG))[0] == 0:
            anonymous = max(anonymous, anonymous_bytes(process.pid))
            kept = max(kept, kept_bytes(partial_folder(output)))
            time.sleep(SAMPLE_S)
        seconds = time.monotonic() - start
        process.returncode = os.waitstatus_to_exitcode(ended[1])
        if process.returncode:
            raise SystemExit(f"{' '.join(command)} ended with {process.returncode}")
        result = json.loads(Path(f"{scratch}/said").read_text())
    return {
        "activations": activations,
        "peak GiB": ended[2].ru_maxrss * 1024 / GIB,  # kibibytes on Linux
        "without the file's pages": anonymous / GIB,
        "on disk GiB": kept / GIB,
        "is the rest of a run": is_resumed,
        "seconds": seconds,
        "cpu seconds": ended[2].ru_utime + ended[2].ru_stime,
        "bits/weight": result["bits_per_weight"],
        "size_bytes": result["size_bytes"],
    }


def anonymous_bytes(process: int) -> int:
    """Its resident memory that is no page of a file; 0 if it has just ended."""
    try:
        lines = Path(f"/proc/{process}/status").read_text().splitlines()
    except OSError:
        return 0
    kibibytes = [line.split()[1] for line in lines if line.startswith("RssAnon:")]
    return int(kibibytes[0]) * 1024 if kibibytes else 0


def kept_bytes(folder: Path) -> int:
    """The activations on the disk."""
    total = 0
    for file in folder.rglob("*.kept"):
        try:
            total += file.stat().st_size
        except OSError:  # used for the last time meanwhile
            continue
    return total


if __name__ == "__main__":
    main()
