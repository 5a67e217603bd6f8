"""`ModelConfig`: everything the forward pass needs to know about a decoder-only transformer.

It is the one description that the reference forward, the native engine and the compressor share.
`architectures.py` makes it from a Hugging Face `config.json`; nothing else parses configurations.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np


@dataclass(frozen=True, slots=True, kw_only=True)
class Rope:
    """Rotary position embedding of one kind of layer (arXiv 2104.09864), already scaled."""

    inverse_frequencies: np.ndarray  # float32 [head_dim / 2]
    amplitude: float = 1.0  # cos and sin are multiplied by this (YaRN's attention factor)


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerKind:
    """What may differ from layer to layer."""

    rope_index: int = 0  # into ModelConfig.ropes
    sliding_window: int | None = None  # a query sees itself and the window - 1 keys before it


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelConfig:
    """A decoder-only transformer: pre-norm blocks of attention and a gated feed-forward part."""

    architecture: str  # a key of ARCHITECTURES
    vocab_size: int
    hidden_size: int
    intermediate_size: int
    num_heads: int
    num_kv_heads: int  # divides num_heads
    head_dim: int
    max_context: int  # tokens
    norm_eps: float
    layers: tuple[LayerKind, ...]
    ropes: tuple[Rope, ...]
    attention_scale: float  # scores are multiplied by this, usually head_dim ** -0.5
    activation: Literal["silu", "gelu_tanh"] = "silu"
    embedding_scale: float = 1.0  # gemma: sqrt(hidden_size)
    norm_offset: float = 0.0  # gemma: 1.0, the norm multiplies by (offset + weight)
    has_qk_norm: bool = False  # RMSNorm over head_dim on queries and keys, before RoPE
    has_post_norms: bool = False  # gemma: a norm after attention and feed-forward too
    is_head_tied: bool = False
    attention_softcap: float | None = None
    logit_softcap: float | None = None
    num_experts: int = 0  # 0: dense
    num_experts_per_token: int = 0

    @property
    def num_layers(self) -> int:
        return len(self.layers)
