"""Our own compressed folders: `gnomon.json` and the codes it speaks of."""

from __future__ import annotations

import json

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file
from small_checkpoints import write_folder

from gnomon import codecs
from gnomon.codecs.encoded import EncodedWeight
from gnomon.errors import ModelError
from gnomon.models.open_model import open_model

NAME = "model.layers.0.mlp.up_proj.weight"
LAYER = {
    "codec": "trellis",
    "shape": [96, 64],
    "settings": {"bits": 2, "input_seed": None, "output_seed": None},
    "relative_error": 0.02,  # the compressor's report; reading does not need it
}


@pytest.fixture
def folder(tmp_path, rng):
    """A llama whose first up_proj is replaced by codes."""
    state = write_folder(tmp_path, "llama")
    del state[NAME]
    state |= {
        "model.layers.0.mlp.up_proj.codes": rng.integers(0, 256, (2, 2, 8, 64), dtype=np.uint8),
        "model.layers.0.mlp.up_proj.table": rng.integers(-42, 43, (3, 16, 2)).astype(np.int8),
        "model.layers.0.mlp.up_proj.scales": np.array([0.01], np.float32),
    }
    save_file(state, tmp_path / "model.safetensors")
    write_json(tmp_path)
    return tmp_path


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def write_json(folder, *, layers=None, **overrides):
    content = {"format": "gnomon", "version": 2, "layers": layers or {NAME: LAYER}, "note": "x"}
    (folder / "gnomon.json").write_text(json.dumps(content | overrides))


def test_codes_are_gathered(folder):
    model = open_model(folder)
    stored = load_file(folder / "model.safetensors")
    encoded = model.weights.encoded(NAME)
    assert encoded is not None
    assert (encoded.codec, encoded.shape) == ("trellis", (96, 64))
    assert encoded.settings == LAYER["settings"]
    assert set(encoded.tensors) == {"codes", "table", "scales"}
    for key, tensor in encoded.tensors.items():
        np.testing.assert_array_equal(tensor, stored[f"model.layers.0.mlp.up_proj.{key}"])
        assert not tensor.flags.writeable
    assert model.weights.storage(NAME) == "trellis"
    assert model.weights.shape(NAME) == (96, 64)
    assert model.weights.size_bytes(NAME) == encoded.size_bytes
    assert model.provenance["note"] == "x"
    assert not [name for name in model.weights.names() if name.endswith((".codes", ".table"))]


def test_load_decodes(folder, monkeypatch):
    def decode(encoded: EncodedWeight) -> np.ndarray:
        return np.full(encoded.shape, encoded.tensors["scales"][0])

    monkeypatch.setattr(codecs, "decode", decode)
    loaded = open_model(folder).weights.load(NAME)
    np.testing.assert_array_equal(loaded, np.full((96, 64), np.float32(0.01)))


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_decoded_nan_is_refused(folder, monkeypatch, value):
    monkeypatch.setattr(codecs, "decode", lambda encoded: np.full(encoded.shape, value))
    with pytest.raises(ModelError, match="NaN"):
        open_model(folder).weights.load(NAME)


def test_decoded_shape_is_checked(folder, monkeypatch):
    monkeypatch.setattr(codecs, "decode", lambda encoded: np.zeros((2, 2), np.float32))
    with pytest.raises(ModelError, match=r"decodes to \[2, 2\]"):
        open_model(folder).weights.load(NAME)


def test_bias_of_a_coded_layer_stays_plain(folder):
    state = load_file(folder / "model.safetensors")
    name = "model.layers.0.self_attn.q_proj"
    codes = {"codes": np.zeros((128, 64), np.int8), "scales": np.ones(128, np.float32)}
    tensors = {f"{name}.{key}": tensor for key, tensor in codes.items()}
    tensors[f"{name}.bias"] = np.ones(128, np.float32)
    del state[f"{name}.weight"]
    save_file(state | tensors, folder / "model.safetensors")
    layer = {**LAYER, "codec": "int8", "shape": [128, 64]}
    write_json(folder, layers={NAME: LAYER, f"{name}.weight": layer})
    weights = open_model(folder).weights
    np.testing.assert_array_equal(weights.load(f"{name}.bias"), np.ones(128))
    encoded = weights.encoded(f"{name}.weight")
    assert encoded is not None
    assert set(encoded.tensors) == {"codes", "scales"}


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"version": 1}, "version 1"),
        ({"version": None}, "version None"),
        ({"format": "other"}, "format 'other'"),
        ({"layers": [1]}, "no object `layers`"),
        ({"layers": {NAME: 5}}, "not described"),
        ({"layers": {NAME: {"codec": "trellis", "shape": [96, 64]}}}, "not described"),
        ({"layers": {NAME: {**LAYER, "codec": "magic"}}}, "codec 'magic'; known: .*trellis"),
        ({"layers": {NAME: {**LAYER, "codec": None}}}, "codec None"),
        ({"layers": {NAME: {**LAYER, "shape": [96]}}}, r"shape of .* is \[96\]"),
        ({"layers": {NAME: {**LAYER, "shape": [96, -64]}}}, "shape of"),
        ({"layers": {NAME: {**LAYER, "shape": [64, 96]}}}, r"codes have the shape \[2, 2, 8, 64\]"),
        ({"layers": {NAME: {**LAYER, "settings": {"bits": [2]}}}}, "settings of"),
        ({"layers": {"model.layers.0.mlp.up_proj": LAYER}}, r"does not end in \.weight"),
        ({"layers": {"model.norm.weight": LAYER}}, "holds it plainly"),
        ({"layers": {"model.other.weight": LAYER}}, "no codes for it"),
    ],
)
def test_gnomon_json_that_cannot_be(folder, overrides, message):
    write_json(folder, **overrides)
    with pytest.raises(ModelError, match=message):
        open_model(folder)


@pytest.mark.parametrize("key", ["codes", "table", "scales"])
def test_codes_that_are_missing(folder, key):
    state = load_file(folder / "model.safetensors")
    del state[f"model.layers.0.mlp.up_proj.{key}"]
    save_file(state, folder / "model.safetensors")
    with pytest.raises(ModelError, match=f"up_proj.*its {key} are missing"):
        open_model(folder)


def test_codes_without_gnomon_json(folder):
    (folder / "gnomon.json").unlink()
    with pytest.raises(ModelError, match="missing"):
        open_model(folder)
    config = json.loads((folder / "config.json").read_text())
    config["quantization_config"] = {"quant_method": "gnomon"}
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(ModelError, match=r"its gnomon\.json is missing"):
        open_model(folder)
