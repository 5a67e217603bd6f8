"""Hugging Face's `aqlm` format both ways, against the `aqlm` package and transformers."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
import transformers
from aqlm_checkpoints import (
    QuantizedLinear,
    dequantize_forward,
    logits_of,
    quantized_model,
    save_quantized,
)
from safetensors.numpy import save_file
from tiny_models import (
    CASES,
    VOCABULARY,
    MemoryWeights,
    checkpoint_tensors,
    transformers_model,
)

from gnomon.codecs import decode
from gnomon.compress.aq_encoder import AqEffort, AqEncoder
from gnomon.compress.feedback import InputStatistics
from gnomon.engine import Engine
from gnomon.models import open_model
from gnomon.models.aqlm_format import quantization_config

QUICK = AqEffort(beam=1, width=8, rounds=1, last_rounds=1)
PROMPT = np.random.default_rng(5).integers(3, VOCABULARY, 29).astype(np.int32)


@pytest.fixture(autouse=True)
def plain_forward(monkeypatch):
    monkeypatch.setattr(QuantizedLinear, "forward", dequantize_forward)


def our_logits(model, threads: int) -> np.ndarray:
    engine = Engine(model, threads=threads)
    return engine.session(cache="float32").forward_all(PROMPT)


def assert_same(folder, expected: np.ndarray) -> None:
    """To 1e-4 of the largest logit once decoded, and bit for bit with any number of threads.

    Codes of a byte are looked up, which rounds; models of random weights make much of little.
    """
    model = open_model(folder)
    plain = {name: model.weights.load(name) for name in model.weights.names()}
    decoded = our_logits(dataclasses.replace(model, weights=MemoryWeights(plain)), 1)
    assert np.abs(decoded - expected).max() < 1e-4 * np.abs(expected).max()
    ours = our_logits(model, 1)
    assert np.linalg.norm(ours - expected) < 0.25 * np.linalg.norm(expected)
    for threads in (2, 3):
        np.testing.assert_array_equal(our_logits(model, threads), ours)


@pytest.mark.parametrize(
    ("books", "code_bits"), [(1, 16), (1, 15), (1, 12), (1, 8), (2, 8), (4, 8)]
)
def test_checkpoints_of_the_package_run(books, code_bits, tmp_path):
    model = quantized_model(books=books, code_bits=code_bits)
    save_quantized(model, tmp_path)
    assert_same(tmp_path, logits_of(model, PROMPT))
    weights = open_model(tmp_path).weights
    assert weights.storage("model.layers.0.mlp.up_proj.weight") == "aq"
    assert weights.encoded("lm_head.weight") is None


@pytest.mark.parametrize("is_tied", [False, True])
@pytest.mark.parametrize("has_bias", [False, True])
def test_heads_and_biases(is_tied, has_bias, tmp_path):
    model = quantized_model(books=2, code_bits=8, is_tied=is_tied, has_bias=has_bias)
    save_quantized(model, tmp_path)
    assert_same(tmp_path, logits_of(model, PROMPT))


@pytest.mark.parametrize("case", ["llama", "llama_tied", "qwen2_yarn"])
def test_what_we_write_loads_in_transformers(case, tmp_path):
    assert case in CASES
    reference = transformers_model(case)
    tensors = checkpoint_tensors(reference)
    rng = np.random.default_rng(1)
    encoded = {}
    for name, weight in tensors.items():
        if "_proj.weight" in name:
            x = rng.standard_normal((64, weight.shape[1])).astype(np.float32)
            encoder = AqEncoder(InputStatistics.from_gram(x.T @ x), QUICK)
            encoded[name] = encoder.encode(weight, codebooks=2, seed=0)
    stored = {
        name: values.astype(np.float16) for name, values in tensors.items() if name not in encoded
    }
    for name, weight in encoded.items():
        base = name.removesuffix(".weight")
        stored |= {f"{base}.{key}": tensor for key, tensor in weight.tensors.items()}
    save_file(stored, tmp_path / "model.safetensors", metadata={"format": "gnomon"})
    config = reference.config.to_dict() | {"quantization_config": quantization_config(encoded)}
    (tmp_path / "config.json").write_text(json.dumps(config))

    loaded, problems = transformers.AutoModelForCausalLM.from_pretrained(
        tmp_path, dtype="float32", attn_implementation="eager", output_loading_info=True
    )
    assert not any(problems.values()), problems
    assert isinstance(loaded.model.layers[0].mlp.up_proj, QuantizedLinear)
    expected = logits_of(loaded.eval(), PROMPT)
    assert_same(tmp_path, expected)
    for name, weight in encoded.items():
        error = decode(weight) - tensors[name]
        assert np.sum(error**2) < 0.2 * np.sum(tensors[name] ** 2)
