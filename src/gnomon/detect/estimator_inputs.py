"""What `BoundaryDetector` is given, checked as scikit-learn does: a ValueError says what was wrong
and what was expected.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from numbers import Integral, Real
from typing import Any

import numpy as np
from sklearn.utils import check_consistent_length

from gnomon.detect.normal_form import normal_form
from gnomon.detect.sentences import split_sentences

_LARGEST = 1e15  # whose square is a float32, too
Text = str | Sequence[str] | np.ndarray


def checked_texts(X: Any) -> list[Any]:
    """Strings, lists of sentences, or f32 [pieces, features] alone."""
    if isinstance(X, str) or not isinstance(X, Iterable):
        raise ValueError(f"X is {_short(X)}; a list of texts was expected, such as [text]")
    texts = list(X)
    if not texts:
        raise ValueError("X is empty; at least one text was expected")
    if any(is_features(text) for text in texts):
        return _checked_features(texts)
    for number, text in enumerate(texts):
        _require_words(number, text)
    return texts


def is_features(text: Any) -> bool:
    return isinstance(text, np.ndarray) and text.dtype.kind in "fiu"


def _checked_features(texts: list[Any]) -> list[np.ndarray]:
    for number, x in enumerate(texts):
        if not is_features(x) or x.ndim != 2 or 0 in x.shape or x.shape[1] != texts[0].shape[-1]:
            raise ValueError(
                f"text {number} is {_short(x)}; features [pieces, features] like those of text 0 "
                "were expected, at least one piece of them"
            )
        if not (np.abs(x) <= _LARGEST).all():
            raise ValueError(f"text {number} holds features that are not finite, or too large")
    return [x.astype(np.float32) for x in texts]


def _require_words(number: int, text: Any) -> None:
    if not isinstance(text, str):
        is_list = isinstance(text, (list, tuple, np.ndarray))
        if not is_list or not all(isinstance(sentence, str) for sentence in text):
            raise ValueError(
                f"text {number} is {_short(text)}; a string, a list of sentences, or an array "
                "[pieces, features] was expected"
            )
        for sentence in text:
            if not normal_form(sentence):
                raise ValueError(
                    f"text {number} has the sentence {sentence!r}; one with a letter or a digit "
                    "was expected"
                )
    if not sentences_of(text)[0]:
        raise ValueError(f"text {number} has no words; at least one sentence was expected")


def sentences_of(text: Text) -> tuple[list[str], list[str]]:
    """The sentences as they were given and in their normal form; those of a whole text that hold
    no letter and no digit are left out.
    """
    given = [s.text for s in split_sentences(text)] if isinstance(text, str) else list(text)
    pairs = [(sentence, form) for sentence in given if (form := normal_form(sentence))]
    return [sentence for sentence, _ in pairs], [form for _, form in pairs]


def checked_boundaries(y: Any, sizes: Sequence[int]) -> np.ndarray:
    """int64 [texts], each from 0 to the number of the text's pieces."""
    if y is None:
        raise ValueError("y is missing; the index of each text's first machine piece was expected")
    check_consistent_length(sizes, y)
    given = np.asarray(y)
    if given.ndim != 1 or given.dtype.kind not in "iuf" or not (given == np.floor(given)).all():
        raise ValueError(f"y is {_short(y)}; a list of whole numbers was expected")
    for number, (size, boundary) in enumerate(zip(sizes, given, strict=True)):
        if not 0 <= boundary <= size:
            raise ValueError(
                f"text {number} has {size} pieces; its boundary {boundary:g} is not one of "
                f"0 … {size}"
            )
    return given.astype(np.int64)


def require_parameters(parameters: Mapping[str, Any]) -> None:
    for name, (kind, low, high) in _PARAMETERS.items():
        value = parameters[name]
        if isinstance(value, bool) or not isinstance(value, kind) or not low <= value < high:
            what = "a whole number" if kind is Integral else "a number"
            raise ValueError(
                f"the parameter {name} is {value!r}; {what} from {low:g} and below {high:g} was "
                "expected"
            )


_PARAMETERS: dict[str, tuple[type, float, float]] = {
    "hidden": (Integral, 1, 10_000),
    "members": (Integral, 1, 1_000),
    "epochs": (Integral, 1, 1_000_000),
    "learning_rate": (Real, 1e-12, 1e3),
    "weight_decay": (Real, 0, 1e3),
    "dropout": (Real, 0, 1),
    "seed": (Integral, 0, 2**63),
}


def _short(value: Any) -> str:
    if isinstance(value, np.ndarray):
        return f"an array of {value.dtype} with shape {value.shape}"
    shown = repr(value)
    return shown if len(shown) <= 60 else f"{shown[:59]}…"
