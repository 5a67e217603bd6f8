"""Texts whose boundary is known, from a file with one JSON object a line (which may be gzipped).

    {"sentences": ["…", …], "boundary": 4, "generator": "gpt2_xl", "domain": "nyt", "p": 0.4}

`boundary` is the index of the first sentence that is a machine's: 0 if all are, null (or the
number of sentences) if none is. `text` in place of `sentences` is split; then `boundary` counts
the sentences found by `gnomon detect`. `label` in place of `boundary` is the index of the first
*word* that is a machine's, as in SemEval-2024 task 8C, with −1 or the number of words for none.
A row with a `model` is a whole text, as in tasks 8A and 8B: all human if that is "human", all that
generator's if not, whatever its `label`; `source` is its domain. All else is optional. Sentences
without a letter or a digit are left out.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from gnomon.detect.normal_form import normal_form
from gnomon.detect.sentences import split_sentences
from gnomon.errors import DataError

HUMAN = "human"  # the name of the writer who is no generator
WHOLE_SENTENCES = 5  # of one writer at least, to count as a whole text
Part = Literal["train", "validation", "test"]
_TEST, _VALIDATION = 25, 15  # per cent of the openings


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelledText:
    sentences: tuple[str, ...]
    boundary: int  # 0 … number of sentences
    generator: str = ""
    domain: str = ""
    p: float | None = None  # of nucleus sampling
    word: int | None = None  # the first that is a machine's, where the row names it
    opening: str = ""  # what texts that must not be parted share

    @property
    def part(self) -> Part:
        """Where this text belongs, by its opening alone: the same on every machine for ever."""
        number = int(hashlib.sha256(self.opening.encode()).hexdigest()[:8], 16) % 100
        if number < _TEST:
            return "test"
        return "validation" if number < _TEST + _VALIDATION else "train"

    @property
    def is_mixed(self) -> bool:
        """Whether there is a boundary within it."""
        return 0 < self.boundary < len(self.sentences)

    @property
    def has_human_text(self) -> bool:
        """Whether what stands before the boundary is a whole text. A text is read forwards, so it
        reads as if the rest had not been there.
        """
        return self.boundary >= WHOLE_SENTENCES

    @property
    def has_machine_text(self) -> bool:
        """Whether what follows the boundary is a whole text of a generator that has a name."""
        return len(self.sentences) - self.boundary >= WHOLE_SENTENCES and bool(self.generator)

    def machine_part(self) -> LabelledText:
        """The sentences from the boundary on alone: a text that is all a machine's."""
        return replace(self, sentences=self.sentences[self.boundary :], boundary=0, word=None)


def read_corpus(path: Path | str) -> list[LabelledText]:
    """The texts of the file. Raises DataError, naming the row, if one is not as it should be."""
    texts, number = [], 0
    try:
        with Path(path).open("rb") as raw:
            is_gzipped = raw.read(2) == b"\x1f\x8b"
            raw.seek(0)
            lines = gzip.GzipFile(fileobj=raw) if is_gzipped else raw
            for number, line in enumerate(lines, start=1):
                row = line.decode("utf-8-sig" if number == 1 else "utf-8")
                if row.strip():
                    texts.append(_parse(json.loads(row, parse_constant=_refuse)))
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise DataError(f"{path} is damaged after row {number}: {error}") from error
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path}, row {number}: not UTF-8 text (byte {error.start})") from error
    except RecursionError as error:
        raise DataError(f"{path}, row {number}: nested too deeply") from error
    except json.JSONDecodeError as error:
        raise DataError(
            f"{path}, row {number}: one JSON object a line was expected ({error.msg}, "
            f"character {error.pos})"
        ) from error
    except ValueError as error:
        raise DataError(f"{path}, row {number}: {error}") from error
    if not texts:
        raise DataError(f"{path} holds no texts; one JSON object a line was expected")
    return texts


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no number of JSON")


def sample(texts: Sequence[LabelledText], limit: int | None, *, seed: int) -> list[LabelledText]:
    """`texts` in an order that `seed` gives, the first `limit` of them: a smaller limit takes the
    beginning of what a larger one takes.
    """
    order = np.random.default_rng(seed).permutation(len(texts))
    return [texts[i] for i in order[:limit]]


def _parse(row: Any) -> LabelledText:
    if not isinstance(row, dict):
        raise ValueError('an object such as {"sentences": [...], "boundary": 3} was expected')
    if "sentences" in row:
        sentences = row["sentences"]
        if not isinstance(sentences, list) or not all(isinstance(s, str) for s in sentences):
            raise ValueError('"sentences" must be a list of texts')
    elif isinstance(row.get("text"), str):
        sentences = [s.text for s in split_sentences(row["text"])]
    else:
        raise ValueError('there is neither "sentences" nor "text"')
    has_words = [bool(normal_form(s)) for s in sentences]
    if not any(has_words):
        raise ValueError("the text has no words")
    if any("\ud800" <= c <= "\udfff" for s in sentences for c in s):
        raise ValueError("the text holds halves of characters (\\ud800 … \\udfff)")
    is_whole = _is_whole(row)
    boundary = _boundary(row, sentences)
    return LabelledText(
        sentences=tuple(s for s, has in zip(sentences, has_words, strict=True) if has),
        boundary=sum(has_words[:boundary]),
        generator=_name(row, "generator") or (_name(row, "model") if is_whole else ""),
        domain=_name(row, "domain") or _name(row, "source"),
        p=_p(row.get("p")),
        word=None if "boundary" in row or is_whole else _word(row["label"], sentences, has_words),
        opening=" ".join(sentences[0].lower().split()),
    )


def _name(row: dict[str, Any], key: str) -> str:
    name = row.get(key)
    if name is not None and not isinstance(name, str):
        raise ValueError(f'"{key}" is {name!r}; a name was expected')
    return name or ""


def _p(value: Any) -> float | None:
    if value is None:
        return None
    if type(value) not in (int, float) or not 0 <= value <= 1:
        raise ValueError(f'"p" is {value!r}; a number from 0 to 1 was expected')
    return float(value)


def _is_whole(row: dict[str, Any]) -> bool:
    return "boundary" not in row and isinstance(row.get("model"), str)


def _boundary(row: dict[str, Any], sentences: Sequence[str]) -> int:
    if "boundary" in row:
        boundary = row["boundary"]
        if boundary is None:
            return len(sentences)
        if isinstance(boundary, bool) or not isinstance(boundary, int):
            raise ValueError(f'"boundary" is {boundary!r}; a whole number or null was expected')
        if not 0 <= boundary <= len(sentences):
            raise ValueError(f'"boundary" is {boundary}, but there are {len(sentences)} sentences')
        return boundary
    if _is_whole(row):
        return len(sentences) if row["model"] == HUMAN else 0
    label = row.get("label")
    if isinstance(label, bool) or not isinstance(label, int):
        raise ValueError('there is no "boundary", no "model" and no whole number as "label"')
    counts = np.cumsum([len(s.split()) for s in sentences])
    if not -1 <= label <= counts[-1]:
        raise ValueError(f'"label" is {label}, but there are {counts[-1]} words')
    return len(sentences) if label == -1 else int(np.searchsorted(counts, label, side="right"))


def _word(label: int, sentences: Sequence[str], has_words: Sequence[bool]) -> int:
    """`label` among the words of the sentences that are kept; their number if it is -1."""
    counts = [len(s.split()) for s in sentences]
    left_out, seen = 0, 0
    for count, is_kept in zip(counts, has_words, strict=True):
        if not is_kept:
            left_out += min(max(label - seen, 0), count)
        seen += count
    if label == -1:
        return sum(c for c, is_kept in zip(counts, has_words, strict=True) if is_kept)
    return label - left_out
