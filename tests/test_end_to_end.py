"""The real command on the real embedded model, and on a tiny one through compression and back."""

import json
import subprocess
import sys

import pytest
from tiny_models_on_disk import tiny_model


def gnomon(*arguments, stdin=None):
    return subprocess.run(
        [sys.executable, "-m", "gnomon", *map(str, arguments)],
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )


def answer_of(*arguments):
    run = gnomon(*arguments, "--json")
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout)


def test_info_of_the_embedded_model():
    info = answer_of("info")
    assert info["architecture"] == "llama"
    assert info["parameters"] == 134_515_008
    assert info["size_bytes"] == 98_362_432


def test_the_embedded_model_reads_english():
    measured = answer_of("eval", "--max-windows", 2)
    assert measured["windows"] == 2
    assert measured["tokens"] == 2 * 511
    assert 15 < measured["perplexity"] < 35


def test_the_embedded_model_knows_a_capital():
    answer = answer_of(
        "generate", "--prompt", "What is the capital of France?", "--temperature", 0,
        "--max-tokens", 16,
    )  # fmt: skip
    assert "Paris" in answer["text"]


@pytest.mark.parametrize("codec", ["trellis", "aq", "int8"])
def test_a_tiny_model_there_and_back(codec, tmp_path, text_of_hens):
    tiny = tiny_model(tmp_path, "llama")
    folder = tmp_path / "small model"
    arguments = ("--calibration", text_of_hens, "--calibration-tokens", 2048)
    compressed = answer_of("compress", tiny.source, "-o", folder, "--codec", codec, *arguments)
    info = answer_of("info", folder)
    assert info["size_bytes"] == compressed["size_bytes"]
    before, after = (
        answer_of("eval", model, "--text", text_of_hens, "--window", 64, "--stride", 64,
                  "--max-windows", 8)["perplexity"]
        for model in (tiny.source, folder)
    )  # fmt: skip
    assert 0.7 < after / before < 1.4
    chat = gnomon("chat", folder, "--max-tokens", 4, "--seed", 1, stdin="the old hen\n/quit\n")
    assert chat.returncode == 0, chat.stderr
    assert "Traceback" not in chat.stderr


@pytest.fixture
def text_of_hens(tmp_path):
    path = tmp_path / "hens.txt"
    path.write_text("the old hen and the new hen told the tale ! " * 300, encoding="utf-8")
    return path
