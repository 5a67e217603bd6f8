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

CHUNK = 2048  # tokens whose inputs are compared at a time
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
        size = len(gram)
        targets = np.zeros((size, size), np.float32)
        streams = None
        if original.residual is not None and rounded.residual is not None:
            streams = original.residual, rounded.residual
        pull = None if streams is None else np.zeros((size, streams[0].shape[1]), np.float32)
        for start in range(0, len(in_rounded), CHUNK):
            ours, theirs = in_rounded[start : start + CHUNK], in_original[start : start + CHUNK]
            x = rounded.inputs[ours]
            targets += x.T @ (original.inputs[theirs] - x)
            if streams is not None and pull is not None:
                pull += x.T @ (streams[0][theirs] - streams[1][ours])
        damped = gram.astype(np.float64)
        damped[np.diag_indices(size)] += max(RIDGE * float(np.trace(gram)) / size, 1e-12)
        inverse = np.linalg.inv(damped).astype(np.float32)
        return cls(inverse @ targets, None if pull is None else inverse @ pull)

    def compensate(self, weight: np.ndarray) -> np.ndarray:
        """W* float32 [out, in] for W."""
        compensated = weight + weight @ self.inputs.T
        return compensated if self.residual is None else compensated + self.residual.T
