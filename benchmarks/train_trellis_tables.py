"""Learns the tables of the codec `trellis` for a unit Gaussian, by Lloyd's iteration.

Each round codes fresh Gaussian numbers and moves all entries to where the squared error of these
codes is least, a small system of linear equations; the best of several starts goes on for longer
and is rounded to int8. Writes src/gnomon/codecs/trellis_tables.npz.

    python benchmarks/train_trellis_tables.py            # about half an hour on two cores
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from gnomon.codecs import trellis

TABLES = Path(trellis.__file__).parent / "trellis_tables.npz"
LARGEST = 127  # of the sum of the largest entries in all places of a window


def start(bits: int, *, seed: int) -> np.ndarray:
    shape = trellis.FORMS[bits].table_shape
    rng = np.random.default_rng([bits, seed])
    return (rng.standard_normal(shape) / np.sqrt(shape[0])).astype(np.float32)


def learn(table: np.ndarray, *, bits: int, seed: int, rounds: int, blocks: int) -> np.ndarray:
    """The table after so many rounds on so many blocks of 32 numbers each."""
    rng = np.random.default_rng([bits, seed, 1])
    window, values, columns = table.shape
    for _ in range(rounds):
        numbers = rng.standard_normal((blocks, trellis.BLOCK), dtype=np.float32)
        symbols, _ = trellis.encode(numbers, table, bits=bits)
        entries = [np.roll(symbols, -j, axis=1).ravel() + values * j for j in range(window)]
        size = window * values
        products, sums = np.zeros(size * size), np.zeros((size, columns))
        for a in entries:
            for b in entries:
                products += np.bincount(size * a.astype(np.int64) + b, minlength=size * size)
            for d in range(columns):
                sums[:, d] += np.bincount(a, weights=numbers[:, d::columns].ravel(), minlength=size)
        # A constant may move from one place to another: a little of the identity decides.
        equations = products.reshape(size, size) + 1e-3 * np.eye(size)
        table = np.linalg.solve(equations, sums).reshape(table.shape).astype(np.float32)
    return table


def gaussian_error(table: np.ndarray, *, bits: int, seed: int = 10_000, blocks: int = 32_768):
    rng = np.random.default_rng([bits, seed])
    numbers = rng.standard_normal((blocks, trellis.BLOCK), dtype=np.float32)
    _, values = trellis.encode(numbers, table, bits=bits)
    return float(np.mean((numbers - values) ** 2))


def rounded(table: np.ndarray) -> tuple[np.ndarray, float]:
    """int8 entries and their unit; the sum of any window fits into int8 as well."""
    centred = table - (table.max(axis=1, keepdims=True) + table.min(axis=1, keepdims=True)) / 2
    centred[0] += (table - centred).sum(axis=0)  # what the places of a window share is moved about
    reach = np.abs(centred).max(axis=1).sum(axis=0).max()
    unit = float(reach) / (LARGEST - len(table) / 2)  # rounding may add half a unit a place
    return np.round(centred / unit).astype(np.int8), unit


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bits", type=int, nargs="+", default=list(trellis.BITS))
    parser.add_argument("--starts", type=int, default=24)
    parser.add_argument("--rounds", type=int, default=320)
    parser.add_argument("--blocks", type=int, default=32_768)
    parser.add_argument("--output", type=Path, default=TABLES)
    options = parser.parse_args()
    tables = dict(np.load(options.output)) if options.output.exists() else {}
    for bits in options.bits:
        first = []
        for seed in range(options.starts):
            table = start(bits, seed=seed)
            table = learn(
                table, bits=bits, seed=seed, rounds=options.rounds // 8, blocks=options.blocks // 4
            )
            first.append((gaussian_error(table, bits=bits), table))
        first.sort(key=lambda pair: pair[0])
        print(f"{bits} bits: starts {[round(error, 5) for error, _ in first]}", flush=True)
        learned = []
        for seed, (_, table) in enumerate(first[: max(1, options.starts // 8)]):
            table = learn(
                table, bits=bits, seed=100 + seed, rounds=options.rounds, blocks=options.blocks
            )
            learned.append((gaussian_error(table, bits=bits), table))
            print(f"{bits} bits: {learned[-1][0]:.5f}", flush=True)
        error, table = min(learned, key=lambda pair: pair[0])
        whole, unit = rounded(table)
        final = gaussian_error(whole * np.float32(unit), bits=bits, seed=10_001)
        print(f"{bits} bits: float {error:.5f}, int8 {final:.5f}, Shannon {4.0**-bits:.5f}")
        tables |= {f"table{bits}": whole, f"unit{bits}": np.float64(unit)}
        np.savez(options.output, **tables)


if __name__ == "__main__":
    main()
