"""The word within a sentence: readings put together, places in the given text, the answer."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from made_texts import WORDS, made_text

from gnomon.detect import BoundaryDetector, Detector
from gnomon.detect.corpus import read_corpus
from gnomon.detect.evaluation import word_errors
from gnomon.detect.reader import Reader
from gnomon.detect.training import layers_of, read_corpus_with
from gnomon.detect.words import words_before
from gnomon.errors import UsageError

SENTENCES = ["The moon at night.", "12 stars shine!", "Is it 3?"]


def test_words_joined_are_sentences(model):
    reader = Reader(model, layers=(0, 1), threads=1)
    whole = reader.read(SENTENCES)
    words = reader.read([word for sentence in SENTENCES for word in sentence.split()])
    joined = words.joined([0, 4, 7], 10)
    np.testing.assert_array_equal(joined.starts, whole.starts)
    np.testing.assert_allclose(joined.states, whole.states, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(joined.log_probabilities, whole.log_probabilities)
    part = words.joined([0, 5], 7)
    np.testing.assert_array_equal(part.starts, words.starts[[0, 5, 7]])
    counts = np.diff(words.starts)[5:7, None, None]
    mean = (words.states[5:7] * counts).sum(axis=0) / counts.sum()
    np.testing.assert_allclose(part.states[1], mean, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("given", "form", "places"),
    [
        ("He left it.", "He left it.", [0, 1, 2]),
        ("He did  n't - go .", "He didn't - go.", [0, 1, 3, 4]),
        ('"Oh" -- said', "Oh - said.", [0, 2, 2]),
        ("one", "One.", [0]),
    ],
)
def test_words_of_the_normal_form_are_found_again(given, form, places):
    found = [words_before(given, form, i) for i in range(len(form.split()))]
    letters = [sum(map(str.isalnum, "".join(form.split()[:i]))) for i in range(len(found))]
    for word, before in zip(found, letters, strict=True):
        assert sum(map(str.isalnum, "".join(given.split()[:word]))) <= before
    assert found[0] == places[0]
    assert found[-1] == places[-1]


@pytest.fixture
def cut_text():
    """Seven sentences; in the fourth letters give way to digits after six words."""
    rng = np.random.default_rng(11)
    human, machine = made_text(rng, 3, 3), made_text(rng, 3, 0)
    letters = " ".join(rng.choice(WORDS["human"].split(), size=6))
    digits = " ".join(rng.choice(WORDS["machine"].split(), size=6))
    return " ".join([*human, f"{letters} {digits}.", *machine])


def test_a_word_within_a_sentence(head, model, cut_text):
    detector = Detector(model, head, threads=1)
    found = detector.detect(cut_text, threshold=0.0, words=True)
    assert found.cut is not None
    assert found.boundary in (3, 4)
    assert abs(found.word(cut_text) - 27) <= 2
    assert cut_text[found.character - 1] == " "
    assert 0.0 < found.cut.probability <= 1.0
    assert detector.detect(cut_text, threshold=0.0).cut is None
    assert detector.detect(cut_text, threshold=1.0, words=True).cut is None


def test_errors_in_words(head, model, cut_text, tmp_path):
    path = tmp_path / "texts.jsonl"
    path.write_text(f'{{"text": "{cut_text}", "label": 27}}')
    (text,) = read_corpus(path)
    assert (text.boundary, text.word) == (3, 27)
    reader = Reader(model, layers=layers_of(model), threads=1)
    errors = word_errors(head, reader, read_corpus_with(reader, [text]))
    assert errors.of_word <= 2
    assert errors.of_sentence in (6, 7)


def test_estimator_names_words(model, texts, cut_text):
    detector = BoundaryDetector(
        model=model, members=1, epochs=15, hidden=4, learning_rate=1e-2, threads=1
    )
    detector.fit([list(t.sentences) for t in texts[:60]], [t.boundary for t in texts[:60]])
    human = " ".join(made_text(np.random.default_rng(1), 6, 6))
    found = detector.predict_words([cut_text, human])
    assert abs(found[0] - 27) <= 3
    assert found[1] >= 35


def test_without_scikit_learn(monkeypatch):
    import gnomon.detect

    monkeypatch.setitem(sys.modules, "sklearn", None)
    with pytest.raises(UsageError, match=r"gnomon\[detect\]"):
        gnomon.detect.__getattr__("BoundaryDetector")
