"""The forward pass in numpy, step by step: the plain form of cpp/engine, and the calibrator.

A block runs in four steps, each of which uses linear layers that an earlier step has not used:

    0  q, k, v and attention         2  gate and up, or those of every expert
    1  o, onto the residual stream   3  down, onto the residual stream

`linear_inputs` says what the layers of the next step are about to read; `advance` takes the step.
Between the two the compressor replaces a weight by its rounded self, so that what follows already
sees the rounded layer. Everything that a step leaves to the next is in its `BlockState`:

    state = BlockState(hidden=hidden)
    for step in range(STEPS):
        for group in linear_inputs(config, 0, step, weights, state):
            weights |= rounded(group)                            # used from here on
        state = advance(config, 0, step, weights, state)

Shapes: `hidden` is float32 [sequences, time, hidden_size].
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from gnomon.models.config import ModelConfig, Rope

STEPS = 4
QUERIES = 64  # of one sequence that attend at a time


@dataclass(frozen=True, slots=True, kw_only=True)
class LinearInputs:
    """Linear layers that are about to read the same inputs."""

    names: tuple[str, ...]  # of the weights, each [out, in]
    inputs: np.ndarray  # float32 [rows, in]
    tokens: np.ndarray | None = None  # int [rows]: which tokens the rows are; None: all in order
    residual: np.ndarray | None = None  # float32 [rows, out]: what the output is added to, if so


@dataclass(frozen=True, slots=True, kw_only=True)
class Routes:
    """Which experts the tokens go to."""

    chosen: np.ndarray  # int [tokens, experts of each]
    shares: np.ndarray  # float32, likewise; a token's sum to one

    def to(self, expert: int) -> tuple[np.ndarray, np.ndarray]:
        """The tokens that `expert` gets, and its share in each."""
        tokens, slots = np.nonzero(self.chosen == expert)
        return tokens, self.shares[tokens, slots]


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockState:
    """Where a block stands between two of its steps."""

    hidden: np.ndarray  # the residual stream
    inner: tuple[np.ndarray, ...] = ()  # [..., in]: read next, unless that is the normed stream
    routes: Routes | None = None  # between the steps of a block with experts


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
    """The output of block `layer`, all steps at once."""
    state = BlockState(hidden=hidden)
    for step in range(STEPS):
        state = advance(config, layer, step, weights, state)
    return state.hidden


def linear_inputs(
    config: ModelConfig, layer: int, step: int, weights: Mapping[str, np.ndarray], state: BlockState
) -> list[LinearInputs]:
    """What each group of linear layers of `step` will read; needs norms and router only."""
    block = _Block(config, layer, weights)
    if step == 0:
        return [block.group(block.norm(state.hidden, "input_layernorm"), *ATTENTION)]
    if step == 1:
        return [block.group(state.inner[0], "self_attn.o_proj", residual=state.hidden)]
    if not config.num_experts:
        if step == 2:
            return [block.group(block.mlp_input(state.hidden), "mlp.gate_proj", "mlp.up_proj")]
        return [block.group(state.inner[0], "mlp.down_proj", residual=state.hidden)]
    if step == 2:
        flat = block.mlp_input(state.hidden).reshape(-1, config.hidden_size)
        routes = block.route(flat)
        groups = []
        for expert in range(config.num_experts):
            tokens, _ = routes.to(expert)
            gate, up, _ = expert_layers(expert)
            groups.append(block.group(flat[tokens], gate, up, tokens=tokens))
        return groups
    assert state.routes is not None
    return [
        block.group(inner, expert_layers(expert)[2], tokens=state.routes.to(expert)[0])
        for expert, inner in enumerate(state.inner)
    ]


def advance(
    config: ModelConfig, layer: int, step: int, weights: Mapping[str, np.ndarray], state: BlockState
) -> BlockState:
    """The state after `step`."""
    block, hidden = _Block(config, layer, weights), state.hidden
    if step == 0:
        x = block.norm(hidden, "input_layernorm")
        q, k, v = (_split_heads(block.linear(x, name), config.head_dim) for name in ATTENTION)
        if config.has_qk_norm:
            q, k = block.norm(q, "self_attn.q_norm"), block.norm(k, "self_attn.k_norm")
        return BlockState(hidden=hidden, inner=(attention(config, layer, q, k, v),))
    if step == 1:
        x = block.linear(state.inner[0], "self_attn.o_proj")
        if config.has_post_norms:
            x = block.norm(x, "post_attention_layernorm")
        return BlockState(hidden=np.add(hidden, x, out=x))
    if step == 2:
        x = block.mlp_input(hidden)
        if config.num_experts:
            flat = x.reshape(-1, config.hidden_size)
            routes = block.route(flat)
            inner = tuple(
                block.gated(flat[routes.to(expert)[0]], *expert_layers(expert)[:2])
                for expert in range(config.num_experts)
            )
            return BlockState(hidden=hidden, inner=inner, routes=routes)
        inner = np.empty((*x.shape[:2], config.intermediate_size), dtype=np.float32)
        for sequence in range(len(x)):  # one at a time: what is between stays in the cache
            inner[sequence] = block.gated(x[sequence], "mlp.gate_proj", "mlp.up_proj")
        return BlockState(hidden=hidden, inner=(inner,))
    if config.num_experts:
        assert state.routes is not None
        mixed = np.zeros((hidden.shape[0] * hidden.shape[1], config.hidden_size), np.float32)
        for expert, inner in enumerate(state.inner):
            tokens, shares = state.routes.to(expert)
            mixed[tokens] += block.linear(inner, expert_layers(expert)[2]) * shares[:, None]
        x = mixed.reshape(hidden.shape)
    else:
        x = block.linear(state.inner[0], "mlp.down_proj")
    if config.has_post_norms:
        x = block.norm(x, "post_feedforward_layernorm")
    return BlockState(hidden=np.add(hidden, x, out=x))


ATTENTION = ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj")


def expert_layers(expert: int) -> tuple[str, str, str]:
    """Mixtral's names for the gate, the way up and the way down of one expert."""
    name = f"block_sparse_moe.experts.{expert}"
    return f"{name}.w1", f"{name}.w3", f"{name}.w2"


@dataclass(frozen=True, slots=True)
class _Block:
    """The layers of one block by their short names."""

    config: ModelConfig
    layer: int
    weights: Mapping[str, np.ndarray]

    def weight(self, name: str) -> str:
        return f"model.layers.{self.layer}.{name}.weight"

    def norm(self, x: np.ndarray, name: str) -> np.ndarray:
        return rms_norm(x, self.weights[self.weight(name)], self.config)

    def mlp_input(self, hidden: np.ndarray) -> np.ndarray:
        has_post = self.config.has_post_norms
        name = "pre_feedforward_layernorm" if has_post else "post_attention_layernorm"
        return self.norm(hidden, name)

    def linear(self, x: np.ndarray, name: str) -> np.ndarray:
        weight = self.weights[self.weight(name)]
        y = (x.reshape(-1, x.shape[-1]) @ weight.T).reshape(*x.shape[:-1], len(weight))
        bias = self.weights.get(self.weight(name).removesuffix("weight") + "bias")
        if bias is not None:
            y += bias
        return y

    def gated(self, x: np.ndarray, gate: str, up: str) -> np.ndarray:
        inner = activate(self.config, self.linear(x, gate))
        inner *= self.linear(x, up)
        return inner

    def route(self, flat: np.ndarray) -> Routes:
        router = self.weights[self.weight("block_sparse_moe.gate")]
        chosen, shares = _route(self.config, flat @ router.T)
        return Routes(chosen=chosen, shares=shares)

    def group(
        self,
        inputs: np.ndarray,
        *names: str,
        tokens: np.ndarray | None = None,
        residual: np.ndarray | None = None,
    ) -> LinearInputs:
        if residual is not None:
            is_added = not self.config.has_post_norms
            residual = residual.reshape(-1, residual.shape[-1]) if is_added else None
        return LinearInputs(
            names=tuple(self.weight(name) for name in names),
            inputs=inputs.reshape(-1, inputs.shape[-1]),
            tokens=tokens,
            residual=residual,
        )


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


def _route(config: ModelConfig, router_logits: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
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
