"""The text whose activations tell which errors matter."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from gnomon.data import calibration_text
from gnomon.errors import DataError
from gnomon.models.tokenizer import Tokenizer

SEQUENCE_TOKENS = 512
LEAST_TOKENS = 2048


def calibration_sequences(
    tokenizer: Tokenizer, *, file: Path | None, tokens: int, max_context: int
) -> np.ndarray:
    """Token ids int64 [sequences, time] from the start of the text, whole sequences only.

    A text shorter than `tokens` is used as far as it goes; one shorter than LEAST_TOKENS raises
    DataError.
    """
    text = calibration_text() if file is None else read_text(file)
    time = min(SEQUENCE_TOKENS, max_context)
    least = min(LEAST_TOKENS, tokens)
    ids: list[int] = []
    for piece in _pieces(text):
        ids += tokenizer.encode(piece, add_special=False)
        if len(ids) >= max(tokens, time):
            break
    if len(ids) < max(least, time):
        raise DataError(
            f"{file or 'The calibration text'} holds {len(ids)} tokens; at least "
            f"{max(least, time)} are needed and {tokens} are wanted. Give a longer text."
        )
    count = max(1, min(tokens, len(ids)) // time)
    return np.array(ids[: count * time], dtype=np.int64).reshape(count, time)


def read_text(file: Path) -> str:
    """A UTF-8 text file, not empty; DataError says what is wrong with it otherwise."""
    try:
        text = file.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise DataError(
            f"{file} is not UTF-8 text (byte {error.start}: {error.reason}). Convert it first, "
            "for example with iconv."
        ) from error
    except OSError as error:
        raise DataError(f"Cannot read {file}: {error.strerror}.") from error
    if not text.strip():
        raise DataError(f"{file} is empty; expected some pages of text.")
    return text


def _pieces(text: str, *, size: int = 65_536):
    """The text in pieces of whole lines, so that only as much is tokenised as is used."""
    start = 0
    while start < len(text):
        end = text.find("\n", start + size)
        end = len(text) if end < 0 else end + 1
        yield text[start:end]
        start = end
