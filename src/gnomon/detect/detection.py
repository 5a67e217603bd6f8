"""`Detector`: from a text to where in it a machine took over, and how sure that is.

>>> detector = Detector(open_model("out/smollm2-2bit"))       # doctest: +SKIP
>>> found = detector.detect(open("essay.txt").read())         # doctest: +SKIP
>>> found.verdict, found.boundary, found.interval             # doctest: +SKIP
('mixed', 6, (5, 7))
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from gnomon.detect.conformal import best_boundary, given_machine, interval
from gnomon.detect.corpus import HUMAN
from gnomon.detect.cuts import Cut, find_cut
from gnomon.detect.head import Head, load_head
from gnomon.detect.limits import outside_measured, why_no_writer
from gnomon.detect.normal_form import normal_form
from gnomon.detect.passage import Reading
from gnomon.detect.reader import Reader
from gnomon.detect.sentences import Sentence, split_sentences
from gnomon.errors import DataError, UsageError
from gnomon.models.model import Model
from gnomon.progress import OnProgress

Verdict = Literal["human", "mixed", "machine"]
_NO_WORD = "No word is named, as no part of the text is called a machine's."


@dataclass(frozen=True, slots=True, kw_only=True)
class WordCut:
    """The first word that is a machine's, which may be within a sentence."""

    character: int  # of the text, where the word begins
    probability: float  # of this very word, among those nearby


@dataclass(frozen=True, slots=True, kw_only=True)
class Detection:
    """Boundaries count sentences: 3 means that the first three are a person's; 0 is all machine,
    the number of sentences all human. With a cut, the sentence in which the machine began is the
    first that is not a person's.
    """

    sentences: tuple[Sentence, ...]
    probabilities: np.ndarray  # f64 [sentences], that each is a machine's
    surprisals: np.ndarray  # f64 [sentences], mean −log p of its tokens, nats
    expected: np.ndarray  # f64 [sentences], mean entropy: the surprisal a sample would have
    posterior: np.ndarray  # f64 [sentences + 1], of each boundary
    verdict: Verdict
    boundary: int
    interval: tuple[int, int]  # of boundaries, both ends included
    coverage: float  # of such intervals
    probability: float  # that there is any machine text
    threshold: float  # that it had to reach
    kinds: Mapping[str, float]  # who wrote the whole; empty if that is not said
    cut: WordCut | None  # within a sentence, if that was asked for and there is machine text
    notes: tuple[str, ...]  # in what the text is outside what was measured; what was not answered

    @property
    def machine(self) -> float | None:
        """How likely the text as a whole is a machine's; None if that is not said."""
        return 1.0 - self.kinds[HUMAN] if HUMAN in self.kinds else None

    @property
    def is_within(self) -> bool:
        """Whether the machine began within a sentence."""
        return self.cut is not None and self.cut.character > self.sentences[self.boundary].begin

    @property
    def character(self) -> int | None:
        """Where in the text the machine begins; None if it does not."""
        if self.cut is not None:
            return self.cut.character
        if self.boundary == len(self.sentences):
            return None
        return self.sentences[self.boundary].begin

    def word(self, text: str) -> int | None:
        """The same as the number of words before, as SemEval-2024 task 8C counts them."""
        return None if self.character is None else len(text[: self.character].split())


class Detector:
    """A reading model and a head. Raises ModelError if they do not belong together."""

    def __init__(
        self, model: Model, head: Head | None = None, *, threads: int | None = None
    ) -> None:
        self.head = load_head() if head is None else head
        self.head.require_fit(model)
        self.model = model
        self._reader = Reader(model, layers=self.head.probes.layers, threads=threads)

    def detect(
        self,
        text: str | Sequence[str],
        *,
        threshold: float | None = None,
        words: bool = False,
        on_progress: OnProgress = lambda progress: None,
    ) -> Detection:
        """Where in `text` (a text, or its sentences) the machine took over; with `words` also at
        which word, in the sentence that was found or the one before it. Raises DataError if `text`
        is none or has no words, UsageError if `threshold` is no probability.
        """
        if threshold is not None and not 0 <= threshold <= 1:
            raise UsageError(f"threshold is {threshold}; a number from 0 to 1 was expected")
        draft = draft_of(text)
        reading = self._reader.read(draft.normal, project=self.head.probes, on_progress=on_progress)

        def find_word(features: np.ndarray, boundary: int) -> Cut:
            return find_cut(
                self.head,
                self._reader,
                given=[s.text for s in draft.sentences],
                normal=draft.normal,
                features=features,
                boundary=boundary,
            )

        return judge(
            draft,
            reading,
            self.head,
            reader=self.model.name,
            threshold=threshold,
            find_word=find_word if words else None,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A text that is to be read: its sentences, and what is read of each."""

    sentences: tuple[Sentence, ...]
    normal: tuple[str, ...]


def draft_of(text: str | Sequence[str]) -> Draft:
    """The draft of a text, or of its sentences. Raises DataError if it is neither, or has no
    words.
    """
    return draft_from(split_sentences(text) if isinstance(text, str) else _as_sentences(text))


def draft_from(given: Sequence[Sentence]) -> Draft:
    """The draft of a text that is split. Raises DataError if it has no words."""
    forms = [(s, normal_form(s.text)) for s in given]
    read = [(s, form) for s, form in forms if form]
    if not read:
        raise DataError("the text has no words; at least one sentence was expected")
    return Draft(sentences=tuple(s for s, _ in read), normal=tuple(form for _, form in read))


def judge(
    draft: Draft,
    reading: Reading,
    head: Head,
    *,
    reader: str,
    threshold: float | None = None,
    find_word: Callable[[np.ndarray, int], Cut] | None = None,
) -> Detection:
    """What `head` makes of what the model called `reader` read, between sentences; `find_word` says
    for features and a boundary at which word near it the machine began.
    """
    features = head.features(reading, draft.normal)
    posterior = head.boundary.posterior(features)
    probability = 1.0 - float(posterior[-1])
    calibration = head.calibration(reader)
    threshold = calibration.threshold if threshold is None else threshold
    boundary = len(draft.sentences)
    low, high = interval(given_machine(posterior), calibration.level)
    cut = None
    notes = outside_measured(draft.normal)
    if reader not in head.readers:
        known = " and ".join(head.readers)
        notes.append(f"Read with {reader}; the figures are for {known} as reader.")
    if probability >= threshold:
        boundary = best_boundary(posterior[:-1])
        if find_word is not None:
            found = find_word(features, boundary)
            cut, boundary = _placed(found, draft), found.sentence
        low, high = min(low, boundary), max(high, boundary)
    elif find_word is not None:
        notes.append(_NO_WORD)
    verdict = _verdict(draft, boundary, cut)
    kinds = {}
    if head.kinds is not None:
        why_not = why_no_writer(draft.normal, is_mixed=verdict == "mixed")
        if why_not is None:
            shares = head.kinds.probabilities(features).tolist()
            kinds = dict(zip(head.kinds.names, shares, strict=True))
        else:
            notes.append(why_not)
    return Detection(
        sentences=draft.sentences,
        probabilities=np.cumsum(posterior)[:-1],
        surprisals=_means(-reading.log_probabilities, reading.starts),
        expected=_means(reading.entropies, reading.starts),
        posterior=posterior,
        verdict=verdict,
        boundary=boundary,
        interval=(low, high),
        coverage=head.coverage,
        probability=probability,
        threshold=threshold,
        kinds=kinds,
        cut=cut,
        notes=tuple(notes),
    )


def _placed(cut: Cut, draft: Draft) -> WordCut:
    sentence = draft.sentences[cut.sentence]
    places = [match.start() for match in re.finditer(r"\S+", sentence.text)]
    return WordCut(character=sentence.begin + places[cut.word], probability=cut.probability)


def _verdict(draft: Draft, boundary: int, cut: WordCut | None) -> Verdict:
    if boundary == len(draft.sentences):
        return "human"
    begin = draft.sentences[boundary].begin if cut is None else cut.character
    return "machine" if begin == draft.sentences[0].begin else "mixed"


def _as_sentences(texts: Sequence[str]) -> list[Sentence]:
    """Sentences that were given one by one, placed as if a space parted them."""
    if not isinstance(texts, Iterable) or not all(isinstance(text, str) for text in texts):
        raise DataError(
            f"the text is of type {type(texts).__name__}; a str, or a list of them, was expected"
        )
    found, begin = [], 0
    for text in texts:
        found.append(Sentence(begin=begin, end=begin + len(text), text=text))
        begin += len(text) + 1
    return found


def _means(values: np.ndarray, starts: np.ndarray) -> np.ndarray:
    sums = np.concatenate([[0.0], np.cumsum(values, dtype=np.float64)])
    counts = np.maximum(np.diff(starts), 1)
    return (sums[starts[1:]] - sums[starts[:-1]]) / counts
