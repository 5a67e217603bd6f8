"""`Model`: what every reader returns and everything else takes.

Tensor names and conventions are those of Hugging Face checkpoints, whatever the file was: a GGUF
reader renames, un-permutes and un-offsets, so that nothing downstream knows where weights are from.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from gnomon.codecs.encoded import EncodedWeight
from gnomon.models.config import ModelConfig
from gnomon.models.tokenizer import Tokenizer


class Weights(Protocol):
    """Named tensors, read from disk when asked for. Safe to use from several threads."""

    def names(self) -> list[str]:
        """All tensor names, Hugging Face style (`model.layers.0.self_attn.q_proj.weight`)."""
        ...

    def shape(self, name: str) -> tuple[int, ...]: ...

    def storage(self, name: str) -> str:
        """How the file holds it: `F32`, `F16`, `BF16`, a ggml type such as `Q4_1`, or a codec."""
        ...

    def size_bytes(self, name: str) -> int:
        """Bytes the file spends on it."""
        ...

    def load(self, name: str) -> np.ndarray:
        """float32, C-contiguous; decoded if it is coded. Raises ModelError on NaN or damage."""
        ...

    def encoded(self, name: str) -> EncodedWeight | None:
        """The codes of a compressed weight, memory-mapped, or None if it is stored plainly."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A language model as read: description, weights, and what turns text into tokens and back."""

    name: str
    source: Path  # the file or folder it was read from
    config: ModelConfig
    hf_config: Mapping[str, Any]  # what config.json holds or would hold
    weights: Weights
    tokenizer: Tokenizer | None  # None: the files had none; `require_tokenizer` says so
    size_bytes: int  # of the weights' files
    provenance: Mapping[str, Any] = field(default_factory=dict)  # gnomon.json of a compressed model
