"""`Sampler`: from logits to the next token.

The steps, their order and their edge cases are those of transformers' logits processors: repetition
penalty, temperature, top-k, top-p, min-p, then one draw (`cpp/engine/sampling.h`).

>>> import numpy as np
>>> Sampler().choose(np.array([0.0, 2.0, 1.0], np.float32), [])
1
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gnomon import _native
from gnomon.errors import UsageError


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
        is_valid = 0 <= self.temperature < math.inf
        _require("temperature", self.temperature, "0 or more, and finite", is_valid)
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
        options = self.options
        is_penalised = options.repetition_penalty != 1.0
        return _native.choose_token(
            np.ascontiguousarray(logits, np.float32),
            np.ascontiguousarray(seen if is_penalised else (), np.int32),
            self._rng.random() if options.temperature else 0.0,
            temperature=options.temperature,
            top_k=min(options.top_k or 0, len(logits)),
            top_p=1.0 if options.top_p is None else options.top_p,
            min_p=options.min_p or 0.0,
            repetition_penalty=options.repetition_penalty,
        )


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


def _require(name: str, value: object, expected: str, is_valid: bool) -> None:
    if not is_valid:
        raise UsageError(f"{name} is {value!r}; expected {expected}.")
