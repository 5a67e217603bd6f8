"""What a text is that the figures of a head were not measured on: it is said, never hidden."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

MEASURED_SENTENCES = (6, 10)
_ENGLISH = """
    the of and to a in is that it was i for on with he be as you at his this but had not by she
have from or they my her we all an me so are there were been out if said what who their would
when them no him your one up into then add until
"""


def outside_measured(sentences: Sequence[str]) -> list[str]:
    """Sentences that say in what way `sentences` are outside what was measured; none if not."""
    text = " ".join(sentences)
    notes = []
    script = _other_script(text)
    if script:
        notes.append(
            f"Much of the text is in another script ({script}); only English was measured."
        )
    elif not _looks_english(text):
        notes.append("The text does not look like English, and nothing else was measured.")
    low, high = MEASURED_SENTENCES
    if len(sentences) == 1:
        notes.append(
            "One sentence is too little to tell: the answer is hardly more than the prior."
        )
    elif len(sentences) < low:
        notes.append(
            f"{len(sentences)} sentences are few; the figures are for texts of {low} to {high}."
        )
    elif len(sentences) > high:
        notes.append(
            f"The figures are for texts of {low} to {high} sentences; this one has "
            f"{len(sentences)}, and neither the error rate nor the coverage is known for it."
        )
    return notes


def _other_script(text: str) -> str | None:
    letters = [c for c in text[:20_000] if c.isalpha()]
    other = [c for c in letters if ord(c) > 0x24F]
    if len(other) * 5 < max(len(letters), 1):
        return None
    names = [unicodedata.name(c, "UNKNOWN").split()[0].capitalize() for c in other[:200]]
    return max(set(names), key=names.count)


def _looks_english(text: str) -> bool:
    words = re.findall(r"[^\W\d_]+", text[:20_000].lower())
    english = frozenset(_ENGLISH.split())
    common = sum(word in english for word in words)
    return len(words) < 8 or common >= 0.12 * len(words)
