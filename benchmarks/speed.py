"""Speed beside llama.cpp and the aqlm package, in one run in which all take turns.

Figures are medians of the rounds. llama.cpp's tools and its quantised files are made once and kept
below build/; what needs a model that is not given is left out.

    python benchmarks/speed.py --qwen out/qwen-2bit --small out/smollm2-2bit --data DIR [--keep]
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from aqlm_peer import AQLM_COLUMNS, AQLM_ROWS, compare_matvec
from fetch_qwen import MODEL as QWEN
from gnomon import _native
from gnomon.bench import Case, LlamaBench, OurModel, Plan, Speed, measure, measure_bandwidth
from gnomon.models import open_model
from gnomon.models.open_model import embedded_model_path
from llama_cpp import LlamaCpp, build_tools
from random_model import SHAPES, write_gguf, write_ours
from record import print_table, publish

FOLDER = Path(__file__).parent.parent / "build" / "models"
PARTS = ("qwen", "small", "shapes", "aqlm", "batch", "context", "load")
PROMPT = Case(kind="prompt", tokens=512)
DECODE = Case(kind="decode", tokens=64, context=64)
FAR = Case(kind="decode", tokens=64, context=4096)
TOGETHER = Case(kind="decode", tokens=64, context=64, batch=8)
# The second start of a process: what it says is seconds to the first token and bytes of memory.
START = """
import time
start_s = time.perf_counter()
import json, sys
from functools import partial
from gnomon.bench import OurModel, Plan
from gnomon.models import open_model
plan = Plan(prompts=(1,), contexts=(1,), batches=(1,), decode=1)
ours = OurModel(partial(open_model, sys.argv[1]), plan=plan, threads=int(sys.argv[2]))
session_bytes = ours.engine.session_bytes(3)
rest_bytes = ours.memory_bytes - ours.engine.model.size_bytes - session_bytes
print(json.dumps([time.perf_counter() - start_s, rest_bytes]))
"""


class Run:
    """What has been measured: rows of the table, and every speed for the JSON line."""

    def __init__(self, *, threads: int, rounds: int) -> None:
        self.threads, self.rounds = threads, rounds
        self.rows: list[dict[str, Any]] = []
        self.speeds: list[dict[str, Any]] = []

    def add(self, what: str, figure: float, goal: float, *, is_ratio: bool = True) -> None:
        """A row; `goal` is the least, or for what is no ratio the most, that will do."""
        is_reached = figure >= goal if is_ratio else figure <= goal
        self.rows.append({"what": what, "figure": figure, "goal": goal, "reached": is_reached})

    def measure(
        self, contenders: Sequence[OurModel | LlamaBench], cases: Sequence[Case]
    ) -> Callable[[int, Case], float]:
        """Tokens a second by place among the contenders and case."""
        found = measure(contenders, cases, rounds=self.rounds, on_progress=_show)
        by_case: dict[tuple[int, Case], float] = {}
        for place, (contender, speeds) in enumerate(zip(contenders, found, strict=True)):
            for speed in speeds:
                by_case[place, speed.case] = speed.tokens_per_second
                self.speeds.append({"model": contender.name, **_entry(speed)})
        return lambda place, case: by_case[place, case]

    def ours(
        self, model: str | Path, *, contexts: Sequence[int] = (64,), batch: int = 1
    ) -> OurModel:
        plan = Plan(prompts=(512,), contexts=tuple(contexts), batches=(batch,), decode=64)
        return OurModel(partial(open_model, model), plan=plan, threads=self.threads)


def _show(progress: Any) -> None:
    print(f"{progress.done}/{progress.total} {progress.detail or ''}", file=sys.stderr)


def _entry(speed: Speed) -> dict[str, Any]:
    return {
        "case": str(speed.case),
        "tokens_per_second": speed.tokens_per_second,
        "slowest": speed.slowest,
        "fastest": speed.fastest,
    }


def quantised(
    tools: LlamaCpp, source: Path, kinds: Sequence[str], *, text: Path | None
) -> list[Path]:
    """`source` in llama.cpp's types; IQ2_XXS needs `text` for its importance matrix."""
    files = []
    for kind in kinds:
        target = FOLDER / f"{source.stem}-{kind}.gguf"
        if not target.exists():
            imatrix = None
            if kind.startswith("IQ"):
                if text is None:
                    raise SystemExit(f"{kind} needs --data DIR, with text/wikitext2.valid.txt")
                imatrix = FOLDER / f"{source.stem}.imatrix.gguf"
                if not imatrix.exists():
                    tools.imatrix(source, text, imatrix, windows=20)
            tools.quantize(source, kind, target, imatrix=imatrix)
        files.append(target)
    return files


def qwen(run: Run, tools: LlamaCpp, options: argparse.Namespace) -> None:
    kinds = ("Q2_K", "IQ2_XXS", "Q4_0")
    text = options.data and options.data / "text" / "wikitext2.valid.txt"
    files = quantised(tools, options.qwen_gguf, kinds, text=text)
    peers = [LlamaBench(str(tools.folder / "llama-bench"), f, threads=run.threads) for f in files]
    speed = run.measure([run.ours(options.qwen), *peers], [PROMPT, DECODE])
    run.add("Qwen 1.5B, decode, to Q2_K", speed(0, DECODE) / speed(1, DECODE), 2.0)
    if _native.chosen_isa() == "avx2":  # a fair row if llama.cpp was built without AVX-512 too
        run.add("the same, AVX2 on both sides", speed(0, DECODE) / speed(1, DECODE), 1.3)
    run.add("Qwen 1.5B, decode, to IQ2_XXS", speed(0, DECODE) / speed(2, DECODE), 4.5)
    best = max(speed(place, PROMPT) for place in (1, 2, 3))
    run.add("Qwen 1.5B, prompt of 512, to the best", speed(0, PROMPT) / best, 1.5)


def small(run: Run, tools: LlamaCpp, options: argparse.Namespace) -> None:
    files = quantised(tools, embedded_model_path(), ["Q4_0"], text=None)
    peer = LlamaBench(str(tools.folder / "llama-bench"), files[0], threads=run.threads)
    speed = run.measure([run.ours(options.small), peer], [DECODE])
    run.add("SmolLM2 135M, decode, to Q4_0", speed(0, DECODE) / speed(1, DECODE), 1.3)


def shapes(run: Run, tools: LlamaCpp, options: argparse.Namespace) -> None:
    name, blocks = "llama-2-7b", options.blocks
    ours = run.ours(
        write_ours(FOLDER / f"random-{name}-{blocks}-2bit", SHAPES[name], blocks=blocks)
    )
    peers = [
        LlamaBench(
            str(tools.folder / "llama-bench"),
            write_gguf(
                FOLDER / f"random-{name}-{blocks}-{kind}.gguf", SHAPES[name], kind, blocks=blocks
            ),
            threads=run.threads,
        )
        for kind in ("IQ2_XXS", "Q2_K")
    ]
    bandwidth = measure_bandwidth(run.threads)
    speed = run.measure([ours, *peers], [DECODE])
    run.add("7B shapes, decode, to IQ2_XXS", speed(0, DECODE) / speed(1, DECODE), 5.0)
    run.add("7B shapes, decode, to Q2_K", speed(0, DECODE) / speed(2, DECODE), 1.8)
    rate = speed(0, DECODE) * ours.engine.weight_bytes
    run.add("7B shapes, share of the bandwidth", rate / bandwidth, 0.6)


def aqlm(run: Run, _tools: LlamaCpp, _options: argparse.Namespace) -> None:
    found = compare_matvec(rounds=run.rounds)
    run.speeds.append({"matvec": f"{AQLM_ROWS}×{AQLM_COLUMNS}, 2×8 codes, one thread", **found})
    run.add("AQLM 2×8 matvec, to the aqlm package", found["aqlm_s"] / found["ours_s"], 5.0)


def batch(run: Run, _tools: LlamaCpp, options: argparse.Namespace) -> None:
    speed = run.measure([run.ours(options.qwen or options.small, batch=8)], [DECODE, TOGETHER])
    run.add("8 sequences together, to one", speed(0, TOGETHER) / speed(0, DECODE), 4.0)


def context(run: Run, _tools: LlamaCpp, options: argparse.Namespace) -> None:
    model = run.ours(options.qwen or options.small, contexts=(64, 4096))
    speed = run.measure([model], [DECODE, FAR])
    run.add("decode after 4,096 tokens, to after 64", speed(0, FAR) / speed(0, DECODE), 0.7)


def load(run: Run, _tools: LlamaCpp, options: argparse.Namespace) -> None:
    model = str(options.qwen or options.small)
    starts = []
    for _ in range(run.rounds + 1):
        command = [sys.executable, "-c", START, model, str(run.threads)]
        said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        starts.append(json.loads(said))
    seconds = statistics.median(start[0] for start in starts[1:])
    rest = statistics.median(start[1] for start in starts[1:]) / 1e6
    run.add("seconds to the first token, from the second start on", seconds, 1.5, is_ratio=False)
    run.add("MB of memory beside file and cache", rest, 150.0, is_ratio=False)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--qwen", type=Path, help="Qwen2.5-Coder-1.5B, compressed")
    parser.add_argument("--qwen-gguf", type=Path, default=QWEN, help="what it was compressed from")
    parser.add_argument("--small", type=Path, help="SmolLM2-135M, compressed")
    parser.add_argument("--data", type=Path, help="folder with text/wikitext2.valid.txt")
    parser.add_argument("--blocks", type=int, default=8, help="of the model with 7B shapes")
    parser.add_argument("--tools", type=Path, help="folder with llama.cpp's, if not to be built")
    parser.add_argument("--part", action="append", choices=PARTS)
    parser.add_argument("--threads", type=int, default=_native.usable_cores())
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--keep", action="store_true", help="write benchmarks/results/")
    options = parser.parse_args()
    needed = {"qwen": options.qwen, "small": options.small}
    needed |= dict.fromkeys(("batch", "context", "load"), options.qwen or options.small)
    tools = (
        LlamaCpp(folder=options.tools, threads=options.threads) if options.tools else build_tools()
    )
    run = Run(threads=options.threads, rounds=options.rounds)
    for part in options.part or PARTS:
        if part in needed and needed[part] is None:
            print(f"{part}: left out, no model was given for it", file=sys.stderr)
            continue
        globals()[part](run, tools, options)
    print_table(run.rows)
    result = {
        "threads": run.threads,
        "rounds": run.rounds,
        "isa": _native.chosen_isa(),
        "rows": run.rows,
        "speeds": run.speeds,
    }
    publish(f"speed-{_native.chosen_isa()}", result, is_kept=options.keep)


if __name__ == "__main__":
    main()
