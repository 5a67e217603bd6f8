"""The compressed model as a folder in Hugging Face's style, there whole or not at all."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save_file

from gnomon.compress.job import write_json, writing
from gnomon.errors import OutputError
from gnomon.models.model import Model


def require_ours(output: Path, *, overwrite: bool) -> None:
    """Raises OutputError unless `output` may be written: absent, empty, or ours to overwrite."""
    if not output.exists():
        return
    if not output.is_dir():
        raise OutputError(f"{output} is a file; expected a folder to write, or none yet.")
    if not any(output.iterdir()):
        return
    if not (output / "gnomon.json").exists():
        raise OutputError(
            f"{output} is not empty and was not written by gnomon, so it is left alone. "
            "Choose another folder for -o."
        )
    if not overwrite:
        raise OutputError(f"{output} already holds a model. Add --overwrite to replace it.")


def plain_tensor(tensor: np.ndarray) -> np.ndarray:
    """A tensor that is not coded as it is stored: vectors float32, matrices float16 if they fit."""
    if tensor.ndim < 2 or np.abs(tensor).max(initial=0) > np.finfo(np.float16).max:
        return np.ascontiguousarray(tensor, dtype=np.float32)
    return np.ascontiguousarray(tensor, dtype=np.float16)


def write_model(
    model: Model,
    tensors: Mapping[str, np.ndarray],
    gnomon_json: dict[str, Any],
    *,
    output: Path,
    scratch: Path,
) -> int:
    """Writes everything into `scratch`, renames it to `output`; returns the weights' bytes.

    `gnomon_json` gets `size_bytes` and `bits_per_weight` added, once they are known.
    """
    with writing(scratch):
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir(parents=True)
        weights = scratch / "model.safetensors"
        save_file(dict(tensors), weights, metadata={"format": "gnomon"})
        size_bytes = weights.stat().st_size
        gnomon_json["size_bytes"] = size_bytes
        gnomon_json["bits_per_weight"] = 8 * size_bytes / gnomon_json["parameters"]
        config = {**model.hf_config, "quantization_config": {"quant_method": "gnomon"}}
        write_json(scratch / "config.json", config)
        if model.tokenizer is not None:
            model.tokenizer.save(scratch)
        write_json(scratch / "gnomon.json", gnomon_json)
        _replace_folder(scratch, output)
    return size_bytes


def _replace_folder(new: Path, output: Path) -> None:
    if output.exists():
        old = output.with_name(output.name + ".old")
        shutil.rmtree(old, ignore_errors=True)
        os.replace(output, old)
        os.replace(new, output)
        shutil.rmtree(old)
    else:
        output.parent.mkdir(parents=True, exist_ok=True)
        os.replace(new, output)
