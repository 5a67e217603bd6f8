"""The header of a safetensors file, checked against the file before anything is sliced.

Eight bytes of length, a JSON object, the tensors' bytes without gaps.
Format: https://github.com/huggingface/safetensors#format
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np

from gnomon.errors import ModelError
from gnomon.models.json_file import parse_json_object

LONGEST_HEADER_BYTES = 100_000_000  # the safetensors library's own limit
MAX_DIMENSIONS = 8
ITEM_BYTES: Mapping[str, int] = {
    "F64": 8, "F32": 4, "F16": 2, "BF16": 2, "F8_E4M3": 1, "F8_E5M2": 1, "I64": 8, "I32": 4,
    "I16": 2, "I8": 1, "U64": 8, "U32": 4, "U16": 2, "U8": 1, "BOOL": 1,
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredTensor:
    """Where one tensor, or one contiguous part of it, lies in its file."""

    dtype: str  # a key of ITEM_BYTES
    shape: tuple[int, ...]
    offset: int  # bytes from the start of the file

    @property
    def size_bytes(self) -> int:
        return math.prod(self.shape) * ITEM_BYTES[self.dtype]

    def part(self, *, first: int, shape: tuple[int, ...]) -> StoredTensor:
        """The part of `shape` that begins at element number `first`."""
        return replace(self, shape=shape, offset=self.offset + first * ITEM_BYTES[self.dtype])


def read_safetensors_header(data: np.ndarray, *, source: str) -> dict[str, StoredTensor]:
    """All tensors of the file whose bytes (uint8) are `data`.

    Raises ModelError, beginning with `source`, on anything but a whole safetensors file.
    """
    length = int.from_bytes(data[:8].tobytes(), "little")
    if data.nbytes < 8 or not 2 <= length <= min(data.nbytes - 8, LONGEST_HEADER_BYTES):
        raise ModelError(
            f"{source}: not a whole safetensors file: it says that its header has {length:,} "
            f"bytes, the file has {data.nbytes:,}; fetch it again"
        )
    header = parse_json_object(data[8 : 8 + length].tobytes(), source=f"{source} (header)")
    header.pop("__metadata__", None)
    start = 8 + length
    tensors = {
        name: _tensor(name, entry, start=start, source=source) for name, entry in header.items()
    }
    _require_no_gaps(tensors, start=start, end=data.nbytes, source=source)
    return tensors


def _tensor(name: str, entry: Any, *, start: int, source: str) -> StoredTensor:
    if not isinstance(entry, dict) or entry.keys() != {"dtype", "shape", "data_offsets"}:
        raise ModelError(f"{source}: {name} is not described by dtype, shape and data_offsets")
    dtype, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
    if dtype not in ITEM_BYTES if isinstance(dtype, str) else True:
        raise ModelError(f"{source}: {name} has the unknown dtype {str(dtype)[:40]!r}")
    if not _is_counts(shape) or len(shape) > MAX_DIMENSIONS:
        raise ModelError(f"{source}: the shape of {name} is {str(shape)[:80]}, not sizes")
    if not _is_counts(offsets) or len(offsets) != 2:
        raise ModelError(f"{source}: the data_offsets of {name} are {str(offsets)[:80]}")
    tensor = StoredTensor(dtype=dtype, shape=tuple(shape), offset=start + offsets[0])
    if offsets[1] - offsets[0] != tensor.size_bytes:
        raise ModelError(
            f"{source}: {name} ({dtype} {shape}) needs {tensor.size_bytes:,} bytes, its offsets "
            f"span {offsets[1] - offsets[0]:,}: the header is damaged"
        )
    return tensor


def _is_counts(value: Any) -> bool:
    return isinstance(value, list) and all(type(item) is int and item >= 0 for item in value)


def _require_no_gaps(
    tensors: Mapping[str, StoredTensor], *, start: int, end: int, source: str
) -> None:
    spans = sorted((entry.offset, entry.offset + entry.size_bytes) for entry in tensors.values())
    spans = [(start, start), *spans, (end, end)]
    for (_, before), (after, _) in pairwise(spans):
        if before > end:
            raise ModelError(
                f"{source}: its tensors end at byte {before:,}, but the file has {end:,}: the "
                "download was cut short; fetch it again"
            )
        if before != after:
            raise ModelError(f"{source}: bytes {before:,} and {after:,} should meet: damaged")
