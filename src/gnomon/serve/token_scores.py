"""What the model thought of a token, and which others it would have liked."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenScore:
    """A token in a text, and the likeliest ones at its place, likeliest first."""

    token: int
    log_probability: float | None  # nats; None for the first of a text, which nothing predicts
    top: tuple[tuple[int, float], ...] = ()


def score_token(logits: np.ndarray, token: int, *, top: int) -> TokenScore:
    """`token` at a place with `logits` float32 [vocab], beside the `top` likeliest."""
    shifted = logits - logits.max()
    log_sum = np.log(np.exp(shifted).sum(dtype=np.float64))
    best: list[int] = []
    if top > 0:
        candidates = np.argpartition(shifted, -min(top, shifted.size))[-top:]
        best = candidates[np.argsort(-shifted[candidates], kind="stable")].tolist()
    return TokenScore(
        token=token,
        log_probability=float(shifted[token] - log_sum),
        top=tuple((other, float(shifted[other] - log_sum)) for other in best),
    )
