"""The word within a sentence: readings put together, places in the given text, the answer."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from made_texts import WORDS, made_text
from markupsafe import escape

from gnomon.detect import BoundaryDetector, Detector
from gnomon.detect.corpus import read_corpus
from gnomon.detect.cuts import Cut
from gnomon.detect.evaluation import word_errors
from gnomon.detect.page import render_page, say, told
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


@pytest.mark.parametrize(
    ("sentence", "word", "verdict", "answer"),
    [
        (0, 0, "machine", "All of it reads as a machine's."),
        (0, 3, "mixed", "The machine takes over within sentence 1 of 7."),
        (2, 0, "mixed", "The machine takes over at sentence 3 of 7."),
        (2, 3, "mixed", "The machine takes over within sentence 3 of 7."),
        (6, 5, "mixed", "The machine takes over within sentence 7 of 7."),
    ],
)
def test_all_that_is_said_names_the_place_of_the_word(
    head, model, cut_text, monkeypatch, sentence, word, verdict, answer
):
    cut = Cut(sentence=sentence, word=word, probability=0.5)
    monkeypatch.setattr("gnomon.detect.detection.find_cut", lambda *_, **__: cut)
    found = Detector(model, head, threads=1).detect(cut_text, threshold=0.0, words=True)
    place = found.sentences[sentence].begin + sum(
        len(w) + 1 for w in found.sentences[sentence].text.split()[:word]
    )
    assert (found.verdict, found.boundary, found.character) == (verdict, sentence, place)
    assert found.interval[0] <= sentence <= found.interval[1]
    assert bool(found.kinds) == (verdict == "machine")
    said = say(found)
    assert said.answer == answer
    assert f"in sentence {sentence + 1}: “{cut_text[place : place + 3]}" in said.word
    json = told(found, cut_text, reader="tiny")
    assert (json["boundary"], json["verdict"]) == (sentence, verdict)
    assert cut_text.split()[json["word"]] == cut_text[place:].split()[0]
    page = render_page(found, cut_text, name="essay", reader="tiny")
    assert f"<h1>{escape(answer)}</h1>" in page
    assert str(escape(said.word)) in page


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
    with pytest.raises(UsageError, match=r"pip install -e .\.\[detect\]"):
        gnomon.detect.__getattr__("BoundaryDetector")
