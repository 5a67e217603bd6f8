"""Folders in Hugging Face's `aqlm` format: what is read, and what is wrong with others."""

from __future__ import annotations

import json

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file
from small_checkpoints import write_folder

from gnomon.codecs import EncodedWeight
from gnomon.codecs.aq import encoded_weight
from gnomon.errors import ModelError
from gnomon.models import open_model
from gnomon.models.aqlm_format import quantization_config

NAME = "model.layers.0.mlp.up_proj"
SETTINGS = {
    "quant_method": "aqlm",
    "in_group_size": 8,
    "out_group_size": 1,
    "num_codebooks": 2,
    "nbits_per_codebook": 8,
    "linear_weights_not_to_quantize": ["model.embed_tokens.weight", "lm_head.weight"],
}


def random_layer(out: int, in_: int, *, books: int = 2, code_bits: int = 8) -> EncodedWeight:
    rng = np.random.default_rng(0)
    return encoded_weight(
        rng.integers(0, 1 << code_bits, (out, in_ // 8, books)),
        rng.standard_normal((books, 1 << code_bits, 8)),
        rng.uniform(0.5, 2, out),
        code_bits=code_bits,
    )


@pytest.fixture
def folder(tmp_path):
    """A llama whose first up_proj is coded."""
    state = write_folder(tmp_path, "llama", quantization_config=SETTINGS)
    del state[f"{NAME}.weight"]
    encoded = random_layer(96, 64)
    save_file(
        state | {f"{NAME}.{key}": tensor for key, tensor in encoded.tensors.items()},
        tmp_path / "model.safetensors",
    )
    return tmp_path


def configure(folder, **changes):
    path = folder / "config.json"
    config = json.loads(path.read_text())
    config["quantization_config"] |= changes
    path.write_text(json.dumps(config))


def change(folder, key, tensor):
    """One tensor of the coded layer; None takes it away."""
    state = load_file(folder / "model.safetensors")
    del state[f"{NAME}.{key}"]
    if tensor is not None:
        state[f"{NAME}.{key}"] = tensor
    save_file(state, folder / "model.safetensors")


def test_coded_layers_are_found_without_gnomon_json(folder):
    weights = open_model(folder).weights
    encoded = weights.encoded(f"{NAME}.weight")
    assert encoded is not None
    assert (encoded.codec, encoded.shape) == ("aq", (96, 64))
    expected = random_layer(96, 64)
    for key, tensor in expected.tensors.items():
        np.testing.assert_array_equal(encoded.tensors[key], tensor)
    assert weights.size_bytes(f"{NAME}.weight") == expected.size_bytes
    assert weights.encoded("model.layers.0.mlp.gate_proj.weight") is None
    assert weights.load(f"{NAME}.weight").shape == (96, 64)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"in_group_size": 16}, "16 inputs by 1 outputs; 8 by 1 is what is read"),
        ({"out_group_size": 2}, "8 inputs by 2 outputs"),
        ({"nbits_per_codebook": 17}, "nbits_per_codebook is 17; up to 16"),
        (
            {"nbits_per_codebook": 12},
            r"codebooks has the shape \[2, 256, 1, 8\].*\[2, 4096, 1, 8\]",
        ),
        ({"num_codebooks": 1}, r"codes has the shape \[96, 8, 2\]"),
        ({"num_codebooks": 0}, "num_codebooks 0, not a whole number"),
        ({"in_group_size": "8"}, "in_group_size '8'"),
        ({"quant_method": "gptq"}, "quantised with 'gptq'.*AQLM"),
    ],
)
def test_settings_that_are_not_read(changes, message, folder):
    configure(folder, **changes)
    with pytest.raises(ModelError, match=message):
        open_model(folder)


@pytest.mark.parametrize(
    ("key", "tensor", "message"),
    [
        ("codes", None, r"no tensor is called \*\.codes"),
        ("codebooks", None, "its codebooks are missing"),
        ("scales", None, "its scales are missing"),
        ("codes", np.zeros((96, 8), np.int8), r"codes has the shape \[96, 8\]"),
        ("codes", np.zeros((96, 7, 2), np.int8), r"\[96, 56\]"),
        ("codes", np.zeros((96, 8, 2), np.int16), "its codes are int16, int8 was expected"),
        ("codebooks", np.zeros((2, 256, 8), np.float16), r"codebooks has the shape \[2, 256, 8\]"),
        ("codebooks", np.zeros((2, 256, 1, 8), np.int16), "its codebooks are int16"),
        ("scales", np.zeros((96, 1), np.float16), r"its scales have the shape \[96, 1\]"),
    ],
)
def test_damaged_layers(key, tensor, message, folder):
    change(folder, key, tensor)
    with pytest.raises(ModelError, match=message):
        open_model(folder)


def test_codes_out_of_range_name_the_layer(tmp_path):
    state = write_folder(
        tmp_path,
        "llama",
        quantization_config=SETTINGS | {"num_codebooks": 1, "nbits_per_codebook": 12},
    )
    del state[f"{NAME}.weight"]
    tensors = dict(random_layer(96, 64, books=1, code_bits=12).tensors)
    tensors["codes"][5, 5, 0] = 3000
    save_file(
        state | {f"{NAME}.{key}": tensor for key, tensor in tensors.items()},
        tmp_path / "model.safetensors",
    )
    model = open_model(tmp_path)
    with pytest.raises(ModelError, match="up_proj.*to 3000, those of 12 bits"):
        model.weights.load(f"{NAME}.weight")
    from gnomon.engine import Engine

    with pytest.raises(ModelError, match="up_proj.*to 3000, those of 12 bits"):
        Engine(model, threads=1)


def test_codebooks_in_bfloat16(folder):
    """Some tools save everything so; the values are the upper halves of float32."""
    import struct

    path = folder / "model.safetensors"
    before = open_model(folder).weights.load(f"{NAME}.weight")
    change(folder, "scales", np.full((96, 1, 1, 1), 1.5, np.float32))
    raw = bytearray(path.read_bytes())
    (length,) = struct.unpack("<Q", raw[:8])
    header = json.loads(raw[8 : 8 + length])
    entry = header[f"{NAME}.scales"]
    start, end = entry["data_offsets"]
    body = bytearray(raw[8 + length :])
    body[start:end] = b"\xc0\x3f" * 96 + body[start + 192 : end]
    entry["dtype"], entry["data_offsets"] = "BF16", [start, start + 192]
    header["spare.rotary_emb.inv_freq"] = {
        "dtype": "U8",
        "shape": [end - start - 192],
        "data_offsets": [start + 192, end],
    }
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + body)
    after = open_model(folder).weights.load(f"{NAME}.weight")
    scales = random_layer(96, 64).tensors["scales"].astype(np.float32).reshape(-1, 1)
    np.testing.assert_allclose(after / 1.5, before / scales, rtol=1e-5)


def test_what_config_json_says_of_a_folder_of_ours():
    layer = random_layer(96, 64)
    assert quantization_config({f"{NAME}.weight": layer}) == {
        **SETTINGS,
        "linear_weights_not_to_quantize": ["lm_head.weight", "lm_head"],
    }
    int8 = EncodedWeight(codec="int8", shape=(8, 8), tensors={})
    for others in (
        {"lm_head.weight": layer},  # transformers takes the head as it is
        {"model.embed_tokens.weight": int8},
        {"model.layers.1.mlp.up_proj.weight": random_layer(96, 64, books=3)},
        {"model.layers.0.block_sparse_moe.experts.0.w1.weight": layer},
    ):
        assert quantization_config({f"{NAME}.weight": layer, **others}) == {
            "quant_method": "gnomon"
        }
    assert quantization_config({}) == {"quant_method": "gnomon"}
