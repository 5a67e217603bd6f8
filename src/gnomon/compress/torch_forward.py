"""The forward pass in torch: the differentiable form of `gnomon.models.forward`.

How a layer multiplies and where a norm's weight comes from is the caller's business, so the same
pass runs an original, a rounded model with parameters in training, or a mixture of the two:

    layers = PlainLayers(weights)
    hidden = run_block(config, 0, layers, hidden)            # [sequences, time, hidden_size]
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Protocol

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from gnomon.models.config import ModelConfig, Rope


class Layers(Protocol):
    """What a forward pass asks of a model's parameters; names end in `.weight`."""

    def linear(self, name: str, x: Tensor) -> Tensor:
        """[..., in] → [..., out], the bias added where the layer has one."""
        ...

    def vector(self, name: str) -> Tensor:
        """The weight of a norm."""
        ...


class PlainLayers:
    """Layers whose weights are given as arrays or tensors, biases under their own names."""

    def __init__(self, weights: Mapping[str, np.ndarray | Tensor]):
        self.weights = {name: as_tensor(weight) for name, weight in weights.items()}

    def linear(self, name: str, x: Tensor) -> Tensor:
        bias = self.weights.get(name.removesuffix(".weight") + ".bias")
        return F.linear(x, self.weights[name], bias)

    def vector(self, name: str) -> Tensor:
        return self.weights[name]


def as_tensor(array: np.ndarray | Tensor) -> Tensor:
    """float32, sharing memory where it can."""
    if isinstance(array, Tensor):
        return array
    return torch.from_numpy(np.require(array, np.float32, ["C", "W"]))


def run_block(config: ModelConfig, layer: int, layers: Layers, hidden: Tensor) -> Tensor:
    """The output of block `layer` for `hidden` [sequences, time, hidden_size]."""
    prefix = f"model.layers.{layer}."

    def norm(x: Tensor, name: str) -> Tensor:
        return rms_norm(x, layers.vector(f"{prefix}{name}.weight"), config)

    def linear(x: Tensor, name: str) -> Tensor:
        return layers.linear(f"{prefix}{name}.weight", x)

    x = norm(hidden, "input_layernorm")
    q, k, v = (
        linear(x, f"self_attn.{name}_proj").unflatten(-1, (-1, config.head_dim)) for name in "qkv"
    )
    if config.has_qk_norm:
        q, k = norm(q, "self_attn.q_norm"), norm(k, "self_attn.k_norm")
    x = linear(attention(config, layer, q, k, v), "self_attn.o_proj")
    if config.has_post_norms:
        x = norm(x, "post_attention_layernorm")
    hidden = hidden + x
    before = "pre_feedforward_layernorm" if config.has_post_norms else "post_attention_layernorm"
    x = norm(hidden, before)
    if config.num_experts:
        x = _mix_experts(config, prefix, layers, x)
    else:
        x = activate(config, linear(x, "mlp.gate_proj")) * linear(x, "mlp.up_proj")
        x = linear(x, "mlp.down_proj")
    if config.has_post_norms:
        x = norm(x, "post_feedforward_layernorm")
    return hidden + x


def rms_norm(x: Tensor, weight: Tensor, config: ModelConfig) -> Tensor:
    return F.rms_norm(x, x.shape[-1:], weight + config.norm_offset, config.norm_eps)


def attention(config: ModelConfig, layer: int, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Causal grouped-query attention, [sequences, time, heads, head_dim] → [..., heads · dim]."""
    kind = config.layers[layer]
    q, k = (rotate_positions(x, config.ropes[kind.rope_index]) for x in (q, k))
    q, k, v = (x.transpose(1, 2) for x in (q, k, v))  # [sequences, heads, time, head_dim]
    time = q.shape[2]
    is_windowed = kind.sliding_window is not None and kind.sliding_window < time
    if config.attention_softcap is None and not is_windowed:
        mixed = F.scaled_dot_product_attention(
            q, k, v, is_causal=True, scale=config.attention_scale, enable_gqa=True
        )
    else:
        shared = config.num_heads // config.num_kv_heads
        k, v = k.repeat_interleave(shared, 1), v.repeat_interleave(shared, 1)
        scores = softcap(q @ k.mT * config.attention_scale, config.attention_softcap)
        distance = torch.arange(time)[:, None] - torch.arange(time)
        is_hidden = (distance < 0) | (distance >= (kind.sliding_window or time))
        mixed = scores.masked_fill(is_hidden, -torch.inf).softmax(-1) @ v
    return mixed.transpose(1, 2).flatten(2)


def rotate_positions(x: Tensor, rope: Rope) -> Tensor:
    """RoPE on x [sequences, time, heads, head_dim], a head's halves paired."""
    cos, sin = _angles(rope.inverse_frequencies.tobytes(), rope.amplitude, x.shape[1])
    first, second = x.chunk(2, -1)
    return torch.cat([first * cos - second * sin, second * cos + first * sin], -1)


@cache
def _angles(inverse_frequencies: bytes, amplitude: float, time: int) -> tuple[Tensor, Tensor]:
    frequencies = np.frombuffer(inverse_frequencies, np.float32).astype(np.float64)
    angle = np.arange(time)[:, None, None] * frequencies
    cos, sin = np.cos(angle) * amplitude, np.sin(angle) * amplitude
    return torch.from_numpy(cos.astype(np.float32)), torch.from_numpy(sin.astype(np.float32))


def activate(config: ModelConfig, x: Tensor) -> Tensor:
    return F.silu(x) if config.activation == "silu" else F.gelu(x, approximate="tanh")


def softcap(x: Tensor, cap: float | None) -> Tensor:
    return x if cap is None else cap * torch.tanh(x / cap)


def _mix_experts(config: ModelConfig, prefix: str, layers: Layers, x: Tensor) -> Tensor:
    """Mixtral's feed-forward part: each token's chosen experts, in their shares."""
    flat = x.flatten(0, 1)
    router = layers.linear(f"{prefix}block_sparse_moe.gate.weight", flat)
    top, chosen = router.topk(config.num_experts_per_token, dim=1)
    shares = top.softmax(1)
    mixed = torch.zeros_like(flat)
    for expert in range(config.num_experts):
        rows, slots = torch.nonzero(chosen == expert, as_tuple=True)
        name = f"{prefix}block_sparse_moe.experts.{expert}"
        inputs = flat[rows]
        inner = activate(config, layers.linear(f"{name}.w1.weight", inputs))
        inner = inner * layers.linear(f"{name}.w3.weight", inputs)
        outputs = layers.linear(f"{name}.w2.weight", inner)
        mixed = mixed.index_add(0, rows, outputs * shares[rows, slots][:, None])
    return mixed.unflatten(0, x.shape[:2])
