"""`GenerationWork`: from logits to tokens to text, for one answer.

A token's way: bias and penalties → grammar → the engine's sampler → text → stop strings → events.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from gnomon.engine import Sampler, SamplingOptions
from gnomon.engine.generate import require_finite
from gnomon.engine.lookup import PromptLookup
from gnomon.serve.events import Event, Finished, FinishReason, PromptRead, TextAdded
from gnomon.serve.stop_strings import StopStrings
from gnomon.serve.token_scores import TokenScore, score_token
from gnomon.serve.work import Work

if TYPE_CHECKING:
    from gnomon.engine import Session
    from gnomon.models import Tokenizer
    from gnomon.serve.grammar import Matcher


@dataclass(frozen=True, slots=True, kw_only=True)
class GenerationOptions:
    """What is wanted of one answer."""

    max_tokens: int  # that prompt and answer leave room for; 0: the prompt is only scored
    sampling: SamplingOptions = field(default_factory=SamplingOptions)
    stop: tuple[str, ...] = ()
    top_scores: int | None = None  # likeliest tokens told beside each; None: no scores at all
    scores_prompt: bool = False
    frequency_penalty: float = 0.0  # taken off a token's logit each time that it was said
    presence_penalty: float = 0.0  # taken off once it was said
    logit_bias: Mapping[int, float] = field(default_factory=dict)


class GenerationWork(Work):
    """One answer to one prompt."""

    def __init__(
        self,
        prompt: np.ndarray,
        options: GenerationOptions,
        *,
        tokenizer: Tokenizer,
        client: str,
        deadline_s: float,
        matcher: Matcher | None = None,
        after: Work | None = None,
    ) -> None:
        super().__init__(prompt, client=client, deadline_s=deadline_s, after=after)
        self.reuses_prefix = not options.scores_prompt
        self._options = options
        self._stop_ids = frozenset(tokenizer.eos_ids)
        self._text = _ShownText(tokenizer, options.stop)
        self._sampler = Sampler(options.sampling)
        self._matcher = matcher
        self._bias = _Bias(options)
        self._seen: list[int] = prompt.tolist()
        self._lookup: PromptLookup | None = None  # made when first asked
        self._looked_up = 0  # tokens of `_seen` that it has
        self._asked = 0  # tokens of the prompt that are being read
        self._generated = 0
        self._prompt_scores: list[TokenScore] = []

    @property
    def reads_alone(self) -> bool:
        return self._options.scores_prompt and not self.is_prompt_read

    def read_alone(self, session: Session, rows: int) -> Sequence[Event]:
        chunk = self.prompt[self.read : self.read + rows]
        logits = session.forward_all(chunk)
        require_finite(logits, session.length)
        if self.read == 0:
            self._prompt_scores.append(TokenScore(token=int(chunk[0]), log_probability=None))
        top = self._options.top_scores or 0
        following = self.prompt[self.read + 1 : self.read + chunk.size + 1].tolist()
        self._prompt_scores += [
            score_token(row, token, top=top) for row, token in zip(logits, following, strict=False)
        ]
        self._asked = chunk.size
        return self.take_logits(logits[-1])

    def next_tokens(self, rows: int) -> np.ndarray:
        if self.is_prompt_read:
            return np.array(self._seen[-1:], dtype=np.int32)
        chunk = self.prompt[self.read : self.read + rows]
        self._asked = chunk.size
        return chunk

    def guess(self) -> Sequence[int]:
        if self._options.sampling.temperature > 0 or not self.is_prompt_read:
            return []
        if self._lookup is None:
            self._lookup = PromptLookup(self._seen[: self.prompt.size])
            self._looked_up = self.prompt.size
        self._lookup.extend(self._seen[self._looked_up :])
        self._looked_up = len(self._seen)
        return self._lookup.guess(most=self._options.max_tokens - self._generated - 1)

    def read_guess(self, session: Session, guess: Sequence[int]) -> Sequence[Event]:
        assert self._lookup is not None
        read = session.length + 1
        rows = session.forward_all(np.array([self._seen[-1], *guess], dtype=np.int32))
        events: list[Event] = []
        right = 0
        for logits in rows:
            events += self.take_logits(logits)
            if self.is_done or list(guess[right : right + 1]) != self._seen[-1:]:
                break
            right += 1
        self._lookup.record(guessed=len(guess), right=right)
        session.truncate(read + right)
        return events

    def take_logits(self, logits: np.ndarray) -> Sequence[Event]:
        events: list[Event] = []
        if not self.is_prompt_read:
            self.read += self._asked
            if not self.is_prompt_read:
                return []
            events.append(PromptRead(cached_tokens=self.cached, scores=tuple(self._prompt_scores)))
            if self._options.max_tokens == 0:
                return [*events, *self._finish("length")]
        return [*events, *self._choose(logits)]

    def _choose(self, logits: np.ndarray) -> Sequence[Event]:
        require_finite(logits, len(self._seen))
        scores = self._bias.apply(logits)
        if self._matcher is not None:
            scores = np.where(self._matcher.allowed(scores.size), scores, -np.inf)
        token = self._sampler.choose(scores, self._seen)
        self._seen.append(token)
        self._generated += 1
        if token in self._stop_ids:
            return self._finish("stop")
        self._bias.count(token)
        score = None
        if self._options.top_scores is not None:
            score = score_token(logits, token, top=self._options.top_scores)
        added = self._text.feed(token, score)
        events: list[Event] = [] if added is None else [added]
        if self._matcher is not None:
            self._matcher.advance(token)
        if self._text.is_stopped or (self._matcher is not None and self._matcher.is_complete):
            return [*events, *self._finish("stop")]
        if self._generated >= self._options.max_tokens:
            return [*events, *self._finish("length")]
        return events

    def _finish(self, reason: FinishReason) -> Sequence[Event]:
        self.is_done = True
        rest = self._text.flush()
        if self._text.is_stopped:
            reason = "stop"
        end = Finished(reason=reason, generated_tokens=self._generated)
        return [end] if rest is None else [rest, end]


class _ShownText:
    """Tokens on their way to text: what is held back, and the scores that wait with it."""

    def __init__(self, tokenizer: Tokenizer, stops: Sequence[str]) -> None:
        self._decoder = tokenizer.stream()
        self._stops = StopStrings(stops)
        self._waiting: deque[tuple[int, TokenScore]] = deque()  # with the end of their text
        self._fed = self._shown = 0  # characters

    @property
    def is_stopped(self) -> bool:
        return self._stops.is_found

    def feed(self, token: int, score: TokenScore | None) -> TextAdded | None:
        text = self._decoder.feed(token)
        self._fed += len(text)
        if score is not None:
            self._waiting.append((self._fed, score))
        return self._show(self._stops.feed(text))

    def flush(self) -> TextAdded | None:
        text = self._decoder.flush()
        self._fed += len(text)
        return self._show(self._stops.feed(text) + self._stops.flush())

    def _show(self, text: str) -> TextAdded | None:
        self._shown += len(text)
        scores = []
        while self._waiting and self._waiting[0][0] <= self._shown:
            scores.append(self._waiting.popleft()[1])
        if not text and not scores:
            return None
        return TextAdded(text=text, scores=tuple(scores))


class _Bias:
    """What is added to the logits: a fixed bias, less the penalties of what was said."""

    def __init__(self, options: GenerationOptions) -> None:
        self._frequency = options.frequency_penalty
        self._presence = options.presence_penalty
        self._amounts = dict(options.logit_bias)
        self._said: set[int] = set()

    def count(self, token: int) -> None:
        """`token` was said."""
        if self._frequency or self._presence:
            first = 0.0 if token in self._said else self._presence
            self._said.add(token)
            self._amounts[token] = self._amounts.get(token, 0.0) - self._frequency - first

    def apply(self, logits: np.ndarray) -> np.ndarray:
        """The logits with it; the same array where there is none."""
        if not self._amounts:
            return logits
        scores = logits.copy()
        tokens = np.fromiter(self._amounts, dtype=np.int64, count=len(self._amounts))
        scores[tokens] += np.fromiter(self._amounts.values(), dtype=np.float32)
        return scores
