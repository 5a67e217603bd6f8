"""`Reader`: a language model that reads a text once and says how it went.

>>> reader = Reader(open_model("out/smollm2-2bit"))                   # doctest: +SKIP
>>> reader.read(["It was late.", "The bell rang."]).log_probabilities  # doctest: +SKIP
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from gnomon.engine import Engine
from gnomon.errors import DataError, ModelError
from gnomon.models import require_tokenizer
from gnomon.models.model import Model
from gnomon.progress import OnProgress, Progress

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
    states: np.ndarray  # f32 [pieces, layers, hidden], means over the tokens of a piece

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


class Reader:
    """Reads with `model`; `layers` are the numbers of those whose hidden states are kept."""

    def __init__(
        self, model: Model, *, layers: Sequence[int] = (), threads: int | None = None
    ) -> None:
        self.model = model
        self.layers = tuple(layers)
        if self.layers and not 0 <= min(self.layers) <= max(self.layers) < model.config.num_layers:
            raise ModelError(
                f"{model.name} has {model.config.num_layers} layers; the hidden states after "
                f"{', '.join(map(str, self.layers))} (from 0) were asked for"
            )
        self._tokenizer = require_tokenizer(model)
        self._engine = Engine(model, threads=threads)
        self.threads = self._engine.threads
        self._window = min(WINDOW, model.config.max_context)
        self._overlap = min(OVERLAP, self._window // 2)
        self._session = self._engine.session(self._window)

    def one_a_thread(self) -> list[Reader]:
        """As many readers as this one has threads, of one thread each, which can read at once."""
        if self.threads == 1:
            return [self]
        return [Reader(self.model, layers=self.layers, threads=1) for _ in range(self.threads)]

    def read(
        self, pieces: Sequence[str], *, on_progress: OnProgress = lambda progress: None
    ) -> Reading:
        """Read `pieces`, which a space parts, in windows of 512 tokens; memory grows with the
        number of pieces alone. Raises DataError if there is nothing to read, ModelError if the
        model computes what is no number.
        """
        tokens, starts = self._encode(pieces)
        expected = np.empty((tokens.size - 1, 5), np.float32)
        sums = np.zeros((len(pieces), len(self.layers), self.model.config.hidden_size), np.float32)
        piece_of = np.repeat(np.arange(len(pieces)), np.diff(starts))
        done = 0  # tokens read, the first of `tokens` not counted
        begin = 0
        while done < tokens.size - 1:
            on_progress(Progress(stage="reading", done=done, total=tokens.size - 1))
            window = np.ascontiguousarray(tokens[begin : begin + self._window])
            self._session.truncate(0)
            numbers, states = self._session.observe(window, self.layers)
            end = begin + window.size - 1
            new = end - done
            expected[done:end] = numbers[-new:]
            _add_by_piece(states[:, -new:], piece_of[done:end], sums)
            done = end
            begin = max(begin + 1, end + 1 - self._overlap)
        if not np.isfinite(expected).all() or not np.isfinite(sums).all():
            raise ModelError(
                "the model's logits are not finite: its weights are damaged or too large for the "
                "form they run in"
            )
        counts = np.maximum(np.diff(starts), 1)
        return Reading(
            starts=starts,
            log_probabilities=expected[:, 0],
            entropies=expected[:, 1],
            variances=expected[:, 2],
            cold_probabilities=expected[:, 3],
            ranks=expected[:, 4],
            states=sums / counts[:, None, None].astype(np.float32),
        )

    def _encode(self, pieces: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """Tokens, a first one that nothing is before included, and where each piece begins."""
        encoded = [
            self._tokenizer.encode(piece if i == 0 else " " + piece, add_special=False)
            for i, piece in enumerate(pieces)
        ]
        starts = np.concatenate([[0], np.cumsum([len(ids) for ids in encoded])]).astype(np.int64)
        if starts[-1] == 0:
            raise DataError("there is nothing to read: the text holds no words")
        opening = self._tokenizer.bos_id
        if opening is None:
            opening = self._tokenizer.eos_ids[0] if self._tokenizer.eos_ids else 0
        return np.array([opening, *(t for ids in encoded for t in ids)], np.int32), starts


def _add_by_piece(states: np.ndarray, piece_of: np.ndarray, sums: np.ndarray) -> None:
    """Add states [layers, tokens, hidden] to the sums [pieces, layers, hidden] of their pieces."""
    if states.shape[0] == 0 or piece_of.size == 0:
        return
    firsts = np.flatnonzero(np.diff(piece_of, prepend=-1))
    added = np.add.reduceat(states, firsts, axis=1)  # [layers, pieces here, hidden]
    sums[piece_of[firsts]] += added.transpose(1, 0, 2)
