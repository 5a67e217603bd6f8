"""Codebooks and row scales of the codec `aq`, learned for given codes (arXiv 2401.06118, section 3.3).

The loss tr(E H Eᵀ), E = W - Ŵ, is quadratic in the codebooks when codes and scales are fixed, and in
the scales when the codebooks are. So both are least squares, the first by conjugate gradients with
each codeword's own 8×8 block as the preconditioner.
"""

from __future__ import annotations

import numpy as np

from gnomon.codecs.aq import CODEWORDS, GROUP, sum_codewords
from gnomon.compress.feedback import InputStatistics

DAMPING = 1e-4  # keeps a codeword that is hardly used where it is


def start_codebooks(
    vectors: np.ndarray, *, codebooks: int, rng: np.random.Generator, rounds: int = 8
) -> np.ndarray:
    """Residual k-means: float32 [K, 256, 8] for vectors [n, 8]."""
    residual = vectors.astype(np.float32, copy=True)
    learned = np.empty((codebooks, CODEWORDS, GROUP), dtype=np.float32)
    for k in range(codebooks):
        centres = residual[
            rng.choice(len(residual), size=CODEWORDS, replace=len(residual) < CODEWORDS)
        ]
        for _ in range(rounds):
            centres = _means(residual, nearest(residual, centres), centres)
        learned[k] = centres
        residual -= centres[nearest(residual, centres)]
    return learned


def nearest(vectors: np.ndarray, codebook: np.ndarray) -> np.ndarray:
    """The nearest codeword [n] of every vector [n, 8]."""
    return np.argmin(np.sum(codebook**2, axis=1) - 2 * vectors @ codebook.T, axis=1)


def _means(vectors: np.ndarray, chosen: np.ndarray, previous: np.ndarray) -> np.ndarray:
    uses = np.bincount(chosen, minlength=CODEWORDS)[:, None]
    sums = _sum_by(chosen, vectors)
    return np.where(uses > 0, sums / np.maximum(uses, 1), previous).astype(np.float32)


def _sum_by(index: np.ndarray, vectors: np.ndarray, *, size: int = CODEWORDS) -> np.ndarray:
    """Row i of [size, 8] is the sum of the vectors [n, 8] with index i."""
    columns = [np.bincount(index, weights=column, minlength=size) for column in vectors.T]
    return np.stack(columns, axis=1)


def fit_scales(weight: np.ndarray, sums: np.ndarray, statistics: InputStatistics) -> np.ndarray:
    """argmin over s of the loss of every row w - s·ŵ: float32 [out] for W and Ŵ [out, in]."""
    wanted, given = weight @ statistics.factor, sums @ statistics.factor
    power = np.sum(given**2, axis=1)
    fit = np.sum(wanted * given, axis=1) / np.where(power > 0, power, 1)
    return np.where(power > 0, fit, 0).astype(np.float32)


def fit_codebooks(
    weight: np.ndarray,
    scales: np.ndarray,
    codes: np.ndarray,
    codebooks: np.ndarray,
    gram: np.ndarray,
    *,
    steps: int = 8,
) -> np.ndarray:
    """Codebooks float32 [K, 256, 8] that lower the loss of W [out, in], from those given.

    codes: [out, in / 8, K]; scales: [out]; gram: H [in, in].
    """
    problem = _LeastSquares(scales, codes, gram)
    found = codebooks.reshape(-1, GROUP).astype(np.float32, copy=True)
    rest = problem.gather((weight - problem.decode(found)) @ gram)
    direction = preconditioned = problem.precondition(rest)
    power = np.vdot(rest, preconditioned)
    for _ in range(steps):
        if not power > 0:
            break
        curved = problem.gather(problem.decode(direction) @ gram) + problem.ridge * direction
        step = np.float32(power / np.vdot(direction, curved))
        found += step * direction
        rest -= step * curved
        preconditioned = problem.precondition(rest)
        previous, power = power, np.vdot(rest, preconditioned)
        direction = preconditioned + np.float32(power / previous) * direction
    return found.reshape(codebooks.shape)


class _LeastSquares:
    """The normal equations for stacked codewords [K · 256, 8], as operations."""

    def __init__(self, scales: np.ndarray, codes: np.ndarray, gram: np.ndarray):
        rows, groups, books = codes.shape
        self.size = books * CODEWORDS
        self.scales = scales[:, None]
        self.index = (codes + CODEWORDS * np.arange(books)).reshape(-1, books)
        starts = range(0, len(gram), GROUP)
        diagonal = np.stack([gram[s : s + GROUP, s : s + GROUP] for s in starts])
        weights = np.repeat(scales.astype(np.float64) ** 2, groups)
        blocks = np.zeros((self.size, GROUP, GROUP))
        for k in range(books):
            pairs = codes[:, :, k] + CODEWORDS * np.arange(groups)
            uses = np.bincount(pairs.ravel(), weights=weights, minlength=groups * CODEWORDS)
            own = uses.reshape(groups, CODEWORDS).T @ diagonal.reshape(groups, -1)
            blocks[k * CODEWORDS : (k + 1) * CODEWORDS] = own.reshape(-1, GROUP, GROUP)
        mean = np.trace(blocks, axis1=1, axis2=2).mean() / GROUP
        self.ridge = np.float32(DAMPING * mean if mean > 0 else 1)
        self.inverse = np.linalg.inv(blocks + self.ridge * np.eye(GROUP)).astype(np.float32)

    def decode(self, codewords: np.ndarray) -> np.ndarray:
        """Ŵ [out, in]."""
        sums = codewords[self.index[:, 0]]
        for k in range(1, self.index.shape[1]):
            sums += codewords[self.index[:, k]]
        return sums.reshape(len(self.scales), -1) * self.scales

    def gather(self, gradient: np.ndarray) -> np.ndarray:
        """Its transpose: [out, in] summed up by codeword."""
        vectors = (gradient * self.scales).reshape(-1, GROUP)
        total = _sum_by(self.index[:, 0], vectors, size=self.size)
        for k in range(1, self.index.shape[1]):
            total += _sum_by(self.index[:, k], vectors, size=self.size)
        return total.astype(np.float32)

    def precondition(self, rest: np.ndarray) -> np.ndarray:
        return np.einsum("nij,nj->ni", self.inverse, rest)


def decoded(codes: np.ndarray, codebooks: np.ndarray) -> np.ndarray:
    """Sums of codewords as a matrix float32 [out, in], without scales."""
    return sum_codewords(codes, codebooks).reshape(len(codes), -1)
