"""The verb itself, on a tiny model: answers, pages, training, and what it refuses."""

from __future__ import annotations

import io
import json
import os
import re
import sys

import numpy as np
import pytest
from made_texts import made_text
from tiny_models_on_disk import tiny_model

from gnomon.cli import main
from gnomon.detect import Detector
from gnomon.detect.head import load_head


@pytest.fixture
def gnomon(capsys, monkeypatch, model, head, tmp_path):
    head.save(tmp_path / "head.npz")
    reading = ["--model", str(model.source), "--threads", "1", "--quiet"]
    with_head = [*reading, "--head", str(tmp_path / "head.npz")]

    def run(*arguments, stdin=b"", own_head=False):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin), encoding="utf-8"))
        rest = reading if own_head else with_head
        code = main(["detect", *map(str, arguments), *rest])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


@pytest.fixture
def text():
    return " ".join(made_text(np.random.default_rng(9), 7, 4))


def test_answer_and_page(gnomon, text, tmp_path):
    page = tmp_path / "page.html"
    code, out, _ = gnomon("-", "--threshold", 0, "--html", page, stdin=text.encode())
    assert code == 0
    assert "The machine takes over at sentence 5 of 7." in out
    assert "<h1>The machine takes over at sentence 5 of 7.</h1>" in page.read_text()
    assert "must not be used to judge people" in " ".join(out.split())
    assert "must not be used to judge people" in page.read_text()
    code, out, _ = gnomon("-", "--threshold", 0, "--words", stdin=text.encode())
    assert code == 0
    assert "words before it" in out
    code, out, _ = gnomon("-", "--threshold", 1, "--words", stdin=text.encode())
    assert code == 0
    assert "Not sure enough to say so" in out
    assert "No word is named" in out


def test_a_page_of_a_file_whose_name_is_no_utf8(gnomon, text, tmp_path):
    path = tmp_path / os.fsdecode(b"essay \xff.txt")
    path.write_text(text)
    code, _, err = gnomon(path, "--html", tmp_path / "page.html")
    assert code == 0, err
    assert "essay ?.txt" in (tmp_path / "page.html").read_text("utf-8")


def test_a_page_that_cannot_be_written_takes_no_answer_away(gnomon, text, tmp_path):
    code, out, err = gnomon("-", "--json", "--html", tmp_path, stdin=text.encode())
    assert (code, len(json.loads(out)["sentences"])) == (5, 7)
    assert "cannot be written" in err


def test_a_turned_sentence_turns_no_other(gnomon, tmp_path):
    page = tmp_path / "page.html"
    assert gnomon("-", "--html", page, stdin="A \u202ecat. The moon.".encode())[0] == 0
    (style,) = re.findall(r"\.shaded-text span \{(.*?)\}", page.read_text())
    assert "unicode-bidi: isolate" in style


def test_where_a_head_cannot_go_is_said_before_it_is_learned(gnomon, tmp_path):
    data = tmp_path / "texts.jsonl"
    data.write_text('{"sentences": ["A cat.", "The moon."], "boundary": 1}')
    code, _, err = gnomon("train", data, "-o", tmp_path, own_head=True)
    assert code == 2
    assert "is a folder" in err


def test_help_leads_to_the_options(capsys):
    assert main(["detect", "--help"]) == 0
    assert "gnomon detect text --help" in " ".join(capsys.readouterr().out.split())
    assert main(["--help"]) == 0
    opening = " ".join(capsys.readouterr().out.partition("Options")[0].split())
    assert "where in a text a machine took over" in opening
    assert "geometry" in opening


def test_json_and_line_endings(gnomon, text, tmp_path):
    path = tmp_path / "text.txt"
    path.write_bytes(text.replace(". ", ".\r\n", 2).replace(". ", ".\r", 1).encode())
    code, out, _ = gnomon("text", path, "--json", "--threshold", 0)
    answer = json.loads(out)
    assert (code, answer["verdict"], answer["boundary"]) == (0, "mixed", 4)
    assert (answer["word"], answer["word_probability"]) == (28, None)
    assert (answer["machine"], answer["kinds"]) == (None, {})
    assert any("two writers" in note for note in answer["notes"])
    code, out, _ = gnomon("text", path, "--json", "--threshold", 1)
    answer = json.loads(out)
    assert answer["machine"] == pytest.approx(1 - answer["kinds"]["human"])
    assert len(answer["posterior"]) == len(answer["sentences"]) + 1
    assert answer["interval"][0] <= 4 <= answer["interval"][1]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b" \r\n \t", "is empty"),
        (b"\xff\xfe\x00\x01", "not UTF-8"),
        (b"GIF89a\x00\x01", "no text"),
        (b"... !!", "no words"),
    ],
)
def test_what_is_no_text(gnomon, content, message):
    code, out, err = gnomon("-", stdin=content)
    assert (code, out) == (4, "")
    assert message in err


def test_one_sentence_is_said_to_be_little(gnomon):
    code, out, _ = gnomon("-", "--json", stdin=b"the moon at night.")
    assert code == 0
    assert any("One sentence" in note for note in json.loads(out)["notes"])


def test_train_and_evaluate(gnomon, texts, tmp_path):
    data = tmp_path / "texts.jsonl"
    rows = [{"sentences": t.sentences, "boundary": t.boundary, "domain": t.domain} for t in texts]
    data.write_text("\n".join(json.dumps(row) for row in rows))
    cache = tmp_path / "read"
    code, out, err = gnomon(
        "train", data, "-o", tmp_path / "new.npz", "--cache", cache, "--json", own_head=True
    )
    assert code == 0, err
    answer = json.loads(out)
    (figures,) = answer["figures"]
    assert figures["accuracy"] > 0.8
    assert list(cache.iterdir())
    code, out, _ = gnomon("evaluate", data, "--json")
    assert [row["name"] for row in json.loads(out)["figures"]] == ["all", "domain a", "domain b"]
    data.write_text("\n".join([*(json.dumps(row) for row in rows[:3]), '{"boundary": 1}']))
    code, _, err = gnomon("train", data, "-o", tmp_path / "no.npz", own_head=True)
    assert code == 4
    assert "row 4" in err


def test_a_head_learns_with_two_readers(gnomon, model, texts, tmp_path):
    other = tiny_model(tmp_path, "qwen2")
    data = tmp_path / "texts.jsonl"
    rows = [{"sentences": t.sentences, "boundary": t.boundary} for t in texts[:60]]
    data.write_text("\n".join(json.dumps(row) for row in rows))
    new = tmp_path / "new.npz"
    training = ["train", data, "-o", new, "--json", "--model"]
    code, out, err = gnomon(*training, other.source, own_head=True)
    assert code == 0, err
    assert json.loads(out)["figures"][0]["texts"] > 0
    learned = load_head(new)
    assert set(learned.readers) == {model.name, other.name}
    for reader in (model, other):
        notes = Detector(reader, learned, threads=1).detect("the moon at night. a cat.").notes
        assert not any("as reader" in note for note in notes)
    third = Detector(tiny_model(tmp_path, "qwen3"), learned, threads=1).detect("a cat. the moon.")
    assert any("figures are for tiny-" in note and " and tiny-" in note for note in third.notes)
    assert list(learned.calibrations) == [other.name, model.name]
    code, _, err = gnomon(*training, model.source, own_head=True)
    assert (code, "names of their own" in err) == (3, True)
    code, _, err = gnomon(*training, "smollm2", own_head=True)
    assert code == 3
    assert "One head learns from readers of one shape" in err
