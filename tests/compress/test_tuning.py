"""Tuning brings a rounded block nearer to the original, and never leaves it worse."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from coded_blocks import coded_block

from gnomon.codecs import decode
from gnomon.compress.torch_forward import PlainLayers, run_block
from gnomon.compress.training import TrainingOptions
from gnomon.compress.tuning import relative_error, tune_block

OPTIONS = TrainingOptions(tokens=5000, passes=30, batch_tokens=44, learning_rate=0.02, checks=4)


def tune(block, options=OPTIONS, **changes):
    given = {"hidden": block.hidden, "target": block.target, "plain": block.plain} | changes
    return tune_block(block.config, 0, encoded=block.encoded, options=options, seed=5, **given)


@pytest.mark.parametrize("codec", ["trellis", "aq"])
def test_tuned_block_answers_better(codec):
    block = coded_block("llama", codec=codec, scale_error=0.3)
    tuned = tune(block)
    assert tuned.after < 0.9 * tuned.before
    assert tuned.trouble is None
    matrices = {name: decode(weight) for name, weight in tuned.encoded.items()}
    layers = PlainLayers(block.plain | matrices | dict(tuned.vectors))
    target = torch.from_numpy(block.target)
    outputs = run_block(block.config, 0, layers, torch.from_numpy(block.hidden))
    before = PlainLayers(block.plain | {n: decode(w) for n, w in block.encoded.items()})
    untuned = run_block(block.config, 0, before, torch.from_numpy(block.hidden))
    assert relative_error(outputs, target) < 0.9 * relative_error(untuned, target)


def test_same_seed_same_result():
    block = coded_block("qwen2_yarn")
    one, two = tune(block), tune(block)
    assert one.after == two.after
    for name, weight in one.encoded.items():
        for key, tensor in weight.tensors.items():
            assert np.array_equal(tensor, two.encoded[name].tensors[key])


def test_parts_of_a_batch_teach_what_the_batch_does(monkeypatch):
    block = coded_block("llama", scale_error=0.3)
    time = block.hidden.shape[1]
    options = dataclasses.replace(OPTIONS, batch_tokens=3 * time)

    def losses(tokens):
        monkeypatch.setattr("gnomon.compress.training.PART_TOKENS", tokens)
        said = []
        tuned = tune(block, options, on_progress=lambda progress: said.append(progress.detail))
        return tuned, [float(detail.split()[1].rstrip(",")) for detail in said]

    whole, expected = losses(3 * time)
    for tokens in (1, 2 * time):  # parts of one sequence, and of two and one
        parts, found = losses(tokens)
        assert parts.tokens == whole.tokens
        assert found == pytest.approx(expected, rel=1e-2)
        assert parts.after == pytest.approx(whole.after, rel=1e-2)


def test_a_loss_that_explodes_falls_back():
    block = coded_block("llama")
    tuned = tune(block, dataclasses.replace(OPTIONS, learning_rate=1e4))
    assert tuned.trouble is not None
    assert "loss" in tuned.trouble
    assert tuned.after <= tuned.before
    assert all(np.isfinite(decode(weight)).all() for weight in tuned.encoded.values())


def test_training_that_brings_too_little_ends_early_and_changes_nothing():
    block = coded_block("llama", scale_error=0.3)
    enough = tune(block, dataclasses.replace(OPTIONS, least_gain=0.01, patience=1))
    assert enough.is_better
    little = tune(block, dataclasses.replace(OPTIONS, least_gain=0.99, patience=1))
    assert not little.is_better
    assert 0 < little.tokens < enough.tokens / 2
    assert little.encoded is block.encoded
    assert not little.vectors


def test_inputs_that_are_no_numbers_leave_the_block_as_it_was():
    block = coded_block("llama")
    hidden = block.hidden.copy()
    hidden[3:] = np.nan
    tuned = tune(block, hidden=hidden)
    assert tuned.trouble is not None
    assert tuned.encoded is block.encoded


def test_one_sequence_is_too_little_to_tune_on():
    block = coded_block("llama", sequences=1)
    assert tune(block).tokens == 0
