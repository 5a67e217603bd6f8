"""`BoundaryDetector`: the detector as a scikit-learn estimator (extra `detect`).

>>> detector = BoundaryDetector(model="out/smollm2-2bit").fit(texts, boundaries)  # doctest: +SKIP
>>> detector.predict(["One sentence. And another."])                               # doctest: +SKIP
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_consistent_length, check_is_fitted

from gnomon.detect.cuts import find_cut
from gnomon.detect.estimator_inputs import (
    Text,
    checked_boundaries,
    checked_texts,
    is_features,
    require_parameters,
    sentences_of,
)
from gnomon.detect.features import sentence_features
from gnomon.detect.fitting import FitOptions, fit_boundary_model
from gnomon.detect.head import Calibration, Head
from gnomon.detect.probes import Probes, fit_probes
from gnomon.detect.reader import Reader
from gnomon.detect.training import layers_of
from gnomon.models import open_model
from gnomon.models.model import Model


class BoundaryDetector(BaseEstimator):
    """Learns and finds the first piece of a text that is a machine's.

    `X` is a sequence of texts, each a text, the list of its sentences, or f32 [pieces, features]
    that a step before has made; `y` holds the index of each one's first machine piece: 0 for all
    machine, the number of pieces for all human. Texts are read with `model` (a path, a `Model`,
    or None for the embedded one), which is opened when it is needed and again after unpickling;
    sentences without a letter or a digit must not be among given ones. What of these is not as it
    should be is a ValueError; a model that cannot be opened or cannot read a text, and `threads`
    that there cannot be, are a GnomonError.
    """

    _reader: Reader | None = None

    def __init__(
        self,
        *,
        model: Model | str | None = None,
        hidden: int = 16,
        members: int = 3,
        epochs: int = 20,
        learning_rate: float = 3e-3,
        weight_decay: float = 0.1,
        dropout: float = 0.1,
        seed: int = 0,
        threads: int | None = None,
    ) -> None:
        self.model = model
        self.hidden = hidden
        self.members = members
        self.epochs = epochs
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.dropout = dropout
        self.seed = seed
        self.threads = threads

    def __getstate__(self) -> dict[str, Any]:
        """All but the engine, and in place of an open model where it was read from."""
        state = {name: value for name, value in vars(self).items() if name != "_reader"}
        if isinstance(self.model, Model):
            state["model"] = str(self.model.source)
        return state

    def fit(self, X: Sequence[Text], y: Sequence[int] | np.ndarray) -> BoundaryDetector:
        """Learn where machines begin, from texts whose boundaries `y` are known."""
        require_parameters(self.get_params())
        texts = checked_texts(X)
        self.probes_ = None
        if is_features(texts[0]):
            features = texts
            boundaries = checked_boundaries(y, [len(x) for x in texts])
        else:
            boundaries = checked_boundaries(y, [len(sentences_of(text)[0]) for text in texts])
            self._reader = None  # of parameters that may have changed
            rows = [self._read(text) for text in texts]
            self.probes_, seen = fit_probes(
                [states for _, states in rows],
                boundaries.tolist(),
                [_opening(text) for text in texts],
                layers=self._opened().layers,
            )
            features = [
                np.concatenate([scalars, probed], axis=1)
                for (scalars, _), probed in zip(rows, seen, strict=True)
            ]
        options = FitOptions(
            hidden=self.hidden,
            members=self.members,
            epochs=self.epochs,
            learning_rate=self.learning_rate,
            weight_decay=self.weight_decay,
            dropout=self.dropout,
        )
        self.boundary_ = fit_boundary_model(features, boundaries, options=options, seed=self.seed)
        self.n_features_in_ = features[0].shape[1]
        return self

    def predict(self, X: Sequence[Text]) -> np.ndarray:
        """int64 [texts], the likeliest boundary of each."""
        return np.array([int(posterior.argmax()) for posterior in self._posteriors(X)])

    def predict_words(self, X: Sequence[str | Sequence[str]]) -> np.ndarray:
        """int64 [texts], the number of words before the first one that is a machine's, which may be
        within a sentence (SemEval-2024 task 8C); the number of all words where none is.
        """
        check_is_fitted(self)
        texts = self._checked(X)
        if self.probes_ is None or is_features(texts[0]):
            raise ValueError("words are found in texts, by a detector that learned from texts")
        head = self._head(self.probes_)
        return np.array([self._words_before(head, text) for text in texts])

    def _words_before(self, head: Head, text: str | Sequence[str]) -> int:
        given, normal = sentences_of(text)
        features = head.features(self._opened().read(normal), normal)
        boundary, word = int(self.boundary_.posterior(features).argmax()), 0
        if boundary < len(given):
            cut = find_cut(
                head,
                self._opened(),
                given=given,
                normal=normal,
                features=features,
                boundary=boundary,
            )
            boundary, word = cut.sentence, cut.word
        return sum(len(sentence.split()) for sentence in given[:boundary]) + word

    def predict_proba(self, X: Sequence[Text]) -> np.ndarray:
        """f64 [texts, longest + 1], the probability of each boundary; 0 past a text's end."""
        posteriors = self._posteriors(X)
        table = np.zeros((len(posteriors), max(p.size for p in posteriors)))
        for row, posterior in zip(table, posteriors, strict=True):
            row[: posterior.size] = posterior
        return table

    def score(self, X: Sequence[Text], y: Sequence[int] | np.ndarray) -> float:
        """The share of boundaries that are found exactly."""
        guesses = self.predict(X)
        check_consistent_length(guesses, y)
        return float((guesses == np.asarray(y)).mean())

    def _posteriors(self, X: Sequence[Text]) -> list[np.ndarray]:
        check_is_fitted(self)
        return [self.boundary_.posterior(self._features(text)) for text in self._checked(X)]

    def _checked(self, X: Sequence[Text]) -> list[Any]:
        """Texts of the kind that was learned from."""
        texts = checked_texts(X)
        if not is_features(texts[0]):
            if self.probes_ is None:
                raise ValueError("this detector learned from features; it cannot read a text")
        elif texts[0].shape[1] != self.n_features_in_:
            raise ValueError(
                f"X has {texts[0].shape[1]} features, but this detector learned from "
                f"{self.n_features_in_}"
            )
        return texts

    def _features(self, text: Text) -> np.ndarray:
        if isinstance(text, np.ndarray) and is_features(text):
            return text
        scalars, states = self._read(text)
        assert self.probes_ is not None
        return np.concatenate([scalars, self.probes_(states)], axis=1)

    def _opened(self) -> Reader:
        if self._reader is None:
            model = self.model if isinstance(self.model, Model) else open_model(self.model)
            self._reader = Reader(model, layers=layers_of(model), threads=self.threads)
        return self._reader

    def _read(self, text: Any) -> tuple[np.ndarray, np.ndarray]:
        _, sentences = sentences_of(text)
        reading = self._opened().read(sentences)
        return sentence_features(reading, sentences), reading.states

    def _head(self, probes: Probes) -> Head:
        """What was learned, for those who work with heads; nothing in it is calibrated."""
        return Head(
            probes=probes,
            boundary=self.boundary_,
            calibrations={self._opened().model.name: Calibration(level=1.0, threshold=0.5)},
            coverage=1.0,
        )


def _opening(text: Any) -> str:
    return text[:100] if isinstance(text, str) else str(text[0])
