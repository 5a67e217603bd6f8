"""What is learned after rounding, end to end on tiny models: it helps, it is kept, it resumes."""

from dataclasses import replace

import numpy as np
import pytest
from tiny_models_on_disk import tiny_model

from gnomon.compress import compress, distillation, tuning
from gnomon.compress.calibration import set_aside
from gnomon.compress.job import Job
from gnomon.compress.training import TrainingOptions
from gnomon.engine import Engine
from gnomon.errors import UsageError
from gnomon.models import open_model


def notes(result):
    return open_model(result.output).provenance["notes"]


@pytest.fixture
def longer(options, text):
    """Enough text for what the whole model learns on."""
    text.write_text(text.read_text() * 4, encoding="utf-8")
    return options


@pytest.mark.parametrize(
    ("model_type", "codec"), [("llama", "trellis"), ("mixtral", "trellis"), ("qwen2", "int8")]
)
def test_every_block_is_tuned(model_type, codec, tmp_path, options):
    model = tiny_model(tmp_path, model_type)
    bits = {"trellis": 2, "int8": 8}[codec]
    options = replace(options, codec=codec, bits=bits, effort="standard")
    result = compress(model, tmp_path / "out", options=options)
    tunings = [notes(result)[f"tuning {layer}"] for layer in range(model.config.num_layers)]
    assert all(tuned["after"] <= tuned["before"] for tuned in tunings)
    assert codec == "int8" or any(tuned["after"] < tuned["before"] for tuned in tunings)
    logits = Engine(open_model(result.output)).session(16).forward(np.array([3, 4, 5], np.int32))
    assert np.isfinite(logits).all()


def test_the_whole_model_learns(tiny, tmp_path, longer):
    longer = replace(longer, calibration_tokens=8192)
    result = compress(tiny, tmp_path / "out", options=replace(longer, effort="max"))
    first, moved, second = (
        notes(result)[name] for name in ("distillation 1", "moving", "distillation 2")
    )
    assert first["after"] < first["before"]
    assert first["tokens"] > 0
    assert moved["after"] <= moved["before"] == pytest.approx(first["after"], rel=0.01)
    assert second["after"] <= second["before"] == pytest.approx(moved["after"], rel=0.01)
    tuned = compress(tiny, tmp_path / "tuned", options=replace(longer, effort="standard"))
    files = [(each.output / "model.safetensors").read_bytes() for each in (result, tuned)]
    assert files[0] != files[1]


@pytest.mark.parametrize("stage", ["block", "distil"])
def test_an_interrupted_training_gives_the_same_bytes(stage, tiny, tmp_path, longer, monkeypatch):
    monkeypatch.setattr(Job, "load_state", counted := Counted(Job.load_state))
    monkeypatch.setattr(distillation, "OPTIONS", TrainingOptions(batch_tokens=256))
    options = replace(longer, effort="max")
    expected = compress(tiny, tmp_path / "expected", options=options).output / "model.safetensors"

    def interrupt(progress):
        if progress.stage == stage and progress.done == (1 if stage == "block" else 3):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        compress(tiny, tmp_path / "out", options=options, on_progress=interrupt)
    resumed = compress(tiny, tmp_path / "out", options=options, resume=True)
    assert (resumed.output / "model.safetensors").read_bytes() == expected.read_bytes()
    has_gone_on = any(state is not None for state in counted.results)
    assert has_gone_on == (stage == "distil")


class Counted:
    """A function that remembers what it gave."""

    def __init__(self, function):
        self.function, self.results = function, []

    def __get__(self, instance, owner):
        def call(*arguments):
            self.results.append(self.function(instance, *arguments))
            return self.results[-1]

        return call


def test_a_training_that_explodes_is_said_so_and_undone(tiny, tmp_path, options, monkeypatch):
    said = []
    monkeypatch.setattr(tuning, "OPTIONS", WILD)
    options = replace(options, effort="standard")
    wild = compress(tiny, tmp_path / "wild", options=options, on_progress=said.append)
    assert any("went back to the best state" in progress.detail for progress in said)
    tuned = notes(wild)["tuning 0"]
    assert "trouble" in tuned
    assert tuned["after"] <= tuned["before"]
    weights = open_model(wild.output).weights
    assert all(np.isfinite(weights.load(name)).all() for name in weights.names())


WILD = TrainingOptions(
    tokens=8192,
    passes=4.0,
    batch_tokens=512,
    learning_rate=1e6,
    held_out=0.25,
    checks=2,
    patience=9,
)


def test_without_torch_the_effort_is_refused_at_once(tiny, tmp_path, options, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "torch", None)
    with pytest.raises(UsageError, match=r"pip install -e '.\[compress\]'"):
        compress(tiny, tmp_path / "out", options=replace(options, effort="standard"))
    assert not (tmp_path / "out.partial").exists()
    compress(tiny, tmp_path / "out", options=options)


def test_what_judges_is_not_calibrated_on():
    sequences = np.arange(160).reshape(40, 4)
    used, judging = set_aside(sequences, seed=1)
    assert len(judging) == 2
    assert sorted([*used[:, 0], *judging[:, 0]]) == list(range(0, 160, 4))
    assert [len(part) for part in set_aside(sequences[:2], seed=1)] == [1, 1]
    assert all((part == sequences[:1]).all() for part in set_aside(sequences[:1], seed=1))


def test_distillation_is_not_asked_for_without_need(options):
    assert replace(options, effort="standard").distillation_tokens == 0
    assert replace(options, effort="max").distillation_tokens > 0


def test_an_unknown_effort_is_refused(options):
    with pytest.raises(UsageError, match="quick, standard, max"):
        replace(options, effort="heroic")
