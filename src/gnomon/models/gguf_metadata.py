"""Typed look-ups in a GGUF file's metadata: the right type and range, or a ModelError."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from gnomon.errors import ModelError
from gnomon.models.gguf_header import MetadataValue


class Metadata:
    """Metadata of one file. Getters return None, or `default`, where the key is missing."""

    def __init__(self, values: Mapping[str, MetadataValue], *, source: str) -> None:
        self.values = values
        self.source = source

    def wrong(self, key: str, expected: str) -> ModelError:
        given = self.values.get(key, "missing")
        shown = f"a list of {len(given)}" if isinstance(given, list | np.ndarray) else repr(given)
        return ModelError(f"{self.source}: the metadata key {key} is {shown[:80]}, not {expected}")

    def integer(self, key: str, default: int | None = None) -> int | None:
        """A whole number from 0 on; a list of equal numbers (one a layer) counts as that number."""
        value = self.values.get(key, default)
        if (
            isinstance(value, np.ndarray)
            and value.dtype.kind in "iu"
            and len(np.unique(value)) == 1
        ):
            value = int(value[0])
        if value is None or (type(value) is int and value >= 0):
            return value
        raise self.wrong(key, "one whole number (layers that differ in size are not supported)")

    def needed_integer(self, key: str, default: int | None = None) -> int:
        """A whole number from 1 on that must be there, unless there is a default."""
        value = self.integer(key, default)
        if not value:
            raise self.wrong(key, "a whole number above 0")
        return value

    def number(self, key: str, default: float | None = None) -> float | None:
        """A finite number above 0, as the shortest decimal that its float32 stands for."""
        value = self.values.get(key, default)
        if value is None:
            return None
        if type(value) not in (int, float) or not math.isfinite(value) or value <= 0:  # type: ignore[arg-type]
            raise self.wrong(key, "a number above 0")
        with np.errstate(over="ignore"):
            rounded = np.float32(value)  # type: ignore[arg-type]
        return float(str(rounded)) if rounded == value else float(value)  # type: ignore[arg-type]

    def flag(self, key: str, default: bool) -> bool:
        value = self.values.get(key, default)
        if type(value) is not bool:
            raise self.wrong(key, "true or false")
        return value

    def text(self, key: str, default: str | None = None) -> str | None:
        value = self.values.get(key, default)
        if value is not None and type(value) is not str:
            raise self.wrong(key, "a text")
        return value  # type: ignore[return-value]

    def texts(self, key: str) -> list[str] | None:
        value = self.values.get(key)
        if value is not None and not isinstance(value, list):
            raise self.wrong(key, "a list of texts")
        return value  # type: ignore[return-value]

    def numbers(self, key: str) -> np.ndarray | None:
        """A numeric array of any type, or None."""
        value = self.values.get(key)
        if value is not None and not isinstance(value, np.ndarray):
            raise self.wrong(key, "a list of numbers")
        return value  # type: ignore[return-value]
