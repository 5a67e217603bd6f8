"""The forward pass in numpy, block by block: the plain form of cpp/engine, and the calibrator.

A block announces each group of linear layers *before* it uses them, together with the inputs that
they are about to read, and looks their weights up *after*. So the compressor can replace a weight
by its rounded self between the two, and what follows already sees the rounded layer:

    for group in forward_block(config, 0, weights, hidden):
        gram = group.inputs.T @ group.inputs
        weights[group.names[0]] = ...                            # used from here on
    hidden = group.hidden                                        # the block's output, on the last

Shapes: `hidden` is float32 [sequences, time, hidden_size].
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from gnomon.models.config import ModelConfig, Rope

QUERIES = 64  # of one sequence that attend at a time


@dataclass(frozen=True, slots=True, kw_only=True)
class LinearInputs:
    """Linear layers that are about to read the same inputs."""

    names: tuple[str, ...]  # of the weights, each [out, in]
    inputs: np.ndarray  # float32 [rows, in]
    tokens: np.ndarray  # int [rows]: which token of the batch a row belongs to
    residual: np.ndarray | None  # float32 [rows, out]: what the layers' output is added to, if so


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockOutput:
    """What a block comes to, the last thing it announces."""

    hidden: np.ndarray  # float32 [sequences, time, hidden_size]


def embed(config: ModelConfig, table: np.ndarray, tokens: np.ndarray) -> np.ndarray:
    """Hidden states of tokens int [sequences, time] before the first block."""
    return (table[tokens] * np.float32(config.embedding_scale)).astype(np.float32)


def forward(config: ModelConfig, weights: Mapping[str, np.ndarray], tokens: np.ndarray):
    """Logits float32 [sequences, time, vocab_size]: the whole model at once, for tests."""
    hidden = embed(config, weights["model.embed_tokens.weight"], tokens)
    for layer in range(config.num_layers):
        hidden = run_block(config, layer, weights, hidden)
    hidden = rms_norm(hidden, weights["model.norm.weight"], config)
    head = "model.embed_tokens.weight" if config.is_head_tied else "lm_head.weight"
    logits = hidden @ weights[head].T
    return softcap(logits, config.logit_softcap)


def run_block(
    config: ModelConfig, layer: int, weights: Mapping[str, np.ndarray], hidden: np.ndarray
) -> np.ndarray:
    """The block's output, nothing replaced on the way."""
    for event in forward_block(config, layer, weights, hidden):
        if isinstance(event, BlockOutput):
            return event.hidden
    raise AssertionError("a block ends with its output")


def forward_block(
    config: ModelConfig, layer: int, weights: Mapping[str, np.ndarray], hidden: np.ndarray
) -> Iterator[LinearInputs | BlockOutput]:
    """Runs block `layer`; see the module's docstring."""
    prefix = f"model.layers.{layer}."

    def norm(x: np.ndarray, name: str) -> np.ndarray:
        return rms_norm(x, weights[f"{prefix}{name}.weight"], config)

    def linear(x: np.ndarray, name: str) -> np.ndarray:
        weight = weights[f"{prefix}{name}.weight"]
        y = (x.reshape(-1, x.shape[-1]) @ weight.T).reshape(*x.shape[:-1], len(weight))
        bias = weights.get(f"{prefix}{name}.bias")
        if bias is not None:
            y += bias
        return y

    def announce(
        inputs: np.ndarray,
        *names: str,
        tokens: np.ndarray | None = None,
        residual: np.ndarray | None = None,
    ) -> LinearInputs:
        rows = inputs.reshape(-1, inputs.shape[-1])
        if residual is not None:
            residual = None if config.has_post_norms else residual.reshape(-1, residual.shape[-1])
        return LinearInputs(
            names=tuple(f"{prefix}{name}.weight" for name in names),
            inputs=rows,
            tokens=np.arange(len(rows)) if tokens is None else tokens,
            residual=residual,
        )

    x = norm(hidden, "input_layernorm")
    yield announce(x, "self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj")
    q, k, v = (_split_heads(linear(x, f"self_attn.{name}_proj"), config.head_dim) for name in "qkv")
    if config.has_qk_norm:
        q, k = norm(q, "self_attn.q_norm"), norm(k, "self_attn.k_norm")
    x = attention(config, layer, q, k, v)
    yield announce(x, "self_attn.o_proj", residual=hidden)
    x = linear(x, "self_attn.o_proj")
    if config.has_post_norms:
        x = norm(x, "post_attention_layernorm")
    hidden = np.add(hidden, x, out=x)

    before_mlp = (
        "pre_feedforward_layernorm" if config.has_post_norms else "post_attention_layernorm"
    )
    x = norm(hidden, before_mlp)
    if config.num_experts:
        flat = x.reshape(-1, config.hidden_size)
        chosen, shares = route(config, flat @ weights[f"{prefix}block_sparse_moe.gate.weight"].T)
        mixed = np.zeros_like(flat)
        for expert in range(config.num_experts):
            rows, slots = np.nonzero(chosen == expert)
            name = f"block_sparse_moe.experts.{expert}"
            inputs = flat[rows]
            yield announce(inputs, f"{name}.w1", f"{name}.w3", tokens=rows)
            inner = activate(config, linear(inputs, f"{name}.w1")) * linear(inputs, f"{name}.w3")
            yield announce(inner, f"{name}.w2", tokens=rows)
            mixed[rows] += linear(inner, f"{name}.w2") * shares[rows, slots][:, None]
        x = mixed.reshape(x.shape)
    else:
        yield announce(x, "mlp.gate_proj", "mlp.up_proj")
        inner = np.empty((*x.shape[:2], config.intermediate_size), dtype=np.float32)
        for sequence in range(len(x)):  # one at a time: what is between stays in the cache
            gate = activate(config, linear(x[sequence], "mlp.gate_proj"))
            np.multiply(gate, linear(x[sequence], "mlp.up_proj"), out=inner[sequence])
        yield announce(inner, "mlp.down_proj", residual=hidden)
        x = linear(inner, "mlp.down_proj")
    if config.has_post_norms:
        x = norm(x, "post_feedforward_layernorm")
    yield BlockOutput(hidden=np.add(hidden, x, out=x))


def rms_norm(x: np.ndarray, weight: np.ndarray, config: ModelConfig) -> np.ndarray:
    """Root mean square normalisation over the last axis (arXiv 1910.07467)."""
    mean_square = np.einsum("...i,...i->...", x, x)[..., None] / np.float32(x.shape[-1])
    result = x / np.sqrt(mean_square + np.float32(config.norm_eps))
    result *= weight + np.float32(config.norm_offset)
    return result


def attention(
    config: ModelConfig, layer: int, q: np.ndarray, k: np.ndarray, v: np.ndarray
) -> np.ndarray:
    """Causal grouped-query attention: q [sequences, time, heads, head_dim], k and v with kv heads.

    Returns [sequences, time, heads · head_dim].
    """
    kind = config.layers[layer]
    time = q.shape[1]
    q = rotate_positions(q, config.ropes[kind.rope_index])
    k = rotate_positions(k, config.ropes[kind.rope_index])
    # Query heads that share keys stand side by side: [kv heads, heads of each, time, head_dim].
    q = q * np.float32(config.attention_scale)
    q = q.reshape(*q.shape[:2], config.num_kv_heads, -1, config.head_dim).transpose(0, 2, 3, 1, 4)
    k, v = k.transpose(0, 2, 3, 1), v.swapaxes(1, 2)
    mixed = np.empty(q.shape, dtype=np.float32)
    window = kind.sliding_window or time
    for sequence in range(len(q)):
        for start in range(0, time, QUERIES):  # few at a time: their scores stay in the cache
            end = min(start + QUERIES, time)
            first = max(start - window + 1, 0)
            scores = q[sequence, :, :, start:end] @ k[sequence, :, None, :, first:end]
            scores = softcap(scores, config.attention_softcap)
            distance = np.arange(start, end)[:, None] - np.arange(first, end)
            scores += np.where((distance < 0) | (distance >= window), -np.inf, 0).astype(np.float32)
            scores -= scores.max(axis=-1, keepdims=True)
            np.exp(scores, out=scores)
            total = scores.sum(axis=-1, keepdims=True)
            values = v[sequence, :, None, first:end]
            np.divide(scores @ values, total, out=mixed[sequence, :, :, start:end])
    return mixed.transpose(0, 3, 1, 2, 4).reshape(len(q), time, -1)


def rotate_positions(x: np.ndarray, rope: Rope) -> np.ndarray:
    """RoPE (arXiv 2104.09864) on x [sequences, time, heads, head_dim], a head's halves paired."""
    angle = np.arange(x.shape[1])[:, None] * rope.inverse_frequencies.astype(np.float64)
    cos = (np.cos(angle) * rope.amplitude).astype(np.float32)[:, None]
    sin = (np.sin(angle) * rope.amplitude).astype(np.float32)[:, None]
    first, second = np.split(x, 2, axis=-1)
    return np.concatenate([first * cos - second * sin, second * cos + first * sin], axis=-1)


def route(config: ModelConfig, router_logits: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mixtral's router: the chosen experts [tokens, k] and their shares, which sum to one."""
    top = np.argsort(-router_logits, axis=1, kind="stable")[:, : config.num_experts_per_token]
    logits = np.take_along_axis(router_logits, top, axis=1)
    shares = np.exp(logits - logits.max(axis=1, keepdims=True))
    return top, shares / shares.sum(axis=1, keepdims=True)


def activate(config: ModelConfig, x: np.ndarray) -> np.ndarray:
    """SiLU, or GELU in its tanh form."""
    if config.activation == "gelu_tanh":
        return 0.5 * x * (1 + np.tanh(np.float32(np.sqrt(2 / np.pi)) * (x + 0.044715 * x**3)))
    result = np.exp(-x)
    result += 1
    return np.divide(x, result, out=result)


def softcap(x: np.ndarray, cap: float | None) -> np.ndarray:
    return x if cap is None else np.float32(cap) * np.tanh(x / np.float32(cap))


def _split_heads(x: np.ndarray, head_dim: int) -> np.ndarray:
    return x.reshape(*x.shape[:-1], -1, head_dim)
