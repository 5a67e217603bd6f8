"""Random Hadamard rotations, which make the entries of a weight matrix look Gaussian.

A rotation of width `n` is `H · S`: random signs, then a fixed symmetric orthogonal matrix `H` that
exists for every width (docs/trellis-format.md). The idea is QuIP#'s (arXiv 2402.04396, section 3).

>>> x = np.eye(6, dtype=np.float32)
>>> np.allclose(unrotate(rotate(x, seed=7), seed=7), x, atol=1e-6)
True
"""

from __future__ import annotations

from functools import cache

import numpy as np

LARGEST_SYLVESTER = 256  # as one matrix product: beyond, two smaller ones cost less


def signs(seed: int, width: int) -> np.ndarray:
    """±1 as float32 [width], by SplitMix64: the same on every machine, for ever."""
    with np.errstate(over="ignore"):
        z = np.uint64(seed) + np.arange(1, width + 1, dtype=np.uint64) * np.uint64(
            0x9E3779B97F4A7C15
        )
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z ^= z >> np.uint64(31)
    return np.where(z >> np.uint64(63), np.float32(-1), np.float32(1))


def hadamard(x: np.ndarray) -> np.ndarray:
    """`x @ H` for float32 x [..., n], any n ≥ 1. H is symmetric and orthogonal, its own inverse."""
    *batch, width = x.shape
    odd, power, fast = _parts(width)
    y = np.asarray(x, dtype=np.float32).reshape(-1, fast) @ sylvester(fast)
    if power > fast:
        y = sylvester(power // fast) @ y.reshape(-1, power // fast, fast)
    if odd > 1:
        y = hartley(odd) @ y.reshape(-1, odd, power)
    return y.reshape(*batch, width)


def hadamard_columns(x: np.ndarray) -> np.ndarray:
    """`H @ x` for float32 x [n, m], any n ≥ 1."""
    width, count = x.shape
    odd, power, fast = _parts(width)
    y = sylvester(fast) @ np.asarray(x, dtype=np.float32).reshape(-1, fast, count)
    if power > fast:
        y = sylvester(power // fast) @ y.reshape(odd, power // fast, fast * count)
    if odd > 1:
        y = hartley(odd) @ y.reshape(odd, power * count)
    return y.reshape(width, count)


def _parts(width: int) -> tuple[int, int, int]:
    """H is a Kronecker product of three: of the odd part of the width, and of its largest power of
    two in two parts. These are the odd part, the power, and the second part of that.
    """
    power = width & -width
    return width // power, power, min(power, LARGEST_SYLVESTER)


@cache
def sylvester(size: int) -> np.ndarray:
    """The Sylvester-Hadamard matrix over √size, float32 [size, size]; size is a power of two."""
    matrix = np.ones((1, 1), np.float32)
    while len(matrix) < size:
        matrix = np.block([[matrix, matrix], [matrix, -matrix]])
    matrix = matrix * np.float32(size**-0.5)
    matrix.setflags(write=False)
    return matrix


def hartley(size: int) -> np.ndarray:
    """The discrete Hartley transform, float32 [size, size], symmetric and orthogonal."""
    products = np.outer(np.arange(size), np.arange(size)) % size  # keeps the angle small and exact
    angle = 2 * np.pi * products / size
    return ((np.cos(angle) + np.sin(angle)) / np.sqrt(size)).astype(np.float32)


def rotate(x: np.ndarray, *, seed: int | None) -> np.ndarray:
    """`H(S ⊙ x)` along the last axis; `x` itself, as float32, where the seed is None."""
    x = np.asarray(x, dtype=np.float32)
    return x if seed is None else hadamard(x * signs(seed, x.shape[-1]))


def unrotate(x: np.ndarray, *, seed: int | None) -> np.ndarray:
    """The inverse of `rotate`: `S ⊙ H(x)`."""
    x = np.asarray(x, dtype=np.float32)
    return x if seed is None else hadamard(x) * signs(seed, x.shape[-1])


def rotate_weight(
    weight: np.ndarray, *, input_seed: int | None, output_seed: int | None
) -> np.ndarray:
    """`H_out S_out W S_in H_in` for W [out, in]: what is coded in the place of W."""
    rotated = rotate(weight, seed=input_seed)
    if output_seed is None:
        return rotated
    return hadamard_columns(rotated * signs(output_seed, len(rotated))[:, None])


def unrotate_weight(
    weight: np.ndarray, *, input_seed: int | None, output_seed: int | None
) -> np.ndarray:
    """The inverse of `rotate_weight`."""
    weight = unrotate(weight, seed=input_seed)
    if output_seed is None:
        return weight
    return hadamard_columns(weight) * signs(output_seed, len(weight))[:, None]


def rotate_gram(gram: np.ndarray, *, seed: int | None) -> np.ndarray:
    """`R G Rᵀ` for the Gram matrix G = XXᵀ [in, in] of a layer's inputs: that of rotated inputs."""
    return rotate_weight(gram, input_seed=seed, output_seed=seed)
