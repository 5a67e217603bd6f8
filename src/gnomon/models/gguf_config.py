"""A GGUF file's metadata as the `config.json` that Hugging Face would have for the same model.

The keys are transformers 4's (`rope_theta`, `rope_scaling`, `rope_local_base_freq`, …).
Where a file's RoPE factors cannot be put into those, `gnomon_rope_factors` lists them: a divisor
for each inverse frequency, [head_dim / 2].
"""

from __future__ import annotations

import math
from collections.abc import Collection
from typing import Any

import numpy as np

from gnomon.errors import ModelError
from gnomon.models.gguf_metadata import Metadata
from gnomon.models.rope_factors import recover_llama3

GGUF_ARCHITECTURES = ("llama", "qwen2", "qwen3", "gemma3")
CLASS_NAMES = {
    "llama": "LlamaForCausalLM",
    "mistral": "MistralForCausalLM",
    "mixtral": "MixtralForCausalLM",
    "qwen2": "Qwen2ForCausalLM",
    "qwen3": "Qwen3ForCausalLM",
    "gemma3_text": "Gemma3ForCausalLM",
}
FILE_TYPE_DTYPES = {0: "float32", 1: "float16"}  # general.file_type; the rest were bfloat16
GEMMA3_27B_LAYERS = 62  # the one size whose attention scale is not head_dim ** -0.5


def gguf_architecture(metadata: Metadata) -> str:
    """`general.architecture`, if it is one we read. Raises ModelError for split files too."""
    parts = metadata.integer("split.count", 0) or 0
    if parts > 1:
        raise ModelError(
            f"{metadata.source}: this is one part of a model split into {parts} files; join them "
            "first: llama-gguf-split --merge FIRST-PART.gguf WHOLE.gguf"
        )
    architecture = metadata.text("general.architecture")
    if architecture not in GGUF_ARCHITECTURES:
        raise ModelError(
            f"{metadata.source}: unknown architecture {architecture!r}; known in GGUF files: "
            f"{', '.join(GGUF_ARCHITECTURES)} (llama covers Mistral, Mixtral and SmolLM2)"
        )
    return architecture


def gguf_to_hf_config(
    metadata: Metadata,
    *,
    tensor_names: Collection[str],
    vocab_size: int,
    rope_factors: np.ndarray | None = None,
) -> dict[str, Any]:
    """A `config.json` dict. `tensor_names` are Hugging Face's; `rope_factors` [head_dim / 2].

    Raises ModelError where a needed key is missing or describes what we cannot compute.
    """
    architecture = gguf_architecture(metadata)
    key = f"{architecture}.{{}}".format
    heads = metadata.needed_integer(key("attention.head_count"))
    hidden = metadata.needed_integer(key("embedding_length"))
    head_dim = metadata.needed_integer(key("attention.key_length"), hidden // heads)
    for other in ("attention.value_length", "rope.dimension_count"):
        if metadata.needed_integer(key(other), head_dim) != head_dim:
            raise metadata.wrong(key(other), f"the {head_dim} of the attention heads: unsupported")
    model_type = _model_type(metadata, architecture)
    file_type = metadata.integer("general.file_type")
    config: dict[str, Any] = {
        "architectures": [CLASS_NAMES[model_type]],
        "model_type": model_type,
        "vocab_size": vocab_size,
        "hidden_size": hidden,
        "intermediate_size": metadata.needed_integer(key("feed_forward_length")),
        "num_hidden_layers": metadata.needed_integer(key("block_count")),
        "num_attention_heads": heads,
        "num_key_value_heads": metadata.needed_integer(key("attention.head_count_kv"), heads),
        "head_dim": head_dim,
        "max_position_embeddings": metadata.needed_integer(key("context_length")),
        "rms_norm_eps": metadata.number(key("attention.layer_norm_rms_epsilon")),
        "rope_theta": metadata.number(key("rope.freq_base"), 10000.0),
        "tie_word_embeddings": "lm_head.weight" not in tensor_names,
        "torch_dtype": FILE_TYPE_DTYPES.get(-1 if file_type is None else file_type, "bfloat16"),
    }
    if config["rms_norm_eps"] is None:
        raise metadata.wrong(key("attention.layer_norm_rms_epsilon"), "a number above 0")
    for name, gguf_name in (("bos", "bos"), ("eos", "eos"), ("pad", "padding")):
        config[f"{name}_token_id"] = metadata.integer(f"tokenizer.ggml.{gguf_name}_token_id")
    config |= _rope_scaling(metadata, config, rope_factors=rope_factors)
    return config | _extras(metadata, config, tensor_names=tensor_names)


def _model_type(metadata: Metadata, architecture: str) -> str:
    if architecture == "gemma3":
        return "gemma3_text"
    if architecture != "llama":
        return architecture
    if metadata.integer("llama.expert_count", 0):
        return "mixtral"
    return "mistral" if metadata.integer("llama.attention.sliding_window") else "llama"


def _rope_scaling(
    metadata: Metadata, config: dict[str, Any], *, rope_factors: np.ndarray | None
) -> dict[str, Any]:
    prefix = f"{metadata.text('general.architecture')}.rope"
    kind = metadata.text(f"{prefix}.scaling.type", "none")
    factor = metadata.number(f"{prefix}.scaling.factor")
    linear = metadata.number(f"{prefix}.scale_linear")  # files from before 2023-11
    context = metadata.integer(f"{prefix}.scaling.original_context_length")
    if rope_factors is not None and not np.all(rope_factors == 1):
        if rope_factors.shape != (config["head_dim"] // 2,) or not np.all(rope_factors > 0):
            raise ModelError(
                f"{metadata.source}: rope_freqs.weight has the shape {list(rope_factors.shape)} or "
                f"values below 0; [{config['head_dim'] // 2}] divisors above 0 were expected"
            )
        scaling = recover_llama3(rope_factors, theta=config["rope_theta"], original_context=context)
        if scaling is not None:
            return {"rope_scaling": scaling}
        return {"rope_scaling": None, "gnomon_rope_factors": rope_factors.tolist()}
    if kind == "none":
        kind, factor = ("linear", linear) if linear else (kind, None)
    if factor is None or factor == 1:
        return {"rope_scaling": None}
    if kind == "linear":
        return {"rope_scaling": {"rope_type": "linear", "factor": factor}}
    if kind != "yarn":
        raise metadata.wrong(f"{prefix}.scaling.type", "none, linear or yarn: unsupported")
    scaling = {"rope_type": "yarn", "factor": factor}
    if context:
        scaling["original_max_position_embeddings"] = context
    for name in ("beta_fast", "beta_slow"):
        if (beta := metadata.number(f"{prefix}.scaling.yarn_{name}")) is not None:
            scaling[name] = beta
    extra = metadata.number(f"{prefix}.scaling.attn_factor")
    if extra is not None and extra != 1:  # ggml multiplies YaRN's own factor by it
        scaling["attention_factor"] = extra * (1 + 0.1 * math.log(factor))
    return {"rope_scaling": scaling}


def _extras(
    metadata: Metadata, config: dict[str, Any], *, tensor_names: Collection[str]
) -> dict[str, Any]:
    """Keys that only some architectures have."""
    model_type = config["model_type"]
    arch = metadata.text("general.architecture")
    window = metadata.integer(f"{arch}.attention.sliding_window") or None
    silu: dict[str, Any] = {"hidden_act": "silu"}
    has_bias = "model.layers.0.self_attn.q_proj.bias" in tensor_names
    if model_type == "gemma3_text":
        return _gemma3_extras(metadata, config, window=window)
    if model_type == "qwen2":
        return silu | {"use_sliding_window": False, "sliding_window": None}
    if model_type == "qwen3":
        return silu | {"attention_bias": has_bias, "use_sliding_window": False}
    if model_type == "mixtral":
        return silu | {
            "sliding_window": window,
            "num_local_experts": metadata.needed_integer("llama.expert_count"),
            "num_experts_per_tok": metadata.needed_integer("llama.expert_used_count"),
        }
    if model_type == "mistral":
        return silu | {"sliding_window": window}
    return silu | {"attention_bias": has_bias, "mlp_bias": False}


def _gemma3_extras(
    metadata: Metadata, config: dict[str, Any], *, window: int | None
) -> dict[str, Any]:
    layers = config["num_hidden_layers"]
    pattern = metadata.values.get("gemma3.attention.sliding_window_pattern", 6)
    if isinstance(pattern, np.ndarray) and pattern.dtype == bool and len(pattern) >= layers:
        layer_types = {
            "layer_types": [
                "sliding_attention" if is_sliding else "full_attention"
                for is_sliding in pattern[:layers].tolist()
            ]
        }
    elif type(pattern) is int and pattern > 0:
        layer_types = {"sliding_window_pattern": pattern}
    else:
        raise metadata.wrong("gemma3.attention.sliding_window_pattern", "a number or a list")
    head_dim = config["head_dim"]
    per_head = config["hidden_size"] // config["num_attention_heads"]
    return layer_types | {
        "hidden_activation": "gelu_pytorch_tanh",
        "sliding_window": window,
        "rope_local_base_freq": metadata.number("gemma3.rope.freq_base_swa", 10000.0),
        "query_pre_attn_scalar": per_head if layers == GEMMA3_27B_LAYERS else head_dim,
        "attn_logit_softcapping": metadata.number("gemma3.attn_logit_softcapping"),
        "final_logit_softcapping": metadata.number("gemma3.final_logit_softcapping"),
        "attention_bias": False,
    }
