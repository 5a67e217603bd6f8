"""Rounding with feedback: later columns make up for the errors of those already rounded.

For inputs X with Gram matrix H = XXᵀ the error that matters is tr(E H Eᵀ), E = W - Ŵ. With
H = L D Lᵀ, L unit lower triangular by blocks, that is Σ_k of the error of column block k of E·L
weighted by D_k. So blocks are rounded from the last to the first, block k to the values nearest to
W_k + Σ_{j>k} E_j L_jk: block-LDLQ (QuIP, arXiv 2307.13304; QuIP#, arXiv 2402.04396, section 4).
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from gnomon.codecs.codec import Rounder
from gnomon.compress import cholesky

PANEL = 256  # columns whose feedback to the rest of the matrix is applied in one product


@dataclass(frozen=True, slots=True)
class InputStatistics:
    """What is known of a layer's inputs: H, damped, and its Cholesky factor C, H = C Cᵀ."""

    factor: np.ndarray  # float32 [in, in], lower triangular
    gram: np.ndarray  # float32 [in, in]: H
    lowers: dict[int, np.ndarray] = field(default_factory=dict)  # by the width of their blocks

    @classmethod
    def from_gram(cls, gram: np.ndarray, *, damping: float = 0.01) -> InputStatistics:
        """`damping` times the mean of the diagonal is added to it, so that H can be factored."""
        size = len(gram)
        mean = float(np.trace(gram)) / size
        damped = gram.astype(cholesky.working_dtype(size))
        damped[np.diag_indices(size)] += damping * mean if mean > 0 else 1.0
        factor = cholesky.factorise(damped)
        return cls(factor.astype(np.float32, copy=False), damped.astype(np.float32, copy=False))

    def unit_lower(self, width: int) -> np.ndarray:
        """L = C · blockdiag(C)⁻¹ for blocks of `width`: the unit factor of H = L D Lᵀ."""
        if width not in self.lowers:
            self.lowers[width] = _unit_lower(self.factor, width)
        return self.lowers[width]

    def error(self, difference: np.ndarray) -> float:
        """tr(E H Eᵀ) for E [out, in]."""
        outputs = cholesky.times_lower(difference, self.factor)
        return float(np.sum(outputs**2, dtype=np.float64))


def round_with_feedback(
    weight: np.ndarray, statistics: InputStatistics, rounder: Rounder
) -> np.ndarray:
    """The rounded matrix float32 [out, in]; the codes stay in `rounder`."""
    size, width = weight.shape[1], rounder.columns
    lower = statistics.unit_lower(width)
    targets = weight.astype(np.float32, copy=True)  # W + Σ E_j L_j, completed from the right
    rounded = np.empty_like(targets)
    for panel in reversed(range(0, size, PANEL)):
        end = min(panel + PANEL, size)
        for start in reversed(range(panel, end, width)):
            block = slice(start, min(start + width, end))
            rounded[:, block] = rounder.round(targets[:, block], start=start)
            errors = weight[:, block] - rounded[:, block]
            targets[:, panel:start] += errors @ lower[block, panel:start]
        errors = weight[:, panel:end] - rounded[:, panel:end]
        targets[:, :panel] += errors @ lower[panel:end, :panel]
    return rounded


def _unit_lower(factor: np.ndarray, width: int) -> np.ndarray:
    lower = np.zeros_like(factor)
    for start in range(0, len(factor), width):
        block = slice(start, start + width)
        inverse = np.linalg.inv(factor[block, block])
        np.matmul(factor[start:, block], inverse, out=lower[start:, block])
    return lower
