"""Perplexity: how surprised a model is by a text, exp of the mean negative log-likelihood."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gnomon.engine.engine import Engine
from gnomon.errors import ContextError, DataError, ModelError, UsageError
from gnomon.progress import OnProgress, Progress
from gnomon.token_ids import as_token_ids, require_known_tokens


@dataclass(frozen=True, slots=True, kw_only=True)
class PerplexityResult:
    perplexity: float
    mean_nll: float  # nats a token
    tokens: int  # that were predicted
    windows: int
    window: int  # tokens
    stride: int  # tokens


def perplexity(
    engine: Engine,
    token_ids: Sequence[int] | np.ndarray,
    *,
    window: int = 512,
    stride: int | None = None,
    max_windows: int | None = None,
    on_progress: OnProgress = lambda progress: None,
) -> PerplexityResult:
    """The perplexity of `token_ids`, read in windows of `window` tokens that start every `stride`.

    Each window starts afresh, and its first token is not predicted. `stride` is the window where
    nothing else is said; with a smaller one windows overlap, and only tokens that the window before
    has not predicted count. A last window that is not full is left out, unless it is the only one.
    Raises ModelError if the tokens are not the model's or it computes what is no number.
    """
    ids = as_token_ids(token_ids)
    stride = window if stride is None else stride
    if not window >= 2 or not 1 <= stride <= window:
        raise UsageError(
            f"window is {window} and stride {stride}; "
            "expected window >= 2 and 1 <= stride <= window."
        )
    if max_windows is not None and max_windows < 1:
        raise UsageError(f"max_windows is {max_windows}; expected at least 1.")
    if ids.size < 2:
        raise DataError(f"The text has {ids.size} tokens; perplexity needs at least 2.")
    if window > engine.config.max_context:
        raise ContextError(
            f"The window is {window} tokens; the model's context is {engine.config.max_context}."
        )
    require_known_tokens(ids, vocab_size=engine.config.vocab_size)
    window = min(window, ids.size)
    stride = min(stride, window)
    starts = range(0, ids.size - window + 1, stride)[:max_windows]
    session = engine.session(window)
    total, tokens = 0.0, 0
    for index, start in enumerate(starts):
        on_progress(Progress(stage="window", done=index, total=len(starts)))
        session.truncate(0)
        scores = session.score(ids[start : start + window])
        # Position i predicts token i + 1; the window before ended window − stride tokens in.
        new = scores if start == 0 else scores[max(window - stride - 1, 0) :]
        if not np.isfinite(new).all():
            raise ModelError(
                f"the model's logits are not finite in window {index + 1} of {len(starts)}: its "
                "weights are damaged or too large for the form they run in"
            )
        total -= float(new.sum(dtype=np.float64))
        tokens += new.size
    mean_nll = total / tokens
    return PerplexityResult(
        perplexity=math.exp(mean_nll) if mean_nll < 700 else math.inf,
        mean_nll=mean_nll,
        tokens=tokens,
        windows=len(starts),
        window=window,
        stride=stride,
    )
