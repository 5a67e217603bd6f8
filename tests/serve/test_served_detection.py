"""Where a machine took over, asked of a server."""

from __future__ import annotations

import math

import httpx
import pytest
from running_servers import serving

from gnomon.detect import Detector
from gnomon.detect.page import told
from gnomon.errors import UsageError
from gnomon.models import open_model, require_tokenizer
from gnomon.serve.detection import TextDetector

TEXT = (
    "The bus was late again, so I walked. My left shoe had a hole in it and the puddles found it "
    "one by one. By the bakery I gave up and bought a bun I did not want, mostly for the warmth "
    "of the bag. The city is a great place to live. The city is a great place to work. There are "
    "many things to do in the city. The city has many parks and many museums."
)


def ask(server, **body):
    with server.client as client:
        return client.post("/detect", json=body)


def test_the_answer_is_the_commands_own(smollm):
    answer = ask(smollm, text=TEXT, threshold=0.0)
    assert answer.status_code == 200
    said = answer.json()
    model = open_model(None)
    found = Detector(model, threads=1).detect(TEXT, threshold=0.0)
    expected = told(found, TEXT, reader=model.name)
    assert list(said) == list(expected)
    assert list(said["sentences"][0]) == list(expected["sentences"][0])
    for name in ("model", "said", "verdict", "boundary", "character", "word", "interval", "notes"):
        assert said[name] == expected[name]
    for name in ("begin", "end", "text"):
        assert [s[name] for s in said["sentences"]] == [s[name] for s in expected["sentences"]]
    assert said["posterior"] == pytest.approx(expected["posterior"], abs=1e-4)
    assert said["machine"] == pytest.approx(expected["machine"], abs=1e-4)
    assert smollm.metric('gnomon_texts_total{end="detected"}') >= 1


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"text": ""}, "at least 1 character"),
        ({"text": " \n\n "}, "no words"),
        ({"text": "A\0b. It is binary."}, "null characters"),
        ({"text": "It is so. " * 2001}, "2001 sentences; at most 2000"),
        ({"text": "a" * 200_001}, "at most 200000 characters"),
        ({"text": TEXT, "threshold": 2}, "less than or equal to 1"),
        ({"text": TEXT, "model": "gpt-9"}, "no model 'gpt-9'"),
        ({"text": TEXT, "head": "mine"}, "head"),
    ],
)
def test_what_the_detector_refuses(smollm, body, message):
    answer = ask(smollm, **body)
    assert answer.status_code in (400, 404)
    assert message in answer.json()["error"]["message"]


def test_too_many_sentences_are_refused_before_they_are_brought_into_form(monkeypatch):
    model = open_model(None)
    detector = TextDetector(model, require_tokenizer(model), context=512)
    monkeypatch.setattr("gnomon.detect.detection.normal_form", pytest.fail)
    with pytest.raises(UsageError, match="66000 sentences"):
        detector.work("a. " * 66_000, threshold=None, client="a", deadline_s=math.inf)


def test_a_model_that_the_head_did_not_learn_with(tiny_server):
    answer = ask(tiny_server, text=TEXT)
    assert answer.status_code == 400
    assert "this head learned with" in answer.json()["error"]["message"]


def test_it_asks_for_the_key(tiny):
    with serving(tiny, "--threads", 1, "--api-key", "sesame") as server:
        assert ask(server, text=TEXT).status_code == 401
        page = httpx.get(f"{server.address}/page/detection.js")
        assert page.headers["content-type"].startswith("text/javascript")
