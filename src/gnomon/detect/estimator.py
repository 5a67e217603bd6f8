"""`BoundaryDetector`: the detector as a scikit-learn estimator (extra `detect`).

>>> detector = BoundaryDetector(model="out/smollm2-2bit").fit(texts, boundaries)  # doctest: +SKIP
>>> detector.predict(["One sentence. And another."])                               # doctest: +SKIP
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from gnomon.detect.cuts import find_cut
from gnomon.detect.features import sentence_features
from gnomon.detect.fitting import FitOptions, fit_boundary_model
from gnomon.detect.head import Calibration, Head
from gnomon.detect.normal_form import normal_form
from gnomon.detect.probes import Probes, fit_probes
from gnomon.detect.reader import Reader
from gnomon.detect.sentences import split_sentences
from gnomon.detect.training import layers_of
from gnomon.errors import DataError
from gnomon.models import open_model
from gnomon.models.model import Model

Text = str | Sequence[str] | np.ndarray


class BoundaryDetector(BaseEstimator):
    """Learns and finds the first piece of a text that is a machine's.

    `X` is a sequence of texts, each a text, the list of its sentences, or f32 [pieces, features]
    that a step before has made; `y` holds the index of each one's first machine piece: 0 for all
    machine, the number of pieces for all human. Texts are read with `model` (a path, a `Model`,
    or None for the embedded one); sentences without a letter or a digit must not be among given
    ones.
    """

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

    def fit(self, X: Sequence[Text], y: Sequence[int] | np.ndarray) -> BoundaryDetector:
        """Raises DataError if a boundary does not lie within its text."""
        self.probes_ = None
        if not isinstance(X[0], np.ndarray):
            self._open()
            rows = [self._read(text) for text in X]
            _require_inside([scalars for scalars, _ in rows], y)
            self.probes_, seen = fit_probes(
                [states for _, states in rows],
                list(y),
                [_opening(text) for text in X],
                layers=self.reader_.layers,
            )
            features = [
                np.concatenate([scalars, probed], axis=1)
                for (scalars, _), probed in zip(rows, seen, strict=True)
            ]
        else:
            features = [np.asarray(x, np.float32) for x in X]
            _require_inside(features, y)
        options = FitOptions(
            hidden=self.hidden,
            members=self.members,
            epochs=self.epochs,
            learning_rate=self.learning_rate,
            weight_decay=self.weight_decay,
            dropout=self.dropout,
        )
        self.boundary_ = fit_boundary_model(features, y, options=options, seed=self.seed)
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
        if self.probes_ is None:
            raise DataError("this detector learned from features; it cannot read a text")
        head = self._head(self.probes_)
        found = []
        for text in X:
            given, normal = _sentences(text)
            features = head.features(self.reader_.read(normal), normal)
            boundary = int(self.boundary_.posterior(features).argmax())
            before = sum(len(sentence.split()) for sentence in given[:boundary])
            if boundary < len(given):
                cut = find_cut(
                    head,
                    self.reader_,
                    given=given,
                    normal=normal,
                    features=features,
                    boundary=boundary,
                )
                before = sum(len(s.split()) for s in given[: cut.sentence]) + cut.word
            found.append(before)
        return np.array(found)

    def predict_proba(self, X: Sequence[Text]) -> np.ndarray:
        """f64 [texts, longest + 1], the probability of each boundary; 0 past a text's end."""
        posteriors = self._posteriors(X)
        table = np.zeros((len(posteriors), max(p.size for p in posteriors)))
        for row, posterior in zip(table, posteriors, strict=True):
            row[: posterior.size] = posterior
        return table

    def score(self, X: Sequence[Text], y: Sequence[int] | np.ndarray) -> float:
        """The share of boundaries that are found exactly."""
        return float((self.predict(X) == np.asarray(y)).mean())

    def _posteriors(self, X: Sequence[Text]) -> list[np.ndarray]:
        check_is_fitted(self)
        return [self.boundary_.posterior(self._features(text)) for text in X]

    def _features(self, text: Text) -> np.ndarray:
        if isinstance(text, np.ndarray):
            return text
        if self.probes_ is None:
            raise DataError("this detector learned from features; it cannot read a text")
        scalars, states = self._read(text)
        return np.concatenate([scalars, self.probes_(states)], axis=1)

    def _open(self) -> None:
        model = self.model if isinstance(self.model, Model) else open_model(self.model)
        self.reader_ = Reader(model, layers=layers_of(model), threads=self.threads)

    def _read(self, text: Text) -> tuple[np.ndarray, np.ndarray]:
        _, sentences = _sentences(text)
        reading = self.reader_.read(sentences)
        return sentence_features(reading, sentences), reading.states

    def _head(self, probes: Probes) -> Head:
        """What was learned, for those who work with heads; nothing in it is calibrated."""
        return Head(
            probes=probes,
            boundary=self.boundary_,
            calibrations={self.reader_.model.name: Calibration(level=1.0, threshold=0.5)},
            coverage=1.0,
        )


def _sentences(text: Any) -> tuple[list[str], list[str]]:
    """The sentences as they were given and in their normal form; those of a whole text that hold
    no letter and no digit are left out.
    """
    given = [s.text for s in split_sentences(text)] if isinstance(text, str) else list(text)
    forms = [(s, normal_form(s)) for s in given]
    kept = [(s, form) for s, form in forms if form or not isinstance(text, str)]
    return [s for s, _ in kept], [form for _, form in kept]


def _require_inside(features: Sequence[np.ndarray], boundaries: Sequence[int] | np.ndarray) -> None:
    for number, (x, boundary) in enumerate(zip(features, boundaries, strict=True)):
        if not 0 <= boundary <= len(x):
            raise DataError(
                f"text {number} has {len(x)} pieces; its boundary {boundary} is not one of "
                f"0 … {len(x)}"
            )


def _opening(text: Text) -> str:
    return text[:100] if isinstance(text, str) else str(text[0])
