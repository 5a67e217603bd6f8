"""Making up for what the rounding of earlier layers has done to a layer's inputs.

A layer of the rounded model reads X̂ where the original reads X. To round W itself would ask for
W X̂; what is wanted is the original's output, so W is first replaced by the least-squares answer to

    min over W* of ‖Y − W* X̂‖² + λ ‖W* − W‖²,
    W* = W + (Y − W X̂) X̂ᵀ (X̂ X̂ᵀ + λI)⁻¹

where Y is what the layer gives in the original and, for layers that add to the residual stream, by
how much that stream has drifted. Without the stream the idea is GPTAQ's (arXiv 2504.02692); with
it, every second layer pulls the stream back. For layers that share their inputs Y = W X, so that
(X − X̂) X̂ᵀ serves them all.
"""

from __future__ import annotations

import numpy as np

from gnomon.compress import cholesky
from gnomon.compress.statistics import GroupStatistics

# λ, as so many tokens of average size whose inputs are not correlated. What the stream has lost is
# less a matter of the inputs, so that more of what a regression finds in it is chance.
RIDGE_TOKENS = 5_000
STREAM_RIDGE_TOKENS = 20_000


class Drift:
    """The least-squares regression of what is missing on the rounded model's inputs."""

    def __init__(self, statistics: GroupStatistics):
        gram = statistics.gram
        size = len(gram)
        damped = gram.astype(cholesky.working_dtype(size))
        tokens = STREAM_RIDGE_TOKENS if statistics.is_of_outputs else RIDGE_TOKENS
        power = float(np.trace(gram)) / (size * max(1, statistics.rows))  # of an input
        damped[np.diag_indices(size)] += max(tokens * power, 1e-12)
        factor = cholesky.factorise(damped)
        solved = cholesky.solve(factor, statistics.cross.astype(damped.dtype))
        self._regression = solved.astype(np.float32)  # [in, in], or [in, out]
        self._is_of_outputs = statistics.is_of_outputs

    def compensate(self, weight: np.ndarray) -> np.ndarray:
        """W* float32 [out, in] for W, one of the layers that were measured."""
        if self._is_of_outputs:
            return weight + self._regression.T
        return weight + weight @ self._regression.T
