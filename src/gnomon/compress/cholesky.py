"""Cholesky's method by blocks of columns, so that nearly all of it is products of large matrices.

With nine thousand inputs of a layer LAPACK's routines, as numpy calls them, take one and a half to
four times as long (docs/log.md). The blocks on the diagonal are inverted, as they are small and
triangular (Golub and Van Loan, Matrix Computations, section 4.2).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

BLOCK = 256  # columns
LARGE = 4096  # rows from which on single precision is used, see `working_dtype`


def working_dtype(size: int) -> type[np.floating]:
    """In which a damped Gram matrix [size, size] is factored.

    Large ones in single precision, in half the time: at 8960 inputs the factor is then off by less
    than 1e-4, which is far below what the calibration's choice of text makes of it.
    """
    return np.float64 if size < LARGE else np.float32


def factorise(matrix: np.ndarray) -> np.ndarray:
    """C lower triangular with C Cᵀ = `matrix` [n, n], symmetric, float32 or float64, as C is.

    Only its lower triangle is read. Where single precision does not suffice it is done in double.
    Raises LinAlgError if the matrix is not positive definite.
    """
    try:
        return _factorise(matrix)
    except np.linalg.LinAlgError:
        if matrix.dtype != np.float32:
            raise
        return _factorise(matrix.astype(np.float64)).astype(np.float32)


def _factorise(matrix: np.ndarray) -> np.ndarray:
    factor = np.zeros_like(matrix)
    for block in _blocks(len(matrix)):
        start, end = block.start, block.stop
        columns = matrix[start:, block] - factor[start:, :start] @ factor[block, :start].T
        factor[block, block] = np.linalg.cholesky(columns[: end - start])
        factor[end:, block] = columns[end - start :] @ np.linalg.inv(factor[block, block]).T
    return factor


def solve(factor: np.ndarray, right: np.ndarray) -> np.ndarray:
    """(C Cᵀ)⁻¹ B for C lower triangular [n, n] and B [n, m], both of one dtype."""
    solved = right.copy()
    blocks = list(_blocks(len(factor)))
    inverses = [np.linalg.inv(factor[block, block]) for block in blocks]
    for block, inverse in zip(blocks, inverses, strict=True):
        solved[block] -= factor[block, : block.start] @ solved[: block.start]
        solved[block] = inverse @ solved[block]
    for block, inverse in zip(reversed(blocks), reversed(inverses), strict=True):
        solved[block] -= factor[block.stop :, block].T @ solved[block.stop :]
        solved[block] = inverse.T @ solved[block]
    return solved


def times_lower(left: np.ndarray, factor: np.ndarray) -> np.ndarray:
    """A C for A [m, n] and C lower triangular [n, n], without the half of it that is zero."""
    product = np.empty((len(left), len(factor)), np.result_type(left, factor))
    for block in _blocks(len(factor)):
        np.matmul(left[:, block.start :], factor[block.start :, block], out=product[:, block])
    return product


def _blocks(size: int) -> Iterator[slice]:
    return (slice(start, min(start + BLOCK, size)) for start in range(0, size, BLOCK))
