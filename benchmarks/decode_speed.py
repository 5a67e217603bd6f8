"""Decoding and prompt speed of a compressed model beside its original, in one engine and one run.

The two take turns, so that whatever else the machine does meets both; medians are compared. The
original runs with float16 weights (float32 or bfloat16 if its file has them).

    make demo && python benchmarks/decode_speed.py out/smollm2-2bit [--original MODEL] [--keep]
"""

from __future__ import annotations

import argparse
import statistics
import time
from pathlib import Path

import numpy as np

from gnomon.engine import Engine
from gnomon.models import open_model
from record import print_table, publish


def decode_speed(engine: Engine, *, context: int, tokens: int) -> float:
    """Tokens a second, one at a time, after `context` tokens."""
    session = engine.session(context + tokens + 1)
    session.forward(np.arange(context, dtype=np.int32))
    token = np.array([7], dtype=np.int32)
    session.forward(token)
    start = time.perf_counter()
    for _ in range(tokens):
        session.forward(token)
    return tokens / (time.perf_counter() - start)


def prompt_speed(engine: Engine, *, tokens: int) -> float:
    """Tokens a second of a prompt read at once."""
    session = engine.session(tokens)
    start = time.perf_counter()
    session.forward(np.arange(tokens, dtype=np.int32))
    return tokens / (time.perf_counter() - start)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("compressed", type=Path)
    parser.add_argument("--original", default=None, help="default: the embedded SmolLM2-135M")
    parser.add_argument("--threads", type=int, default=None)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--context", type=int, default=64)
    parser.add_argument("--tokens", type=int, default=64)
    parser.add_argument("--prompt", type=int, default=512)
    parser.add_argument("--keep", action="store_true", help="write benchmarks/results/")
    options = parser.parse_args()
    engines = {
        name: Engine(open_model(model), threads=options.threads)
        for name, model in (("original", options.original), ("compressed", options.compressed))
    }
    decode = {name: [] for name in engines}
    prompt = {name: [] for name in engines}
    for _ in range(options.rounds):
        for name, engine in engines.items():
            decode[name].append(
                decode_speed(engine, context=options.context, tokens=options.tokens)
            )
            prompt[name].append(prompt_speed(engine, tokens=options.prompt))
    rows = [
        {
            "model": name,
            "decode tokens/s": statistics.median(decode[name]),
            "prompt tokens/s": statistics.median(prompt[name]),
            "MB a token": engine.weight_bytes / 1e6,
        }
        for name, engine in engines.items()
    ]
    print_table(rows)
    publish(
        "decode_speed",
        {
            "rows": rows,
            "decode_ratio": statistics.median(decode["compressed"])
            / statistics.median(decode["original"]),
            "threads": engines["original"].threads,
            "rounds": options.rounds,
            "context": options.context,
            "tokens": options.tokens,
            "prompt": options.prompt,
        },
        is_kept=options.keep,
    )


if __name__ == "__main__":
    main()
