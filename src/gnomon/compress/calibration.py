"""The text whose activations tell which errors matter."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from gnomon.data import calibration_text, conversations
from gnomon.errors import DataError
from gnomon.models.tokenizer import Tokenizer

SEQUENCE_TOKENS = 512
LEAST_TOKENS = 2048
CHAT_SHARE = 0.25  # of the tokens of a chat model's calibration
# Bytes a token of words, against those of English: 0.78 and more in languages that a tokenizer was
# made for (Qwen's), 0.54 and less in others (German, Russian, Greek with SmolLM2's), but 0.61 in
# French, which is let pass: C++ has 0.68, formulas in LaTeX 0.59.
LEAST_OF_ENGLISH = 0.57
COMPARED_LETTERS = 20_000  # of both


def calibration_sequences(
    tokenizer: Tokenizer, *, file: Path | None, tokens: int, max_context: int
) -> np.ndarray:
    """Token ids int64 [sequences, time], whole sequences only.

    With a file, they are from its start. Without one they are bundled text and, for a model with a
    chat template, a share of bundled conversations in that template, whose special tokens plain
    text never has. A text shorter than `tokens` is used as far as it goes; one shorter than
    LEAST_TOKENS raises DataError.
    """
    time = min(SEQUENCE_TOKENS, max_context)
    if file is not None:
        return _sequences(tokenizer, read_text(file), tokens=tokens, time=time, source=str(file))
    chats = _rendered_conversations(tokenizer)
    share = int(CHAT_SHARE * tokens) // time * time if chats else 0
    chat = np.empty((0, time), np.int64)
    if share:
        chat = _sequences(tokenizer, chats, tokens=share, time=time, source="The bundled chats")
    rest = tokens - chat.size  # the chats may be fewer than their share
    plain = _sequences(
        tokenizer, calibration_text(), tokens=rest, time=time, source="The bundled text"
    )
    return np.concatenate([plain, chat])


def doubt_of_language(tokenizer: Tokenizer, file: Path | None) -> str | None:
    """A sentence if the tokenizer takes the words of a text in small pieces, or None."""
    if file is None:
        return None
    given, english = (
        _bytes_a_token(tokenizer, text) for text in (read_text(file), calibration_text())
    )
    if not 0 < given < LEAST_OF_ENGLISH * english:
        return None
    return (
        f"the words of {file.name} have {given:.1f} bytes a token, those of English "
        f"{english:.1f}: the model's tokenizer was not made for this language. Expected: text such "
        "as the model is to read and write."
    )


def _bytes_a_token(tokenizer: Tokenizer, text: str) -> float:
    """Of the words at its start; 0 if there are none."""
    words = " ".join(re.findall(r"[^\W\d_]+", text[:COMPARED_LETTERS]))
    return len(words.encode()) / max(1, len(tokenizer.encode(words, add_special=False)))


def set_aside(sequences: np.ndarray, *, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """The sequences to calibrate on, and a sixteenth, at least one, that only judges.

    A single sequence has to do for both.
    """
    if len(sequences) == 1:
        return sequences, sequences
    order = np.random.default_rng(seed).permutation(len(sequences))
    count = max(1, len(sequences) // 16)
    return sequences[np.sort(order[count:])], sequences[np.sort(order[:count])]


def _rendered_conversations(tokenizer: Tokenizer) -> str:
    """The bundled conversations in the model's own template; empty if it has none."""
    if tokenizer.chat_template is None:
        return ""
    return "".join(
        tokenizer.apply_chat_template(messages, add_generation_prompt=False)
        for messages in conversations()
    )


def _sequences(
    tokenizer: Tokenizer, text: str, *, tokens: int, time: int, source: str
) -> np.ndarray:
    """Whole sequences of `time` tokens, up to `tokens` in all, from the start of the text."""
    least = max(min(LEAST_TOKENS, tokens), time)
    ids: list[int] = []
    for piece in _pieces(text):
        ids += tokenizer.encode(piece, add_special=False)
        if len(ids) >= max(tokens, time):
            break
    if len(ids) < least:
        raise DataError(
            f"{source} holds {len(ids)} tokens; at least {least} are needed and {tokens} are "
            "wanted. Give a longer text."
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
