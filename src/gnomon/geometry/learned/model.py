"""The transformer in numpy: reads a problem once, then writes the likeliest proposals.

Decoder-only, pre-norm (RMS), learned positions, ReLU, tied embeddings. Its weights are one `.npz`
of float16 arrays with a format name and the vocabulary inside; training.py writes it.
"""

from __future__ import annotations

import json
import zipfile
from dataclasses import dataclass
from functools import cached_property
from importlib.resources import files
from pathlib import Path

import numpy as np

from gnomon.errors import DataError
from gnomon.geometry.learned.tokens import (
    MOST_PROPOSED,
    MOST_TOKENS,
    form_points,
    form_token,
    point_token,
    vocabulary,
)

FORMAT = "gnomon geometry proposer 1"
Array = np.ndarray


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """The sizes of a model."""

    width: int = 64
    layers: int = 2
    heads: int = 4


@dataclass(frozen=True, slots=True)
class Guess:
    """A proposal and the logarithm of its probability."""

    form: int
    points: tuple[int, ...]
    log_probability: float


class Model:
    """Weights by name, float32: `embedding` [words, width], `positions` [places, width], and for
    every layer `n.norm1`, `n.qkv` [width, 3 width], `n.out`, `n.norm2`, `n.up` [width, 4 width],
    `n.down`, then `norm`.
    """

    def __init__(self, weights: dict[str, Array], shape: Shape) -> None:
        self._weights = weights
        self._shape = shape

    @classmethod
    def load(cls, path: Path | None = None) -> Model:
        """The model of a file, or the one that comes with the package. Raises DataError."""
        source = path or files("gnomon.geometry.learned").joinpath("proposer.npz")
        try:
            with source.open("rb") as file, np.load(file, allow_pickle=False) as archive:
                about = json.loads(str(archive["about"]))
                weights = {
                    name: archive[name].astype(np.float32)
                    for name in archive.files
                    if name != "about"
                }
                embedding = _in_our_order(weights["embedding"], about["vocabulary"])
                if about["format"] != FORMAT or embedding is None:
                    raise DataError(f"{source} was trained for another version of gnomon")
                weights["embedding"] = embedding
                return cls(weights, Shape(**about["shape"]))
        except (OSError, KeyError, TypeError, ValueError, zipfile.BadZipFile) as error:
            raise DataError(f"{source} is no proposer: {error}") from error

    def propose(self, tokens: list[int], points: int, *, most: int, beam: int = 64) -> list[Guess]:
        """The likeliest proposals about a problem of so many points, the likeliest first."""
        caches = [
            (np.zeros((1, 0, self._shape.width), np.float32),) * 2
            for _ in range(self._shape.layers)
        ]
        logits, caches = self._read(np.array([tokens]), 0, caches)
        scores = _log_softmax(logits[:, -1, self._form_tokens])[0]
        order = np.argsort(-scores)
        ways = [(float(scores[form]), int(form), ()) for form in order]
        caches = [tuple(np.repeat(part, len(ways), axis=0) for part in pair) for pair in caches]
        words = np.array([form_token(form) for _, form, _ in ways])
        done: list[Guess] = []
        choices = np.array([point_token(number) for number in range(points)])
        for place in range(MOST_PROPOSED - 1):
            logits, caches = self._read(words[:, None], len(tokens) + place, caches)
            scores = _log_softmax(logits[:, -1, choices])
            longer: list[tuple[float, int, tuple[int, ...], int]] = []
            for row, (score, form, used) in enumerate(ways):
                for point in range(points):
                    if point not in used:
                        longer.append(
                            (score + float(scores[row, point]), form, (*used, point), row)
                        )
            longer.sort(key=lambda way: -way[0])
            ways, rows = [], []
            for score, form, used, row in longer[: 4 * beam]:
                if len(used) == form_points(form):
                    done.append(Guess(form, used, score))
                elif len(ways) < beam:
                    ways.append((score, form, used))
                    rows.append(row)
            if not ways:
                break
            caches = [tuple(part[rows] for part in pair) for pair in caches]
            words = np.array([point_token(used[-1]) for _, _, used in ways])
        return sorted(done, key=lambda guess: -guess.log_probability)[:most]

    @cached_property
    def _form_tokens(self) -> Array:
        from gnomon.geometry.auxiliary import forms

        return np.array([form_token(form) for form in range(len(forms()))])

    def _read(
        self, words: Array, start: int, caches: list[tuple[Array, ...]]
    ) -> tuple[Array, list[tuple[Array, ...]]]:
        """Logits [batch, words, vocabulary] and the keys and values of all words so far."""
        w, width, heads = self._weights, self._shape.width, self._shape.heads
        batch, length = words.shape
        x = w["embedding"][words] + w["positions"][start : start + length]
        longer = []
        for n, (keys, values) in enumerate(caches):
            q, k, v = np.split(_norm(x, w[f"{n}.norm1"]) @ w[f"{n}.qkv"], 3, axis=-1)
            keys, values = (np.concatenate(p, axis=1) for p in ((keys, k), (values, v)))
            longer.append((keys, values))
            q, k, v = (
                part.reshape(batch, -1, heads, width // heads).swapaxes(1, 2)
                for part in (q, keys, values)
            )
            weights = q @ k.swapaxes(-1, -2) / np.sqrt(width // heads)  # [batch, heads, new, all]
            if length > 1:
                weights += np.triu(np.full((length, length), -1e9, np.float32), 1)
            mixed = (_softmax(weights) @ v).swapaxes(1, 2).reshape(batch, length, width)
            x = x + mixed @ w[f"{n}.out"]
            x = x + np.maximum(_norm(x, w[f"{n}.norm2"]) @ w[f"{n}.up"], 0) @ w[f"{n}.down"]
        return _norm(x, w["norm"]) @ w["embedding"].T, longer


def places() -> int:
    """How many positions a model has."""
    return MOST_TOKENS + MOST_PROPOSED


def _in_our_order(embedding: Array, words: list[str]) -> Array | None:
    """The rows of our vocabulary; zeros for constructions and predicates that came later, and None
    where another word is missing.
    """
    known = {word: number for number, word in enumerate(words)}
    ours = np.zeros((len(vocabulary()), embedding.shape[1]), np.float32)
    for word, number in vocabulary().items():
        if word in known:
            ours[number] = embedding[known[word]]
        elif not word.startswith(("construction ", "predicate ")):
            return None
    return ours


def _norm(x: Array, weight: Array) -> Array:
    return x / np.sqrt(np.mean(x * x, axis=-1, keepdims=True) + 1e-6) * weight


def _softmax(x: Array) -> Array:
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def _log_softmax(x: Array) -> Array:
    shifted = x - x.max(axis=-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
