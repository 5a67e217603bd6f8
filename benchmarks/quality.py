"""Perplexity of SmolLM2-135M before and after rounding its 210 linear layers, nothing tuned.

The embedding and head stay as they are, so the figure is the codec's alone. The text is
WikiText-2's test part (`--data DIR` or GNOMON_DATA, a folder with text/wikitext2.test.txt; without
one, the bundled slice of it), in windows of 512 tokens; calibration is on the bundled slice of the
validation part.

    python benchmarks/quality.py --bits 2 3 4 [--codec trellis] [--data DIR] [--keep]
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from pathlib import Path

from gnomon.compress import CompressOptions, compress
from gnomon.data import evaluation_text
from gnomon.engine import Engine, perplexity
from gnomon.models import Model, open_model, require_tokenizer
from record import print_table, publish


def evaluation(data: Path | None) -> tuple[str, str]:
    """The text, and what to call it."""
    if data is None:
        return evaluation_text(), "bundled slice of wikitext2.test"
    return (data / "text" / "wikitext2.test.txt").read_text(encoding="utf-8"), "wikitext2.test"


def measure(model: Model, text: str, windows: int) -> dict[str, float]:
    tokens = require_tokenizer(model).encode(text, add_special=False)
    result = perplexity(Engine(model), tokens, window=512, stride=512, max_windows=windows)
    return {"perplexity": result.perplexity, "tokens": result.tokens, "windows": result.windows}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default=None, help="default: the embedded SmolLM2-135M")
    parser.add_argument("--codec", default="trellis")
    parser.add_argument("--bits", type=int, nargs="+", default=[2, 3, 4])
    parser.add_argument("--windows", type=int, default=24)
    parser.add_argument("--calibration-tokens", type=int, default=32_768)
    folder = os.environ.get("GNOMON_DATA")
    parser.add_argument("--data", type=Path, default=Path(folder) if folder else None)
    parser.add_argument("--keep", action="store_true", help="write benchmarks/results/")
    options = parser.parse_args()
    text, text_name = evaluation(options.data)
    model = open_model(options.model)
    base = measure(model, text, options.windows)
    rows = [{"codec": "original", "bits/weight": 16.0, "error": 0.0, "seconds": 0.0, "ratio": 1.0}]
    rows[0] |= {"perplexity": base["perplexity"]}
    for bits in options.bits:
        with tempfile.TemporaryDirectory() as scratch:
            start = time.perf_counter()
            result = compress(
                model,
                Path(scratch) / "model",
                options=CompressOptions(
                    codec=options.codec,
                    bits=bits,
                    head_bits=16,
                    calibration_tokens=options.calibration_tokens,
                ),
            )
            seconds = time.perf_counter() - start
            reached = measure(open_model(result.output), text, options.windows)
        weights = sum(layer.shape[0] * layer.shape[1] for layer in result.layers)
        spent = sum(
            layer.bits_per_weight * layer.shape[0] * layer.shape[1] for layer in result.layers
        )
        rows.append(
            {
                "codec": options.codec,
                "bits/weight": spent / weights,
                "error": sum(layer.relative_error for layer in result.layers) / len(result.layers),
                "seconds": seconds,
                "ratio": reached["perplexity"] / base["perplexity"],
                "perplexity": reached["perplexity"],
            }
        )
    print_table(rows)
    publish(
        f"quality_{options.codec}",
        {
            "model": model.name,
            "text": text_name,
            "windows": base["windows"],
            "window": 512,
            "layers": len(result.layers),
            "calibration_tokens": options.calibration_tokens,
            "rows": rows,
        },
        is_kept=options.keep,
    )


if __name__ == "__main__":
    main()
