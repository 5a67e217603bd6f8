"""Mean squared error of `trellis` on a unit Gaussian, at 2, 3 and 4 bits, beside Shannon's limit.

python benchmarks/gaussian_error.py [--keep]
"""

from __future__ import annotations

import argparse
import time

import numpy as np

from gnomon.codecs import trellis
from record import print_table, publish


def measure(bits: int, *, blocks: int, seed: int) -> dict[str, float]:
    """The error on `blocks` · 32 fresh numbers, and how fast they were coded."""
    table, unit = trellis.gaussian_table(bits)
    rng = np.random.default_rng([seed, bits])
    numbers = rng.standard_normal((blocks, trellis.BLOCK), dtype=np.float32)
    start = time.perf_counter()
    _, values = trellis.encode(numbers, table * np.float32(unit), bits=bits)
    seconds = time.perf_counter() - start
    error = float(np.mean((numbers - values) ** 2))
    limit = 4.0**-bits
    return {
        "bits": bits,
        "mse": error,
        "shannon": limit,
        "ratio": error / limit,
        "million numbers/s": numbers.size / seconds / 1e6,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--blocks", type=int, default=320_000)
    parser.add_argument("--seed", type=int, default=2024)
    parser.add_argument("--keep", action="store_true", help="write benchmarks/results/")
    options = parser.parse_args()
    rows = [measure(bits, blocks=options.blocks, seed=options.seed) for bits in trellis.BITS]
    print_table(rows)
    publish(
        "gaussian_error",
        {"rows": rows, "numbers": options.blocks * trellis.BLOCK, "seed": options.seed},
        is_kept=options.keep,
    )


if __name__ == "__main__":
    main()
