"""Read a JSON object from a file that comes from somebody else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from gnomon.errors import ModelError


def read_json_object(path: Path) -> dict[str, Any]:
    """The object in `path`. Raises ModelError if it is missing or no JSON object."""
    try:
        return parse_json_object(path.read_bytes(), source=str(path))
    except OSError as error:
        raise ModelError(f"{path}: cannot be read: {error.strerror or error}") from error


def parse_json_object(text: bytes, *, source: str) -> dict[str, Any]:
    """The object in `text`, UTF-8. No key may be there twice."""
    try:
        value = json.loads(text.decode("utf-8"), object_pairs_hook=_unique)
    except (ValueError, RecursionError) as error:  # ValueError: not UTF-8, not JSON, a key twice
        raise ModelError(f"{source}: not valid JSON: {error}") from error
    if not isinstance(value, dict):
        raise ModelError(f"{source}: holds a JSON {type(value).__name__}, an object was expected")
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise ValueError("a key is there twice")
    return result
