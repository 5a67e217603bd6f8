"""From a corpus to a head, from a head to an answer, on a tiny model."""

from __future__ import annotations

import gzip
import json
from dataclasses import replace

import numpy as np
import pytest
from made_texts import made_text

from gnomon.detect import Detector, load_head
from gnomon.detect.conformal import calibrate, given_machine
from gnomon.detect.corpus import read_corpus
from gnomon.detect.evaluation import measure, measure_by_kind, measure_writers
from gnomon.detect.head import Calibration
from gnomon.detect.page import render_page, say, told
from gnomon.detect.training import join, threshold_for, train_head
from gnomon.errors import DataError, ModelError, UsageError


def test_a_head_finds_what_it_learned(head, corpus):
    figures = measure(head, corpus.of_part("test"), name="test")
    assert figures.texts > 25
    assert figures.accuracy > 0.9
    assert figures.coverage > 0.8
    assert [each.name for each in measure_by_kind(head, corpus)] == ["all", "domain a", "domain b"]


def test_each_reader_is_calibrated_by_itself(corpus, options):
    """A reader whose numbers say less needs wider intervals and another threshold."""
    rng = np.random.default_rng(7)
    shaken = tuple(x + rng.normal(0, 3, x.shape).astype(np.float32) for x in corpus.scalars)
    states = tuple(s + rng.normal(0, 3, s.shape).astype(s.dtype) for s in corpus.states)
    blurred = replace(
        corpus, scalars=shaken, states=states, read_by=("blurred",) * len(corpus.texts)
    )
    both = join([corpus, blurred])
    (sharp,) = corpus.readers
    assert both.readers == (sharp, "blurred")
    assert both.of_reader("blurred").scalars[3] is blurred.scalars[3]
    head = train_head(both, options=options)
    assert head.readers == both.readers
    for name in head.readers:
        validation = both.of_part("validation").of_reader(name)
        posteriors = [head.boundary.posterior(x) for x in validation.features(head.probes)]
        level = calibrate(
            [given_machine(p) for p in posteriors],
            [text.boundary for text in validation.texts],
            coverage=0.9,
        )
        assert head.calibration(name).level == level
    known = head.calibrations.values()
    assert head.calibration("blurred").level > head.calibration(sharp).level
    assert head.calibration("blurred").threshold != head.calibration(sharp).threshold
    unknown = head.calibration("a third")
    assert unknown.level == max(each.level for each in known)
    assert unknown.threshold == max(each.threshold for each in known)
    never = {sharp: Calibration(level=0.5, threshold=0.0)}
    never |= {"blurred": Calibration(level=0.5, threshold=1.0)}
    test = both.of_part("test")
    figures = measure(replace(head, calibrations=never), test, name="both")
    assert figures.recall == pytest.approx(0.5, abs=0.05)


def test_thresholds_are_probabilities():
    assert threshold_for([1.0] * 1000, 0.005) == 1.0
    assert 0.0 < threshold_for([0.0], 0.005) < 0.5
    assert threshold_for([0.5], 0.005) == pytest.approx(2 / 3)
    assert 0.9 < threshold_for([], 0.005) < 1.0


def test_parts_keep_openings_together(texts):
    parts = [text.part for text in texts]
    assert {"train", "validation", "test"} == set(parts)
    assert 0.4 < parts.count("train") / len(parts) < 0.75


def test_detect(head, model):
    rng = np.random.default_rng(2)
    text = " ".join(made_text(rng, 8, 5))
    detector = Detector(model, head, threads=1)
    found = detector.detect(text, threshold=0.0)
    assert (found.verdict, found.boundary) == ("mixed", 5)
    assert found.interval[0] <= 5 <= found.interval[1]
    assert found.character == text.index(found.sentences[5].text)
    assert found.word(text) == 35
    assert found.probabilities[:4].max() < 0.5 < found.probabilities[6:].min()
    human = detector.detect(text, threshold=1.0)
    assert (human.verdict, human.boundary, human.character) == ("human", 8, None)
    listed = detector.detect([s.text for s in found.sentences])
    np.testing.assert_allclose(listed.posterior, found.posterior, atol=1e-6)
    with pytest.raises(DataError, match="no words"):
        detector.detect(" ... !")


def test_a_saved_head_says_the_same(head, model, tmp_path):
    head.save(tmp_path / "head.npz")
    loaded = load_head(tmp_path / "head.npz")
    text = " ".join(made_text(np.random.default_rng(1), 6, 0))
    before, after = (Detector(model, h, threads=1).detect(text) for h in (head, loaded))
    np.testing.assert_allclose(after.posterior, before.posterior, atol=5e-3)  # float16 on disk
    assert loaded.calibrations == head.calibrations
    assert dict(before.kinds).keys() == {"human", "digits"}


def test_a_head_of_another_model(head, model, tmp_path):
    head.save(tmp_path / "head.npz")
    with np.load(tmp_path / "head.npz") as file:
        arrays = {name: file[name] for name in file.files}
    for name in ("probes_mean", "probes_directions"):
        arrays[name] = np.tile(arrays[name], 2)
    np.savez(tmp_path / "wide.npz", **arrays)
    with pytest.raises(ModelError, match="train a head"):
        Detector(model, load_head(tmp_path / "wide.npz"))


def test_page(head, model):
    text = " ".join(made_text(np.random.default_rng(4), 7, 3))
    detector = Detector(model, head, threads=1)
    found = detector.detect(text.replace("the", "<b>the</script>"), threshold=0.0)
    page = render_page(found, "given", name="<essay>", reader="tiny")
    assert "<b>the" not in page
    assert "<essay>" not in page
    assert f"sentence {found.boundary + 1} of 7" in page
    assert page.count("http") == 1  # the name of SVG, which nothing is loaded from
    assert "src=" not in page
    data = page.partition('id="found">')[2].partition("</script>")[0]
    assert json.loads(data) == told(found, "given", reader="tiny")
    assert any("the</script>" in each["text"] for each in json.loads(data)["sentences"])
    assert "The word" not in page
    words = detector.detect(text, threshold=0.0, words=True)
    begun = text[words.character :].split()[:3]
    page = render_page(words, text, name="essay", reader="tiny")
    line = page.partition("The word with which")[2].partition("</p>")[0]
    assert f"“{begun[0]}”" in line
    assert " ".join(begun) in line


def test_what_cannot_be_asked(head, model):
    detector = Detector(model, head, threads=1)
    for text, kind in ((None, "NoneType"), (b"A cat.", "bytes"), (["A cat.", 3], "list")):
        with pytest.raises(DataError, match=f"of type {kind}; a str"):
            detector.detect(text)
    for threshold in (-0.1, 1.1, float("nan")):
        with pytest.raises(UsageError, match="threshold is .* from 0 to 1"):
            detector.detect("A cat.", threshold=threshold)


def test_a_text_that_is_not_quite_called_a_machines(head, model):
    detector = Detector(model, head, threads=1)
    text = " ".join(made_text(np.random.default_rng(2), 8, 5))
    found = detector.detect(text, threshold=1.0, words=True)
    assert (found.verdict, found.boundary, found.cut) == ("human", 8, None)
    assert found.probability > 0.5
    assert any(note.startswith("No word is named") for note in found.notes)
    shown = f"{100 * found.probability:.1f} % (100.0 % is asked for)"
    assert say(found).answer == f"Machine text? Not sure enough to say so: {shown}"
    plain = detector.detect(" ".join(made_text(np.random.default_rng(2), 8, 8)), threshold=1.0)
    assert plain.probability < 0.5
    assert say(plain).answer == "No machine text was found."
    assert plain.notes == ()


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("{", "row 2: one JSON object a line was expected"),
        ("[]", "an object"),
        ('{"boundary": 1}', "neither"),
        ('{"sentences": ["a."], "boundary": 2}', "there are 1 sentences"),
        ('{"sentences": ["a."], "boundary": true}', "whole number"),
        ('{"sentences": ["a.", 3], "boundary": 1}', "list of texts"),
        ('{"sentences": ["..."], "boundary": 0}', "no words"),
        ('{"text": "One two. Three.", "label": 9}', "there are 3 words"),
        ('{"text": "One two."}', "no whole number"),
        ('{"text": "One two.", "boundary": 1.0}', "whole number"),
        ('{"text": "One two.", "boundary": -1}', '"boundary" is -1'),
        ('{"sentences": [], "label": 0}', "no words"),
        ('{"sentences": ["a."], "boundary": 1, "p": NaN}', "NaN"),
        ('{"sentences": ["a."], "boundary": 1, "p": 1e999}', '"p" is inf'),
        ('{"sentences": ["a."], "boundary": 1, "p": 1.5}', '"p" is 1.5'),
        ('{"sentences": ["a."], "boundary": 1, "p": true}', '"p" is True'),
        ('{"sentences": ["a."], "boundary": 1, "generator": 3}', '"generator" is 3'),
        ('{"sentences": ["a."], "boundary": 1, "domain": ["x"]}', '"domain" is'),
        ('{"sentences": ["a \\ud800."], "boundary": 1}', "halves of characters"),
        ('{"a":' * 100_000, "nested too deeply"),
        ("3", "an object"),
    ],
)
def test_bad_rows_are_named(tmp_path, row, message):
    path = tmp_path / "texts.jsonl"
    path.write_text('{"sentences": ["a.", "b."], "boundary": 1}\n' + row + "\n")
    with pytest.raises(DataError, match="row 2") as raised:
        read_corpus(path)
    assert message in str(raised.value)


def test_damaged_files_name_the_row(tmp_path):
    path = tmp_path / "texts.jsonl.gz"
    rng = np.random.default_rng(0)
    rows = [{"sentences": [f"{n} {rng.random(9).tolist()}."], "boundary": 1} for n in range(400)]
    content = "\n".join(map(json.dumps, rows)).encode()
    path.write_bytes(gzip.compress(content))
    assert len(read_corpus(path)) == 400
    path.write_bytes(gzip.compress(content)[:-9000])
    with pytest.raises(DataError, match=r"damaged after row \d+: "):
        read_corpus(path)
    path.write_bytes(b"\x1f\x8b" + content)
    with pytest.raises(DataError, match="damaged after row 0"):
        read_corpus(path)
    path.write_bytes(content.replace(b'"boundary"', b'"\xff"', 1))
    with pytest.raises(DataError, match="row 1: not UTF-8"):
        read_corpus(path)
    path.write_text('\ufeff{"sentences": ["A\u2028b."], "boundary": 1}\n', encoding="utf-8")
    (text,) = read_corpus(path)  # a byte order mark; a line separator within a text
    assert text.sentences == ("A\u2028b.",)
    with pytest.raises(DataError, match="cannot read"):
        read_corpus(tmp_path)


def test_rows(tmp_path):
    path = tmp_path / "texts.jsonl"
    rows = [
        {"sentences": ["A one.", "...", "B two."], "boundary": 2, "domain": "x"},
        {"text": "One two. Three four. Five.", "label": 2},
        {"text": "One two. Three four.", "label": -1},
        {"sentences": ["A.", "B."], "boundary": None},
    ]
    path.write_text("\r\n".join(json.dumps(row) for row in rows))
    first, second, third, fourth = read_corpus(path)
    assert (first.sentences, first.boundary, first.domain) == (("A one.", "B two."), 1, "x")
    assert (second.boundary, third.boundary, fourth.boundary) == (1, 2, 2)


def test_whole_texts(head, corpus, model, tmp_path):
    """SemEval-2024's forms 8A and 8B: rows, an answer, figures."""
    path = tmp_path / "texts.jsonl"
    rows = [
        {"text": "One two. Three four.", "model": "human", "label": 0, "source": "wikihow"},
        {"text": "One two. Three four.", "model": "cohere", "label": 3},
    ]
    path.write_text("\n".join(json.dumps(row) for row in rows))
    person, machine = read_corpus(path)
    assert (person.boundary, person.domain, person.word) == (2, "wikihow", None)
    assert (machine.boundary, machine.generator) == (0, "cohere")
    detector = Detector(model, head, threads=1)
    for boundary, is_machine in ((0, True), (8, False)):
        found = detector.detect(made_text(np.random.default_rng(6), 8, boundary))
        assert found.machine == pytest.approx(1 - found.kinds["human"])
        assert (found.machine > 0.5) == is_machine
    figures = measure_writers(head, corpus.of_part("test"))
    assert [each.name for each in figures] == ["machine or not", "which writer", "digits", "human"]
    assert figures[0].texts == figures[2].texts + figures[3].texts
    assert all(each.right > 0.8 for each in figures)


def test_whose_a_text_is_not_always_said(head, model):
    detector = Detector(model, head, threads=1)
    human = made_text(np.random.default_rng(6), 8, 8)
    for text, why in (
        (human[:4], "5 English sentences or more"),
        (
            ["Das ist nicht der Tag, an dem sie und er mit mir von dem Haus sprachen."] * 6,
            "English",
        ),
        (made_text(np.random.default_rng(6), 8, 4), "two writers"),
    ):
        found = detector.detect(text, threshold=0.0 if why == "two writers" else 1.0)
        assert (dict(found.kinds), found.machine) == ({}, None)
        assert why in found.notes[-1]
    found = detector.detect(human[:5], threshold=1.0)
    assert found.kinds.keys() == {"human", "digits"}
    without = Detector(model, replace(head, kinds=None), threads=1).detect(human[:4])
    assert not any("Who wrote" in note for note in without.notes)
