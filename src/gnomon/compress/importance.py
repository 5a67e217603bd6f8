"""How much the loss grows when a weight is stored with an error, measured before anything is.

For small errors the Kullback-Leibler divergence from the original is quadratic in them. A layer
whose outputs get the errors e adds ½ E[Σ_o g_o² e_o²] to it, g being the gradients at its outputs
(gnomon.compress.backward), if the errors of two outputs or two tokens are not correlated. Feedback
moves the errors to where the inputs are weak, so that they are about as large at every output and
every token, and the means can be taken apart. A code whose mean squared error on unit Gaussians is
δ leaves in a layer whose entries have the mean square w²

    loss = δ · sensitivity,  sensitivity = ½ E[Σ_o g_o²] · w² · inputs · det(H)^(1/inputs)

with H the inputs' mean outer product, damped as in rounding: after a random rotation all pivots of
its factorisation are about equal, and the mean of their logarithms is that of the eigenvalues'.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from gnomon.compress import cholesky
from gnomon.errors import UsageError
from gnomon.extras import how_to_install
from gnomon.models.architectures import linear_groups
from gnomon.models.model import Model
from gnomon.progress import OnProgress

EMBEDDING = "model.embed_tokens.weight"
HEAD = "lm_head.weight"
TOKENS = 4096  # that the backward pass reads
DAMPING = 0.01  # as InputStatistics has it


@dataclass(frozen=True, slots=True, kw_only=True)
class Importance:
    """What one backward pass tells; the names are those of the weights."""

    sensitivity: Mapping[str, float]  # nats a token for a code whose error on Gaussians is 1


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
            "to spread bits by importance gnomon runs the model backwards, which needs torch, and "
            "torch is not installed; a whole number of bits for every layer (--bits 2) needs none; "
            f"{how_to_install('compress')}"
        ) from error
    sums = ImportanceSums(model)
    propagate_back(model, tokens, sums, seed=seed, on_progress=on_progress)
    return Importance(sensitivity=sums.sensitivity(tokens.size))


class ImportanceSums:
    """Adds up what the backward pass shows; it holds what one block has read, no more."""

    def __init__(self, model: Model):
        self.model = model
        self.losses: dict[str, float] = {}  # for δ = 1, sums over tokens
        self.steepness: dict[str, float] = {}  # of the block at hand: Σ g² by name
        self.inputs: dict[str, list[np.ndarray]] = {}  # of its groups, by their first name
        self.first_name = {
            name: group.names[0]
            for layer in range(model.config.num_layers)
            for group in linear_groups(model.config, layer)
            for name in group.names
        }
        self.block = ""
        self.variances = np.zeros(model.config.vocab_size)
        self.head_gram = np.zeros((model.config.hidden_size,) * 2)
        self.row_losses = 0.0  # of the embedding

    def linear(
        self, name: str, inputs: np.ndarray, outputs: np.ndarray, gradients: np.ndarray
    ) -> None:
        if name not in self.first_name:
            return  # a router
        block = name.split(".")[2]
        if block != self.block:
            self._finish_block()
            self.block = block
        power = float(np.sum(gradients * gradients, dtype=np.float64))
        self.steepness[name] = self.steepness.get(name, 0.0) + power
        if name == self.first_name[name]:
            self.inputs.setdefault(name, []).append(inputs.copy())

    def _finish_block(self) -> None:
        means = {
            name: geometric_mean(np.concatenate(read)) * read[0].shape[1]
            for name, read in self.inputs.items()
        }
        for name, power in self.steepness.items():
            weight = self.model.weights.load(name)
            spread = float(np.mean(weight * weight)) * means[self.first_name[name]]
            self.losses[name] = 0.5 * power * spread
        self.inputs, self.steepness = {}, {}

    def head(self, inputs: np.ndarray, logits: np.ndarray, variances: np.ndarray) -> None:
        self.variances += variances.sum(axis=0, dtype=np.float64)
        self.head_gram += inputs.T @ inputs

    def embedding(self, tokens: np.ndarray, gradients: np.ndarray) -> None:
        """A row's error is in proportion to the row, since every row has its own scale."""
        powers = _row_powers(self.model.weights.load(EMBEDDING))[tokens]
        self.row_losses += 0.5 * float(np.sum(np.sum(gradients**2, axis=2) * powers))

    def sensitivity(self, tokens: int) -> dict[str, float]:
        """By name, of so many tokens in all."""
        self._finish_block()
        is_tied = self.model.config.is_head_tied
        eigenvalues = _damped(np.linalg.eigvalsh(self.head_gram / tokens))
        mean = float(np.exp(np.mean(np.log(eigenvalues))))
        name = EMBEDDING if is_tied else HEAD
        rows = _row_powers(self.model.weights.load(name))
        losses = self.losses | {
            name: 0.5 * float(rows @ self.variances) * len(eigenvalues) * mean,
        }
        # An embedding is rounded plainly; if it is the head too, with the head's feedback, whose
        # errors are larger than plain ones before the head's inputs make them small.
        enlarged = mean * float(np.mean(1 / eigenvalues)) if is_tied else 1.0
        losses[EMBEDDING] = losses.get(EMBEDDING, 0.0) + self.row_losses * enlarged
        return {name: loss / tokens for name, loss in losses.items()}


def geometric_mean(inputs: np.ndarray) -> float:
    """Of the eigenvalues of the damped mean outer product of inputs [rows, in]; 0 of no rows."""
    rows, size = inputs.shape
    if rows == 0 or not inputs.any():
        return 0.0
    small = inputs.T @ inputs if size <= rows else inputs @ inputs.T
    small = small.astype(np.float64) / rows
    damping = max(DAMPING * float(np.trace(small)) / size, 1e-30)
    small[np.diag_indices(len(small))] += damping
    logarithms = 2 * np.log(np.diagonal(cholesky.factorise(small))).sum()
    logarithms += (size - len(small)) * np.log(damping)  # of the eigenvalues that are 0
    return float(np.exp(logarithms / size))


def _damped(eigenvalues: np.ndarray) -> np.ndarray:
    return np.maximum(eigenvalues, 0) + max(DAMPING * float(np.mean(eigenvalues)), 1e-30)


def _row_powers(matrix: np.ndarray) -> np.ndarray:
    """The mean square of every row."""
    return np.einsum("vh,vh->v", matrix, matrix, dtype=np.float64) / matrix.shape[1]
