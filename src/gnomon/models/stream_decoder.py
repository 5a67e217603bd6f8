"""Turn tokens into text as they come, never a broken character.

One character may take several tokens (an emoji is four bytes), and what a token reads as may depend
on the one before it (a leading space). So the text of a short window is compared with and without
the newest tokens, and shown once it no longer ends in the middle of a character.

>>> stream = StreamDecoder(tokenizer.decode)                       # doctest: +SKIP
>>> "".join(stream.feed(token) for token in ids) + stream.flush()  # doctest: +SKIP
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

INCOMPLETE = "\ufffd"  # what decoders put where bytes are no character (yet)


class StreamDecoder:
    """One stream of tokens. Feed them one by one; flush at the end."""

    def __init__(self, decode: Callable[[Sequence[int]], str]) -> None:
        self._decode = decode
        self._window: list[int] = []  # tokens shown last, then tokens not shown yet
        self._shown = 0  # how many of the window are shown

    def feed(self, token: int) -> str:
        """The text that `token` completes; often "" inside a character."""
        self._window.append(token)
        text = self._new_text()
        if not text or text.endswith(INCOMPLETE):
            return ""
        self._keep_last()
        return text

    def flush(self) -> str:
        """What is left, with U+FFFD for bytes that never became a character."""
        text = self._new_text()
        self._keep_last()
        return text

    def _new_text(self) -> str:
        before = self._decode(self._window[: self._shown])
        return self._decode(self._window)[len(before) :]

    def _keep_last(self) -> None:
        del self._window[: self._shown]
        self._shown = len(self._window)
