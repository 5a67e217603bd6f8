"""What a head is worth on texts that it has not learned from.

The task's own conventions (Kushnareva et al., arXiv 2311.08349): the first sentence is a person's
and there is a boundary, so that accuracy, accuracy within one sentence and mean squared error
compare the best of the n − 1 places within a text with the true one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from gnomon.detect.conformal import best_boundary, given_machine, interval
from gnomon.detect.corpus import HUMAN, LabelledText
from gnomon.detect.cuts import find_cut
from gnomon.detect.head import Calibration, Head
from gnomon.detect.normal_form import normal_form
from gnomon.detect.reader import Reader
from gnomon.detect.training import ReadCorpus, parts_by_writer


@dataclass(frozen=True, slots=True, kw_only=True)
class BoundaryFigures:
    accuracy: float
    within_one: float
    squared_error: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    name: str
    texts: int
    accuracy: float | None  # None where there are no texts with a boundary
    within_one: float | None
    squared_error: float | None
    coverage: float | None  # of the interval
    interval: float | None  # boundaries in it, mean
    recall: float | None  # of texts with machine sentences, at the threshold
    human_texts: int
    false_alarms: float | None  # share of them


def compare(posteriors: Sequence[np.ndarray], boundaries: Sequence[int]) -> BoundaryFigures:
    """Figures of the best place within each text, 1 … n − 1."""
    guesses = np.array([1 + best_boundary(p[1:-1]) for p in posteriors])
    errors = guesses - np.asarray(boundaries)
    return BoundaryFigures(
        accuracy=float((errors == 0).mean()),
        within_one=float((np.abs(errors) <= 1).mean()),
        squared_error=float((errors**2).mean()),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class WordErrors:
    """Mean distances in words from the true first word of the machine's (SemEval-2024 task 8C)."""

    of_sentence: float  # the first word of the best sentence
    of_word: float  # the word that is found in it or before it


def word_errors(head: Head, reader: Reader, corpus: ReadCorpus) -> WordErrors:
    """For texts that have a boundary; a part of each is read once more."""
    of_sentence, of_word = [], []
    for text, features in zip(corpus.texts, corpus.features(head.probes), strict=True):
        boundary = 1 + best_boundary(head.boundary.posterior(features)[1:-1])
        cut = find_cut(
            head,
            reader,
            given=text.sentences,
            normal=[normal_form(s) for s in text.sentences],
            features=features,
            boundary=boundary,
        )
        first = np.cumsum([0, *(len(s.split()) for s in text.sentences)])
        truth = first[text.boundary] if text.word is None else text.word
        of_sentence.append(abs(first[boundary] - truth))
        of_word.append(abs(first[cut.sentence] + cut.word - truth))
    return WordErrors(of_sentence=float(np.mean(of_sentence)), of_word=float(np.mean(of_word)))


def measure(head: Head, corpus: ReadCorpus, *, name: str) -> Figures:
    """Each text by what the head is calibrated to for the model that read it."""
    texts, features = corpus.texts, corpus.features(head.probes)
    calibrations = [head.calibration(reader) for reader in corpus.read_by]
    mixed = [i for i, text in enumerate(texts) if text.is_mixed]
    human = [i for i, text in enumerate(texts) if text.has_human_text]
    posteriors = [head.boundary.posterior(features[i]) for i in mixed]
    boundaries = [texts[i].boundary for i in mixed]
    calm = [head.boundary.posterior(features[i][: texts[i].boundary]) for i in human]
    recalled = [_is_called(p, calibrations[i]) for p, i in zip(posteriors, mixed, strict=True)]
    alarms = [_is_called(p, calibrations[i]) for p, i in zip(calm, human, strict=True)]
    found = compare(posteriors, boundaries) if mixed else None
    spans = [
        interval(given_machine(p), calibrations[i].level)
        for p, i in zip(posteriors, mixed, strict=True)
    ]
    holds = [low <= b <= high for (low, high), b in zip(spans, boundaries, strict=True)]
    return Figures(
        name=name,
        texts=len(mixed),
        accuracy=found and found.accuracy,
        within_one=found and found.within_one,
        squared_error=found and found.squared_error,
        coverage=_mean(holds),
        interval=_mean([high - low + 1 for low, high in spans]),
        recall=_mean(recalled),
        human_texts=len(human),
        false_alarms=_mean(alarms),
    )


def _is_called(posterior: np.ndarray, calibration: Calibration) -> bool:
    """Whether a text is said to have machine text in it."""
    return bool(1 - posterior[-1] >= calibration.threshold)


def _mean(values: Sequence[float]) -> float | None:
    return float(np.mean(values)) if values else None


_KINDS: dict[str, Callable[[LabelledText], str]] = {
    "domain": lambda text: text.domain,
    "generator": lambda text: text.generator,
    "p": lambda text: "" if text.p is None else f"{text.p:g}",
}


def measure_by_kind(head: Head, corpus: ReadCorpus) -> list[Figures]:
    """All texts, then those of each domain, generator and p that the corpus names."""
    figures = [measure(head, corpus, name="all")]
    for kind, of in _KINDS.items():
        names = sorted({of(text) for text in corpus.texts} - {""})
        for name in names if len(names) > 1 else ():
            part = corpus.where([of(text) == name for text in corpus.texts])
            figures.append(measure(head, part, name=f"{kind} {name}"))
    return figures


@dataclass(frozen=True, slots=True, kw_only=True)
class WriterFigures:
    """Whole texts of one writer, or of all: how many were given the right one."""

    name: str
    texts: int
    right: float  # share


def measure_writers(head: Head, corpus: ReadCorpus) -> list[WriterFigures]:
    """Machine or not (SemEval-2024 task 8A), which writer (8B), and each writer's texts alone, for
    parts of five sentences at least. Nothing if the head or the corpus names no writers.
    """
    rows, names = parts_by_writer(corpus.features(head.probes), corpus.texts)
    if head.kinds is None or not rows:
        return []
    guesses = np.array([head.kinds.names[head.kinds.probabilities(x).argmax()] for x in rows])
    truths = np.array(names)
    right = truths == guesses
    is_told = (truths == HUMAN) == (guesses == HUMAN)
    figures = [("machine or not", is_told), ("which writer", right)]
    figures += [(name, right[truths == name]) for name in sorted(set(names))]
    return [
        WriterFigures(name=name, texts=each.size, right=float(each.mean()))
        for name, each in figures
    ]
