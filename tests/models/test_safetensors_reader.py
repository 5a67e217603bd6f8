"""Hugging Face folders, whole and damaged."""

from __future__ import annotations

import json
import struct
from contextlib import suppress

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.numpy import load_file, save_file
from safetensors.torch import save_file as save_torch_file
from small_checkpoints import MODEL_TYPES, hf_config, state_dict, write_folder

from gnomon.errors import ModelError
from gnomon.models.open_model import open_model
from gnomon.models.safetensors_header import read_safetensors_header
from gnomon.models.safetensors_reader import read_folder

FUZZ = settings(
    deadline=None,
    derandomize=True,
    max_examples=300,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


def write_shards(folder, state):
    """Two shards and their index, as transformers writes them."""
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(hf_config("llama")))
    names = sorted(state)
    shards = {"model-00001-of-00002.safetensors": names[::2]}
    shards["model-00002-of-00002.safetensors"] = names[1::2]
    for shard, members in shards.items():
        save_file({name: state[name] for name in members}, folder / shard)
    weight_map = {name: shard for shard, members in shards.items() for name in members}
    index = {"metadata": {"total_size": 0}, "weight_map": weight_map}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))


def safetensors_bytes(header, data: bytes = b"") -> np.ndarray:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return np.frombuffer(struct.pack("<Q", len(text)) + text + data, np.uint8)


@pytest.mark.parametrize("model_type", MODEL_TYPES)
def test_reads_a_folder(tmp_path, model_type):
    state = write_folder(tmp_path / "m", model_type)
    model = open_model(tmp_path / "m")
    assert (model.name, model.tokenizer, model.provenance) == ("m", None, {})
    assert set(model.weights.names()) == set(state)
    for name, expected in state.items():
        np.testing.assert_array_equal(model.weights.load(name), expected)
        assert model.weights.storage(name) == "F32"
        assert model.weights.size_bytes(name) == expected.nbytes


@pytest.mark.parametrize(
    ("dtype", "storage"),
    [
        (torch.float64, "F64"), (torch.float32, "F32"), (torch.float16, "F16"),
        (torch.bfloat16, "BF16"), (torch.float8_e4m3fn, "F8_E4M3"), (torch.float8_e5m2, "F8_E5M2"),
    ],
)  # fmt: skip
def test_dtypes_are_those_of_torch(tmp_path, dtype, storage):
    state = {name: torch.tensor(values).to(dtype) for name, values in state_dict("llama").items()}
    (tmp_path / "config.json").write_text(json.dumps(hf_config("llama")))
    save_torch_file(state, tmp_path / "model.safetensors")
    weights = open_model(tmp_path).weights
    for name, expected in state.items():
        assert weights.storage(name) == storage
        np.testing.assert_array_equal(weights.load(name), expected.float().numpy())


@pytest.mark.parametrize("dtype", [torch.float8_e4m3fn, torch.float8_e5m2])
def test_every_fp8_code(tmp_path, dtype):
    codes = torch.arange(256, dtype=torch.uint8).view(dtype)
    codes = codes[codes.float().isfinite()]
    (tmp_path / "config.json").write_text("{}")
    save_torch_file({"codes": codes}, tmp_path / "model.safetensors")
    np.testing.assert_array_equal(
        read_folder(tmp_path).weights.load("codes"), codes.float().numpy()
    )


def test_reads_shards(tmp_path):
    state = state_dict("llama")
    write_shards(tmp_path / "m", state)
    weights = open_model(tmp_path / "m").weights
    for name, expected in state.items():
        np.testing.assert_array_equal(weights.load(name), expected)


def test_missing_shard(tmp_path):
    write_shards(tmp_path / "m", state_dict("llama"))
    (tmp_path / "m" / "model-00002-of-00002.safetensors").unlink()
    with pytest.raises(ModelError, match="1 of its 2 shards are missing: model-00002-of-00002"):
        open_model(tmp_path / "m")


def test_index_names_what_the_shard_lacks(tmp_path):
    write_shards(tmp_path / "m", state_dict("llama"))
    shard = tmp_path / "m" / "model-00002-of-00002.safetensors"
    tensors = load_file(shard)
    gone = sorted(tensors)[0]
    del tensors[gone]
    save_file(tensors, shard)
    with pytest.raises(ModelError, match=f"lacks {gone}"):
        open_model(tmp_path / "m")


@pytest.mark.parametrize(
    "shard", ["../other.safetensors", "/etc/passwd", "a/b", "..", "", "a\\b", "a\0b", 5, None]
)  # fmt: skip
def test_index_cannot_leave_the_folder(tmp_path, shard):
    write_shards(tmp_path / "m", state_dict("llama"))
    index = tmp_path / "m" / "model.safetensors.index.json"
    content = json.loads(index.read_text())
    content["weight_map"]["model.norm.weight"] = shard
    index.write_text(json.dumps(content))
    with pytest.raises(ModelError, match="no file name"):
        open_model(tmp_path / "m")


def test_every_truncation(tmp_path):
    write_folder(tmp_path, "llama")
    path = tmp_path / "model.safetensors"
    whole = path.read_bytes()
    for position in [*range(0, 3000, 7), *range(len(whole) - 1, 3000, -4999)]:
        path.write_bytes(whole[:position])
        with pytest.raises(ModelError, match=r"model\.safetensors"):
            open_model(tmp_path)
    path.write_bytes(whole + b"\0")
    with pytest.raises(ModelError, match="should meet"):
        open_model(tmp_path)


@FUZZ
@given(data=st.data())
def test_flipped_bytes(tmp_path, data):
    if not (tmp_path / "config.json").exists():
        write_folder(tmp_path, "llama")
        (tmp_path / "whole").write_bytes((tmp_path / "model.safetensors").read_bytes())
    content = bytearray((tmp_path / "whole").read_bytes())
    end = 8 + int.from_bytes(content[:8], "little")
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, end - 1))] = data.draw(st.integers(0, 255))
    (tmp_path / "model.safetensors").write_bytes(content)
    with suppress(ModelError):
        model = open_model(tmp_path)
        for name in model.weights.names():
            model.weights.load(name)


ONE = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (np.zeros(0, np.uint8), "not a whole"),
        (np.frombuffer(b"GGUF\x03", np.uint8), "not a whole"),
        (np.frombuffer(struct.pack("<Q", 2**63) + b"{}", np.uint8), "not a whole"),
        (safetensors_bytes(b"[1]"), "a JSON list"),
        (safetensors_bytes(b"{nonsense}"), "not valid JSON"),
        (safetensors_bytes(b"\xff\xff"), "not valid JSON"),
        (safetensors_bytes(b'{"a":' * 100_000), "not valid JSON"),
        (safetensors_bytes(b'{"a": ' + b"9" * 5000 + b"}"), "not valid JSON"),
        (safetensors_bytes(b'{"a": 1, "a": 1}'), "twice"),
        (safetensors_bytes({"a": 5}), "not described"),
        (safetensors_bytes({"a": {**ONE, "extra": 1}}, bytes(8)), "not described"),
        (safetensors_bytes({"a": {**ONE, "dtype": "Q4"}}, bytes(8)), "unknown dtype 'Q4'"),
        (safetensors_bytes({"a": {**ONE, "dtype": ["F32"]}}, bytes(8)), "unknown dtype"),
        (safetensors_bytes({"a": {**ONE, "shape": [-2]}}, bytes(8)), "shape of a"),
        (safetensors_bytes({"a": {**ONE, "shape": [True, 2]}}, bytes(8)), "shape of a"),
        (safetensors_bytes({"a": {**ONE, "shape": [2.0]}}, bytes(8)), "shape of a"),
        (safetensors_bytes({"a": {**ONE, "shape": [2**62] * 8}}, bytes(8)), "needs"),
        (safetensors_bytes({"a": {**ONE, "data_offsets": [8, 0]}}, bytes(8)), "span -8"),
        (safetensors_bytes({"a": {**ONE, "data_offsets": [0]}}, bytes(8)), "data_offsets"),
        (safetensors_bytes({"a": {**ONE, "shape": [3]}}, bytes(8)), "needs 12 bytes"),
        (safetensors_bytes({"a": ONE}, bytes(7)), "cut short"),
        (safetensors_bytes({"a": ONE}, bytes(9)), "should meet"),
        (safetensors_bytes({"a": ONE, "b": ONE}, bytes(16)), "should meet"),
        (safetensors_bytes({"a": {**ONE, "data_offsets": [4, 12]}}, bytes(12)), "should meet"),
    ],
)
def test_absurd_headers(content, message):
    with pytest.raises(ModelError, match=message):
        read_safetensors_header(content, source="x")


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_refuses_nan(tmp_path, bad):
    state = write_folder(tmp_path, "llama")
    state["model.norm.weight"][1] = bad
    save_file(state, tmp_path / "model.safetensors")
    weights = open_model(tmp_path).weights
    with pytest.raises(ModelError, match=r"model\.norm\.weight holds NaN"):
        weights.load("model.norm.weight")


def test_integer_weights_are_somebody_elses_codes(tmp_path):
    state = write_folder(tmp_path, "llama")
    state["model.norm.weight"] = state["model.norm.weight"].astype(np.int8)
    save_file(state, tmp_path / "model.safetensors")
    with pytest.raises(ModelError, match="stored as I8"):
        open_model(tmp_path).weights.load("model.norm.weight")


@pytest.mark.parametrize("prefix", ["language_model.model.", "model.language_model."])
def test_names_of_multimodal_checkpoints(tmp_path, prefix):
    state = state_dict("gemma3_text")
    renamed = {name.replace("model.", prefix, 1): values for name, values in state.items()}
    renamed["vision_tower.embeddings.weight"] = np.ones(3, np.float32)
    renamed["model.multi_modal_projector.weight"] = np.ones(3, np.float32)
    (tmp_path / "config.json").write_text(json.dumps(hf_config("gemma3_text")))
    save_file(renamed, tmp_path / "model.safetensors")
    assert set(open_model(tmp_path).weights.names()) == set(state)


def test_stacked_experts_of_transformers_5(tmp_path):
    """What MixtralForCausalLM.save_pretrained(save_original_format=False) writes."""
    transformers = pytest.importorskip("transformers")
    config = transformers.MixtralConfig(**hf_config("mixtral"))
    torch.manual_seed(0)
    model = transformers.MixtralForCausalLM(config)
    model.save_pretrained(tmp_path / "plain")
    model.save_pretrained(tmp_path / "stacked", save_original_format=False)
    stored = load_file(tmp_path / "stacked" / "model.safetensors")
    assert "model.layers.0.mlp.experts.gate_up_proj" in stored
    plain, stacked = read_folder(tmp_path / "plain"), read_folder(tmp_path / "stacked")
    assert set(plain.weights.names()) == set(stacked.weights.names())
    for name in plain.weights.names():
        np.testing.assert_array_equal(plain.weights.load(name), stacked.weights.load(name))


def test_other_quantisations_are_refused(tmp_path):
    write_folder(tmp_path, "llama", quantization_config={"quant_method": "awq", "bits": 4})
    with pytest.raises(ModelError, match="quantised with 'awq'"):
        open_model(tmp_path)


def test_config_for_another_model(tmp_path):
    write_folder(tmp_path, "llama", num_hidden_layers=3)
    with pytest.raises(ModelError, match=r"9 of 30 tensors are missing: model\.layers\.2"):
        open_model(tmp_path)


@pytest.mark.parametrize("key", ["num_hidden_layers", "num_local_experts", "head_dim"])
def test_absurd_sizes_allocate_nothing(tmp_path, key):
    write_folder(tmp_path, "mixtral", **{key: 1000})
    with pytest.raises(ModelError, match=f"{key} is 1000, but the tensors allow"):
        open_model(tmp_path)


def test_only_pytorch_weights(tmp_path):
    write_folder(tmp_path, "llama")
    (tmp_path / "model.safetensors").rename(tmp_path / "pytorch_model.bin")
    with pytest.raises(ModelError, match=r"only pytorch_model\.bin: save it as safetensors"):
        open_model(tmp_path)
