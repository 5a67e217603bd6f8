"""Codebooks and row scales of the codec `aq` for given codes (arXiv 2401.06118, section 3.3).

The loss tr(E H Eᵀ), E = W - Ŵ, is quadratic in the codebooks when codes and scales are fixed, and
in the scales when the codebooks are. So both are least squares, the first by conjugate gradients
with each codeword's own 8×8 block as the preconditioner.
"""

from __future__ import annotations

import numpy as np

from gnomon import _native
from gnomon.codecs.aq import CODEWORDS, GROUP

DAMPING = 1e-4  # keeps a codeword that is hardly used where it is


def start_codebooks(
    vectors: np.ndarray, *, codebooks: int, rng: np.random.Generator, rounds: int = 6
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
    sums = [np.bincount(chosen, weights=column, minlength=CODEWORDS) for column in vectors.T]
    sums = np.stack(sums, axis=1)
    return np.where(uses > 0, sums / np.maximum(uses, 1), previous).astype(np.float32)


def fit_scales(pulled: np.ndarray, sums: np.ndarray, gram: np.ndarray) -> np.ndarray:
    """The s that gives every row w - s·ŵ the least loss: float32 [out].

    pulled: W H [out, in]; sums: Ŵ without scales [out, in]; gram: H [in, in].
    """
    power = np.einsum("oi,oi->o", sums @ gram, sums)
    fit = np.einsum("oi,oi->o", pulled, sums) / np.where(power > 0, power, 1)
    return np.where(power > 0, fit, 0).astype(np.float32)


def fit_codebooks(
    pulled: np.ndarray,
    scales: np.ndarray,
    codes: np.ndarray,
    codebooks: np.ndarray,
    gram: np.ndarray,
    *,
    steps: int = 6,
) -> np.ndarray:
    """Codebooks float32 [K, 256, 8] of less loss than those given.

    pulled: W H [out, in]; scales: [out]; codes: uint8 [out, in / 8, K]; gram: H [in, in].
    """
    problem = _LeastSquares(scales, codes, gram)
    found = codebooks.astype(np.float32, copy=True)
    rest = problem.gather(pulled - problem.decode(found) @ gram)
    direction = preconditioned = problem.precondition(rest)
    power = np.vdot(rest, preconditioned)
    for _ in range(steps):
        curved = problem.gather(problem.decode(direction) @ gram) + problem.ridge * direction
        curvature = np.vdot(direction, curved)
        if not (power > 0 and curvature > 0):
            break  # there is nothing left to gain
        step = np.float32(power / curvature)
        found += step * direction
        rest -= step * curved
        preconditioned = problem.precondition(rest)
        previous, power = power, np.vdot(rest, preconditioned)
        direction = preconditioned + np.float32(power / previous) * direction
    return found


class _LeastSquares:
    """The normal equations for codebooks [K, 256, 8], as operations."""

    def __init__(self, scales: np.ndarray, codes: np.ndarray, gram: np.ndarray):
        _, groups, books = codes.shape
        self.shape = (books, CODEWORDS, GROUP)
        self.scales = scales[:, None]
        self.codes = codes.reshape(-1, books)
        starts = range(0, len(gram), GROUP)
        diagonal = np.stack([gram[s : s + GROUP, s : s + GROUP] for s in starts])
        weights = np.repeat(scales.astype(np.float64) ** 2, groups)
        blocks = np.empty((books, CODEWORDS, GROUP, GROUP))
        for k in range(books):
            pairs = codes[:, :, k] + CODEWORDS * np.arange(groups)
            uses = np.bincount(pairs.ravel(), weights=weights, minlength=groups * CODEWORDS)
            own = uses.reshape(groups, CODEWORDS).T @ diagonal.reshape(groups, -1)
            blocks[k] = own.reshape(-1, GROUP, GROUP)
        mean = np.trace(blocks, axis1=2, axis2=3).mean() / GROUP
        self.ridge = np.float32(DAMPING * mean if mean > 0 else 1)
        self.inverse = np.linalg.inv(blocks + self.ridge * np.eye(GROUP)).astype(np.float32)

    def decode(self, codebooks: np.ndarray) -> np.ndarray:
        """Ŵ [out, in]."""
        return decoded(self.codes, codebooks).reshape(len(self.scales), -1) * self.scales

    def gather(self, gradient: np.ndarray) -> np.ndarray:
        """Its transpose: [out, in] summed up by codeword."""
        totals = np.empty(self.shape)
        _native.sum_by_codeword(self.codes, (gradient * self.scales).reshape(-1, GROUP), totals)
        return totals.astype(np.float32)

    def precondition(self, rest: np.ndarray) -> np.ndarray:
        return np.einsum("knij,knj->kni", self.inverse, rest)


def decoded(codes: np.ndarray, codebooks: np.ndarray) -> np.ndarray:
    """Sums of codewords as a matrix float32 [rows, …], without scales, for codes [rows, …, K]."""
    flat = codes.reshape(-1, codes.shape[-1])
    sums = np.empty((len(flat), GROUP), dtype=np.float32)
    _native.add_codewords(flat, np.ascontiguousarray(codebooks, dtype=np.float32), sums)
    return sums.reshape(len(codes), -1)
