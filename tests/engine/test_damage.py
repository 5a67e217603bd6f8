"""Numbers that are none: a damaged model must say so, and never answer with what looks right."""

import json

import numpy as np
import pytest
from safetensors.numpy import save_file
from small_checkpoints import write_folder

from gnomon.engine import Engine, generate, perplexity
from gnomon.errors import ModelError
from gnomon.models import open_model

BASE = "model.layers.0.mlp.up_proj"
SHAPE = [96, 64]
CODES = {
    "trellis": {
        "codes": np.zeros((2, 2, 8, 64), np.uint8),
        "table": np.zeros((3, 16, 2), np.int8),
        "scales": np.ones(96, np.float32),
    },
    "aq": {
        "codes": np.zeros((96, 8, 1), np.int8),
        "codebooks": np.ones((1, 256, 1, 8), np.float16),
        "scales": np.ones((96, 1, 1, 1), np.float16),
    },
    "int8": {"codes": np.zeros((96, 64), np.int8), "scales": np.ones(96, np.float32)},
}


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize(
    ("codec", "key"),
    [("trellis", "scales"), ("aq", "scales"), ("aq", "codebooks"), ("int8", "scales")],
)
def test_coded_layers_hold_numbers(tmp_path, codec, key, value):
    state = write_folder(tmp_path, "llama")
    del state[f"{BASE}.weight"]
    damaged = CODES[codec][key].copy()
    damaged.flat[5] = value
    tensors = CODES[codec] | {key: damaged}
    save_file(
        state | {f"{BASE}.{name}": tensor for name, tensor in tensors.items()},
        tmp_path / "model.safetensors",
    )
    settings = {"bits": 2, "input_seed": None, "output_seed": None}
    layer = {"codec": codec, "shape": SHAPE, "settings": settings}
    content = {"format": "gnomon", "version": 2, "layers": {f"{BASE}.weight": layer}}
    (tmp_path / "gnomon.json").write_text(json.dumps(content))
    model = open_model(tmp_path)
    with pytest.raises(ModelError, match=rf"up_proj\.{key} holds NaN"):
        Engine(model, threads=1)


@pytest.fixture
def overflowing(tmp_path):
    """Every weight is finite, the logits are not."""
    state = write_folder(tmp_path, "llama")
    state["lm_head.weight"] = np.full_like(state["lm_head.weight"], 3e38)
    save_file(state, tmp_path / "model.safetensors")
    return Engine(open_model(tmp_path), threads=1)


def test_logits_that_are_not_finite_are_never_sampled(overflowing):
    with pytest.raises(ModelError, match="logits are not finite after 3 tokens"):
        next(iter(generate(overflowing, [1, 2, 3])))
    with pytest.raises(ModelError, match="logits are not finite in window 1 of 2"):
        perplexity(overflowing, np.arange(16), window=8)


@pytest.mark.parametrize("token", [48, -1])
def test_tokens_of_another_model(tmp_path, token):
    write_folder(tmp_path, "llama")
    engine = Engine(open_model(tmp_path), threads=1)
    with pytest.raises(ModelError, match="tokenizer and the model do not fit"):
        perplexity(engine, [1, 2, token], window=2)
    assert perplexity(engine, [1, 2, 47], window=2).stride == 2
