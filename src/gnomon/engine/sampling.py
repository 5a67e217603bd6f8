"""`Sampler`: from logits to the next token.

The steps, their order and their edge cases are those of transformers' logits processors: repetition
penalty, temperature, top-k, top-p, min-p, then one draw.

>>> import numpy as np
>>> Sampler().choose(np.array([0.0, 2.0, 1.0], np.float32), [])
1
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gnomon.errors import UsageError

_STRETCH = 256  # weights whose sum a draw steps over at once
_LEAST_TEMPERATURE = 1e-30  # the likeliest token is certain long before; less is 0 in float32


@dataclass(frozen=True, slots=True, kw_only=True)
class SamplingOptions:
    """How to choose tokens. The defaults choose the likeliest one every time."""

    temperature: float = 0.0  # 0: greedy
    top_k: int | None = None  # keep the k likeliest tokens
    top_p: float | None = None  # keep the likeliest tokens that together have this probability
    min_p: float | None = None  # keep tokens at least this likely, relative to the likeliest
    repetition_penalty: float = 1.0  # above 1: tokens already seen become less likely
    seed: int | None = None  # None: different every time

    def __post_init__(self) -> None:
        _require("temperature", self.temperature, "0 or more", self.temperature >= 0)
        if self.top_k is not None:
            _require("top_k", self.top_k, "a whole number from 1", _is_count(self.top_k))
        if self.top_p is not None:
            _require("top_p", self.top_p, "above 0 and at most 1", 0 < self.top_p <= 1)
        if self.min_p is not None:
            _require("min_p", self.min_p, "from 0 to 1", 0 <= self.min_p <= 1)
        _require(
            "repetition_penalty", self.repetition_penalty, "above 0", self.repetition_penalty > 0
        )
        if self.seed is not None:
            is_valid = isinstance(self.seed, int) and self.seed >= 0
            _require("seed", self.seed, "a whole number from 0", is_valid)


class Sampler:
    """Chooses tokens by its options; carries the random state from one to the next."""

    def __init__(self, options: SamplingOptions | None = None) -> None:
        self.options = options if options is not None else SamplingOptions()
        self._rng = np.random.default_rng(self.options.seed)

    def choose(self, logits: np.ndarray, seen: Sequence[int] | np.ndarray) -> int:
        """A token by `logits` [vocab], which are not changed; `seen` is the text so far."""
        scores = processed_scores(logits, seen, self.options)
        if self.options.temperature == 0:
            return int(np.argmax(scores))
        scores -= scores.max()
        weights = np.exp(scores, out=scores)
        return _draw(weights, self._rng.random())


def processed_scores(
    logits: np.ndarray, seen: Sequence[int] | np.ndarray, options: SamplingOptions
) -> np.ndarray:
    """float32 [vocab] scores after all filters; tokens that may not be chosen are −inf."""
    scores = np.array(logits, dtype=np.float32)
    if options.repetition_penalty != 1.0 and len(seen) > 0:
        ids = np.unique(np.asarray(seen, dtype=np.int64))
        at = scores[ids]
        # CTRL (Keskar et al., arXiv 1909.05858), section 4.1, with the sign taken into account.
        scores[ids] = np.where(
            at < 0, at * options.repetition_penalty, at / options.repetition_penalty
        )
    if options.temperature == 0:
        return scores
    scores /= max(options.temperature, _LEAST_TEMPERATURE)
    if options.top_k is not None and options.top_k < scores.size:
        scores[scores < np.partition(scores, -options.top_k)[-options.top_k]] = -np.inf
    if options.top_p is not None and options.top_p < 1.0:
        _keep_top_p(scores, options.top_p)
    if options.min_p is not None and options.min_p > 0.0:
        # Nguyen et al., arXiv 2407.01082.
        scores[scores < scores.max() + np.log(options.min_p)] = -np.inf
    return scores


def _keep_top_p(scores: np.ndarray, top_p: float) -> None:
    """Nucleus sampling (Holtzman et al., arXiv 1904.09751): drop the unlikely tail in place."""
    probabilities = np.exp(scores - scores.max())
    probabilities /= probabilities.sum()
    # So unlikely that all tokens like it together are in the tail: they need no sorting.
    is_hopeless = probabilities <= (1.0 - top_p) / scores.size
    hopeful = np.flatnonzero(~is_hopeless)
    ascending = hopeful[np.argsort(scores[hopeful], kind="stable")]
    below = probabilities[is_hopeless].sum()
    dropped = below + np.cumsum(probabilities[ascending], dtype=np.float64) <= 1.0 - top_p
    dropped[-1] = False
    scores[is_hopeless] = -np.inf
    scores[ascending[dropped]] = -np.inf


def _draw(weights: np.ndarray, at: float) -> int:
    """The first place where the running sum of weights [vocab] passes the share `at` of it all."""
    starts = np.arange(0, weights.size, _STRETCH)
    sums = np.cumsum(np.add.reduceat(weights, starts), dtype=np.float64)
    wanted = at * sums[-1]
    stretch = min(int(np.searchsorted(sums, wanted, side="right")), starts.size - 1)
    wanted -= sums[stretch - 1] if stretch else 0.0
    begin, end = int(starts[stretch]), min(int(starts[stretch]) + _STRETCH, weights.size)
    sums = np.cumsum(weights[begin:end], dtype=np.float64)
    token = begin + int(np.searchsorted(sums, wanted, side="right"))
    # A draw that rounds up to the very end still gets a token that may be chosen.
    return token if token < end and weights[token] else int(np.flatnonzero(weights[:end])[-1])


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


def _require(name: str, value: object, expected: str, is_valid: bool) -> None:
    if not is_valid:
        raise UsageError(f"{name} is {value!r}; expected {expected}.")
