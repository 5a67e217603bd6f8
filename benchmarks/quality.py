"""Perplexity of SmolLM2-135M before and after coding its 210 linear layers.

The embedding and head stay as they are, so the figure is that of the layers alone; bits a weight
count everything that is stored for them. A whole number of bits gives every layer as many; another,
2.09 say, is a mean, with all that is stored counted, and spread to where it matters. The text is
WikiText-2's test part (`--data DIR` or GNOMON_DATA, a folder with text/wikitext2.test.txt; without
one, the bundled slice of it) in windows of 512 tokens; calibration is on all of its
validation part and on bundled chats.
`perplexity` counts every token of a window but its first, `half` those of its second half only, as
llama.cpp does.

    python benchmarks/quality.py --effort standard --bits 2 3 [--codec aq] [--data DIR] [--keep]

`--models DIR` keeps the compressed models there, and finds those again that are there already.
"""

from __future__ import annotations

import argparse
import os
import re
import tempfile
import time
from pathlib import Path
from typing import Any

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
    """Perplexity by both conventions."""
    engine, tokens = Engine(model), require_tokenizer(model).encode(text, add_special=False)
    found = {}
    for key, score_from in (("perplexity", "start"), ("half", "half")):
        result = perplexity(engine, tokens, window=512, max_windows=windows, score_from=score_from)
        found[key] = result.perplexity
    return found


def coded(model: Model, output: Path, options: CompressOptions) -> dict[str, Any]:
    """Compresses unless that was done; seconds as gnomon.json has them."""
    if not (output / "gnomon.json").exists():
        compress(model, output, options=options, resume=True)
    compressed = open_model(output)
    layers = [
        entry
        for name, entry in compressed.provenance["layers"].items()
        if name.startswith("model.layers.")
    ]
    weights = sum(entry["shape"][0] * entry["shape"][1] for entry in layers)
    norms = sum(
        compressed.weights.size_bytes(name)
        for name in compressed.weights.names()
        if re.fullmatch(r"model\.layers\.\d+\..*norm\.weight", name)
    )
    spent = sum(
        entry["bits_per_weight"] * entry["shape"][0] * entry["shape"][1] for entry in layers
    )
    return {
        "bits/weight": (spent + 8 * norms) / weights,
        "error": sum(entry["relative_error"] for entry in layers) / len(layers),
        "seconds": compressed.provenance["seconds"],
        "model": compressed,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default=None, help="default: the embedded SmolLM2-135M")
    parser.add_argument("--codec", default="trellis")
    parser.add_argument("--effort", default="quick")
    parser.add_argument("--bits", type=float, nargs="+", default=[2, 3, 4])
    parser.add_argument("--windows", type=int, default=24)
    parser.add_argument("--calibration-tokens", type=int, default=None)
    folder = os.environ.get("GNOMON_DATA")
    parser.add_argument("--data", type=Path, default=Path(folder) if folder else None)
    parser.add_argument("--models", type=Path, default=None)
    parser.add_argument("--keep", action="store_true", help="write benchmarks/results/")
    arguments = parser.parse_args()
    text, text_name = evaluation(arguments.data)
    model = open_model(arguments.model)
    base = measure(model, text, arguments.windows)
    none = {"bits/weight": 16.0, "error": 0.0, "seconds": 0.0}
    rows = [{"codec": "original", **none, **base, "ratio": 1.0, "half ratio": 1.0}]
    with tempfile.TemporaryDirectory() as scratch:
        folder = arguments.models or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        for bits in arguments.bits:
            options = CompressOptions(
                codec=arguments.codec,
                bits=bits,
                head_bits=16,
                effort=arguments.effort,
                calibration_tokens=arguments.calibration_tokens,
            )
            start = time.perf_counter()
            name = f"{arguments.codec}-{arguments.effort}-{bits:g}bit-{options.tokens}"
            found = coded(model, folder / name, options)
            reached = measure(found.pop("model"), text, arguments.windows)
            rows.append(
                {
                    "codec": arguments.codec,
                    **found,
                    **reached,
                    "ratio": reached["perplexity"] / base["perplexity"],
                    "half ratio": reached["half"] / base["half"],
                }
            )
            print(f"{name}: {time.perf_counter() - start:.0f} s with measuring", flush=True)
    print_table(rows)
    publish(
        f"quality_{arguments.codec}_{arguments.effort}",
        {
            "model": model.name,
            "text": text_name,
            "windows": arguments.windows,
            "window": 512,
            "effort": arguments.effort,
            "calibration_tokens": options.tokens,
            "rows": rows,
        },
        is_kept=arguments.keep,
    )


if __name__ == "__main__":
    main()
