"""GGUF files of every architecture read back as the checkpoints they were made from."""

from __future__ import annotations

import gguf
import numpy as np
import pytest
from gguf import GGMLQuantizationType as Type
from small_checkpoints import (
    MODEL_TYPES,
    ggml_tensors,
    hf_config,
    state_dict,
    write_gguf,
    write_one_tensor,
)

from gnomon.errors import ModelError
from gnomon.models.gguf_reader import read_gguf
from gnomon.models.open_model import open_model


@pytest.mark.parametrize("model_type", MODEL_TYPES)
def test_reads_back_what_was_converted(tmp_path, model_type):
    path = tmp_path / "model.gguf"
    state = write_gguf(path, model_type)
    model = open_model(path)
    assert set(model.weights.names()) == set(state)
    for name, expected in state.items():
        loaded = model.weights.load(name)
        assert loaded.dtype == np.float32
        assert loaded.flags.c_contiguous
        assert model.weights.shape(name) == expected.shape
        assert model.weights.encoded(name) is None
        np.testing.assert_allclose(loaded, expected, rtol=0, atol=3e-7, err_msg=name)
        if "norm" not in name:
            np.testing.assert_array_equal(loaded, expected, err_msg=name)


@pytest.mark.parametrize("model_type", MODEL_TYPES)
def test_config_is_that_of_hugging_face(tmp_path, model_type):
    write_gguf(tmp_path / "model.gguf", model_type)
    given = read_gguf(tmp_path / "model.gguf").hf_config
    expected = hf_config(model_type)
    if model_type == "gemma3_text":
        del expected["hidden_act"]
    assert {key: given[key] for key in expected} == expected


def test_one_tensor_for_each_expert(tmp_path):
    """Files from before 2024-04 do not stack the experts."""
    state = state_dict("mixtral")
    tensors = ggml_tensors(state, model_type="mixtral")
    for name in [name for name in tensors if "_exps" in name]:
        for index, expert in enumerate(tensors.pop(name)):
            tensors[name.replace("_exps", f".{index}")] = expert
    write_gguf(tmp_path / "model.gguf", "mixtral", tensors=tensors)
    weights = open_model(tmp_path / "model.gguf").weights
    for name, expected in state.items():
        np.testing.assert_array_equal(weights.load(name), expected, err_msg=name)


@pytest.mark.parametrize(
    "kind", ["F16", "BF16", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0", "TQ1_0", "TQ2_0", "MXFP4"]
)
def test_quantised_types(tmp_path, kind):
    """Every type the gguf package can write: decoded, then put into Hugging Face's row order."""
    quantization = Type[kind]
    coded = np.random.default_rng(1).standard_normal((64, 256), dtype=np.float32)
    data = gguf.quants.quantize(coded, quantization)
    write_one_tensor(tmp_path / "model.gguf", "blk.0.attn_v.weight", data, quantization)
    weights = read_gguf(tmp_path / "model.gguf").weights
    name = "model.layers.0.self_attn.v_proj.weight"
    assert weights.storage(name) == kind
    assert weights.size_bytes(name) == data.nbytes
    np.testing.assert_array_equal(weights.load(name), gguf.quants.dequantize(data, quantization))
    assert np.corrcoef(weights.load(name).ravel(), coded.ravel())[0, 1] > 0.6


def test_every_type_gguf_can_decode_is_read(tmp_path):
    """Zero bytes of each type; the package cannot write k- and i-quants, but it can read them."""
    undecodable = set()
    for kind, (block, size) in gguf.GGML_QUANT_SIZES.items():
        path = tmp_path / f"{kind.name}.gguf"
        write_one_tensor(path, "output_norm.weight", np.zeros((3, size), np.uint8), kind)
        try:
            values = read_gguf(path).weights.load("model.norm.weight")
        except ModelError:
            undecodable.add(kind.name)
        else:
            assert values.shape == (3, block)
    assert undecodable <= {"Q8_1", "Q8_K", "I8", "I16", "I32", "I64", "Q1_0"}


def test_stacked_experts_share_the_size(tmp_path):
    state = write_gguf(tmp_path / "model.gguf", "mixtral", quantization=Type.Q8_0)
    weights = open_model(tmp_path / "model.gguf").weights
    total = sum(weights.size_bytes(name) for name in state)
    assert 0.9 < total / (tmp_path / "model.gguf").stat().st_size < 1
    name = "model.layers.1.block_sparse_moe.experts.2.w2.weight"
    np.testing.assert_allclose(weights.load(name), state[name], atol=0.02)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_refuses_nan(tmp_path, bad):
    tensors = ggml_tensors(state_dict("llama"), model_type="llama")
    tensors["blk.1.ffn_up.weight"][3, 5] = bad
    write_gguf(tmp_path / "model.gguf", "llama", tensors=tensors)
    weights = open_model(tmp_path / "model.gguf").weights
    weights.load("model.layers.0.mlp.up_proj.weight")
    with pytest.raises(ModelError, match=r"model\.layers\.1\.mlp\.up_proj\.weight holds NaN"):
        weights.load("model.layers.1.mlp.up_proj.weight")


def test_unknown_architecture_lists_the_known(tmp_path):
    write_gguf(tmp_path / "model.gguf", "llama", general__architecture="mamba")
    with pytest.raises(ModelError, match=r"unknown architecture 'mamba'.*llama, qwen2"):
        open_model(tmp_path / "model.gguf")


def test_unknown_tensor(tmp_path):
    tensors = ggml_tensors(state_dict("llama"), model_type="llama")
    tensors["blk.0.attn_sinks.weight"] = np.ones(4, np.float32)
    write_gguf(tmp_path / "model.gguf", "llama", tensors=tensors)
    with pytest.raises(ModelError, match="attn_sinks"):
        open_model(tmp_path / "model.gguf")


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"llama__block_count": 3}, "tensors are missing: model.layers.2"),
        ({"llama__block_count": 1000}, "num_hidden_layers is 1000, but the tensors allow"),
        ({"llama__attention__head_count": 0}, "head_count is 0"),
        ({"llama__attention__head_count": 8}, r"q_proj\.weight has the shape"),
        ({"llama__attention__key_length": 4096}, "head_dim is 4096, but the tensors allow"),
        ({"llama__attention__key_length": None}, r"q_proj\.weight has the shape"),
        ({"llama__embedding_length": "many"}, "embedding_length is 'many'"),
        ({"llama__rope__freq_base": float("nan")}, "freq_base is nan"),
        ({"llama__rope__dimension_count": 16}, "dimension_count is 16"),
        ({"llama__attention__layer_norm_rms_epsilon": None}, "epsilon is 'missing'"),
        ({"llama__attention__head_count_kv": [2, 4]}, "head_count_kv is a list of 2"),
        ({"split__count": 3}, "split into 3 files"),
    ],
)
def test_metadata_that_cannot_be(tmp_path, overrides, message):
    write_gguf(tmp_path / "model.gguf", "llama", **overrides)
    with pytest.raises(ModelError, match=message):
        open_model(tmp_path / "model.gguf")


def test_missing_tensor_is_an_error_of_the_model(tmp_path):
    write_gguf(tmp_path / "model.gguf", "llama")
    weights = open_model(tmp_path / "model.gguf").weights
    for ask in (weights.load, weights.shape, weights.storage, weights.size_bytes, weights.encoded):
        with pytest.raises(ModelError, match="no tensor named nothing"):
            ask("nothing")
