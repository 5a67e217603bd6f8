"""Small random models: Hugging Face state dicts, and the GGUF files llama.cpp makes of them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import gguf
import numpy as np
from gguf import GGMLQuantizationType
from safetensors.numpy import save_file

from gnomon.models.tensor_check import expected_shapes, optional_shapes

VOCAB, HIDDEN, INNER, HEADS, KV_HEADS, HEAD_DIM, LAYERS, EXPERTS = 48, 64, 96, 4, 2, 32, 2, 3
MODEL_TYPES = {  # model_type → ggml's architecture
    "llama": "llama",
    "mixtral": "llama",
    "qwen2": "qwen2",
    "qwen3": "qwen3",
    "gemma3_text": "gemma3",
}


def hf_config(model_type: str) -> dict[str, Any]:
    """A `config.json` with transformers 4's keys."""
    config: dict[str, Any] = {
        "model_type": model_type,
        "vocab_size": VOCAB,
        "hidden_size": HIDDEN,
        "intermediate_size": INNER,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": HEADS,
        "num_key_value_heads": KV_HEADS,
        "head_dim": HIDDEN // HEADS if model_type == "qwen2" else HEAD_DIM,
        "max_position_embeddings": 128,
        "rms_norm_eps": 1e-5,
        "rope_theta": 10000.0,
        "tie_word_embeddings": model_type == "gemma3_text",
        "hidden_act": "silu",
    }
    if model_type == "mixtral":
        config |= {"num_local_experts": EXPERTS, "num_experts_per_tok": 2, "sliding_window": None}
    if model_type == "gemma3_text":
        config |= {
            "hidden_activation": "gelu_pytorch_tanh",
            "sliding_window": 16,
            "sliding_window_pattern": 6,
            "rope_local_base_freq": 10000.0,
            "query_pre_attn_scalar": HEAD_DIM,
        }
    return config


def state_dict(model_type: str, *, seed: int = 0) -> dict[str, np.ndarray]:
    """Random float32 weights under Hugging Face names, biases included where the model has them."""
    from gnomon.models.architectures import parse_config

    config = parse_config(hf_config(model_type))
    shapes = dict(expected_shapes(config))
    if model_type == "qwen2":
        shapes |= {
            name: shape
            for name, shape in optional_shapes(config).items()
            if name.endswith(("q_proj.bias", "k_proj.bias", "v_proj.bias"))
        }
    rng = np.random.default_rng(seed)
    return {name: rng.standard_normal(shape, dtype=np.float32) for name, shape in shapes.items()}


def ggml_tensors(state: dict[str, np.ndarray], *, model_type: str) -> dict[str, np.ndarray]:
    """The state dict under the names and in the row order that llama.cpp's GGUF files have."""
    arch = {v: k for k, v in gguf.MODEL_ARCH_NAMES.items()}[MODEL_TYPES[model_type]]
    names = gguf.get_tensor_name_map(arch, LAYERS)
    tensors: dict[str, np.ndarray] = {}
    stacks: dict[str, list[np.ndarray]] = {}
    for name, values in state.items():
        if ".experts." in name:
            layer, kind = name.split(".")[2], name.split(".")[-2]
            part = {"w1": "gate", "w2": "down", "w3": "up"}[kind]
            stacks.setdefault(f"blk.{layer}.ffn_{part}_exps.weight", []).append(values)
            continue
        heads = HEADS if ".q_proj." in name else KV_HEADS if ".k_proj." in name else None
        if MODEL_TYPES[model_type] == "llama" and heads:
            values = permute(values, heads)
        if model_type == "gemma3_text" and name.endswith("norm.weight"):
            values = values + 1
        new_name = names.get_name(name, try_suffixes=(".weight", ".bias"))
        assert new_name is not None, name
        tensors[new_name] = values
    return tensors | {name: np.stack(parts) for name, parts in stacks.items()}


def permute(weights: np.ndarray, heads: int) -> np.ndarray:
    """Each head's rows from "first halves, second halves" to pairs side by side."""
    first, second = np.split(weights.reshape(heads, -1, *weights.shape[1:]), 2, axis=1)
    return np.stack([first, second], axis=2).reshape(weights.shape)


def write_gguf(
    path: Path,
    model_type: str,
    *,
    seed: int = 0,
    tensors: dict[str, np.ndarray] | None = None,
    quantization: GGMLQuantizationType | Mapping[str, GGMLQuantizationType] | None = None,
    **overrides: Any,
) -> dict[str, np.ndarray]:
    """Write a whole small GGUF file; returns the Hugging Face state dict it was made from.

    `overrides` set metadata keys (dots as __), None removes one. Matrices are quantised,
    each to its own type if `quantization` goes by GGUF's names.
    """
    state = state_dict(model_type, seed=seed)
    if tensors is None:
        tensors = ggml_tensors(state, model_type=model_type)
    arch = MODEL_TYPES[model_type]
    config = hf_config(model_type)
    values: dict[str, Any] = {
        f"{arch}.context_length": 128,
        f"{arch}.embedding_length": HIDDEN,
        f"{arch}.block_count": LAYERS,
        f"{arch}.feed_forward_length": INNER,
        f"{arch}.attention.head_count": HEADS,
        f"{arch}.attention.head_count_kv": KV_HEADS,
        f"{arch}.attention.key_length": config["head_dim"],
        f"{arch}.attention.layer_norm_rms_epsilon": 1e-5,
        f"{arch}.rope.freq_base": 10000.0,
    }
    if model_type == "mixtral":
        values |= {"llama.expert_count": EXPERTS, "llama.expert_used_count": 2}
    if model_type == "gemma3_text":
        values["gemma3.attention.sliding_window"] = 16
    values |= {key.replace("__", "."): value for key, value in overrides.items()}
    writer = gguf.GGUFWriter(path, str(values.pop("general.architecture", arch)))
    for key, value in values.items():
        add_value(writer, key, value)
    for name, tensor in tensors.items():
        kind = quantization.get(name) if isinstance(quantization, Mapping) else quantization
        if kind is None or tensor.ndim < 2:
            writer.add_tensor(name, tensor)
        else:
            writer.add_tensor(name, gguf.quants.quantize(tensor, kind), raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return state


def add_value(writer: gguf.GGUFWriter, key: str, value: Any) -> None:
    if value is None:
        return
    if isinstance(value, bool):
        writer.add_bool(key, value)
    elif isinstance(value, int):
        writer.add_uint32(key, value)
    elif isinstance(value, float):
        writer.add_float32(key, value)
    elif isinstance(value, str):
        writer.add_string(key, value)
    else:
        writer.add_array(key, value)


def write_one_tensor(path: Path, name: str, data: np.ndarray, kind: GGMLQuantizationType) -> None:
    """A llama file with the least metadata and one tensor, its bytes given."""
    writer = gguf.GGUFWriter(path, "llama")
    for key in ("embedding_length", "block_count", "feed_forward_length", "context_length"):
        writer.add_uint32(f"llama.{key}", 2)
    writer.add_head_count(1)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_tensor(name, data, raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def write_folder(
    folder: Path, model_type: str, *, seed: int = 0, **overrides: Any
) -> dict[str, np.ndarray]:
    """A Hugging Face folder without a tokenizer; returns its state dict."""
    folder.mkdir(parents=True, exist_ok=True)
    state = state_dict(model_type, seed=seed)
    save_file(state, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps(hf_config(model_type) | overrides))
    return state
