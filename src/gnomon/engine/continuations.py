"""How likely a model finds a continuation of a context, with nothing read twice.

>>> reader = ContinuationReader(engine, capacity=256)            # doctest: +SKIP
>>> reader.score([464, 6766, 318], [4171])                       # doctest: +SKIP
ContinuationScore(log_probability=-2.31, is_greedy=True)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gnomon.engine.engine import Engine
from gnomon.errors import ModelError, UsageError
from gnomon.token_ids import as_token_ids


@dataclass(frozen=True, slots=True, kw_only=True)
class ContinuationScore:
    log_probability: float  # nats, of all the continuation's tokens together
    is_greedy: bool  # whether each of its tokens is the likeliest one


class ContinuationReader:
    """Scores continuations one after another in one session.

    What a sequence shares with the one before it, its context first of all, stays in the session:
    ask for the continuations of one context in a row, those that begin alike beside each other.
    """

    def __init__(self, engine: Engine, *, capacity: int) -> None:
        """`capacity`: tokens a sequence may have but for its last, which is never read. A longer
        one loses its beginning.
        """
        self._session = engine.session(capacity)
        self._read = np.empty(0, np.int32)  # what the session holds
        self._logits: list[np.ndarray] = []  # [vocab] each, after its last tokens
        self.tokens_read = 0

    def score(self, context: Sequence[int], continuation: Sequence[int]) -> ContinuationScore:
        """log p(continuation | context). Raises UsageError if either is empty or the continuation
        alone is longer than the capacity, ModelError if the model computes what is no number.
        """
        targets = as_token_ids(continuation)
        capacity = self._session.capacity
        if len(context) == 0 or not 1 <= targets.size <= capacity:
            raise UsageError(
                f"The context has {len(context)} tokens and the continuation {targets.size}; "
                f"expected at least one, and a continuation of at most {capacity}."
            )
        sequence = np.concatenate([as_token_ids(context), targets])[-(capacity + 1) :]
        logits = self._read_on(sequence[:-1], rows=targets.size)
        return _score(logits, targets)

    def _read_on(self, tokens: np.ndarray, *, rows: int) -> list[np.ndarray]:
        """Logits after each of the last `rows` of `tokens`; the session holds `tokens` then."""
        first = tokens.size - rows  # the first position whose logits are wanted
        shared = _shared_length(self._read, tokens)
        oldest = self._read.size - len(self._logits)  # the first position whose logits are kept
        if shared > first and first < oldest:
            shared = first
        kept = self._logits[first - oldest : shared - oldest] if shared > first else []
        self._session.truncate(shared)
        self._read, self._logits = tokens[:shared], kept
        if shared < tokens.size:
            new = self._session.forward_all(
                np.ascontiguousarray(tokens[shared:]), max(first - shared, 0)
            )
            self._read, self._logits = tokens, [*kept, *new]
            self.tokens_read += tokens.size - shared
        return self._logits


def _shared_length(a: np.ndarray, b: np.ndarray) -> int:
    size = min(a.size, b.size)
    differs = np.flatnonzero(a[:size] != b[:size])
    return int(differs[0]) if differs.size else size


def _score(logits: Sequence[np.ndarray], targets: np.ndarray) -> ContinuationScore:
    total, is_greedy = 0.0, True
    for row, target in zip(logits, targets, strict=True):
        highest = row.max()
        value = float(row[target] - highest - np.log(np.exp(row - highest).sum(dtype=np.float64)))
        if not np.isfinite(value):
            raise ModelError(
                "the model's logits are not finite: its weights are damaged or too large for the "
                "form they run in"
            )
        total += value
        is_greedy = is_greedy and int(row.argmax()) == int(target)
    return ContinuationScore(log_probability=total, is_greedy=is_greedy)
