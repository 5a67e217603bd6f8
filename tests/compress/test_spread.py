"""Compression to a mean width or to a size: met, resumed with the same choice, and written down."""

import json
from dataclasses import replace

import numpy as np
import pytest
from tiny_models_on_disk import tiny_model

from gnomon.cli import main
from gnomon.compress import CompressOptions, compress, compressor
from gnomon.compress.job import partial_folder
from gnomon.engine import Engine
from gnomon.errors import OutputError, UsageError
from gnomon.models import open_model

HEADS = ("model.embed_tokens.weight", "lm_head.weight")


def widths(result):
    """Bits a weight without what pads a matrix as small as these, which doubles some."""
    said = json.loads((result.output / "gnomon.json").read_text())
    return {name: entry["settings"].get("bits", 8) for name, entry in said["layers"].items()}


@pytest.mark.parametrize("model_type", ["llama", "mixtral", "gemma3_text"])
def test_a_mean_width_is_met_and_the_model_runs(model_type, tmp_path, options):
    model = tiny_model(tmp_path, model_type)
    result = compress(model, tmp_path / "out", options=replace(options, bits=2.8))
    blocks = [layer for layer in result.layers if layer.name not in HEADS]
    weights = sum(layer.shape[0] * layer.shape[1] for layer in blocks)
    spent = sum(layer.bits_per_weight * layer.shape[0] * layer.shape[1] for layer in blocks)
    assert 2.8 * 0.98 < spent / weights <= 2.8
    assert len({widths(result)[layer.name] for layer in blocks}) > 1
    assert {bits for name, bits in widths(result).items() if name in HEADS} == {4}
    logits = Engine(open_model(result.output)).session(16).forward(np.array([3, 4, 5], np.int32))
    assert logits.shape == (model.config.vocab_size,)


@pytest.mark.parametrize(
    ("effort", "size_bytes"),
    [("quick", 40_000), ("quick", 52_345), ("standard", 43_210), ("max", 60_000)],
)
def test_a_size_is_met(size_bytes, effort, tiny, tmp_path, options):
    options = replace(options, size_bytes=size_bytes, effort=effort)
    result = compress(tiny, tmp_path / "out", options=options)
    assert result.size_bytes == (tmp_path / "out" / "model.safetensors").stat().st_size
    assert 0.97 * size_bytes < result.size_bytes <= size_bytes  # of layers as small as these


def test_more_effort_spreads_bits_unasked(tiny, tmp_path, options):
    asked = replace(options, effort="standard", bits=2)
    chosen = compress(tiny, tmp_path / "out", options=replace(asked, bits=None))
    assert open_model(chosen.output).provenance["options"]["bits"] == 2.1
    # Of matrices as small as these not even two bits are that few: what is possible will do.
    plan = open_model(chosen.output).provenance["notes"]["plan"]
    assert plan["mean_bits"] > 2.1
    assert {bits for name, bits in plan["bits"].items() if name not in HEADS} == {2}
    assert asked.target is None
    assert replace(asked, bits=2.1).target.is_asked
    with pytest.raises(UsageError, match=r"2\.1 bits a weight were asked for"):
        compress(tiny, tmp_path / "out2", options=replace(asked, bits=2.1))


def test_the_choice_is_written_down(tiny, tmp_path, options):
    result = compress(tiny, tmp_path / "out", options=replace(options, size_bytes=45_000))
    said = json.loads((tmp_path / "out" / "gnomon.json").read_text())
    assert said["options"]["size_bytes"] == 45_000
    plan = said["notes"]["plan"]
    assert {name: bits for name, bits in plan["bits"].items() if bits < 16} == widths(result)
    assert set(plan["sensitivity"]) >= set(plan["bits"])
    assert plan["size_bytes"] >= result.size_bytes


def test_a_resumed_run_keeps_to_the_choice(tiny, tmp_path, options, monkeypatch):
    options = replace(options, bits=3.3)
    compress(tiny, tmp_path / "whole", options=options)
    expected = (tmp_path / "whole" / "model.safetensors").read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr(compressor.Compressor, "round_block", interrupt)
        with pytest.raises(KeyboardInterrupt):
            compress(tiny, tmp_path / "out", options=options)
    assert (partial_folder(tmp_path / "out") / "plan.json").exists()
    monkeypatch.setattr(compressor, "measure_importance", interrupt)  # which is not measured again
    compress(tiny, tmp_path / "out", options=options, resume=True)
    assert (tmp_path / "out" / "model.safetensors").read_bytes() == expected


def interrupt(*arguments, **named):
    raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("changes", "difference"),
    [({"bits": 3.4}, "bits"), ({"bits": None, "size_bytes": 50_000}, "size")],
)
def test_another_target_is_another_run(changes, difference, tiny, tmp_path, options, monkeypatch):
    options = replace(options, bits=3.3)
    with monkeypatch.context() as patch:
        patch.setattr(compressor.Compressor, "round_block", interrupt)
        with pytest.raises(KeyboardInterrupt):
            compress(tiny, tmp_path / "out", options=options)
    with pytest.raises((UsageError, OutputError), match=difference):
        compress(tiny, tmp_path / "out", options=replace(options, **changes), resume=True)


@pytest.mark.parametrize(
    "changes", [{"size_bytes": 0}, {"size_bytes": 10**9}, {"bits": 4.7}, {"bits": float("nan")}]
)
def test_what_cannot_be_is_said_before_anything_is_done(changes, tiny, tmp_path, options):
    with pytest.raises(UsageError, match="can have from"):
        compress(tiny, tmp_path / "out", options=replace(options, **changes))
    assert not partial_folder(tmp_path / "out").exists()


@pytest.mark.parametrize(
    "wrong",
    [
        {"bits": 2, "size_bytes": 50_000},
        {"codec": "aq", "bits": 2.3},
        {"codec": "int8", "size_bytes": 50_000},
    ],
)
def test_options_that_make_no_sense(wrong):
    with pytest.raises(UsageError):
        CompressOptions(**wrong)


def test_the_command_shows_the_choice(tiny, text, tmp_path, capsys):
    folder, page = tmp_path / "out", tmp_path / "report.html"
    arguments = ["compress", str(tiny.source), "-o", str(folder), "--calibration", str(text)]
    arguments += ["--calibration-tokens", "2048", "--size", "42kB", "--report", str(page)]
    assert main(arguments) == 0
    assert "2 bits in" in capsys.readouterr().out
    assert (folder / "model.safetensors").stat().st_size <= 42_000
    assert "Which layers got more bits" in page.read_text()
    assert main(["info", str(folder), "--json"]) == 0
    bits = json.loads(capsys.readouterr().out)["bits"]
    plan = json.loads((folder / "gnomon.json").read_text())["notes"]["plan"]["bits"]
    assert bits["down_proj"] == [plan[f"model.layers.{i}.mlp.down_proj.weight"] for i in range(2)]
    assert main(["info", str(folder)]) == 0
    line = next(line for line in capsys.readouterr().out.splitlines() if "down_proj" in line)
    assert "".join(f"{width:.0f}" for width in bits["down_proj"]) in line
