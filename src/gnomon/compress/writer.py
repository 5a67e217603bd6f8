"""The compressed model as a folder in Hugging Face's style, there whole or not at all."""

from __future__ import annotations

import json
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

# Every file that a model folder of ours may hold; with any other, it is not ours to replace.
OURS = frozenset(
    {
        "config.json",
        "generation_config.json",
        "gnomon.json",
        "model.safetensors",
        "special_tokens_map.json",
        "tokenizer.json",
        "tokenizer_config.json",
        "chat_template.jinja",
    }
)


def require_ours(output: Path, *, overwrite: bool) -> None:
    """Raises OutputError unless `output` may be written: absent, empty, or ours to overwrite."""
    with writing(output):
        if not output.exists():
            return
        if output.samefile(Path.cwd()):
            raise OutputError(
                "The output is the current folder, which a finished model would take the place "
                "of. Give -o the name of a folder to make."
            )
        if not output.is_dir():
            raise OutputError(f"{output} is a file; expected a folder to write, or none yet.")
        held = sorted(os.listdir(output))
    if not held:
        return
    strange = [name for name in held if name not in OURS]
    if strange or not _is_marked(output / "gnomon.json"):
        raise OutputError(
            f"{output} holds {strange[0] if strange else held[0]}, which was not written by "
            "gnomon, so it is left alone. Choose another folder for -o."
        )
    if not overwrite:
        raise OutputError(f"{output} already holds a model. Add --overwrite to replace it.")


def _is_marked(gnomon_json: Path) -> bool:
    try:
        content = json.loads(gnomon_json.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(content, dict) and content.get("format") == "gnomon"


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
    quantization: Mapping[str, Any],
    output: Path,
    scratch: Path,
) -> int:
    """Writes everything into `scratch`, renames it to `output`; returns the weights' bytes.

    `quantization` is what config.json says of the coding. `gnomon_json` gets
    `size_bytes` and `bits_per_weight` added, once they are known.
    """
    with writing(scratch):
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir(parents=True)
        weights = scratch / "model.safetensors"
        save_file(dict(tensors), weights, metadata={"format": "gnomon"})
        size_bytes = weights.stat().st_size
        gnomon_json["size_bytes"] = size_bytes
        gnomon_json["bits_per_weight"] = 8 * size_bytes / gnomon_json["parameters"]
        config = {**model.hf_config, "quantization_config": dict(quantization)}
        write_json(scratch / "config.json", config)
        shutil.copymode(scratch / "config.json", weights)  # else none but its owner can read it
        if model.tokenizer is not None:
            model.tokenizer.save(scratch)
        write_json(scratch / "gnomon.json", gnomon_json)
        require_ours(output, overwrite=True)  # a long time has passed since it was asked first
        _replace_folder(scratch, output)
    return size_bytes


def _replace_folder(new: Path, output: Path) -> None:
    """The old folder waits in our own scratch folder until the new one is in its place."""
    if output.exists():
        replaced = new.with_name("replaced")
        shutil.rmtree(replaced, ignore_errors=True)
        os.replace(output, replaced)
    os.replace(new, output)
