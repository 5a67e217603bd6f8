"""The architectures we can run, and how to read their `config.json`.

`ARCHITECTURES` is the one table; `parse_config` turns a Hugging Face configuration (of transformers
4 or 5) into a `ModelConfig`; `linear_groups` names a block's linear layers by the input they share.

>>> from gnomon.models.architectures import ARCHITECTURES
>>> sorted(ARCHITECTURES)
['gemma3', 'llama', 'mistral', 'mixtral', 'qwen2', 'qwen3']
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from gnomon.errors import ModelError
from gnomon.models.config import LayerKind, ModelConfig, Rope
from gnomon.models.rope import make_rope

FULL, SLIDING = "full_attention", "sliding_attention"


@dataclass(frozen=True, slots=True, kw_only=True)
class LinearGroup:
    """Linear layers of one block that read the same vectors."""

    site: str  # what they read, such as `model.layers.0.attention_input`
    names: tuple[str, ...]  # of their weights
    expert: int | None = None  # sees only the tokens routed to it; None: sees all


@dataclass(frozen=True, slots=True, kw_only=True)
class Architecture:
    """What distinguishes one family of models from the others."""

    model_types: tuple[str, ...]  # values of `model_type` in config.json
    layer_types: Callable[[_Keys, int], list[str]]  # FULL or SLIDING for each layer
    defaults: Mapping[str, Any] = field(default_factory=dict)  # keys config.json may leave out
    activation_key: str = "hidden_act"
    has_qk_norm: bool = False
    is_gemma: bool = False  # offset and post norms, scaled embedding, a rope for each kind of layer
    has_experts: bool = False
    derives_head_dim: bool = True  # hidden_size / num_attention_heads where there is no head_dim


def parse_config(hf_config: Mapping[str, Any]) -> ModelConfig:
    """The model that a `config.json` describes.

    Raises ModelError if the architecture is unknown, or a key is missing, contradictory or absurd.
    """
    name, architecture, keys = _recognise(hf_config)
    hidden_size = keys.integer("hidden_size", high=1 << 17)
    num_layers = keys.integer("num_hidden_layers", high=1024)
    num_heads = keys.integer("num_attention_heads", high=4096)
    num_kv_heads = keys.integer("num_key_value_heads", num_heads, high=4096)
    if num_heads % num_kv_heads:
        raise ModelError(
            f"config.json: num_attention_heads {num_heads} is no multiple of num_key_value_heads "
            f"{num_kv_heads}."
        )
    head_dim = _head_dim(keys, architecture, hidden_size, num_heads)
    max_context = keys.integer("max_position_embeddings", high=1 << 27)
    layer_types = _layer_types(keys, architecture, num_layers)
    window = keys.integer("sliding_window", high=1 << 27) if SLIDING in layer_types else None
    rope_index = {layer_type: i for i, layer_type in enumerate(_rope_layer_types(architecture))}
    query_scalar = keys.number("query_pre_attn_scalar", float(head_dim), above=0.0)
    experts = keys.integer("num_local_experts", high=4096) if architecture.has_experts else 0
    experts_per_token = (
        keys.integer("num_experts_per_tok", high=experts) if architecture.has_experts else 0
    )
    return ModelConfig(
        architecture=name,
        vocab_size=keys.integer("vocab_size", high=1 << 24),
        hidden_size=hidden_size,
        intermediate_size=keys.integer("intermediate_size", high=1 << 20),
        num_heads=num_heads,
        num_kv_heads=num_kv_heads,
        head_dim=head_dim,
        max_context=max_context,
        norm_eps=keys.number("rms_norm_eps", 1e-6, above=0.0, below=1.0),
        layers=tuple(
            LayerKind(
                rope_index=rope_index.get(layer_type, 0),
                sliding_window=window if layer_type == SLIDING else None,
            )
            for layer_type in layer_types
        ),
        ropes=_ropes(keys, architecture, head_dim=head_dim, max_context=max_context),
        attention_scale=query_scalar**-0.5,
        activation=_activation(keys, architecture.activation_key),
        embedding_scale=math.sqrt(hidden_size) if architecture.is_gemma else 1.0,
        norm_offset=1.0 if architecture.is_gemma else 0.0,
        has_qk_norm=architecture.has_qk_norm,
        has_post_norms=architecture.is_gemma,
        is_head_tied=keys.flag("tie_word_embeddings", False),
        attention_softcap=keys.optional_number("attn_logit_softcapping"),
        logit_softcap=keys.optional_number("final_logit_softcapping"),
        num_experts=experts,
        num_experts_per_token=experts_per_token,
    )


def linear_groups(config: ModelConfig, layer: int) -> tuple[LinearGroup, ...]:
    """The linear layers of block `layer`, in the order in which the forward pass runs them.

    A router is not among them: it is small, decides much, and stays as it is.
    """
    block = f"model.layers.{layer}"

    def group(site: str, names: list[str], expert: int | None = None) -> LinearGroup:
        weights = tuple(f"{block}.{name}.weight" for name in names)
        return LinearGroup(site=f"{block}.{site}", names=weights, expert=expert)

    groups = [
        group("attention_input", [f"self_attn.{part}_proj" for part in "qkv"]),
        group("attention_output", ["self_attn.o_proj"]),
    ]
    if config.num_experts == 0:
        groups.append(group("mlp_input", ["mlp.gate_proj", "mlp.up_proj"]))
        groups.append(group("mlp_hidden", ["mlp.down_proj"]))
    for expert in range(config.num_experts):
        part = f"block_sparse_moe.experts.{expert}"
        groups.append(group(f"{part}.input", [f"{part}.w1", f"{part}.w3"], expert))
        groups.append(group(f"{part}.hidden", [f"{part}.w2"], expert))
    return tuple(groups)


class _Keys:
    """A configuration whose values are checked as they are read."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self.values = values

    def integer(self, key: str, default: int | None = None, *, high: int) -> int:
        value = self.values.get(key)
        value = default if value is None else value
        if value is None:
            raise ModelError(f"config.json has no {key}.")
        if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= high:
            raise ModelError(f"config.json: {key} is {value!r}; expected 1 to {high}.")
        return value

    def number(self, key: str, default: float, *, above: float, below: float = math.inf) -> float:
        value = self.values.get(key)
        value = default if value is None else value
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        # Whole numbers can be larger than any float, and smaller than infinity all the same.
        if not is_number or not above < value < min(below, sys.float_info.max):
            raise ModelError(
                f"config.json: {key} is {value!r}; expected a number above {above:g}"
                + (f" and below {below:g}." if below < math.inf else ".")
            )
        return float(value)

    def optional_number(self, key: str) -> float | None:
        return None if self.values.get(key) is None else self.number(key, 1.0, above=0.0)

    def flag(self, key: str, default: bool) -> bool:
        value = self.values.get(key)
        value = default if value is None else value
        if not isinstance(value, bool):
            raise ModelError(f"config.json: {key} is {value!r}; expected true or false.")
        return value

    def mapping(self, key: str) -> Mapping[str, Any]:
        value = self.values.get(key)
        if value is None:
            return {}
        if not isinstance(value, Mapping):
            raise ModelError(f"config.json: {key} is {value!r}; expected an object.")
        return value


def _recognise(hf_config: Mapping[str, Any]) -> tuple[str, Architecture, _Keys]:
    if not isinstance(hf_config, Mapping):
        raise ModelError(f"config.json holds {type(hf_config).__name__}; expected an object.")
    model_type = hf_config.get("model_type")
    for name, architecture in ARCHITECTURES.items():
        if model_type not in architecture.model_types:
            continue
        values = dict(hf_config)
        if "text_config" in values:  # a model that sees images too: we run the part that reads
            text = _Keys(values).mapping("text_config")
            # Only these two may stand outside and still be about the text model.
            outer = {k: v for k, v in values.items() if k in _OUTER_KEYS}
            values = outer | dict(text)
        if values.get("use_bidirectional_attention"):
            raise ModelError(
                "config.json: use_bidirectional_attention is set; we run causal models."
            )
        return name, architecture, _Keys(dict(architecture.defaults) | values)
    raise ModelError(
        f"config.json: model_type is {model_type!r}; known architectures are "
        f"{', '.join(sorted(ARCHITECTURES))}."
    )


_OUTER_KEYS = ("tie_word_embeddings", "gnomon_rope_factors")


def _head_dim(keys: _Keys, architecture: Architecture, hidden_size: int, num_heads: int) -> int:
    default = None
    if architecture.derives_head_dim:
        default = hidden_size // num_heads
        if keys.values.get("head_dim") is None and hidden_size % num_heads:
            raise ModelError(
                f"config.json: hidden_size {hidden_size} is no multiple of num_attention_heads "
                f"{num_heads}, and there is no head_dim."
            )
    head_dim = keys.integer("head_dim", default, high=4096)
    if head_dim % 2:
        raise ModelError(
            f"config.json: head_dim is {head_dim}; rotary embeddings need an even one."
        )
    return head_dim


def _activation(keys: _Keys, key: str) -> Literal["silu", "gelu_tanh"]:
    name = keys.values.get(key) or keys.values.get("hidden_act")
    if name in ("silu", "swish"):
        return "silu"
    if name in ("gelu_pytorch_tanh", "gelu_new", "gelu_fast"):
        return "gelu_tanh"
    raise ModelError(f"config.json: {key} is {name!r}; expected silu or gelu_pytorch_tanh.")


# ------------------------------------------------------------------------------ kinds of layers


def _layer_types(keys: _Keys, architecture: Architecture, num_layers: int) -> list[str]:
    layer_types = architecture.layer_types(keys, num_layers)
    if len(layer_types) != num_layers or not set(layer_types) <= {FULL, SLIDING}:
        raise ModelError(
            f"config.json: layer_types must name {num_layers} layers, each {FULL} or {SLIDING}; "
            f"it is {keys.values.get('layer_types')!r}."
        )
    if SLIDING in layer_types and keys.values.get("sliding_window") is None:
        raise ModelError(f"config.json asks for {SLIDING} but has no sliding_window.")
    return layer_types


def _all_full(keys: _Keys, num_layers: int) -> list[str]:
    return [FULL] * num_layers


def _all_sliding_if_windowed(keys: _Keys, num_layers: int) -> list[str]:
    return [FULL if keys.values.get("sliding_window") is None else SLIDING] * num_layers


def _listed_layer_types(keys: _Keys) -> list[str] | None:
    listed = keys.values.get("layer_types")
    if listed is None:
        return None
    if not isinstance(listed, list | tuple):
        raise ModelError(f"config.json: layer_types is {listed!r}; expected a list.")
    return [str(layer_type) for layer_type in listed]


def _sliding_after_max_window_layers(keys: _Keys, num_layers: int) -> list[str]:
    """Qwen: windows are off unless asked for, and then only in the upper layers."""
    listed = _listed_layer_types(keys)
    if not keys.flag("use_sliding_window", False):
        if listed is not None and SLIDING in listed:
            raise ModelError(
                f"config.json contradicts itself: layer_types has {SLIDING}, but "
                "use_sliding_window is false."
            )
        return listed if listed is not None else [FULL] * num_layers
    if listed is not None:
        return listed
    first = keys.values.get("max_window_layers")
    if not isinstance(first, int) or first < 0:
        raise ModelError(f"config.json: max_window_layers is {first!r}; expected a layer's number.")
    return [SLIDING if i >= first else FULL for i in range(num_layers)]


def _every_sixth_full(keys: _Keys, num_layers: int) -> list[str]:
    """Gemma 3: one full layer after every `sliding_window_pattern` − 1 windowed ones."""
    listed = _listed_layer_types(keys)
    if listed is not None:
        return listed
    key = "sliding_window_pattern"
    if keys.values.get(key) is None and "_sliding_window_pattern" in keys.values:
        key = "_sliding_window_pattern"
    pattern = keys.integer(key, 6, high=1024)
    return [SLIDING if (i + 1) % pattern else FULL for i in range(num_layers)]


# ------------------------------------------------------------------------------ rotary embeddings


def _rope_layer_types(architecture: Architecture) -> tuple[str, ...]:
    """The kinds of layers that have rotary embeddings of their own; the first is the main one."""
    return (FULL, SLIDING) if architecture.is_gemma else (FULL,)


def _ropes(
    keys: _Keys, architecture: Architecture, *, head_dim: int, max_context: int
) -> tuple[Rope, ...]:
    factors = keys.values.get("gnomon_rope_factors")
    if factors is not None and not isinstance(factors, list | tuple):
        raise ModelError("config.json: gnomon_rope_factors must be a list of numbers.")
    return tuple(
        make_rope(
            _rope_parameters(keys, architecture, layer_type),
            head_dim=head_dim,
            max_context=max_context,
            factors=factors if layer_type == FULL else None,
        )
        for layer_type in _rope_layer_types(architecture)
    )


def _rope_parameters(keys: _Keys, architecture: Architecture, layer_type: str) -> dict[str, Any]:
    """The rope parameters of one kind of layer, of either generation of configurations.

    transformers 5 has `rope_parameters`, flat or keyed by kind of layer. transformers 4 has
    `rope_theta` and `rope_scaling`; in Gemma 3 those are the full layers', and windowed layers
    have `rope_local_base_freq` and no scaling.
    """
    is_local = architecture.is_gemma and layer_type == SLIDING
    new = keys.mapping("rope_parameters")
    if FULL in new or SLIDING in new:
        new = _Keys(new).mapping(layer_type)
        scaling: Mapping[str, Any] = {}
    elif new and architecture.is_gemma:
        raise ModelError(f"config.json: rope_parameters needs the keys {FULL} and {SLIDING}.")
    else:
        scaling = {} if is_local else keys.mapping("rope_scaling")
    clashes = sorted(key for key in scaling if key in new and scaling[key] != new[key])
    if clashes:
        raise ModelError(
            "config.json contradicts itself: rope_scaling and rope_parameters differ in "
            f"{', '.join(clashes)}."
        )
    parameters = {k: v for k, v in {**scaling, **new}.items() if v is not None}

    old_theta = keys.values.get("rope_local_base_freq" if is_local else "rope_theta")
    new_theta = parameters.get("rope_theta")
    if old_theta is not None and new_theta is not None and old_theta != new_theta:
        raise ModelError(
            f"config.json contradicts itself: rope_theta is {old_theta!r} and, in rope_parameters, "
            f"{new_theta!r}."
        )
    if new_theta is None:
        fallback = architecture.defaults.get("default_local_theta" if is_local else "default_theta")
        parameters["rope_theta"] = old_theta if old_theta is not None else fallback or 10_000.0
    for key in ("partial_rotary_factor", "original_max_position_embeddings"):
        if keys.values.get(key) is not None:
            parameters[key] = keys.values[key]
    return parameters


_GEMMA3_DEFAULTS: Mapping[str, Any] = {
    # Published gemma3 folders leave out whatever is the class's default in transformers.
    "vocab_size": 262_208,
    "hidden_size": 2304,
    "intermediate_size": 9216,
    "num_hidden_layers": 26,
    "num_attention_heads": 8,
    "num_key_value_heads": 4,
    "head_dim": 256,
    "max_position_embeddings": 131_072,
    "query_pre_attn_scalar": 256,
    "sliding_window": 4096,
    "hidden_activation": "gelu_pytorch_tanh",
    "tie_word_embeddings": True,
    "default_theta": 1_000_000.0,
    "default_local_theta": 10_000.0,
}

ARCHITECTURES: Mapping[str, Architecture] = {
    "llama": Architecture(
        model_types=("llama",),
        layer_types=_all_full,
        defaults={"hidden_act": "silu", "max_position_embeddings": 2048},
    ),
    "mistral": Architecture(
        model_types=("mistral",),
        layer_types=_all_sliding_if_windowed,
        defaults={"hidden_act": "silu", "sliding_window": 4096, "num_key_value_heads": 8},
    ),
    "qwen2": Architecture(
        model_types=("qwen2",),
        layer_types=_sliding_after_max_window_layers,
        defaults={"hidden_act": "silu", "sliding_window": 4096, "max_window_layers": 28},
    ),
    "qwen3": Architecture(
        model_types=("qwen3",),
        layer_types=_sliding_after_max_window_layers,
        defaults={
            "hidden_act": "silu",
            "sliding_window": 4096,
            "max_window_layers": 28,
            "head_dim": 128,
        },
        has_qk_norm=True,
        derives_head_dim=False,
    ),
    "gemma3": Architecture(
        model_types=("gemma3_text", "gemma3"),
        layer_types=_every_sixth_full,
        defaults=_GEMMA3_DEFAULTS,
        activation_key="hidden_activation",
        has_qk_norm=True,
        is_gemma=True,
        derives_head_dim=False,
    ),
    "mixtral": Architecture(
        model_types=("mixtral",),
        layer_types=_all_sliding_if_windowed,
        defaults={
            "hidden_act": "silu",
            "num_key_value_heads": 8,
            "num_local_experts": 8,
            "num_experts_per_tok": 2,
            "rms_norm_eps": 1e-5,
            "default_theta": 1_000_000.0,
        },
        has_experts=True,
    ),
}
