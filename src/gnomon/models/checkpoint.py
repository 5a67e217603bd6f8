"""`Checkpoint`: a model as its files have it, before its configuration is understood.

Readers return it; `open_model` turns it into a `Model`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gnomon.models.model import Weights
from gnomon.models.tokenizer import Tokenizer


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """Weights and texts of one model, in Hugging Face's names and conventions."""

    name: str
    source: Path
    hf_config: Mapping[str, Any]
    weights: Weights
    tokenizer: Tokenizer | None
    size_bytes: int
    provenance: Mapping[str, Any] = field(default_factory=dict)
