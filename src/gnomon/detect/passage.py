"""`Passage`: the pieces of a text on their way through a model, some tokens at a time.

Who has a session to itself reads window by window (`Reader`); a server reads on in small steps, so
that others get their turn. The numbers are the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from gnomon.detect.piece_means import PieceMeans, Project
from gnomon.errors import DataError, ModelError

if TYPE_CHECKING:
    from gnomon.engine import Session
    from gnomon.models import Tokenizer

WINDOW = 512  # tokens that the model sees at once
OVERLAP = 64  # tokens of a window that the window before has read already


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What a model made of the pieces of a text: its sentences, or its words."""

    starts: np.ndarray  # int64 [pieces + 1], the token with which each begins; the last is the end
    log_probabilities: np.ndarray  # f32 [tokens], nats
    entropies: np.ndarray  # f32 [tokens], nats, of what was expected there
    variances: np.ndarray  # f32 [tokens], nats², of the log-probability under the expectation
    cold_probabilities: np.ndarray  # f32 [tokens], log-probabilities at a temperature of one half
    ranks: np.ndarray  # f32 [tokens], how many tokens were likelier
    # f32 [pieces, layers, hidden], means over the tokens of a piece; or what became of them, where
    # they were projected as they came.
    states: np.ndarray

    @property
    def pieces(self) -> int:
        return self.starts.size - 1

    def joined(self, firsts: Sequence[int], end: int) -> Reading:
        """The same with longer pieces, which begin with the pieces `firsts`; the last one ends
        before piece `end`.
        """
        counts = np.diff(self.starts[: end + 1])[:, None, None]
        sums = np.add.reduceat(self.states[:end] * counts, firsts, axis=0)
        starts = self.starts[[*firsts, end]]
        lengths = np.maximum(np.diff(starts), 1)[:, None, None]
        return replace(self, starts=starts, states=(sums / lengths).astype(np.float32))


class Passage:
    """Memory grows with the number of tokens and pieces, and with the states of the latter unless
    they are projected.
    """

    def __init__(
        self,
        tokenizer: Tokenizer,
        pieces: Sequence[str],
        *,
        layers: Sequence[int],
        hidden_size: int,
        window: int,
        project: Project | None = None,
    ) -> None:
        """`pieces` are read as if a space parted them; the states after `layers` are kept, or what
        `project` makes of them.
        `window`: tokens that a session of the model holds, at most 512 of which are used. Raises
        DataError if there is nothing to read.
        """
        self.tokens, self._starts = _encode(tokenizer, pieces)
        self._layers = tuple(layers)
        self._window = min(WINDOW, window)
        self._overlap = min(OVERLAP, self._window // 2)
        self._expected = np.empty((self.total, 5), np.float32)
        self._means = PieceMeans(self._starts, (len(self._layers), hidden_size), project)
        self._begin = 0  # of the window, among the tokens
        self._held = 0  # tokens of the window that the session holds
        self.done = 0  # tokens read, the first of `tokens` not counted

    @property
    def total(self) -> int:
        return self.tokens.size - 1

    @property
    def is_read(self) -> bool:
        return self.done == self.total

    def read_on(self, session: Session, rows: int = WINDOW) -> None:
        """Read up to `rows` >= 1 further tokens of the window. `session` is ours alone until the
        text is read.
        """
        # The last token that was read is read again: what it leads one to expect was not kept.
        first = max(self._held - 1, 0)
        session.truncate(first)
        size = max(rows, 2) if self._held == 0 else rows + 1
        chunk = self.tokens[self._begin + first : self._begin + min(first + size, self._window)]
        numbers, states = session.observe(np.ascontiguousarray(chunk), self._layers)
        self._held = first + chunk.size
        end = self._begin + self._held - 1
        new = end - self.done
        if new > 0:
            self._expected[self.done : end] = numbers[-new:]
            self._means.add(states[:, -new:], self.done, end)
            self.done = end
        if self._held == self._window:
            self._begin = max(self._begin + 1, end + 1 - self._overlap)
            self._held = 0

    def reading(self) -> Reading:
        """All of it, once it is read. Raises ModelError if the model computed what is no number."""
        assert self.is_read
        if not np.isfinite(self._expected).all() or not self._means.are_finite:
            raise ModelError(
                "the model's logits are not finite: its weights are damaged or too large for the "
                "form they run in"
            )
        return Reading(
            starts=self._starts,
            log_probabilities=self._expected[:, 0],
            entropies=self._expected[:, 1],
            variances=self._expected[:, 2],
            cold_probabilities=self._expected[:, 3],
            ranks=self._expected[:, 4],
            states=self._means.all(),
        )


def _encode(tokenizer: Tokenizer, pieces: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Tokens, a first one that nothing is before included, and where each piece begins."""
    encoded = [
        tokenizer.encode(piece if i == 0 else " " + piece, add_special=False)
        for i, piece in enumerate(pieces)
    ]
    starts = np.concatenate([[0], np.cumsum([len(ids) for ids in encoded])]).astype(np.int64)
    if starts[-1] == 0:
        raise DataError("there is nothing to read: the text holds no words")
    opening = tokenizer.bos_id
    if opening is None:
        opening = tokenizer.eos_ids[0] if tokenizer.eos_ids else 0
    return np.array([opening, *(t for ids in encoded for t in ids)], np.int32), starts
