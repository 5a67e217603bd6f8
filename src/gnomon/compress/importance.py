"""How much the loss grows when a weight is stored with an error, measured before anything is.

For small errors the Kullback-Leibler divergence from the original is quadratic in them. A layer
whose outputs y = W x get the error e(x) adds ½ E[Σ_o g_o² e_o²] to it, g being the gradients at its
outputs (gnomon.compress.backward), if the errors of two outputs or two tokens are not correlated.
Rounding spreads its error evenly over the outputs, so it is enough to know the mean of g² over
them, and the share of the outputs' power that the error is:

    loss = sensitivity · relative error,  sensitivity = ½ mean_t(mean_o(g²) · Σ_o y²).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from gnomon.errors import UsageError
from gnomon.models.model import Model
from gnomon.progress import OnProgress

EMBEDDING = "model.embed_tokens.weight"
HEAD = "lm_head.weight"
TOKENS = 4096  # that the backward pass reads


@dataclass(frozen=True, slots=True, kw_only=True)
class Importance:
    """What one backward pass tells; the names are those of the weights."""

    sensitivity: Mapping[str, float]  # nats a token for a relative squared error of 1


def importance_tokens(tokens: np.ndarray) -> np.ndarray:
    """About TOKENS of the calibration's [sequences, time], from all over it."""
    count = max(1, min(len(tokens), TOKENS // tokens.shape[1]))
    return tokens[np.arange(count) * len(tokens) // count]


def measure_importance(
    model: Model,
    tokens: np.ndarray,
    *,
    seed: int = 0,
    on_progress: OnProgress = lambda progress: None,
) -> Importance:
    """The importance of every matrix of the model on calibration tokens int64 [sequences, time].

    A few thousand tokens are enough. Raises UsageError where torch is not installed.
    """
    try:
        from gnomon.compress.backward import propagate_back
    except ModuleNotFoundError as error:
        if error.name != "torch":
            raise
        raise UsageError(
            "To spread bits by importance gnomon runs the model backwards, which needs torch, and "
            "torch is not installed. Install it with: pip install 'gnomon[compress]'. A whole "
            "number of bits for every layer (--bits 2) needs none."
        ) from error
    sums = ImportanceSums(model)
    propagate_back(model, tokens, sums, seed=seed, on_progress=on_progress)
    return Importance(sensitivity=sums.sensitivity(tokens.size))


class ImportanceSums:
    """Adds up what the backward pass shows."""

    def __init__(self, model: Model):
        self.model = model
        self.losses: dict[str, float] = {}  # sums over tokens
        self.head_name = EMBEDDING if model.config.is_head_tied else HEAD
        self.head_variances = np.zeros(model.config.vocab_size)
        self.head_power = 0.0

    def linear(
        self, name: str, inputs: np.ndarray, outputs: np.ndarray, gradients: np.ndarray
    ) -> None:
        steepness = np.mean(gradients**2, axis=1)
        power = np.einsum("to,to->t", outputs, outputs)
        self._add(name, 0.5 * float(np.sum(steepness * power, dtype=np.float64)))

    def head(self, inputs: np.ndarray, logits: np.ndarray, variances: np.ndarray) -> None:
        self.head_variances += variances.sum(axis=0, dtype=np.float64)
        self.head_power += float(np.einsum("tv,tv->", logits, logits, dtype=np.float64))

    def embedding(self, tokens: np.ndarray, gradients: np.ndarray) -> None:
        """A row's error is in proportion to the row, since every row has its own scale."""
        rows = self.model.weights.load(EMBEDDING)
        powers = np.einsum("vh,vh->v", rows, rows)[tokens]
        self._add(EMBEDDING, 0.5 * float(np.sum(np.mean(gradients**2, axis=2) * powers)))

    def sensitivity(self, tokens: int) -> dict[str, float]:
        rows = self.model.weights.load(self.head_name)
        shares = np.einsum("vh,vh->v", rows, rows, dtype=np.float64)
        shares /= max(shares.sum(), 1e-30)
        # The mean gradient at a logit, weighted by how large the error of its row is.
        steepness = float(shares @ self.head_variances) / tokens
        self._add(self.head_name, 0.5 * steepness * self.head_power)
        return {name: loss / tokens for name, loss in self.losses.items()}

    def _add(self, name: str, loss: float) -> None:
        self.losses[name] = self.losses.get(name, 0.0) + loss
