"""Perplexity: how surprised a model is by a text, exp of the mean negative log-likelihood."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from gnomon.engine.engine import Engine
from gnomon.errors import ContextError, DataError, ModelError, UsageError
from gnomon.progress import OnProgress, Progress
from gnomon.token_ids import as_token_ids, require_known_tokens

ScoreFrom = Literal["start", "half"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PerplexityResult:
    perplexity: float
    mean_nll: float  # nats a token
    tokens: int  # that were predicted
    windows: int
    window: int  # tokens
    stride: int  # tokens
    score_from: ScoreFrom = "start"


def perplexity(
    engine: Engine,
    token_ids: Sequence[int] | np.ndarray,
    *,
    window: int = 512,
    stride: int | None = None,
    max_windows: int | None = None,
    score_from: ScoreFrom = "start",
    first_token: int | None = None,
    on_progress: OnProgress = lambda progress: None,
) -> PerplexityResult:
    """The perplexity of `token_ids`, read in windows of `window` tokens that start every `stride`.

    Each window starts afresh, and its first token is not predicted. `stride` is the window where
    nothing else is said; with a smaller one windows overlap, and only tokens that the window before
    has not predicted count. A last window that is not full is left out, unless it is the only one.

    `score_from="half"` counts only what is predicted from the second half of each window on, where
    every token has half a window before it; `first_token` (BOS) takes the place of each window's
    first. Both together, with the windows side by side, are what llama.cpp's llama-perplexity does.
    Raises ModelError if the tokens are not the model's or it computes what is no number.
    """
    ids = as_token_ids(token_ids)
    stride = window if stride is None else stride
    if not window >= 2 or not 1 <= stride <= window:
        raise UsageError(
            f"window is {window} and stride {stride}; "
            "expected window >= 2 and 1 <= stride <= window."
        )
    if score_from not in ("start", "half"):
        raise UsageError(f"score_from is {score_from!r}; expected start or half.")
    if score_from == "half" and stride != window:
        raise UsageError(
            f"score_from='half' with window {window} and stride {stride}; windows that overlap "
            "give every token its context already: leave one of the two out."
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
    if first_token is not None:
        require_known_tokens([first_token], vocab_size=engine.config.vocab_size)
    window = min(window, ids.size)
    if score_from == "half" and window < 3:
        raise DataError(f"A window of {window} tokens has nothing to predict in its second half.")
    stride = min(stride, window)
    starts = range(0, ids.size - window + 1, stride)[:max_windows]
    session = engine.session(window)
    total, tokens = 0.0, 0
    for index, start in enumerate(starts):
        on_progress(Progress(stage="window", done=index, total=len(starts)))
        session.truncate(0)
        piece = ids[start : start + window].copy()
        if first_token is not None:
            piece[0] = first_token
        scores = session.score(piece)
        # Position i predicts token i + 1; the window before ended window − stride tokens in.
        skipped = 0 if start == 0 else max(window - stride - 1, 0)
        if score_from == "half":
            skipped = window // 2
        new = scores[skipped:]
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
        score_from=score_from,
    )
