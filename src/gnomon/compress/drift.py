"""Making up for what the rounding of earlier layers has done to a layer's inputs.

A layer of the rounded model reads X̂ where the original reads X. To round W itself would ask for
W X̂; what is wanted is the original's output, so W is first replaced by the least-squares answer to

    min over W* of ‖W X + R − W* X̂‖² + λ ‖W* − W‖²,
    W* = W + (W (X − X̂) + R) X̂ᵀ (X̂ X̂ᵀ + λI)⁻¹

where R is, for layers that add to the residual stream, by how much that stream has drifted. The
idea without R is GPTAQ's (arXiv 2504.02692); with it, every second layer pulls the stream back.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gnomon.models.forward import LinearInputs

RIDGE = 0.03  # λ as a share of the mean of the diagonal of X̂ X̂ᵀ


@dataclass(frozen=True, slots=True)
class Drift:
    """The least-squares regression of the drift on the rounded model's inputs."""

    inputs: np.ndarray  # float32 [in, in]: x - x̂ ≈ x̂ @ inputs
    residual: np.ndarray | None  # float32 [in, out]: r ≈ x̂ @ residual

    @classmethod
    def measure(cls, original: LinearInputs, rounded: LinearInputs, gram: np.ndarray) -> Drift:
        """From the inputs of the same layers in both models; `gram` is X̂ᵀX̂ float32 [in, in]."""
        _, in_original, in_rounded = np.intersect1d(
            original.tokens, rounded.tokens, assume_unique=True, return_indices=True
        )
        x, x_original = rounded.inputs[in_rounded], original.inputs[in_original]
        targets = x.T @ (x_original - x)
        size = len(gram)
        if original.residual is not None and rounded.residual is not None:
            targets = np.hstack([targets, x.T @ (original.residual - rounded.residual)])
        damped = gram.astype(np.float64)
        damped[np.diag_indices(size)] += max(RIDGE * float(np.trace(gram)) / size, 1e-12)
        solved = np.linalg.solve(damped, targets).astype(np.float32)
        has_residual = solved.shape[1] > size
        return cls(solved[:, :size], solved[:, size:] if has_residual else None)

    def compensate(self, weight: np.ndarray) -> np.ndarray:
        """W* float32 [out, in] for W."""
        compensated = weight + weight @ self.inputs.T
        return compensated if self.residual is None else compensated + self.residual.T
