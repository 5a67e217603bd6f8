"""Trains a `Head` on texts whose boundaries are known, and says on others what it is worth.

Texts that share an opening stay together: 60 % of the openings are learned from, 15 % choose the
interval's level and the threshold, and 25 % are for the figures alone.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from gnomon.detect.boundary_model import BoundaryModel
from gnomon.detect.conformal import calibrate, given_machine
from gnomon.detect.corpus import HUMAN, LabelledText, Part
from gnomon.detect.features import sentence_features
from gnomon.detect.fitting import FitOptions, fit_boundary_model
from gnomon.detect.head import Calibration, Head
from gnomon.detect.normal_form import normal_form
from gnomon.detect.probes import Probes, fit_probes
from gnomon.detect.reader import Reader
from gnomon.detect.readings import read_texts
from gnomon.detect.text_model import TextModel, fit_text_model
from gnomon.errors import DataError, ModelError
from gnomon.models.model import Model
from gnomon.progress import OnProgress

DEFAULT_LAYERS = (0.2, 0.4, 0.6, 0.8, 1.0)  # how far up the hidden states are taken


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainOptions:
    coverage: float = 0.9  # of the interval
    false_alarms: float = 0.005  # share of human texts that the threshold lets through
    fit: FitOptions = field(default_factory=FitOptions)
    seed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadCorpus:
    """Texts with what one or more models of one shape made of their sentences."""

    texts: tuple[LabelledText, ...]
    scalars: tuple[np.ndarray, ...]  # f32 [sentences, features] of each
    states: tuple[np.ndarray, ...]  # f16 [sentences, layers, hidden] of each
    layers: tuple[int, ...]
    read_by: tuple[str, ...]  # the name of the model that read each

    @property
    def readers(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(self.read_by))

    def where(self, is_wanted: Sequence[bool] | np.ndarray) -> ReadCorpus:
        at = np.flatnonzero(is_wanted)
        return ReadCorpus(
            texts=tuple(self.texts[i] for i in at),
            scalars=tuple(self.scalars[i] for i in at),
            states=tuple(self.states[i] for i in at),
            layers=self.layers,
            read_by=tuple(self.read_by[i] for i in at),
        )

    def of_part(self, part: Part) -> ReadCorpus:
        return self.where([text.part == part for text in self.texts])

    def of_reader(self, name: str) -> ReadCorpus:
        return self.where([each == name for each in self.read_by])

    def features(self, probes: Probes) -> list[np.ndarray]:
        """f32 [sentences, features] of each text."""
        return [
            np.concatenate([x, probes(s)], axis=1)
            for x, s in zip(self.scalars, self.states, strict=True)
        ]


def join(corpora: Sequence[ReadCorpus]) -> ReadCorpus:
    """All the texts of the corpora, in this order; a text that two models read is there twice."""
    return ReadCorpus(
        texts=tuple(text for each in corpora for text in each.texts),
        scalars=tuple(x for each in corpora for x in each.scalars),
        states=tuple(s for each in corpora for s in each.states),
        layers=corpora[0].layers,
        read_by=tuple(name for each in corpora for name in each.read_by),
    )


def require_one_shape(models: Sequence[Model]) -> None:
    """Raises ModelError if the models cannot read for one and the same head, which knows them by
    their names.
    """
    first = models[0]
    names = [model.name for model in models]
    if len(set(names)) < len(names):
        raise ModelError(
            f"One head learns from readers with names of their own: {', '.join(names)} were given; "
            "rename the folder of one of them"
        )
    for model in models[1:]:
        shapes = [(m.config.num_layers, m.config.hidden_size) for m in (first, model)]
        if shapes[0] != shapes[1]:
            raise ModelError(
                "One head learns from readers of one shape: "
                + ", ".join(
                    f"{m.name} has {layers} layers of width {width}"
                    for m, (layers, width) in zip((first, model), shapes, strict=True)
                )
            )


def layers_of(model: Model) -> tuple[int, ...]:
    """The numbers of the layers whose hidden states are read where nothing else is said."""
    count = model.config.num_layers
    return tuple(sorted({max(round(share * count) - 1, 0) for share in DEFAULT_LAYERS}))


def read_corpus_with(
    reader: Reader,
    texts: Sequence[LabelledText],
    *,
    form=normal_form,
    folder: Path | None = None,
    on_progress: OnProgress = lambda progress: None,
) -> ReadCorpus:
    """Read all texts in `form`; what is in `folder` already is not read again."""
    pieces = [[form(sentence) for sentence in text.sentences] for text in texts]
    scalars, states = [], []
    readings = read_texts(reader, pieces, folder=folder, on_progress=on_progress)
    for sentences, reading in zip(pieces, readings, strict=True):
        scalars.append(sentence_features(reading, sentences))
        states.append(reading.states)
    return ReadCorpus(
        texts=tuple(texts),
        scalars=tuple(scalars),
        states=tuple(states),
        layers=reader.layers,
        read_by=(reader.model.name,) * len(texts),
    )


def train_head(
    corpus: ReadCorpus,
    *,
    options: TrainOptions,
    facts: Mapping[str, Any] | None = None,
    on_progress: OnProgress = lambda progress: None,
) -> Head:
    """Learn from the training part of `corpus` and calibrate each reader by itself on what it read
    of the validation part. Raises DataError if there are too few texts for that.
    """
    train, validation = corpus.of_part("train"), corpus.of_part("validation")
    if not train.texts or not validation.texts:
        raise DataError(
            f"{len(corpus.texts)} texts with {len({t.opening for t in corpus.texts})} openings are "
            "too few to learn from some and calibrate on others"
        )
    learned = learn(train, options=options, on_progress=on_progress)
    return Head(
        probes=learned.probes,
        boundary=learned.boundary,
        calibrations={
            name: _calibration(learned, validation.of_reader(name), options)
            for name in corpus.readers
        },
        coverage=options.coverage,
        kinds=_fit_kinds(learned.features, train.texts),
        facts=dict(facts or {}),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Learned:
    """What all of a corpus teaches, before anything is calibrated."""

    probes: Probes
    boundary: BoundaryModel
    features: tuple[np.ndarray, ...]  # of the corpus, each text's by probes that did not see it


def learn(
    corpus: ReadCorpus,
    *,
    options: TrainOptions,
    on_progress: OnProgress = lambda progress: None,
) -> Learned:
    """Learn from every text of `corpus`, whatever its part, and from the human parts alone, too."""
    probes, seen = fit_probes(
        corpus.states,
        [text.boundary for text in corpus.texts],
        [text.opening for text in corpus.texts],
        layers=corpus.layers,
    )
    features = [np.concatenate(pair, axis=1) for pair in zip(corpus.scalars, seen, strict=True)]
    texts, boundaries = with_human_parts(features, corpus.texts)
    model = fit_boundary_model(
        texts, boundaries, options=options.fit, seed=options.seed, on_progress=on_progress
    )
    return Learned(probes=probes, boundary=model, features=tuple(features))


def _calibration(learned: Learned, corpus: ReadCorpus, options: TrainOptions) -> Calibration:
    """From texts that were not learned from, as one model read them."""
    texts, model = corpus.texts, learned.boundary
    features = corpus.features(learned.probes)
    mixed = [i for i, text in enumerate(texts) if text.is_mixed]
    human = [x[: t.boundary] for x, t in zip(features, texts, strict=True) if t.has_human_text]
    return Calibration(
        level=calibrate(
            [given_machine(model.posterior(features[i])) for i in mixed],
            [texts[i].boundary for i in mixed],
            coverage=options.coverage,
        ),
        threshold=threshold_for([1 - model.posterior(x)[-1] for x in human], options.false_alarms),
    )


def with_human_parts(
    features: Sequence[np.ndarray], texts: Sequence[LabelledText]
) -> tuple[list[np.ndarray], np.ndarray]:
    """The texts as they are, and their human parts as texts that are all human."""
    pairs = [(x, text.boundary) for x, text in zip(features, texts, strict=True)]
    pairs += [(x[:b], b) for x, b in pairs if 1 < b < len(x)]
    return [x for x, _ in pairs], np.array([b for _, b in pairs])


def threshold_for(probabilities: Sequence[float], false_alarms: float) -> float:
    """What human texts reach with at most this frequency (split conformal, as an upper bound);
    with too few of them to know, their highest with its odds doubled.
    """
    ordered = sorted(probabilities)
    rank = math.ceil((len(ordered) + 1) * (1 - false_alarms))
    if rank <= len(ordered):
        return min(float(np.nextafter(ordered[rank - 1], 2.0)), 1.0)
    highest = min(max(ordered[-1], 1e-9), 1 - 1e-9) if ordered else 0.98
    odds = 2 * highest / (1 - highest)
    return float(odds / (1 + odds))


def parts_by_writer(
    features: Sequence[np.ndarray], texts: Sequence[LabelledText]
) -> tuple[list[np.ndarray], list[str]]:
    """Features of the human parts and of the machine parts that are long enough to count as whole
    texts, and their writers' names.
    """
    rows, names = [], []
    for x, text in zip(features, texts, strict=True):
        if text.has_human_text:
            rows.append(x[: text.boundary])
            names.append(HUMAN)
        if text.has_machine_text:
            rows.append(x[text.boundary :])
            names.append(text.generator)
    return rows, names


def _fit_kinds(features: Sequence[np.ndarray], texts: Sequence[LabelledText]) -> TextModel | None:
    """Human parts against each generator's machine parts; None if the corpus names none."""
    rows, names = parts_by_writer(features, texts)
    return fit_text_model(rows, names) if len(set(names)) > 1 else None
