"""Texts whose machine part is easily told: letters first, then digits."""

from __future__ import annotations

import numpy as np

WORDS = {"human": "the moon shines at night here", "machine": "1 2 3 12 21 33"}


def made_text(rng: np.random.Generator, n: int, boundary: int) -> list[str]:
    """Sentences of letters up to the boundary, of digits from there on."""
    kinds = [WORDS["human" if i < boundary else "machine"].split() for i in range(n)]
    return [" ".join(rng.choice(words, size=6)) + " a1." for words in kinds]
