"""A tiny random model with a tokenizer, and a text that it can be calibrated on."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from gnomon.compress import CompressOptions
from gnomon.models import Model, open_model

sys.path.insert(0, str(Path(__file__).parent.parent / "models"))

from small_checkpoints import ggml_tensors, state_dict, write_gguf
from small_vocabularies import BYTE_LEVEL


@pytest.fixture
def tiny(tmp_path) -> Model:
    return tiny_model(tmp_path, "llama")


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


@pytest.fixture
def text(tmp_path) -> Path:
    letters = np.random.default_rng(0).choice(list("the old hen  "), size=12_000)
    path = tmp_path / "calibration.txt"
    path.write_text("".join(letters), encoding="utf-8")
    return path


@pytest.fixture
def options(text) -> CompressOptions:
    return CompressOptions(calibration=text, calibration_tokens=2048)
