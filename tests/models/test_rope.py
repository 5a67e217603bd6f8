"""Rotary frequencies against transformers' own functions."""

from __future__ import annotations

import numpy as np
import pytest
from transformers import LlamaConfig
from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS

from gnomon.errors import ModelError
from gnomon.models.rope import ROPE_TYPES, make_rope

HEAD_DIM, CONTEXT = 64, 4096
SCALINGS = {
    "linear": {"rope_type": "linear", "factor": 3.0},
    "dynamic": {"rope_type": "dynamic", "factor": 2.0},
    "yarn": {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 1024},
    "yarn, all options": {
        "rope_type": "yarn",
        "factor": 8.0,
        "original_max_position_embeddings": 512,
        "beta_fast": 20,
        "beta_slow": 2,
        "mscale": 0.7,
        "mscale_all_dim": 0.9,
        "truncate": False,
    },
    "yarn, attention factor": {
        "rope_type": "yarn",
        "factor": 4.0,
        "original_max_position_embeddings": 1024,
        "attention_factor": 1.3,
    },
    "llama3": {
        "rope_type": "llama3",
        "factor": 8.0,
        "low_freq_factor": 1.0,
        "high_freq_factor": 4.0,
        "original_max_position_embeddings": 1024,
    },
}


@pytest.mark.parametrize("name", list(SCALINGS))
@pytest.mark.parametrize("theta", [10_000.0, 500_000.0])
def test_formula_is_transformers(name, theta):
    parameters = {**SCALINGS[name], "rope_theta": theta}
    config = LlamaConfig(
        hidden_size=4 * HEAD_DIM,
        num_attention_heads=4,
        max_position_embeddings=CONTEXT,
        rope_parameters=dict(parameters),
    )
    expected, amplitude = ROPE_INIT_FUNCTIONS[parameters["rope_type"]](config)
    rope = make_rope(parameters, head_dim=HEAD_DIM, max_context=CONTEXT)
    assert rope.inverse_frequencies.dtype == np.float32
    np.testing.assert_allclose(rope.inverse_frequencies, expected.numpy(), rtol=2e-6)
    assert rope.amplitude == pytest.approx(amplitude)


def test_every_type_is_tested():
    assert {s["rope_type"] for s in SCALINGS.values()} | {"default"} == set(ROPE_TYPES)


def test_default_is_the_papers():
    rope = make_rope({"rope_theta": 100.0}, head_dim=4, max_context=8)
    np.testing.assert_allclose(rope.inverse_frequencies, [1.0, 0.1], rtol=1e-7)


def test_factors_divide():
    rope = make_rope({"rope_theta": 100.0}, head_dim=4, max_context=8, factors=[2.0, 5.0])
    np.testing.assert_allclose(rope.inverse_frequencies, [0.5, 0.02], rtol=1e-6)


@pytest.mark.parametrize(
    ("parameters", "factors", "message"),
    [
        ({"rope_type": "longrope", "rope_theta": 1e4}, None, "longrope"),
        ({"rope_type": "linear", "rope_theta": 1e4}, None, "factor"),
        ({"rope_type": "linear", "rope_theta": 1e4, "factor": 0}, None, "factor"),
        ({"rope_type": "llama3", "rope_theta": 1e4, "factor": 2}, None, "low_freq_factor"),
        ({"rope_theta": float("nan")}, None, "rope_theta"),
        ({"rope_theta": True}, None, "rope_theta"),
        ({"rope_theta": 10**400}, None, "rope_theta"),
        ({"rope_theta": 1e4, "a": 1}, None, "have a but no rope_type"),
        ({"rope_theta": 1e4}, [10**400, 1.0], "gnomon_rope_factors"),
        ({"rope_theta": 1e4, "partial_rotary_factor": 0.5}, None, "partial_rotary_factor"),
        ({"rope_theta": 1e4}, [1.0], "gnomon_rope_factors"),
        ({"rope_theta": 1e4}, [1.0, 0.0], "gnomon_rope_factors"),
        ({"rope_theta": 1e4}, ["x", 1.0], "gnomon_rope_factors"),
    ],
)
def test_nonsense_is_refused(parameters, factors, message):
    with pytest.raises(ModelError, match=message):
        make_rope(parameters, head_dim=4, max_context=64, factors=factors)
