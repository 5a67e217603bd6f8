"""What the engine's thread does for one text: generate from a prompt, embed it, or judge it.

A `Work` says which tokens it wants read, and is told what came of them. It lives in the engine's
thread and answers with events; only `cancel` is called from elsewhere.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from gnomon.serve.events import Embedded, Event

if TYPE_CHECKING:
    from gnomon.engine import Session


class Work(ABC):
    """One text. `client` is whose it is, `deadline_s` when it must be done (time.monotonic)."""

    reuses_prefix = True  # whether tokens that a session holds already need not be read again

    def __init__(
        self, prompt: np.ndarray, *, client: str, deadline_s: float, after: Work | None = None
    ) -> None:
        """`prompt`: int32 [n >= 1]. `after`: a text with the same prompt, which reads it first."""
        self.prompt = prompt
        self.client = client
        self.deadline_s = deadline_s
        self.after = after
        self.cached = 0  # tokens of the prompt that did not have to be read
        self.read = 0  # tokens of the prompt that the session holds
        self.is_cancelled = False
        self.is_done = False

    @property
    def is_prompt_read(self) -> bool:
        return self.read >= self.prompt.size

    @property
    def is_ready(self) -> bool:
        """Whether it may begin."""
        return self.after is None or self.after.is_prompt_read or self.after.is_done

    def begin(self, *, kept: int) -> None:
        """A session is there that holds the first `kept` tokens of the prompt."""
        self.read = self.cached = kept

    def cancel(self) -> None:
        """Nobody waits for it any more."""
        self.is_cancelled = True

    @property
    @abstractmethod
    def reads_alone(self) -> bool:
        """Whether its next tokens need a call of their own (`read_alone`), or are read together
        with those of others (`next_tokens`, then `take_logits`).
        """

    @abstractmethod
    def read_alone(self, session: Session, rows: int) -> Sequence[Event]:
        """Read up to `rows` tokens of the prompt."""

    def guess(self) -> Sequence[int]:
        """Tokens that may come next, for `read_guess`; none where nothing speaks for any."""
        return []

    def read_guess(self, session: Session, guess: Sequence[int]) -> Sequence[Event]:
        """Read what was chosen last and `guess` in one call, and go on as far as it was right."""
        raise AssertionError("nothing was guessed")

    @abstractmethod
    def next_tokens(self, rows: int) -> np.ndarray:
        """What is to be read next, int32 [1 … rows]: the prompt, then what was chosen."""

    @abstractmethod
    def take_logits(self, logits: np.ndarray) -> Sequence[Event]:
        """Go on with the logits [vocab] after the last of `next_tokens`."""


class ReadingWork(Work):
    """A text that is read for what it is, and not continued."""

    reuses_prefix = False

    @property
    def reads_alone(self) -> bool:
        return True

    def next_tokens(self, rows: int) -> np.ndarray:
        raise AssertionError("what is only read reads alone")

    def take_logits(self, logits: np.ndarray) -> Sequence[Event]:
        raise AssertionError("what is only read reads alone")


class EmbeddingWork(ReadingWork):
    """The mean of a text's last hidden states, scaled to unit length."""

    def read_alone(self, session: Session, rows: int) -> Sequence[Event]:
        chunk = self.prompt[self.read : self.read + rows]
        states = session.hidden(chunk).sum(axis=0, dtype=np.float64)
        self._sum = states if self.read == 0 else self._sum + states
        self.read += chunk.size
        if not self.is_prompt_read:
            return []
        self.is_done = True
        norm = float(np.linalg.norm(self._sum))
        return [Embedded(vector=(self._sum / (norm or 1.0)).astype(np.float32))]
