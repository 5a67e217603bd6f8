"""Tiny random models with a tokenizer, as files that `open_model` reads."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from small_checkpoints import ggml_tensors, state_dict, write_gguf
from small_vocabularies import BYTE_LEVEL

from gnomon.models import Model, open_model


def tiny_model(folder: Path, model_type: str) -> Model:
    """Weights small enough that attention and routing are not all or nothing."""
    path = folder / f"tiny-{model_type}.gguf"
    state = {
        name: tensor if name.endswith("norm.weight") else tensor * np.float32(0.15)
        for name, tensor in state_dict(model_type).items()
    }
    tensors = ggml_tensors(state, model_type=model_type)
    write_gguf(path, model_type, tensors=tensors, **BYTE_LEVEL)
    return open_model(path)
