"""The `aqlm` package's kernel beside ours: an AQLM matrix of 2×8 bits times a vector, one thread.

The package, and what its kernel for processors is written in, are fetched once into
build/peers/. Its loop is parallel over columns that add to the same outputs: with several threads
it is wrong, so one it is.

    python benchmarks/aqlm_peer.py
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Callable

import numpy as np

from gnomon import _native
from llama_cpp import PEERS
from record import print_table

PACKAGES = ("aqlm==1.1.7", "numba", "llvmlite", "scipy")
AQLM_ROWS = AQLM_COLUMNS = 4096
_PRODUCTS = 20  # that are timed together; ours include making and freeing the scratch memory


def compare_matvec(*, rounds: int) -> dict[str, float]:
    """Seconds a product, medians of rounds in turns, and how far the results are apart."""
    import torch

    kernel = _fetch_kernel()
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 256, (AQLM_ROWS, AQLM_COLUMNS // 8, 2)).astype(np.uint8)
    codebooks = rng.standard_normal((2, 256, 8)).astype(np.float32)
    scales = rng.uniform(0.5, 2.0, AQLM_ROWS).astype(np.float32)
    x = rng.standard_normal((1, AQLM_COLUMNS)).astype(np.float32)
    layer = _native.additive_linear(codes, codebooks, scales)
    theirs = (
        torch.from_numpy(x),
        torch.from_numpy(np.ascontiguousarray(codes.transpose(1, 0, 2)).view(np.int8)),
        torch.from_numpy(codebooks[:, :, None]),
        torch.from_numpy(scales[:, None, None, None]),
        None,
    )
    expected = kernel(*theirs).numpy()  # which compiles it, too
    error = np.linalg.norm(layer.multiply(x) - expected) / np.linalg.norm(expected)
    ours_s, aqlm_s = [], []
    for _ in range(rounds):
        ours_s.append(_seconds(lambda: layer.multiply(x)))
        aqlm_s.append(_seconds(lambda: kernel(*theirs)))
    return {
        "ours_s": statistics.median(ours_s),
        "aqlm_s": statistics.median(aqlm_s),
        "relative_difference": float(error),
    }


def _seconds(run: Callable[[], object]) -> float:
    start_s = time.perf_counter()
    for _ in range(_PRODUCTS):
        run()
    return (time.perf_counter() - start_s) / _PRODUCTS


def _fetch_kernel() -> Callable[..., object]:
    folder = PEERS / "aqlm"
    if not folder.exists():
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target"]
        subprocess.run([*command, str(folder), *PACKAGES], check=True)
    sys.path.insert(0, str(folder))
    import numba
    from aqlm.inference_kernels.numba_kernel import numba_gemm_lut

    numba.set_num_threads(1)
    return numba_gemm_lut


if __name__ == "__main__":
    print_table([compare_matvec(rounds=5)])
