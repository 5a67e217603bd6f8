"""A small block of a model, coded, with hidden states to run it on."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np
import torch
from tiny_models import our_copy, transformers_model

from gnomon.codecs import EncodedWeight
from gnomon.compress.rounding import WeightRounder
from gnomon.compress.torch_forward import PlainLayers, run_block
from gnomon.models import ModelConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class CodedBlock:
    """Block 0 of a tiny model before and after its linear layers were rounded."""

    config: ModelConfig
    weights: dict[str, np.ndarray]
    encoded: dict[str, EncodedWeight]
    plain: dict[str, np.ndarray]  # what is not coded
    hidden: np.ndarray  # float32 [sequences, time, hidden_size]
    target: np.ndarray  # the original's output for it


def coded_block(
    case: str, *, codec: str = "trellis", sequences: int = 16, scale_error: float = 0.0
) -> CodedBlock:
    """`scale_error` spoils every row's scale by a random factor, so that there is much to learn."""
    model = our_copy(transformers_model(case))
    prefix = "model.layers.0."
    weights = {
        name: model.weights.load(name) for name in model.weights.names() if name.startswith(prefix)
    }
    plain = {n: w for n, w in weights.items() if w.ndim == 1 or n.endswith("gate.weight")}
    encoded = {
        name: rounded(weight, codec=codec, seed=seed, scale_error=scale_error)
        for seed, (name, weight) in enumerate(weights.items())
        if name not in plain
    }
    rng = np.random.default_rng(2)
    hidden = rng.standard_normal((sequences, 11, model.config.hidden_size)).astype(np.float32)
    with torch.no_grad():
        target = run_block(model.config, 0, PlainLayers(weights), torch.from_numpy(hidden)).numpy()
    return CodedBlock(
        config=model.config,
        weights=weights,
        encoded=encoded,
        plain=plain,
        hidden=hidden,
        target=target,
    )


def rounded(
    weight: np.ndarray,
    *,
    codec: str = "trellis",
    seed: int,
    scale_error: float = 0.0,
    has_row_scales: bool = False,
) -> EncodedWeight:
    """A matrix, or a table whose rows have scales of their own, coded at two bits."""
    gram = np.eye(weight.shape[1], dtype=np.float32)
    rounder = WeightRounder(gram, codec=codec, bits=8 if codec == "int8" else 2, input_seed=9)
    output_seed = None if has_row_scales else seed
    encoded = rounder.encode(
        weight, output_seed=output_seed, seed=seed, has_row_scales=has_row_scales
    ).encoded
    if not scale_error:
        return encoded
    factors = np.exp(np.random.default_rng(seed).normal(0, scale_error, len(weight)))
    before = encoded.tensors["scales"]
    if before.size == 1:
        before = np.broadcast_to(before, len(weight))
    shape = (-1,) + (1,) * (before.ndim - 1)
    scales = (before * factors.reshape(shape)).astype(np.float32)
    return dataclasses.replace(encoded, tensors={**encoded.tensors, "scales": scales})
