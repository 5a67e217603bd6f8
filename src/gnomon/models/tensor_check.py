"""Do the tensors of a checkpoint fit its configuration? Asked once, when a model is opened.

`check_sizes` comes before the configuration is understood, so that an absurd number in it cannot
make anyone allocate; `check_tensors` after, so that nobody downstream finds a weight missing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gnomon.errors import ModelError
from gnomon.models.config import ModelConfig
from gnomon.models.model import Weights

BOUNDED_BY_SHAPES = (
    "vocab_size", "hidden_size", "intermediate_size", "head_dim", "num_attention_heads",
    "num_key_value_heads",
)  # fmt: skip


def check_sizes(hf_config: Mapping[str, Any], weights: Weights, *, source: str) -> None:
    """Raise ModelError if the configuration names a size larger than any tensor could explain."""
    text_config = hf_config.get("text_config")
    config = text_config if isinstance(text_config, Mapping) else hf_config
    names = weights.names()
    longest = max((size for name in names for size in weights.shape(name)), default=0)
    limits = dict.fromkeys(BOUNDED_BY_SHAPES, longest)
    limits |= {"num_hidden_layers": len(names), "num_local_experts": len(names)}
    for key, limit in limits.items():
        value = config.get(key)
        if isinstance(value, int | float) and value > limit:
            raise ModelError(
                f"{source}: {key} is {value}, but the tensors allow at most {limit}: the "
                "configuration is damaged or the weights are another model's"
            )


def check_tensors(config: ModelConfig, weights: Weights, *, source: str) -> None:
    """Raise ModelError unless all tensors of the model are there, in their shapes, and no others
    (except attention biases and the spare head of a tied model).
    """
    expected = expected_shapes(config)
    optional = optional_shapes(config)
    given = {name: tuple(weights.shape(name)) for name in weights.names()}
    if missing := [name for name in expected if name not in given]:
        raise ModelError(
            f"{source}: {len(missing)} of {len(expected)} tensors are missing: "
            f"{', '.join(missing[:3])}{' …' if len(missing) > 3 else ''}"
        )
    for name, shape in given.items():
        wanted = expected.get(name, optional.get(name))
        if wanted is None:
            raise ModelError(
                f"{source}: the tensor {name} is not part of a {config.architecture} model as we "
                "compute it; leaving it out would change the model"
            )
        if shape != wanted:
            raise ModelError(
                f"{source}: {name} has the shape {list(shape)}, the configuration says "
                f"{list(wanted)}"
            )


def expected_shapes(config: ModelConfig) -> dict[str, tuple[int, ...]]:
    """Every tensor that a model of this configuration must have."""
    hidden, inner = config.hidden_size, config.intermediate_size
    queries = config.num_heads * config.head_dim
    keys = config.num_kv_heads * config.head_dim
    attention = {
        "q_proj": (queries, hidden),
        "k_proj": (keys, hidden),
        "v_proj": (keys, hidden),
        "o_proj": (hidden, queries),
    }
    if config.has_qk_norm:
        attention |= {"q_norm": (config.head_dim,), "k_norm": (config.head_dim,)}
    norms = ["input_layernorm", "post_attention_layernorm"]
    if config.has_post_norms:
        norms += ["pre_feedforward_layernorm", "post_feedforward_layernorm"]
    layer: dict[str, tuple[int, ...]] = {f"self_attn.{name}": s for name, s in attention.items()}
    layer |= dict.fromkeys(norms, (hidden,))
    if config.num_experts:
        layer["block_sparse_moe.gate"] = (config.num_experts, hidden)
        for expert in range(config.num_experts):
            base = f"block_sparse_moe.experts.{expert}"
            layer |= {f"{base}.w1": (inner, hidden), f"{base}.w3": (inner, hidden)}
            layer[f"{base}.w2"] = (hidden, inner)
    else:
        layer |= {"mlp.gate_proj": (inner, hidden), "mlp.up_proj": (inner, hidden)}
        layer["mlp.down_proj"] = (hidden, inner)
    shapes: dict[str, tuple[int, ...]] = {
        "model.embed_tokens.weight": (config.vocab_size, hidden),
        "model.norm.weight": (hidden,),
    }
    if not config.is_head_tied:
        shapes["lm_head.weight"] = (config.vocab_size, hidden)
    for index in range(config.num_layers):
        shapes |= {f"model.layers.{index}.{name}.weight": shape for name, shape in layer.items()}
    return shapes


def optional_shapes(config: ModelConfig) -> dict[str, tuple[int, ...]]:
    """Tensors that a model of this configuration may have."""
    queries = config.num_heads * config.head_dim
    keys = config.num_kv_heads * config.head_dim
    widths = {"q_proj": queries, "k_proj": keys, "v_proj": keys, "o_proj": config.hidden_size}
    shapes: dict[str, tuple[int, ...]] = {
        f"model.layers.{index}.self_attn.{name}.bias": (width,)
        for index in range(config.num_layers)
        for name, width in widths.items()
    }
    return shapes | {"lm_head.weight": (config.vocab_size, config.hidden_size)}
