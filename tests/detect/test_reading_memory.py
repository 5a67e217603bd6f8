"""A long text: what is kept of it while it is read, and that nothing is lost by that."""

from __future__ import annotations

import tracemalloc
from itertools import pairwise

import numpy as np
import pytest

from gnomon.detect import Detector, load_head
from gnomon.detect import passage as passage_module
from gnomon.detect.detection import draft_of, judge
from gnomon.detect.passage import Passage
from gnomon.detect.piece_means import PieceMeans
from gnomon.detect.reader import Reader

COUNT = 2500  # sentences


class StandIn:
    """In place of a tokenizer and of a session of a model as wide as the head's."""

    bos_id, eos_ids, capacity = 0, (), 512

    def __init__(self, layers: int, hidden: int) -> None:
        self._rng = np.random.default_rng(0)
        self._states = self._rng.normal(size=(layers, 512, hidden)).astype(np.float32)

    def encode(self, text, *, add_special):
        return [len(word) for word in text.split()]

    def truncate(self, size):
        pass

    def observe(self, tokens, layers):
        expected = self._rng.random((tokens.size - 1, 5), np.float32)
        return expected, self._states[:, : tokens.size]


def long_text(sentences: int) -> str:
    """Of 17 words each, from some thousands of different ones."""
    rng = np.random.default_rng(1)
    letters = rng.choice(list("abcdefghilmnoprstu"), (5000, 5))
    words = ["".join(row[: 2 + number % 4]) for number, row in enumerate(letters)]
    return " ".join(
        " ".join(rng.choice(words, 16)).capitalize() + " ends." for _ in range(sentences)
    )


def test_a_sentence_takes_little():
    """6 kB at most: its states alone are 11.5 kB, twice that while they are divided."""
    head, text = load_head(), long_text(COUNT)
    stand_in = StandIn(len(head.probes.layers), head.probes.hidden)
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        draft = draft_of(text)
        passage = Passage(
            stand_in,
            draft.normal,
            layers=head.probes.layers,
            hidden_size=head.probes.hidden,
            window=512,
            project=head.probes,
        )
        while not passage.is_read:
            passage.read_on(stand_in)
        found = judge(draft, passage.reading(), head, reader="stand-in")
        peak = tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()
    assert len(found.sentences) == COUNT
    assert peak < 6_000 * COUNT + 3_000_000  # what a window takes, whatever the length


def test_projected_states_make_the_same_features(head, model, monkeypatch):
    monkeypatch.setattr(passage_module, "WINDOW", 40)
    monkeypatch.setattr(passage_module, "OVERLAP", 10)
    normal = draft_of(long_text(9)).normal
    reader = Reader(model, layers=head.probes.layers, threads=1)
    whole, projected = reader.read(normal), reader.read(normal, project=head.probes)
    assert projected.states.shape == (9, 2)
    np.testing.assert_array_equal(head.features(projected, normal), head.features(whole, normal))


def test_the_detector_projects(head, model, monkeypatch):
    shapes = []
    features = type(head).features

    def watched(self, reading, sentences):
        shapes.append(reading.states.shape)
        return features(self, reading, sentences)

    monkeypatch.setattr(type(head), "features", watched)
    Detector(model, head, threads=1).detect(long_text(3))
    assert shapes == [(3, 2)]


@pytest.mark.parametrize("step", [1, 2, 3, 5, 12])
def test_means_against_slow_ones(step):
    """Pieces with no token too: at the beginning, between others and at the end."""
    starts = np.array([0, 0, 3, 4, 4, 4, 9, 12, 12])
    states = np.random.default_rng(0).normal(size=(2, 12, 3)).astype(np.float32)
    means = PieceMeans(starts, (2, 3), None)
    for begin in range(0, 12, step):
        end = min(begin + step, 12)
        means.add(states[:, begin:end], begin, end)
    for row, (begin, end) in zip(means.all(), pairwise(starts), strict=True):
        slow = states[:, begin:end].sum(axis=1) / max(end - begin, 1)
        np.testing.assert_allclose(row, slow, rtol=1e-5, atol=1e-6)
    assert means.are_finite
    states[1, 5, 2] = np.nan
    means = PieceMeans(starts, (2, 3), lambda rows: np.zeros((len(rows), 1), np.float32))
    means.add(states, 0, 12)
    assert not means.are_finite
    assert means.all().shape == (8, 1)
