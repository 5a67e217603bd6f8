"""The demonstration: measure a model, compress it, measure again, let it answer, and report.

It joins the capabilities and belongs to none of them, so it stands above them all and just below
the command line, which shows what happens here. It leaves in one folder

- `smollm2-2bit/`, the compressed model,
- `report.html`, one page for people,
- `demo.json`, the same figures for programs.

>>> demonstration = run_demo(open_model(), Path("out"))           # doctest: +SKIP
>>> demonstration.compressed.perplexity                           # doctest: +SKIP
"""

from __future__ import annotations

import json
import math
import platform
import re
import statistics
import time
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gnomon
from gnomon.compress import CompressOptions, compress
from gnomon.data import evaluation_text
from gnomon.engine import Engine, generate, perplexity
from gnomon.errors import OutputError
from gnomon.models import open_model, require_tokenizer
from gnomon.progress import OnProgress, Progress, within
from gnomon.report import LayerRow, Measurement, write_report
from gnomon.whole_file import whole_file

if TYPE_CHECKING:
    from gnomon.models.model import Model

MODEL_FOLDER = "smollm2-2bit"
REPORT_NAME = "report.html"
RESULT_NAME = "demo.json"
DEFAULT_PROMPT = "Why is the sky blue?"

_FORMAT = "gnomon-demo"
_QUANTISED = re.compile(r"[.-](I?Q\d\w*|B?F(16|32))$", re.IGNORECASE)  # Model.Q4_1.gguf
_WINDOW = 512  # tokens; the stride is the same, so that no token is measured twice
_DECODED_TOKENS = 64
_DECODING_RUNS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Demonstration:
    """What `run_demo` found; `write_results` keeps it."""

    original: Measurement
    compressed: Measurement
    name: str  # of the model, as a title
    model: Model  # the compressed one, read back from its folder
    engine: Engine  # that runs it
    layers: tuple[LayerRow, ...]
    options: CompressOptions
    source: str  # name of the file that the original was read from
    windows: int
    window: int
    evaluated_tokens: int


def run_demo(
    original: Model,
    output: Path,
    *,
    options: CompressOptions | None = None,
    windows: int = 24,
    threads: int | None = None,
    on_progress: OnProgress = lambda progress: None,
) -> Demonstration:
    """Measure `original`, write it compressed to `output/smollm2-2bit`, and measure that.

    Perplexity is of the bundled evaluation text, its first `windows` windows of 512 tokens.
    Raises OutputError before any work if a file in `output` would be lost that is not ours.
    """
    _refuse_foreign_files(output)
    options = options or CompressOptions(
        codec="trellis", bits=2, head_bits=4, calibration_tokens=32_768
    )
    parameters = sum(math.prod(original.weights.shape(name)) for name in original.weights.names())

    start_s = time.perf_counter()
    engine = Engine(original, threads=threads)
    before = _measure(original, engine, name="original", windows=windows, on_progress=on_progress)
    original_s = time.perf_counter() - start_s
    del engine  # its weights, before the compressor needs the room

    start_s = time.perf_counter()
    result = compress(
        original,
        output / MODEL_FOLDER,
        options=options,
        resume=True,
        overwrite=True,
        on_progress=within("compressing", on_progress),
    )
    compressed = open_model(str(result.output))
    engine = Engine(compressed, threads=threads)
    after = _measure(
        compressed, engine, name="compressed", windows=windows, on_progress=on_progress
    )
    compressed_s = time.perf_counter() - start_s

    return Demonstration(
        original=_measurement("original", original, parameters, before, original_s),
        compressed=_measurement("compressed", compressed, parameters, after, compressed_s),
        name=_QUANTISED.sub("", original.source.name.removesuffix(".gguf")),
        model=compressed,
        engine=engine,
        layers=tuple(result.layers),
        options=options,
        source=original.source.name,
        windows=after.windows,
        window=_WINDOW,
        evaluated_tokens=after.tokens,
    )


def write_results(
    demonstration: Demonstration, output: Path, *, prompt: str, answer: str
) -> dict[str, Any]:
    """Write the report and `demo.json` into `output`; returns what the latter holds."""
    done = demonstration
    result = {
        "format": _FORMAT,
        "version": 1,
        "gnomon_version": gnomon.__version__,
        "model": done.name,
        "source": done.source,
        "original": asdict(done.original),
        "compressed": asdict(done.compressed),
        "perplexity_ratio": done.compressed.perplexity / done.original.perplexity,
        "evaluation": {
            "text": "bundled:wikitext2",
            "windows": done.windows,
            "window": done.window,
            "stride": done.window,
            "tokens": done.evaluated_tokens,
        },
        "options": {
            "codec": done.options.codec,
            "bits": done.options.width,
            "head_bits": done.options.head_bits,
            "seed": done.options.seed,
        },
        "threads": done.engine.threads,
        "prompt": prompt,
        "answer": answer,
        "output": {"model": MODEL_FOLDER, "report": REPORT_NAME},
    }
    write_report(
        output / REPORT_NAME,
        model=done.name,
        measurements=[done.original, done.compressed],
        layers=done.layers,
        settings={
            "codec": done.options.codec,
            "bits a weight": f"{done.options.width} in the blocks, "
            f"{done.options.head_bits} in the embedding and head",
            "calibration": f"{done.options.tokens:,} tokens: bundled WikiText-2, "
            "validation part, and bundled conversations",
            "perplexity": f"{done.windows} windows of {done.window} tokens, stride {done.window}, "
            "bundled WikiText-2 slice, test part",
            "decoding": f"{_DECODED_TOKENS} tokens, median of {_DECODING_RUNS} runs",
            "seed": str(done.options.seed),
        },
        provenance={
            "source": done.source,
            "gnomon": gnomon.__version__,
            "processor": f"{_processor()}, {done.engine.threads} threads",
            "system": f"{platform.system()} {platform.machine()}, "
            f"Python {platform.python_version()}",
            "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        },
        prompt=prompt,
        answer=answer,
    )
    _write_json(output / RESULT_NAME, result)
    return result


@dataclass(frozen=True, slots=True, kw_only=True)
class _Figures:
    perplexity: float
    windows: int
    tokens: int
    tokens_per_second: float


def _measure(
    model: Model, engine: Engine, *, name: str, windows: int, on_progress: OnProgress
) -> _Figures:
    stage = f"measuring the {name}"
    token_ids = require_tokenizer(model).encode(evaluation_text())
    found = perplexity(
        engine,
        token_ids,
        window=_WINDOW,
        stride=_WINDOW,
        max_windows=windows,
        on_progress=within(stage, on_progress),
    )
    on_progress(Progress(stage=stage, done=windows - 1, total=windows, detail="speed of decoding"))
    speed = decoding_speed(engine, token_ids[:32])
    on_progress(Progress(stage=stage, done=windows, total=windows))
    return _Figures(
        perplexity=found.perplexity,
        windows=found.windows,
        tokens=found.tokens,
        tokens_per_second=speed,
    )


def decoding_speed(
    engine: Engine,
    prompt_ids: list[int],
    *,
    tokens: int = _DECODED_TOKENS,
    runs: int = _DECODING_RUNS,
) -> float:
    """Tokens a second after the first one, the median of some runs; greedy, to no end but `tokens`.

    The reading of the prompt is not in it.
    """
    speeds = []
    for _ in range(runs):
        arrivals_s = [
            time.perf_counter() for _ in generate(engine, prompt_ids, max_tokens=tokens + 1)
        ]
        if len(arrivals_s) > 1:
            speeds.append((len(arrivals_s) - 1) / (arrivals_s[-1] - arrivals_s[0]))
    return statistics.median(speeds) if speeds else math.nan


def _measurement(
    name: str, model: Model, parameters: int, figures: _Figures, seconds: float
) -> Measurement:
    return Measurement(
        name=name,
        size_bytes=model.size_bytes,
        bits_per_weight=8 * model.size_bytes / parameters,
        perplexity=figures.perplexity,
        tokens_per_second=figures.tokens_per_second,
        seconds=seconds,
    )


def _refuse_foreign_files(output: Path) -> None:
    """The compressor guards the model's folder; here are the two files beside it."""
    for name, sign in ((REPORT_NAME, 'content="gnomon"'), (RESULT_NAME, f'"{_FORMAT}"')):
        path = output / name
        try:
            is_foreign = path.exists() and sign not in path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            is_foreign = True
        if is_foreign:
            raise OutputError(
                f"{path} is there already and was not written by gnomon demo; "
                "move it away or choose another folder with --output"
            )


def _write_json(path: Path, result: dict[str, Any]) -> None:
    with whole_file(path) as file:
        file.write(json.dumps(result, ensure_ascii=False, indent=2).encode() + b"\n")


def _processor() -> str:
    """The processor's name as the system gives it, or else its kind."""
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()
