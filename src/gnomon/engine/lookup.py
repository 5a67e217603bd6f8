"""`PromptLookup`: guesses at what comes next, copied from where the text said the same before.

The text's last few tokens are looked up in all that came before them; what followed there is the
guess. A model that reads the guess along with the last token says in one pass how much of it is
right (Yang et al., "Inference with Reference", arXiv 2304.04487; verification as in Leviathan et
al., arXiv 2211.17192, of which greedy choice is the simplest case).

>>> lookup = PromptLookup([5, 6, 7, 8, 9, 5, 6, 7])
>>> lookup.guess(most=3)
[8, 9, 5]
"""

from __future__ import annotations

from collections.abc import Iterable

LONGEST_GUESS = 8  # tokens
_GRAMS = (4, 3)  # tokens that must agree; the longer agreement is tried first
_FREE_MISSES = 4  # wrong tokens that are always forgiven
_TOKENS_A_MISS = 16  # and one more for so many tokens of output


class PromptLookup:
    """The text so far, by its n-grams, and the record of the guesses made.

    Guessing is held back so that it cannot cost much where a text does not repeat itself: wrong
    tokens never outnumber the right ones by more than 4 and a 16th of the output, plus the last
    guess. A row that is read along with others costs less than a pass of its own, so that a right
    token pays for a wrong one at least.
    """

    def __init__(self, tokens: Iterable[int] = ()) -> None:
        self._tokens: list[int] = []
        self._last: dict[tuple[int, ...], int] = {}  # n-gram → where what followed it begins
        self.right = 0
        self.wrong = 0
        self.extend(tokens)
        self._start = len(self._tokens)

    def extend(self, tokens: Iterable[int]) -> None:
        """Add to the text."""
        for token in tokens:
            # Grams are entered once something follows them: the text's end must not find itself.
            for size in _GRAMS:
                if len(self._tokens) >= size:
                    self._last[tuple(self._tokens[-size:])] = len(self._tokens)
            self._tokens.append(token)

    def record(self, *, guessed: int, right: int) -> None:
        """Of the last guess's `guessed` tokens, the first `right` were what the model said."""
        self.right += right
        self.wrong += guessed - right

    def guess(self, *, most: int) -> list[int]:
        """Up to `most` tokens, at most 8, that may come next; none if nothing speaks for any."""
        allowed = self.right + _FREE_MISSES
        allowed += (len(self._tokens) - self._start) // _TOKENS_A_MISS
        if self.wrong >= allowed:
            return []
        for size in _GRAMS:
            begin = self._last.get(tuple(self._tokens[-size:]))
            if begin is not None:
                return self._tokens[begin : begin + max(0, min(most, LONGEST_GUESS))]
        return []
