"""A tiny random model with a tokenizer, and a text that it can be calibrated on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tiny_models_on_disk import tiny_model

from gnomon.compress import CompressOptions
from gnomon.models import Model


@pytest.fixture
def tiny(tmp_path) -> Model:
    return tiny_model(tmp_path, "llama")


@pytest.fixture
def text(tmp_path) -> Path:
    letters = np.random.default_rng(0).choice(list("the old hen  "), size=12_000)
    path = tmp_path / "calibration.txt"
    path.write_text("".join(letters), encoding="utf-8")
    return path


@pytest.fixture
def options(text) -> CompressOptions:
    return CompressOptions(calibration=text, calibration_tokens=2048)
