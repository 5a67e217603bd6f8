"""`Projection`: hidden states of several layers, brought down to the few directions that vary
most."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

_SAMPLE = 20_000  # sentences are enough to know the directions


@dataclass(frozen=True, slots=True, kw_only=True)
class Projection:
    layers: tuple[int, ...]  # whose hidden states it reads, from 0
    mean: np.ndarray  # f32 [layers · hidden]
    matrix: np.ndarray  # f32 [layers · hidden, directions]

    @property
    def hidden(self) -> int:
        """The width of the model's hidden states; 0 if none are read."""
        return self.mean.size // len(self.layers) if self.layers else 0

    def __call__(self, states: np.ndarray) -> np.ndarray:
        """f32 [pieces, layers, hidden] → f32 [pieces, directions]"""
        return (states.reshape(len(states), self.mean.size) - self.mean) @ self.matrix


def principal_directions(
    states: np.ndarray, *, layers: Sequence[int], directions: int, rng: np.random.Generator
) -> Projection:
    """The directions of most variance in states [pieces, layers, hidden], each layer by itself and
    scaled to unit variance, so that late layers, whose numbers are large, do not drown the others.
    """
    count, hidden = len(layers), states.shape[2]
    share = directions // max(count, 1)
    chosen = rng.permutation(len(states))[:_SAMPLE]
    sample = states[chosen].astype(np.float32)
    mean = sample.mean(axis=0)
    matrix = np.zeros((count, hidden, count, share), np.float32)
    for layer in range(count):
        centred = sample[:, layer] - mean[layer]
        values, vectors = np.linalg.eigh(centred.T @ centred / len(centred))
        top = np.argsort(values)[::-1][:share]
        matrix[layer, :, layer] = vectors[:, top] / np.sqrt(np.maximum(values[top], 1e-12))
    return Projection(
        layers=tuple(layers),
        mean=mean.reshape(-1),
        matrix=matrix.reshape(count * hidden, count * share),
    )
