"""`generate`: one token after the other, until something says stop."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from gnomon import _native
from gnomon.engine.engine import Engine, Session
from gnomon.engine.lookup import PromptLookup
from gnomon.engine.sampling import Sampler
from gnomon.errors import ContextError, ModelError, UsageError
from gnomon.token_ids import as_token_ids

StopReason = Literal["stop_token", "max_tokens", "context"]


@dataclass(frozen=True, slots=True, kw_only=True)
class GeneratedToken:
    """One step of a generation. The last one says why it is the last."""

    token: int
    log_probability: float  # of the model itself, before the sampler's filters
    stop_reason: StopReason | None = None


def generate(
    engine: Engine,
    prompt_ids: Sequence[int] | np.ndarray,
    *,
    max_tokens: int = 256,
    sampler: Sampler | None = None,
    stop_ids: Collection[int] = (),
    session: Session | None = None,
    is_speculative: bool = True,
) -> Iterator[GeneratedToken]:
    """Continue `prompt_ids`, yielding tokens as they come; a stop token is yielded too, last.

    With `session`, the prompt follows what the session already holds, and the session keeps what
    was read: everything but the last token. (While tokens are still to come it may be ahead.)
    Where the likeliest token is always taken, what the text said before is guessed to come again
    and read along (see lookup.py): faster, and the same tokens. `is_speculative=False` does not.
    Raises ContextError, before anything is computed, if
    the prompt leaves no room for a token, and UsageError if it is empty or no row of tokens,
    `max_tokens` is not positive, or `session` is another engine's. Raises ModelError, on the way,
    if the model computes what is no number.
    """
    prompt = as_token_ids(prompt_ids)
    if prompt.size == 0:
        raise UsageError("The prompt is empty; expected at least one token.")
    if max_tokens < 1:
        raise UsageError(f"max_tokens is {max_tokens}; expected at least 1.")
    if prompt.min() < 0 or prompt.max() >= engine.config.vocab_size:
        raise UsageError(
            f"The prompt has tokens from {prompt.min()} to {prompt.max()}; the model's vocabulary "
            f"goes from 0 to {engine.config.vocab_size - 1}."
        )
    if session is not None and not engine.owns(session):
        raise UsageError("The session is another engine's; make one with this engine.session().")
    context = engine.config.max_context if session is None else session.capacity
    used = 0 if session is None else session.length
    if used + prompt.size > context:
        before = f" after {used} tokens already read" if used else ""
        raise ContextError(
            f"The prompt has {prompt.size} tokens{before}; the context holds {context}."
        )
    if session is None:
        session = engine.session(min(context, prompt.size + max_tokens))
    sampler = sampler or Sampler()
    is_speculative = is_speculative and sampler.options.temperature == 0
    lookup = PromptLookup([*session.tokens.tolist(), *prompt.tolist()]) if is_speculative else None
    return _tokens(session, prompt, max_tokens, context, sampler, frozenset(stop_ids), lookup)


def _tokens(
    session: Session,
    prompt: np.ndarray,
    max_tokens: int,
    context: int,
    sampler: Sampler,
    stop_ids: frozenset[int],
    lookup: PromptLookup | None,
) -> Iterator[GeneratedToken]:
    seen = prompt.tolist()
    step: list[int] = seen[:]  # chosen, but not read
    read = ahead = session.length  # what the caller may count on; what the session holds
    left = max_tokens
    try:
        while True:
            room = min(left - 1, context - read - len(step))
            guess = lookup.guess(most=room) if lookup else []
            rows = session.forward_all(np.array([*step, *guess], dtype=np.int32), len(step) - 1)
            read, ahead = read + len(step), session.length
            right = 0
            for logits in rows:
                require_finite(logits, read)
                token = sampler.choose(logits, seen)
                seen.append(token)
                left -= 1
                reason: StopReason | None = None
                if token in stop_ids:
                    reason = "stop_token"
                elif left == 0:
                    reason = "max_tokens"
                elif read == context:
                    reason = "context"
                yield GeneratedToken(
                    token=token, log_probability=_log_probability(logits, token), stop_reason=reason
                )
                if reason is not None:
                    return
                if guess[right : right + 1] != [token]:
                    break
                right += 1
                read += 1
            if lookup:
                lookup.extend(seen[-right - 1 :])
                lookup.record(guessed=len(guess), right=right)
            session.truncate(read)
            ahead = read
            step = seen[-1:]
    finally:
        # Also where the caller stops early; what it did to the session meanwhile stays.
        if session.length == ahead:
            session.truncate(read)


def require_finite(logits: np.ndarray, read: int) -> None:
    # The sum is finite unless a number is not (or all are huge), and quicker than asking each.
    if not np.isfinite(logits.sum()) and not np.isfinite(logits).all():
        raise ModelError(
            f"the model's logits are not finite after {read} tokens: its weights "
            "are damaged or too large for the form they run in; try dense='float32'"
        )


def _log_probability(logits: np.ndarray, token: int) -> float:
    return float(logits[token]) - _native.log_sum_exp(logits)
