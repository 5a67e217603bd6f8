"""What can be said of a sentence without reading it: the baseline beside every figure.

Sets of generated texts often give themselves away by how they were cut and typeset. A detector
that does no better than these numbers has found the cutting, not the machine.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gnomon.detect.invisible import visible

_MARKS = ".,;:!?'\"()-"
SURFACE_FEATURES = (
    "characters",
    "words",
    "mean word",
    "starts in lower case",
    "starts with a letter",
    "ends with a mark",
    "capitals",
    "digits",
    "beyond ASCII",
    "double spaces",
    *(f"share of {mark}" for mark in _MARKS),
)


def surface_features(sentences: Sequence[str]) -> np.ndarray:
    """f32 [sentences, len(SURFACE_FEATURES)] of the sentences as they were given."""
    return np.array([_of(sentence) for sentence in sentences], np.float32)


def _of(sentence: str) -> list[float]:
    text = visible(sentence).strip()
    size = max(len(text), 1)
    words = text.split()
    first = text[:1]
    return [
        np.log1p(len(text)),
        np.log1p(len(words)),
        len(text) / max(len(words), 1),
        float(first.islower()),
        float(first.isalpha()),
        float(text.rstrip("\"'”’)").endswith((".", "!", "?"))),
        sum(c.isupper() for c in text) / size,
        sum(c.isdigit() for c in text) / size,
        sum(ord(c) > 127 for c in text) / size,
        float("  " in text),
        *(text.count(mark) / size for mark in _MARKS),
    ]
