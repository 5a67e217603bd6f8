"""A student computes what its codes decode to, before and after something was learned."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from coded_blocks import coded_block
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_models import CASES

from gnomon.codecs import decode
from gnomon.codecs.layout import require_layout
from gnomon.codecs.rotation import hadamard
from gnomon.compress.student import Student
from gnomon.compress.torch_forward import PlainLayers, run_block
from gnomon.compress.torch_rotation import rotate


@settings(deadline=None, max_examples=40)
@given(width=st.integers(1, 300) | st.sampled_from([576, 1024, 1536]), seed=st.integers(0, 99))
def test_rotation_equals_numpy(width, seed):
    x = np.random.default_rng(seed).standard_normal((2, 3, width)).astype(np.float32)
    np.testing.assert_allclose(rotate(torch.from_numpy(x)).numpy(), hadamard(x), atol=2e-5)


def decoded_output(block, student):
    """The block's output with the matrices and vectors that would be stored."""
    matrices = {name: decode(weight) for name, weight in student.encoded().items()}
    layers = PlainLayers(block.plain | matrices | student.vectors())
    return run_block(block.config, 0, layers, torch.from_numpy(block.hidden)).detach().numpy()


@pytest.mark.parametrize(
    ("case", "codec"),
    [(case, "trellis") for case in CASES] + [("llama", "aq"), ("llama", "int8")],
)
def test_what_is_learned_is_what_is_stored(case, codec):
    block = coded_block(case, codec=codec, sequences=2)
    student = Student(block.encoded, block.plain)
    hidden = torch.from_numpy(block.hidden)
    for spread in (0.0, 0.05):
        torch.manual_seed(4)
        with torch.no_grad():
            for parameter in student.parameters():
                parameter += spread * torch.randn_like(parameter)
            ours = run_block(block.config, 0, student, hidden).numpy()
        error = np.linalg.norm(ours - decoded_output(block, student))
        assert error < 2e-3 * np.linalg.norm(ours)  # scales are stored in float16


@pytest.mark.parametrize("codec", ["trellis", "aq", "int8"])
def test_storing_again_changes_nothing(codec):
    block = coded_block("llama", codec=codec)
    once = Student(block.encoded, {}).encoded()
    again = Student(once, {}).encoded()
    for name, weight in once.items():
        require_layout(weight, name=name, source="memory")
        for key, tensor in weight.tensors.items():
            assert tensor.dtype == again[name].tensors[key].dtype
            assert np.array_equal(tensor, again[name].tensors[key]), (name, key)


def test_every_parameter_gets_a_gradient():
    block = coded_block("qwen2_yarn")
    student = Student(block.encoded, block.plain)
    run_block(block.config, 0, student, torch.from_numpy(block.hidden)).square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().max() > 0 for p in student.parameters())
