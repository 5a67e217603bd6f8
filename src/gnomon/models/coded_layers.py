"""`gnomon.json`: which weights of a compressed folder are coded, and how."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from gnomon import codecs
from gnomon.codecs.encoded import EncodedWeight
from gnomon.errors import ModelError
from gnomon.models.json_file import read_json_object

FILE_NAME = "gnomon.json"
VERSION = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class CodedLayer:
    """What `gnomon.json` says about one weight, as far as reading it needs."""

    codec: str
    shape: tuple[int, int]  # [out, in]
    settings: Mapping[str, int | float | str | None]


def read_gnomon_json(folder: Path) -> tuple[dict[str, CodedLayer], dict[str, Any]]:
    """The coded weights by name, and the whole file. Both are empty where there is no such file."""
    path = folder / FILE_NAME
    if not path.exists():
        return {}, {}
    content = read_json_object(path)
    if content.get("format") != "gnomon" or content.get("version") != VERSION:
        raise ModelError(
            f"{path}: format {content.get('format')!r}, version {content.get('version')!r}; "
            f"'gnomon' version {VERSION} is read: upgrade gnomon or compress the model again"
        )
    layers = content.get("layers")
    if not isinstance(layers, dict):
        raise ModelError(f"{path}: has no object `layers`")
    return {name: _layer(name, entry, path=path) for name, entry in layers.items()}, content


def _layer(name: str, entry: Any, *, path: Path) -> CodedLayer:
    if not isinstance(entry, dict) or not {"codec", "shape", "settings"} <= entry.keys():
        raise ModelError(f"{path}: {name} is not described by codec, shape and settings")
    codec, shape, settings = entry["codec"], entry["shape"], entry["settings"]
    if not isinstance(codec, str) or codec not in codecs.CODECS:
        raise ModelError(
            f"{path}: {name} has the codec {codec!r}; known: {', '.join(codecs.CODECS)}. "
            "A newer gnomon may know it"
        )
    if (
        not isinstance(shape, list)
        or len(shape) != 2
        or not all(type(size) is int and size > 0 for size in shape)
    ):
        raise ModelError(f"{path}: the shape of {name} is {shape!r}, [out, in] was expected")
    if not isinstance(settings, dict) or not all(
        isinstance(value, int | float | str | None) for value in settings.values()
    ):
        raise ModelError(f"{path}: the settings of {name} are not numbers, texts and nulls")
    if not name.endswith(".weight"):
        raise ModelError(f"{path}: {name} does not end in .weight")
    return CodedLayer(codec=codec, shape=(shape[0], shape[1]), settings=settings)


def decode_layer(encoded: EncodedWeight, *, name: str, source: str) -> np.ndarray:
    """float32 [out, in]. Raises ModelError if the codes do not give the promised shape."""
    try:
        values = codecs.decode(encoded)
    except ModelError as error:
        raise ModelError(f"{source}: {name}: {error}") from error
    if values.shape != encoded.shape:
        raise ModelError(
            f"{source}: {name} decodes to {list(values.shape)}, {list(encoded.shape)} was expected"
        )
    return values
