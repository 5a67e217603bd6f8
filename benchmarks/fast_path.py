"""What looking codes up, rounded to bytes, costs: perplexity beside that of the decoded matrices.

The decoded ones run as float32 (`--dense float16` where memory is short), on the same windows.

    python benchmarks/fast_path.py out/smollm2-2bit --data DIR [--windows 8] [--keep]
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from gnomon.codecs.encoded import EncodedWeight
from gnomon.engine import Engine, perplexity
from gnomon.engine.native_layers import Dense
from gnomon.models import open_model, require_tokenizer
from gnomon.models.model import Model
from record import print_table, publish


class DecodedWeights:
    """`Weights` of a compressed model as if none were coded."""

    def __init__(self, model: Model) -> None:
        self._weights = model.weights

    def names(self) -> list[str]:
        return self._weights.names()

    def shape(self, name: str) -> tuple[int, ...]:
        return self._weights.shape(name)

    def storage(self, name: str) -> str:
        return "F32"

    def size_bytes(self, name: str) -> int:
        return self._weights.size_bytes(name)

    def load(self, name: str) -> np.ndarray:
        return self._weights.load(name)

    def encoded(self, name: str) -> EncodedWeight | None:
        return None


def measure(model: Model, tokens: Sequence[int], *, windows: int, dense: Dense) -> dict[str, float]:
    decoded = replace(model, weights=DecodedWeights(model))
    engines = {"fast": Engine(model), "decoded": Engine(decoded, dense=dense)}
    found = {
        name: perplexity(engine, tokens, max_windows=windows).perplexity
        for name, engine in engines.items()
    }
    return {**found, "ratio": found["fast"] / found["decoded"]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--windows", type=int, default=8)
    parser.add_argument("--dense", choices=("float32", "float16"), default="float32")
    parser.add_argument("--keep", action="store_true", help="write benchmarks/results/")
    options = parser.parse_args()
    model = open_model(options.model)
    text = (options.data / "text" / "wikitext2.test.txt").read_text(encoding="utf-8")
    tokens = require_tokenizer(model).encode(text[: 4000 * options.windows])
    found = measure(model, tokens, windows=options.windows, dense=options.dense)
    print_table([found])
    result = {"model": model.name, "windows": options.windows, "dense": options.dense, **found}
    publish(f"fast_path_{options.model.name}", result, is_kept=options.keep)


if __name__ == "__main__":
    main()
