"""Codes move where the loss says so, never to a worse model, and are what is stored."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from coded_blocks import coded_block
from rounded_models import task

from gnomon.codecs import decode
from gnomon.compress.moving import MovingOptions, Slope, move_codes, move_model, moved_codes
from gnomon.compress.student import Student
from gnomon.compress.torch_forward import PlainLayers, run_block


@pytest.fixture
def block():
    return coded_block("llama", sequences=192)


def squared_error(block, layers, sequences):
    """The sum over tokens of the error of the block's output."""
    hidden, target = (torch.from_numpy(array[sequences]) for array in (block.hidden, block.target))
    return (run_block(block.config, 0, layers, hidden) - target).square().sum()


def move(block, student, **changes):
    def kept_loss(module):
        with torch.no_grad():
            return float(squared_error(block, module, slice(128, 192)))

    halves = (
        [lambda: squared_error(block, student, slice(0, 64))],
        [lambda: squared_error(block, student, slice(64, 128))],
    )
    given = {"before": kept_loss(student), "kept_loss": kept_loss, "curvature": 0.2} | changes
    return move_codes(student, names=block.encoded, halves=halves, **given)


def test_loss_falls_and_the_codes_decode_to_it(block):
    student = Student(block.encoded, block.plain)
    moved = move(block, student)
    assert moved.after < 0.993 * moved.before
    assert 0 < moved.share < 1
    decoded = {name: decode(weight) for name, weight in moved.encoded.items()}
    layers = PlainLayers(block.plain | decoded)
    stored = float(squared_error(block, layers, slice(128, 192)))
    assert stored == pytest.approx(moved.after, rel=0.01)  # scales are stored in float16


def test_a_loss_that_does_not_fall_puts_every_code_back(block):
    student = Student(block.encoded, block.plain)
    moved = move(block, student, before=0.0)
    assert (moved.share, moved.after) == (0.0, 0.0)
    for name, weight in block.encoded.items():
        assert np.array_equal(weight.tensors["codes"], moved.encoded[name].tensors["codes"])
        assert student.coded[name].observer is None


def test_slope_is_the_gradient_by_the_values(block):
    student = Student(block.encoded, block.plain)
    name = "model.layers.0.mlp.down_proj.weight"
    layer = student.coded[name]
    layer.observer = slope = Slope(layer)
    squared_error(block, student, slice(0, 64)).backward()
    values = layer.values.float()
    change = torch.from_numpy(np.random.default_rng(0).normal(size=values.shape)).float()
    losses = []
    with torch.no_grad():
        for factor in (0.5, -0.5):
            layer.values = values + factor * change
            losses.append(float(squared_error(block, student, slice(0, 64))))
    expected = losses[0] - losses[1]
    assert float((slope.gradients[0] * change).sum()) == pytest.approx(expected, rel=0.01)


def test_a_token_with_a_huge_gradient_counts_as_curvature_alone(block):
    name, encoded = next(iter(block.encoded.items()))
    layer = Student({name: encoded}, {}).coded[name]
    rows, columns = encoded.shape
    rng = np.random.default_rng(0)
    x, gradient = (torch.from_numpy(rng.normal(size=(64, n))).float() for n in (columns, rows))
    usual, slope = Slope(layer), Slope(layer)
    usual(x[1:], gradient[1:])
    gradient[0] *= 1e3
    slope(x, gradient)
    assert torch.allclose(slope.gradients[0], usual.gradients[0], rtol=1e-3, atol=1e-3)
    assert slope.gram.trace() > 1e3 * usual.gram.trace()


def test_no_slope_moves_nothing(block):
    name, encoded = next(iter(block.encoded.items()))
    layer = Student({name: encoded}, {}).coded[name]
    codes, values = moved_codes(encoded, layer.values.numpy(), Slope(layer), curvature=1.0)
    assert np.array_equal(codes, encoded.tensors["codes"])
    assert np.array_equal(values, layer.values.numpy())


def test_a_whole_model_moves_nearer_to_the_original():
    given = task("llama_tied", sequences=120).arguments
    options = MovingOptions(tokens=96 * 13, rounds=2, blocks=1, curvature=64.0)
    moved = move_model(**given, options=options)
    assert moved.after < 0.995 * moved.before


def test_one_sequence_is_too_little_to_move_codes_by():
    moved = move_model(**task("llama_tied", sequences=1).arguments)
    assert (moved.share, moved.after) == (0.0, moved.before)
