"""Learns the 256-entry tables of the codec `trellis` for a unit Gaussian, by Lloyd's iteration.

Each round codes fresh Gaussian numbers and moves every entry to the mean of the numbers that chose
it; the best of several starts is rounded to int8. Writes src/gnomon/codecs/trellis_tables.npz.

    python benchmarks/train_trellis_tables.py            # about five minutes on two cores
"""

from __future__ import annotations

import argparse
from pathlib import Path
from statistics import NormalDist

import numpy as np

from gnomon.codecs import trellis

TABLES = Path(trellis.__file__).parent / "trellis_tables.npz"


def learn(bits: int, *, seed: int, rounds: int, sequences: int) -> tuple[np.ndarray, float]:
    """A table float32 [256] and its mean squared error on numbers it was not learned from."""
    rng = np.random.default_rng([bits, seed])
    quantiles = [NormalDist().inv_cdf((i + 0.5) / 256) for i in range(256)]
    table = rng.permutation(np.array(quantiles, dtype=np.float32))
    for round_index in range(rounds):
        count = sequences if round_index > rounds // 2 else sequences // 4
        numbers = rng.standard_normal((count, trellis.SEQUENCE), dtype=np.float32)
        codes, _ = trellis.encode(numbers, table, bits=bits)
        states = trellis.states_of(codes, bits=bits).ravel()
        uses = np.bincount(states, minlength=256)
        sums = np.bincount(states, weights=numbers.ravel(), minlength=256)
        table = np.where(uses > 0, sums / np.maximum(uses, 1), table).astype(np.float32)
    return table, gaussian_error(table, bits=bits, seed=10_000)


def gaussian_error(table: np.ndarray, *, bits: int, seed: int, sequences: int = 8192) -> float:
    rng = np.random.default_rng([bits, seed])
    numbers = rng.standard_normal((sequences, trellis.SEQUENCE), dtype=np.float32)
    _, values = trellis.encode(numbers, table, bits=bits)
    return float(np.mean((numbers - values) ** 2))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--starts", type=int, default=12)
    parser.add_argument("--rounds", type=int, default=120)
    parser.add_argument("--sequences", type=int, default=4096)
    parser.add_argument("--output", type=Path, default=TABLES)
    options = parser.parse_args()
    tables = {}
    for bits in trellis.BITS:
        learned = [
            learn(bits, seed=seed, rounds=options.rounds, sequences=options.sequences)
            for seed in range(options.starts)
        ]
        table, error = min(learned, key=lambda pair: pair[1])
        unit = float(np.abs(table).max()) / 127
        rounded = np.round(table / unit).astype(np.int8)
        final = gaussian_error(rounded * np.float32(unit), bits=bits, seed=10_001)
        print(f"{bits} bits: starts {[round(e, 5) for _, e in learned]}")
        print(f"{bits} bits: float {error:.5f}, int8 {final:.5f}, Shannon {4.0**-bits:.5f}")
        tables |= {f"table{bits}": rounded, f"unit{bits}": np.float64(unit)}
    np.savez(options.output, **tables)


if __name__ == "__main__":
    main()
