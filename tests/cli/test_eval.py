"""`gnomon eval` with tasks, with several models, and with figures from elsewhere."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

CHOICE = {"question": "q", "choices": ["a", "b"], "answer": 0}


@pytest.fixture
def data(tmp_path: Path) -> str:
    folder = tmp_path / "zeroshot"
    folder.mkdir()
    (folder / "piqa.jsonl").write_text(f"{json.dumps(CHOICE)}\n" * 3)
    (folder / "lambada_test.jsonl").write_text('{"text": "two words"}\n' * 2)
    return str(tmp_path)


def test_tasks_beside_perplexity(gnomon, house, data):
    arguments = ["eval", "--task", "piqa", "--task", "lambada", "--data", data]
    result = gnomon(*arguments, "--json").json
    assert result["perplexity"] == 21.44
    assert list(result["tasks"]) == ["piqa", "lambada"]
    assert result["tasks"]["piqa"]["questions"] == 3
    assert result["tasks"]["piqa"]["normalised_accuracy"] == 0.7
    assert result["tasks"]["lambada"]["accuracy"] == 0.5
    house.accuracies = [0.8, 0.5]
    run = gnomon(*arguments)
    assert "80.00 ± 10.00" in run.stdout
    assert "measuring perplexity" in run.stderr
    assert "lambada 0/2" in run.stderr


def test_tasks_alone_and_a_few_questions_of_them(gnomon, house, data):
    result = gnomon(
        *("eval", "--task", "piqa", "--data", data, "--limit", "2", "--no-perplexity", "--json")
    ).json
    assert "perplexity" not in result
    assert result["tasks"]["piqa"]["questions"] == 2
    assert house.windows == []


def test_a_file_as_a_task(gnomon, house, data):
    path = Path(data) / "zeroshot" / "piqa.jsonl"
    path = path.rename(path.with_name("mine.jsonl"))
    result = gnomon("eval", "--task", str(path), "--no-perplexity", "--json").json
    assert list(result["tasks"]) == ["mine"]


def test_models_side_by_side(gnomon, house, data):
    models = ["original=a.gguf", "ours=out/b"]
    arguments = ["eval", *models, "--task", "piqa", "--task", "lambada", "--data", data]
    result = gnomon(*arguments, "--json").json
    assert house.opened == ["a.gguf", "out/b"]
    assert [each["label"] for each in result["models"]] == ["original", "ours"]
    first, second = result["comparison"]
    assert first == {
        "label": "original",
        "perplexity_ratio": 1.0,
        "accuracy_ratios": {"piqa": 1.0, "lambada": 1.0},
        "quality_kept": 1.0,
    }
    assert second["accuracy_ratios"] == {"piqa": pytest.approx(0.5), "lambada": 1.0}
    assert second["quality_kept"] == pytest.approx(0.75)
    house.accuracies = [0.8, 0.5, 0.4, 0.5]
    run = gnomon(*arguments)
    assert "Quality kept (%)" in run.stdout
    assert "75.0" in run.stdout
    assert "ours: piqa 0/3" in run.stderr


def test_a_peer_stands_in_the_table(gnomon, house, data, tmp_path):
    arguments = ["eval", "original=a.gguf", "--task", "piqa", "--data", data]
    peer = gnomon(*arguments, "--json").json | {"label": "llama.cpp Q2_K", "perplexity": 42.88}
    peer["tasks"]["piqa"]["accuracy"] = 0.6
    (tmp_path / "peer.json").write_text(json.dumps(peer))
    house.accuracies = [0.8, 0.8]
    run = gnomon(*arguments, "--peer", str(tmp_path / "peer.json"))
    assert "llama.cpp Q2_K" in run.stdout
    assert "2.000" in run.stdout
    result = gnomon(*arguments, "--peer", str(tmp_path / "peer.json"), "--json").json
    assert result["comparison"][1]["quality_kept"] == pytest.approx(0.75)
    # What is printed can be a peer again.
    (tmp_path / "both.json").write_text(json.dumps(result))
    house.accuracies = [0.8]
    again = gnomon(*arguments, "--peer", str(tmp_path / "both.json"), "--json").json
    assert [each["label"] for each in again["models"]] == ["original", "original", "llama.cpp Q2_K"]
    assert again["models"][2]["perplexity"] == 42.88


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"windows": 3}, "windows is 2 and 3"),
        ({"score_from": "half"}, "score_from is start and half"),
        ({"text_sha256": "0"}, "text_sha256"),
        ({"tasks": {"piqa": {"questions": 9, "accuracy": 0.5}}}, "3 questions of piqa"),
        ({"perplexity": "low"}, "perplexity is 'low'"),
        ({"tasks": {"piqa": {"questions": 3}}}, "task piqa: accuracy is None"),
    ],
)
def test_what_was_measured_otherwise_is_refused(gnomon, house, data, tmp_path, change, message):
    arguments = ["eval", "--task", "piqa", "--data", data]
    (tmp_path / "peer.json").write_text(json.dumps(gnomon(*arguments, "--json").json | change))
    run = gnomon(*arguments, "--peer", str(tmp_path / "peer.json"))
    assert run.exit_code == 4
    assert message in " ".join(run.stderr.split())
    assert run.stdout == ""


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"models": []}', '{"label": "x"}'])
def test_a_file_without_figures(gnomon, house, tmp_path, content):
    (tmp_path / "peer.json").write_text(content)
    run = gnomon("eval", "--peer", str(tmp_path / "peer.json"))
    assert run.exit_code == 4
    assert "peer.json" in run.stderr
    assert house.opened == []


def test_half_windows_begin_with_bos_where_the_model_does(gnomon, house, monkeypatch):
    gnomon("eval", "--score-from", "half")
    assert house.windows == [("half", None)]
    plain = type(house.tokenizer).encode
    monkeypatch.setattr(
        type(house.tokenizer), "encode", lambda self, text, **more: [1, *plain(self, text)]
    )
    run = gnomon("eval", "--score-from", "half")
    assert house.windows[1:] == [("half", 1)]
    assert "second halves" in run.stdout
    gnomon("eval")
    assert house.windows[-1] == ("start", None)


@pytest.mark.parametrize(
    ("arguments", "message", "exit_code"),
    [
        (["--score-from", "half", "--stride", "128"], "exclude each other", 2),
        (["--no-perplexity"], "give a --task", 2),
        (["--task", "piqa"], "needs a folder", 2),
        (["--task", "hellaswag"], "there is no task 'hellaswag'", 2),
        (["--task", "none.jsonl"], "cannot read none.jsonl", 4),
        (["--task", "piqa", "--data", "{data}/none"], "has no piqa.jsonl", 4),
    ],
)
def test_what_cannot_be_measured(gnomon, house, data, monkeypatch, arguments, message, exit_code):
    monkeypatch.delenv("GNOMON_DATA", raising=False)
    run = gnomon("eval", *(argument.replace("{data}", data) for argument in arguments))
    assert run.exit_code == exit_code
    assert message in " ".join(run.stderr.split())
    assert house.opened == []
