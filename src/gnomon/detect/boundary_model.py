"""`BoundaryModel`: the probability of every place where a machine may have taken over.

A text of n pieces has n + 1 possible boundaries: b = 0 (all machine), 1 … n − 1, n (all human).
Each has an energy,

    energy(b) = Σ_{i ≥ b} score(x_i) + contrast(b) + prior(b),

in which `score` is a small network's log-odds that piece i is a machine's, and `contrast` another
one's view of how what follows b differs from what stands before it. p(b) is the softmax: a
linear-chain CRF (Lafferty et al. 2001) whose label changes at most once, so that all its sums are
cumulative sums and nothing has to be searched.

The prior shares one learned number out among the n − 1 places within the text, so that a long
text is not more suspicious than a short one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

Parameters = dict[str, np.ndarray]


@dataclass(frozen=True, slots=True, kw_only=True)
class BoundaryModel:
    """Members of one shape whose probabilities are averaged. `mean` and `scale` [features]
    standardise what they are given.
    """

    mean: np.ndarray
    scale: np.ndarray
    members: tuple[Parameters, ...]

    def posterior(self, features: np.ndarray) -> np.ndarray:
        """f64 [pieces + 1], the probability of each boundary, from f32 [pieces, features]."""
        texts = Texts([(features - self.mean) / self.scale])
        return np.mean([_posteriors(member, texts)[0] for member in self.members], axis=0)


class Texts:
    """Several texts' features side by side, and what every pass over them needs."""

    def __init__(self, features: Sequence[np.ndarray]) -> None:
        self.sizes = np.array([len(x) for x in features])
        self.longest = int(self.sizes.max())
        self.pieces = np.concatenate(features).astype(np.float32)  # [all pieces, features]
        row = np.repeat(np.arange(len(features)), self.sizes)
        column = np.concatenate([np.arange(n) for n in self.sizes])
        self.at = (row, column)  # of each piece in a table [texts, longest]
        self.contrasts = np.concatenate([_contrasts(x) for x in features]).astype(np.float32)
        inner = column > 0
        self.inner_at = (row[inner], column[inner])
        place = np.arange(self.longest + 1)
        self.is_place = place[None] <= self.sizes[:, None]  # [texts, longest + 1]

    def prior(self, numbers: np.ndarray) -> np.ndarray:
        """[texts, longest + 1] from those for all machine, within the text, and all human."""
        table = np.repeat(numbers[1] - np.log(np.maximum(self.sizes - 1, 1))[:, None],
                          self.longest + 1, axis=1)  # fmt: skip
        table[:, 0] = numbers[0]
        table[np.arange(self.sizes.size), self.sizes] = numbers[2]
        return table


def _contrasts(x: np.ndarray) -> np.ndarray:
    """[pieces − 1, 2 · features]: for each boundary within a text the mean of what follows less
    the mean of what precedes, and the piece after it less the one before.
    """
    if len(x) < 2:
        return np.zeros((0, 2 * x.shape[1]))
    sums = np.cumsum(x, axis=0, dtype=np.float64)
    before = np.arange(1, len(x))[:, None]
    means = (sums[-1] - sums[:-1]) / (len(x) - before) - sums[:-1] / before
    return np.concatenate([means, np.diff(x, axis=0)], axis=1)


def new_parameters(features: int, *, hidden: int, rng: np.random.Generator) -> Parameters:
    """A member that has learned nothing; `hidden` units in each of its two networks."""

    def network(name: str, width: int) -> Parameters:
        return {
            f"{name}_w": rng.normal(0, width**-0.5, (width, hidden)).astype(np.float32),
            f"{name}_c": np.zeros(hidden, np.float32),
            f"{name}_u": rng.normal(0, 0.1 * hidden**-0.5, hidden).astype(np.float32),
            f"{name}_v": np.zeros(width, np.float32),
        }

    prior = {"prior": np.zeros(3, np.float32), "score_d": np.zeros(1, np.float32)}
    return network("score", features) | network("contrast", 2 * features) | prior


def _network(p: Parameters, name: str, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """tanh(x w + c) u + x v, and the hidden units."""
    units = np.tanh(x @ p[f"{name}_w"] + p[f"{name}_c"])
    return units @ p[f"{name}_u"] + x @ p[f"{name}_v"], units


def _posteriors(p: Parameters, texts: Texts) -> np.ndarray:
    return _forward(p, texts)[0]


def _forward(p: Parameters, texts: Texts) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """p(b) [texts, longest + 1], and the hidden units of both networks."""
    score, score_units = _network(p, "score", texts.pieces)
    contrast, contrast_units = _network(p, "contrast", texts.contrasts)
    scores = np.zeros((texts.sizes.size, texts.longest + 1))
    scores[texts.at] = score + p["score_d"]
    energy = np.cumsum(scores[:, ::-1], axis=1)[:, ::-1] + texts.prior(p["prior"])
    energy[texts.inner_at] += contrast
    energy[~texts.is_place] = -np.inf
    energy -= energy.max(axis=1, keepdims=True)
    weights = np.exp(energy)
    return weights / weights.sum(axis=1, keepdims=True), score_units, contrast_units


def loss_and_gradient(
    p: Parameters, texts: Texts, boundaries: np.ndarray
) -> tuple[float, Parameters]:
    """The mean −log p(boundary), and its gradient by every parameter."""
    posterior, score_units, contrast_units = _forward(p, texts)
    count = texts.sizes.size
    rows = np.arange(count)
    loss = float(-np.log(np.maximum(posterior[rows, boundaries], 1e-30)).mean())
    d_energy = posterior / count
    d_energy[rows, boundaries] -= 1 / count
    # A piece's score is in the energy of every boundary that does not lie after it.
    d_score = np.cumsum(d_energy, axis=1)[texts.at].astype(np.float32)
    d_contrast = d_energy[texts.inner_at].astype(np.float32)
    first, last = d_energy[:, 0].sum(), d_energy[rows, texts.sizes].sum()
    gradient = {
        "prior": np.array([first, -first - last, last], np.float32),
        "score_d": d_score.sum(keepdims=True),
    }
    gradient |= _network_gradient(p, "score", texts.pieces, score_units, d_score)
    gradient |= _network_gradient(p, "contrast", texts.contrasts, contrast_units, d_contrast)
    return loss, gradient


def _network_gradient(
    p: Parameters, name: str, x: np.ndarray, units: np.ndarray, d_out: np.ndarray
) -> Parameters:
    d_units = (d_out[:, None] * p[f"{name}_u"]) * (1 - units**2)
    return {
        f"{name}_w": x.T @ d_units,
        f"{name}_c": d_units.sum(axis=0),
        f"{name}_u": units.T @ d_out,
        f"{name}_v": x.T @ d_out,
    }
