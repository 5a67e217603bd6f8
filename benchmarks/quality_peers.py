"""llama.cpp's small types beside gnomon's compressed model: size, perplexity, accuracy.

The original is a GGUF file, here Qwen2.5-Coder-1.5B-Instruct in Q4_K_M. llama.cpp quantises it anew
(`--allow-requantize`) with an importance matrix of the text that gnomon calibrates on, and measures
it with its own llama-perplexity; gnomon measures every file in its own engine too. The text
(WikiText-2's test part, from `--data DIR` or GNOMON_DATA) and the windows are the same for all.
llama-perplexity counts the second half of each window; so do the figures called `half`.

    python benchmarks/quality_peers.py --data DIR [--ours out/qwen-2bit] [--limit 100] [--keep]

`--limit N` adds LAMBADA, ARC-Easy and PIQA, N questions each, asked in gnomon's engine. What was
made or measured is kept in build/peers/, so that an interrupted run goes on; so are the figures and
rows of benchmarks/results/ that were measured on the same text, windows and questions, each with
its own machine and commit. A peer and our model need not be measured on one day.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from fetch_qwen import fetch_qwen
from gnomon.data import calibration_text
from gnomon.engine import Engine, read_task, run_task
from gnomon.engine.zeroshot_tasks import TASK_FILES, find_task
from gnomon.models import open_model, require_tokenizer
from gnomon.report.quality import parse_figures, quality_kept
from llama_cpp import PEERS, LlamaCpp, build_tools
from record import RESULTS, machine, print_table, publish

TYPES = ("Q2_K", "IQ2_M", "IQ2_XXS")
WINDOW = 512
IMATRIX_WINDOWS = 100  # of 512 tokens; the whole bundled text has about 500


class Kept:
    """Figures that took long, by what they are of, with what measured them; a file in build/peers/.

    `published`: those that are known besides.
    """

    def __init__(self, path: Path, published: dict[str, Any]) -> None:
        self._path = path
        self.found = published | (json.loads(path.read_text()) if path.is_file() else {})

    def get(self, key: str, measure: Callable[[], Any] | None) -> Any:
        """The figure; without `measure` None unless it is known."""
        if key not in self.found:
            if measure is None:
                return None
            print(f"… {key}", flush=True)
            measured_on = {name: value for name, value in machine().items() if name != "command"}
            self.found[key] = {"figure": measure(), "measured_on": measured_on}
            part = self._path.with_suffix(".part")
            part.write_text(json.dumps(self.found, indent=1))
            os.replace(part, self._path)
        return self.found[key]["figure"]


def published(name: str, conditions: dict[str, Any]) -> dict[str, Any]:
    """An earlier result, if it was measured under these conditions; empty otherwise."""
    path = RESULTS / f"{name}.json"
    earlier = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    same = all(earlier.get(key) == value for key, value in conditions.items())
    return earlier if same else {}


def quantise(tools: LlamaCpp, original: Path, types: list[str], windows: int) -> dict[str, Path]:
    """The original and its quantised forms as files; made once."""
    stem = PEERS / f"{original.stem}-imatrix{windows}"
    imatrix = stem.with_name(stem.name + ".gguf")
    files = {"original": original} | {
        kind: stem.with_name(f"{stem.name}-{kind}.gguf") for kind in types
    }
    missing = [kind for kind in types if not files[kind].is_file()]
    if missing and not imatrix.is_file():
        with tempfile.TemporaryDirectory() as scratch:
            text = Path(scratch) / "calibration.txt"
            text.write_text(calibration_text(), encoding="utf-8")
            tools.imatrix(original, text, imatrix, window=WINDOW, windows=windows)
    for kind in missing:
        tools.quantize(original, kind, files[kind], imatrix=imatrix)
    return files


def in_our_engine(
    source: str, text: str, *, windows: int, data: Path, limit: int
) -> dict[str, Any]:
    """Both conventions' perplexities, and the tasks if there is a limit."""
    model = open_model(source)
    tokenizer = require_tokenizer(model)
    engine = Engine(model)
    start, half = both_conventions(engine, tokenizer.encode(text), windows)
    found: dict[str, Any] = {"start": start, "half": half}
    tasks = {}
    for name in TASK_FILES if limit else ():
        result = run_task(engine, tokenizer, read_task(find_task(name, data), limit=limit))
        tasks[name] = {
            "questions": len(result.results),
            "accuracy": result.accuracy,
            "accuracy_error": result.accuracy_error,
            "normalised_accuracy": result.normalised_accuracy,
            "perplexity": result.perplexity,
        }
    return found | {"tasks": tasks}


def both_conventions(engine: Engine, tokens: list[int], windows: int) -> tuple[float, float]:
    """What `perplexity` gives with score_from "start" and "half", read once for both.

    As there, a model that begins with BOS would want it in each window's first place for "half".
    """
    session = engine.session(WINDOW)
    scores = np.empty((windows, WINDOW - 1))
    for i in range(windows):
        session.truncate(0)
        scores[i] = session.score(np.array(tokens[i * WINDOW :][:WINDOW], np.int32))
    return float(np.exp(-scores.mean())), float(np.exp(-scores[:, WINDOW // 2 :].mean()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--original", type=Path, default=None, help="default: the Qwen model")
    parser.add_argument("--types", nargs="*", default=list(TYPES))
    parser.add_argument(
        "--without-llama-cpp", action="store_true", help="only what gnomon's engine measures"
    )
    parser.add_argument("--ours", type=Path, nargs="*", default=[], help="compressed folders")
    parser.add_argument("--windows", type=int, default=20)
    parser.add_argument("--imatrix-windows", type=int, default=IMATRIX_WINDOWS)
    parser.add_argument("--limit", type=int, default=0, help="questions of each task; 0: no tasks")
    parser.add_argument("--in-engine", nargs="*", default=None, help="default: all of them")
    folder = os.environ.get("GNOMON_DATA")
    parser.add_argument("--data", type=Path, default=Path(folder) if folder else None)
    parser.add_argument("--keep", action="store_true", help="write benchmarks/results/")
    options = parser.parse_args()
    if options.data is None:
        parser.error("the text is in a data folder: give --data DIR or set GNOMON_DATA")
    text_file = options.data / "text" / "wikitext2.test.txt"
    text = text_file.read_text(encoding="utf-8")

    original = options.original or fetch_qwen()
    tools = None if options.without_llama_cpp else build_tools()
    files = {"original": original}
    if tools is not None:
        files = quantise(tools, original, options.types, options.imatrix_windows)
    files |= {folder.name: folder for folder in options.ours}
    name = "quality_qwen_peers" if options.original is None else f"quality_{original.stem}_peers"
    conditions = {
        "model": original.name,
        "text": "wikitext2.test",
        "text_sha256": hashlib.sha256(text.encode()).hexdigest(),
        "windows": options.windows,
        "window": WINDOW,
        "imatrix": f"{options.imatrix_windows} windows of the bundled calibration text",
        "limit": options.limit,
    }
    earlier = published(name, conditions)
    kept = Kept(PEERS / f"figures-{original.stem}.json", earlier.get("figures", {}))
    rows: list[dict[str, Any]] = []
    for label, path in files.items():
        is_gguf = path.suffix == ".gguf"
        size = path.stat().st_size if is_gguf else open_model(str(path)).size_bytes
        of = f"{label} {size}"  # a file of another size is another file
        from_llama_cpp = from_gnomon = None
        if is_gguf and tools is not None:
            from_llama_cpp = partial(
                tools.perplexity, path, text_file, windows=options.windows, window=WINDOW
            )
        if options.in_engine is None or label in options.in_engine or not is_gguf:
            from_gnomon = partial(
                in_our_engine,
                str(path),
                text,
                windows=options.windows,
                data=options.data,
                limit=options.limit,
            )
        half = kept.get(f"{of}: llama.cpp's perplexity, {options.windows} windows", from_llama_cpp)
        ours = kept.get(
            f"{of}: gnomon, {options.windows} windows, {options.limit} questions", from_gnomon
        ) or {"half": None, "start": None, "tasks": {}}
        row = {"label": label, "size_bytes": size, "half, llama.cpp": half}
        rows.append(row | {"half": ours["half"], "start": ours["start"], "tasks": ours["tasks"]})
    rows += [row for row in earlier.get("rows", []) if row["label"] not in files]
    for row in rows:
        first, best = rows[0], "half" if row["half"] is not None else "half, llama.cpp"
        row["ratio"] = row[best] / first[best] if first[best] else None
        if row["tasks"] and first["tasks"]:
            row["quality kept"] = quality_kept(parse_figures(row), parse_figures(first))
    print_table([flat(row) for row in rows])
    shown = tuple(f"{row['label']} {row['size_bytes']}:" for row in rows)
    figures = {key: figure for key, figure in kept.found.items() if key.startswith(shown)}
    publish(
        name,
        conditions | {"rows": rows, "figures": figures},
        is_kept=options.keep,
    )


def flat(row: dict[str, Any]) -> dict[str, Any]:
    """A row for the table: accuracies beside the rest, dashes for what is missing."""
    cells = {key: value for key, value in row.items() if key != "tasks"}
    cells |= {name: row["tasks"].get(name, {}).get("accuracy") for name in TASK_FILES}
    cells["quality kept"] = row.get("quality kept")
    return {key: "–" if value is None else value for key, value in cells.items()}


if __name__ == "__main__":
    main()
