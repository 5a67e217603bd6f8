"""Words of sentences in their normal form, and the same places in sentences as they were given."""

from __future__ import annotations

from gnomon.detect.invisible import visible


def words_before(given: str, form: str, word: int) -> int:
    """How many words of `given` stand before word `word` of its normal form, by letters and digits.

    >>> words_before("He did  n't - go .", "He didn't - go.", 3)
    4
    """
    before = _letters(" ".join(form.split()[:word])) * _letters(given) / max(_letters(form), 1)
    seen = 0
    words = given.split()
    for number, each in enumerate(words):
        if seen + 0.5 > before and _letters(each):
            return number
        seen += _letters(each)
    return len(words) - 1


def _letters(text: str) -> int:
    return sum(c.isalnum() for c in visible(text))
