"""`Probes`: of a layer's hidden state, the one direction in which machines and people differ most.

Ridge regression of who wrote a sentence on the mean hidden state over its tokens, each layer by
itself (a linear probe: Alain and Bengio, arXiv 1610.01644). A probe is surer of the texts that it
was fitted to than of others; what learns from probes is therefore shown each text by probes that
were fitted without it (stacking: Wolpert 1992).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

_PENALTY = 0.1  # of the mean variance of a direction
_FOLDS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Probes:
    layers: tuple[int, ...]  # whose hidden states are read, from 0
    mean: np.ndarray  # f32 [layers, hidden]
    directions: np.ndarray  # f32 [layers, hidden]

    @property
    def hidden(self) -> int:
        """The width of the model's hidden states."""
        return self.mean.shape[1]

    def __call__(self, states: np.ndarray) -> np.ndarray:
        """[pieces, layers, hidden] → f32 [pieces, layers]"""
        centred = states.astype(np.float32) - self.mean
        return np.einsum("plh,lh->pl", centred, self.directions)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sums:
    """What ridge regression needs of some texts; the sums of two sets add up."""

    count: float
    states: np.ndarray  # f64 [layers, hidden]
    products: np.ndarray  # f64 [layers, hidden, hidden]
    targets: float
    crossed: np.ndarray  # f64 [layers, hidden]

    def __add__(self, other: _Sums) -> _Sums:
        return _Sums(
            count=self.count + other.count,
            states=self.states + other.states,
            products=self.products + other.products,
            targets=self.targets + other.targets,
            crossed=self.crossed + other.crossed,
        )

    def solve(self, layers: Sequence[int]) -> Probes:
        mean = self.states / self.count
        directions = np.zeros_like(mean)
        for layer in range(len(layers)):
            covariance = self.products[layer] / self.count - np.outer(mean[layer], mean[layer])
            crossed = self.crossed[layer] / self.count - mean[layer] * self.targets / self.count
            width = len(crossed)
            penalty = _PENALTY * np.trace(covariance) / width + 1e-12
            directions[layer] = np.linalg.solve(covariance + penalty * np.eye(width), crossed)
        return Probes(
            layers=tuple(layers),
            mean=mean.astype(np.float32),
            directions=directions.astype(np.float32),
        )


def fit_probes(
    states: Sequence[np.ndarray],
    boundaries: Sequence[int],
    groups: Sequence[str],
    *,
    layers: Sequence[int],
) -> tuple[Probes, list[np.ndarray]]:
    """Probes fitted to all texts, whose states are [pieces, layers, hidden], and what they say of
    each, f32 [pieces, layers], where they are fitted without the texts of its group.
    """
    folds = np.array([_fold(group) for group in groups])
    sums = [
        _sums([s for s, f in zip(states, folds, strict=True) if f == fold],
              [b for b, f in zip(boundaries, folds, strict=True) if f == fold])
        for fold in range(_FOLDS)
    ]  # fmt: skip
    present = [fold for fold in range(_FOLDS) if sums[fold] is not None]
    whole = _total([sums[fold] for fold in present])
    probes = whole.solve(layers)
    apart = {
        fold: _total([sums[other] for other in present if other != fold]).solve(layers)
        if len(present) > 1
        else probes
        for fold in present
    }
    return probes, [apart[f](s) for s, f in zip(states, folds.tolist(), strict=True)]


def _fold(group: str) -> int:
    return int(hashlib.sha256(f"fold {group}".encode()).hexdigest()[:8], 16) % _FOLDS


def _sums(states: Sequence[np.ndarray], boundaries: Sequence[int]) -> _Sums | None:
    total = None
    for begin in range(0, len(states), 500):  # texts at once, so that memory is bounded
        x = np.concatenate(states[begin : begin + 500]).astype(np.float32)
        targets = np.concatenate(
            [
                np.where(np.arange(len(s)) >= b, 1.0, -1.0)
                for s, b in zip(
                    states[begin : begin + 500], boundaries[begin : begin + 500], strict=True
                )
            ]
        )
        part = _Sums(
            count=float(len(x)),
            states=x.sum(axis=0, dtype=np.float64),
            products=(x.transpose(1, 2, 0) @ x.transpose(1, 0, 2)).astype(np.float64),
            targets=float(targets.sum()),
            crossed=np.einsum("plh,p->lh", x, targets),
        )
        total = part if total is None else total + part
    return total


def _total(parts: Sequence[_Sums | None]) -> _Sums:
    found = [part for part in parts if part is not None]
    total = found[0]
    for part in found[1:]:
        total = total + part
    return total
