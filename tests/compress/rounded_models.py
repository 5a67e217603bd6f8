"""A tiny model, rounded, with tokens and the original's hidden states on them."""

from __future__ import annotations

import dataclasses

import numpy as np
from coded_blocks import rounded
from tiny_models import VOCABULARY, our_copy, transformers_model

from gnomon.compress.divergence import Teacher
from gnomon.models import forward


@dataclasses.dataclass
class Task:
    """What `distill` is asked for, and the original."""

    weights: dict
    arguments: dict


def task(case: str, *, head_codec: str | None = None, sequences: int = 10) -> Task:
    model = our_copy(transformers_model(case))
    config = model.config
    weights = {name: model.weights.load(name) for name in model.weights.names()}
    tables = {"model.embed_tokens.weight", "lm_head.weight"} & set(weights)
    encoded = {}
    for seed, (name, weight) in enumerate(weights.items()):
        if name in tables and head_codec is not None:
            encoded[name] = rounded(weight, codec=head_codec, seed=seed, has_row_scales=True)
        elif weight.ndim == 2 and name not in tables and not name.endswith("gate.weight"):
            encoded[name] = rounded(weight, seed=seed, scale_error=0.3)
    tokens = np.random.default_rng(4).integers(0, VOCABULARY, (sequences, 13))
    hidden = forward.embed(config, weights["model.embed_tokens.weight"], tokens)
    for layer in range(config.num_layers):
        hidden = forward.run_block(config, layer, weights, hidden)
    head = weights["model.embed_tokens.weight" if config.is_head_tied else "lm_head.weight"]
    arguments = {
        "config": config,
        "encoded": encoded,
        "plain": {name: weight for name, weight in weights.items() if name not in encoded},
        "tokens": tokens,
        "kept": max(1, sequences // 5),
        "teacher": Teacher(hidden=hidden, norm=weights["model.norm.weight"], head=head),
        "seed": 3,
    }
    return Task(weights=weights, arguments=arguments)
