"""Recover Llama 3's RoPE scaling from the factors a GGUF file stores.

Llama 3's `config.json` gives four numbers; converters to GGUF apply them and store one divisor a
frequency (`rope_freqs.weight`). We look for the four numbers that give the stored divisors back.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np


def llama3_factors(
    *,
    head_dim: int,
    theta: float,
    factor: float,
    low: float = 1.0,
    high: float = 4.0,
    original_context: int = 8192,
) -> np.ndarray:
    """float32 [head_dim / 2]: what each inverse frequency is divided by (Llama 3.1's rule)."""
    inverse = theta ** -(np.arange(0, head_dim, 2, dtype=np.float64) / head_dim)
    turns = original_context * inverse / (2 * math.pi)  # rotations over the original context
    smooth = np.clip((turns - low) / (high - low), 0, 1)  # 0: scaled fully, 1: left alone
    return (1 / ((1 - smooth) / factor + smooth)).astype(np.float32)


def recover_llama3(
    factors: np.ndarray, *, theta: float, original_context: int | None = None
) -> dict[str, Any] | None:
    """The `rope_scaling` that gives `factors` (float32 [head_dim / 2]), or None.

    All released models use low 1, high 4 and 8192; the scale itself is the largest factor.
    """
    factor = float(factors.max(initial=1.0))
    context = original_context or 8192
    if factor <= 1:
        return None
    for candidate in dict.fromkeys((round(factor, 3), factor)):
        expected = llama3_factors(
            head_dim=2 * len(factors), theta=theta, factor=candidate, original_context=context
        )
        if np.allclose(expected, factors, rtol=1e-4):
            return {
                "rope_type": "llama3",
                "factor": candidate,
                "low_freq_factor": 1.0,
                "high_freq_factor": 4.0,
                "original_max_position_embeddings": context,
            }
    return None
