from __future__ import annotations

import math

import numpy as np
import pytest

from gnomon.errors import ModelError
from gnomon.models.architectures import ARCHITECTURES, linear_groups, parse_config

LLAMA = {
    "model_type": "llama",
    "vocab_size": 1000,
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 512,
    "rms_norm_eps": 1e-5,
    "rope_theta": 5000.0,
}
GEMMA3 = {
    "model_type": "gemma3_text",
    "hidden_size": 64,
    "num_hidden_layers": 4,
    "sliding_window": 16,
    "sliding_window_pattern": 2,
    "rope_theta": 1e6,
    "rope_local_base_freq": 1e4,
    "rope_scaling": {"rope_type": "linear", "factor": 8.0},
}


def test_llama():
    config = parse_config(LLAMA)
    assert config.architecture == "llama"
    assert (config.num_layers, config.head_dim, config.num_kv_heads) == (2, 16, 2)
    assert config.attention_scale == pytest.approx(0.25)
    assert not config.is_head_tied
    assert all(layer.sliding_window is None for layer in config.layers)
    assert config.ropes[0].inverse_frequencies[1] == pytest.approx(5000 ** (-1 / 8))


def test_both_generations_of_rope_keys_mean_the_same():
    scaling = {"type": "linear", "factor": 2.0}
    old = parse_config({**LLAMA, "rope_scaling": scaling})
    new_keys = {k: v for k, v in LLAMA.items() if k != "rope_theta"}
    new_keys["rope_parameters"] = {"rope_type": "linear", "factor": 2.0, "rope_theta": 5000.0}
    new = parse_config(new_keys)
    np.testing.assert_array_equal(
        old.ropes[0].inverse_frequencies, new.ropes[0].inverse_frequencies
    )


def test_gemma3_of_both_generations():
    old = parse_config(GEMMA3)
    keys = {k: v for k, v in GEMMA3.items() if not k.startswith(("rope", "sliding_window_p"))}
    keys["layer_types"] = ["sliding_attention", "full_attention"] * 2
    keys["rope_parameters"] = {
        "full_attention": {"rope_type": "linear", "factor": 8.0, "rope_theta": 1e6},
        "sliding_attention": {"rope_type": "default", "rope_theta": 1e4},
    }
    new = parse_config(keys)
    for config in (old, new):
        assert [layer.sliding_window for layer in config.layers] == [16, None, 16, None]
        full, local = config.ropes
        assert config.layers[1].rope_index == 0
        assert full.inverse_frequencies[0] == pytest.approx(1 / 8)
        assert local.inverse_frequencies[0] == 1.0
        assert config.embedding_scale == pytest.approx(8.0)
        assert config.norm_offset == 1.0
        assert config.has_qk_norm
        assert config.has_post_norms
        assert config.is_head_tied
        assert config.activation == "gelu_tanh"
        assert config.attention_scale == pytest.approx(1 / 16)


def test_gemma3_with_images_is_read_for_its_text_part():
    config = parse_config({"model_type": "gemma3", "text_config": GEMMA3, "vision_config": {}})
    assert config.architecture == "gemma3"
    assert config.num_layers == 4
    assert (config.vocab_size, config.head_dim) == (262_208, 256)


def test_qwen_windows_only_if_asked_for():
    qwen = {**LLAMA, "model_type": "qwen2", "sliding_window": 32, "max_window_layers": 1}
    assert all(layer.sliding_window is None for layer in parse_config(qwen).layers)
    windowed = parse_config({**qwen, "use_sliding_window": True})
    assert [layer.sliding_window for layer in windowed.layers] == [None, 32]


def test_mistral_windows_are_everywhere_or_nowhere():
    mistral = {**LLAMA, "model_type": "mistral"}
    assert [layer.sliding_window for layer in parse_config(mistral).layers] == [4096, 4096]
    without = parse_config({**mistral, "sliding_window": None})
    assert [layer.sliding_window for layer in without.layers] == [None, None]


def test_qwen3_has_its_own_head_size():
    config = parse_config({**LLAMA, "model_type": "qwen3"})
    assert config.head_dim == 128
    assert config.has_qk_norm


def test_rope_factors_reach_the_frequencies():
    plain, divided = parse_config(LLAMA), parse_config({**LLAMA, "gnomon_rope_factors": [2.0] * 8})
    np.testing.assert_allclose(
        divided.ropes[0].inverse_frequencies * 2, plain.ropes[0].inverse_frequencies, rtol=1e-6
    )


def test_unknown_architecture_names_the_known_ones():
    with pytest.raises(ModelError, match=r"'gpt2'.*gemma3, llama, mistral, mixtral, qwen2, qwen3"):
        parse_config({"model_type": "gpt2"})
    with pytest.raises(ModelError, match="None"):
        parse_config({})
    with pytest.raises(ModelError, match="list"):
        parse_config([])  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"hidden_size": None}, "hidden_size"),
        ({"hidden_size": 0}, "hidden_size"),
        ({"hidden_size": "64"}, "hidden_size"),
        ({"hidden_size": 66}, "head_dim"),
        ({"vocab_size": 10**12}, "vocab_size"),
        ({"num_hidden_layers": -1}, "num_hidden_layers"),
        ({"num_hidden_layers": True}, "num_hidden_layers"),
        ({"num_key_value_heads": 3}, "num_key_value_heads"),
        ({"head_dim": 15}, "head_dim"),
        ({"rms_norm_eps": 2.0}, "rms_norm_eps"),
        ({"rms_norm_eps": float("nan")}, "rms_norm_eps"),
        ({"hidden_act": "relu"}, "hidden_act"),
        ({"tie_word_embeddings": "yes"}, "tie_word_embeddings"),
        ({"rope_scaling": [1]}, "rope_scaling"),
        ({"rope_scaling": {"a": 1}}, "have a but no rope_type"),
        ({"rope_scaling": {"factor": 8.0}}, "have factor but no rope_type"),
        ({"rope_theta": 10**400}, "rope_theta"),
        ({"query_pre_attn_scalar": 10**400}, "query_pre_attn_scalar"),
        ({"rope_scaling": {"rope_type": "longrope", "factor": 2.0}}, "longrope"),
        ({"rope_parameters": {"rope_theta": 7.0}}, "contradicts"),
        ({"partial_rotary_factor": 0.5}, "partial_rotary_factor"),
        ({"gnomon_rope_factors": 3}, "gnomon_rope_factors"),
        ({"model_type": "qwen2", "layer_types": ["sliding_attention"] * 2}, "contradicts"),
        ({"model_type": "qwen2", "layer_types": ["full_attention"]}, "layer_types"),
        ({"model_type": "mixtral", "num_experts_per_tok": 9}, "num_experts_per_tok"),
        ({"model_type": "gemma3_text", "use_bidirectional_attention": True}, "causal"),
    ],
)
def test_missing_contradictory_and_absurd_keys(change, message):
    with pytest.raises(ModelError, match=message):
        parse_config({**LLAMA, **change})


def test_linear_groups_share_an_input():
    groups = linear_groups(parse_config(LLAMA), 1)
    assert [len(group.names) for group in groups] == [3, 1, 2, 1]
    assert groups[0].names[0] == "model.layers.1.self_attn.q_proj.weight"
    assert groups[2].names == (
        "model.layers.1.mlp.gate_proj.weight",
        "model.layers.1.mlp.up_proj.weight",
    )
    assert len({group.site for group in groups}) == 4


def test_linear_groups_of_experts():
    mixtral = {**LLAMA, "model_type": "mixtral", "num_local_experts": 3}
    groups = linear_groups(parse_config(mixtral), 0)
    assert [group.expert for group in groups] == [None, None, 0, 0, 1, 1, 2, 2]
    assert groups[3].names == ("model.layers.0.block_sparse_moe.experts.0.w2.weight",)


def test_the_table_is_complete():
    assert math.prod(len(a.model_types) for a in ARCHITECTURES.values()) == 2
