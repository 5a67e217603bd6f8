"""RoPE scaling and gemma's particulars, from GGUF metadata to config.json."""

from __future__ import annotations

import math

import numpy as np
import pytest
from small_checkpoints import HEAD_DIM, ggml_tensors, state_dict, write_gguf

from gnomon.models.gguf_reader import read_gguf
from gnomon.models.rope_factors import llama3_factors, recover_llama3


def read_config(path, model_type="llama", *, factors=None, **overrides):
    tensors = ggml_tensors(state_dict(model_type), model_type=model_type)
    if factors is not None:
        tensors["rope_freqs.weight"] = np.asarray(factors, np.float32)
    write_gguf(path / "model.gguf", model_type, tensors=tensors, **overrides)
    return read_gguf(path / "model.gguf").hf_config


def converter_factors(*, head_dim, theta, factor, original_context):
    """convert_hf_to_gguf.py's loop for Llama 3, with its names."""
    freqs = 1.0 / (theta ** (np.arange(0, head_dim, 2, dtype=np.float32) / head_dim))
    result = []
    for freq in freqs.tolist():
        wavelen = 2 * math.pi / freq
        if wavelen < original_context / 4.0:
            result.append(1.0)
        elif wavelen > original_context / 1.0:
            result.append(factor)
        else:
            smooth = (original_context / wavelen - 1.0) / (4.0 - 1.0)
            result.append(1 / ((1 - smooth) / factor + smooth))
    return np.array(result, np.float32)


@pytest.mark.parametrize(
    ("head_dim", "theta", "factor"), [(128, 500000.0, 8.0), (64, 500000.0, 32.0)]
)
def test_llama3_factors_are_the_converters(head_dim, theta, factor):
    given = converter_factors(head_dim=head_dim, theta=theta, factor=factor, original_context=8192)
    np.testing.assert_allclose(
        llama3_factors(head_dim=head_dim, theta=theta, factor=factor), given, rtol=1e-5
    )
    scaling = recover_llama3(given, theta=theta)
    assert scaling == {
        "rope_type": "llama3",
        "factor": factor,
        "low_freq_factor": 1.0,
        "high_freq_factor": 4.0,
        "original_max_position_embeddings": 8192,
    }


def test_llama3_scaling_is_recovered_from_a_file(tmp_path):
    factors = converter_factors(
        head_dim=HEAD_DIM, theta=500000.0, factor=8.0, original_context=8192
    )
    config = read_config(tmp_path, factors=factors, llama__rope__freq_base=500000.0)
    assert config["rope_scaling"]["rope_type"] == "llama3"
    assert config["rope_scaling"]["factor"] == 8.0
    assert "gnomon_rope_factors" not in config


def test_other_factors_are_carried_along(tmp_path):
    factors = np.linspace(1, 3, HEAD_DIM // 2, dtype=np.float32)
    config = read_config(tmp_path, factors=factors)
    assert config["rope_scaling"] is None
    np.testing.assert_array_equal(config["gnomon_rope_factors"], factors)


def test_factors_of_one_change_nothing(tmp_path):
    config = read_config(tmp_path, factors=np.ones(HEAD_DIM // 2))
    assert config["rope_scaling"] is None
    assert "gnomon_rope_factors" not in config


def test_linear_scaling(tmp_path):
    keys = {"llama__rope__scaling__type": "linear", "llama__rope__scaling__factor": 4.0}
    assert read_config(tmp_path, **keys)["rope_scaling"] == {"rope_type": "linear", "factor": 4.0}


def test_linear_scaling_of_old_files(tmp_path):
    config = read_config(tmp_path, llama__rope__scale_linear=2.0)
    assert config["rope_scaling"] == {"rope_type": "linear", "factor": 2.0}


def test_yarn_scaling(tmp_path):
    config = read_config(
        tmp_path,
        "qwen2",
        qwen2__rope__scaling__type="yarn",
        qwen2__rope__scaling__factor=4.0,
        qwen2__rope__scaling__original_context_length=32768,
        qwen2__rope__scaling__yarn_beta_fast=16.0,
    )
    assert config["rope_scaling"] == {
        "rope_type": "yarn",
        "factor": 4.0,
        "original_max_position_embeddings": 32768,
        "beta_fast": 16.0,
    }


def test_gemma_layer_types_from_a_list(tmp_path):
    keys = {"gemma3__attention__sliding_window_pattern": [True, False]}
    config = read_config(tmp_path, "gemma3_text", **keys)
    assert config["layer_types"] == ["sliding_attention", "full_attention"]
    assert "sliding_window_pattern" not in config


def test_gemma_local_base(tmp_path):
    config = read_config(tmp_path, "gemma3_text", gemma3__rope__freq_base=1e6)
    assert (config["rope_theta"], config["rope_local_base_freq"]) == (1e6, 10000.0)


def test_mistral_is_told_by_its_window(tmp_path):
    config = read_config(tmp_path, llama__attention__sliding_window=4096)
    assert (config["model_type"], config["sliding_window"]) == ("mistral", 4096)


def test_float32_metadata_becomes_the_decimal_it_was(tmp_path):
    config = read_config(tmp_path, llama__attention__layer_norm_rms_epsilon=1e-6)
    assert config["rms_norm_eps"] == 1e-6
