"""A prompt's way: messages → chat template → tokens → the engine's session → tokens → text.

`stream_text` answers one prompt; a `Conversation` answers turn after turn and keeps what the model
has already read, so that each turn costs only what is new in it.

>>> talk = Conversation(engine, tokenizer)                                # doctest: +SKIP
>>> print("".join(piece.text for piece in talk.say("Hello!", max_tokens=64)))  # doctest: +SKIP
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gnomon.engine import generate
from gnomon.token_ids import as_token_ids, require_known_tokens

if TYPE_CHECKING:
    from gnomon.engine import Engine, Sampler, Session
    from gnomon.engine.generate import StopReason
    from gnomon.models.tokenizer import Tokenizer


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """What one token added to the text; "" inside a character and for a token that ends it."""

    text: str
    token: int | None  # None: no token, only text that had waited for one
    log_probability: float | None = None
    stop_reason: StopReason | None = None  # of the last token


def stream_text(
    engine: Engine,
    tokenizer: Tokenizer,
    prompt_ids: Sequence[int],
    *,
    max_tokens: int,
    sampler: Sampler | None = None,
    session: Session | None = None,
) -> Generator[Piece, None, None]:
    """The continuation of `prompt_ids`, piece by piece, until the model ends it or `max_tokens`.

    Raises ContextError where the prompt does not fit, ModelError where its tokens are not the
    model's.
    """
    require_known_tokens(prompt_ids, vocab_size=engine.model.config.vocab_size)
    decoder = tokenizer.stream()
    for token in generate(
        engine,
        prompt_ids,
        max_tokens=max_tokens,
        sampler=sampler,
        stop_ids=tokenizer.eos_ids,
        session=session,
    ):
        yield Piece(
            text=decoder.feed(token.token),
            token=token.token,
            log_probability=token.log_probability,
            stop_reason=token.stop_reason,
        )
    rest = decoder.flush()
    if rest:
        yield Piece(text=rest, token=None)


class Conversation:
    """Messages to and fro, and one session of the engine that has read them."""

    def __init__(
        self, engine: Engine, tokenizer: Tokenizer, *, capacity: int, system: str | None = None
    ) -> None:
        """`capacity`: tokens that the whole conversation may have."""
        self._engine = engine
        self._tokenizer = tokenizer
        self._capacity = capacity
        self._system = system
        self.reset()

    def reset(self) -> None:
        """Forget everything but the system message."""
        self.messages: list[dict[str, str]] = (
            [{"role": "system", "content": self._system}] if self._system else []
        )
        self._session = self._engine.session(self._capacity)

    def say(
        self, text: str, *, max_tokens: int, sampler: Sampler | None = None
    ) -> Generator[Piece, None, None]:
        """The model's answer to `text`. Whoever stops early keeps what was said until then."""
        messages = [*self.messages, {"role": "user", "content": text}]
        prompt = self._tokenizer.encode(
            self._tokenizer.apply_chat_template(messages), add_special=False
        )
        known = self._session.keep_prefix(as_token_ids(prompt))
        answer: list[str] = []
        try:
            for piece in stream_text(
                self._engine,
                self._tokenizer,
                prompt[known:],
                max_tokens=max_tokens,
                sampler=sampler,
                session=self._session,
            ):
                answer.append(piece.text)
                yield piece
        finally:
            # Also when the reader stopped in the middle; a turn that failed leaves no trace.
            if answer:
                self.messages = [*messages, {"role": "assistant", "content": "".join(answer)}]
