"""The header of a GGUF file, read with every count and length checked against the file first.

A GGUF header is a list of counts: so many keys, so many tensors, strings of so many bytes. All of
them come from somebody else, so each is compared with what is left of the file before anything is
allocated or sliced. What comes out is plain data; nothing has been decoded yet. The `gguf` package
has a reader too, but it trusts the counts and takes seconds on a vocabulary of 150,000 words.

Format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md, versions 2 and 3.

>>> header = read_gguf_header(map_file(path), source=str(path))  # doctest: +SKIP
>>> header.metadata["general.architecture"]                      # doctest: +SKIP
'llama'
"""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NoReturn, TypeAlias

import numpy as np
from gguf.constants import GGML_QUANT_SIZES, GGMLQuantizationType

from gnomon.errors import ModelError

MAGIC = b"GGUF"
SMALLEST_KEY_VALUE_BYTES = 8 + 4 + 1  # empty key, type, one byte
SMALLEST_TENSOR_BYTES = 8 + 4 + 8 + 4 + 8  # empty name, one dimension, type, offset
MAX_DIMENSIONS = 4  # GGML_MAX_DIMS
STRING, ARRAY = 8, 9
SCALARS: Mapping[int, np.dtype] = {
    code: np.dtype(name)
    for code, name in {
        0: "u1", 1: "i1", 2: "<u2", 3: "<i2", 4: "<u4", 5: "<i4", 6: "<f4",
        7: "?", 10: "<u8", 11: "<i8", 12: "<f8",
    }.items()
}  # fmt: skip

MetadataValue: TypeAlias = "int | float | bool | str | list[str] | np.ndarray"


@dataclass(frozen=True, slots=True, kw_only=True)
class GgufTensor:
    """Where one tensor lies and how it is stored."""

    name: str  # ggml's name, `blk.0.attn_q.weight`
    shape: tuple[int, ...]  # numpy order, rows first: the reverse of what the file lists
    ggml_type: GGMLQuantizationType
    offset: int  # bytes from the start of the file
    size_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class GgufHeader:
    """Everything before the weights."""

    version: int
    metadata: Mapping[str, MetadataValue]  # numeric arrays are numpy, string arrays are lists
    tensors: Mapping[str, GgufTensor]


def read_gguf_header(data: np.ndarray, *, source: str) -> GgufHeader:
    """The checked header of the GGUF file whose bytes (uint8, mapped or not) are `data`.

    Raises ModelError, beginning with `source`, on anything that is not a whole GGUF file.
    """
    cursor = _Cursor(data, source=source)
    if cursor.take(4) != MAGIC:
        cursor.fail("it does not begin with GGUF's magic bytes: this is another kind of file")
    version = cursor.integer("<I")
    if version not in (2, 3):
        swapped = int.from_bytes(version.to_bytes(4, "little"), "big")
        kind = "a big-endian file" if swapped in (2, 3) else f"version {version}"
        cursor.fail(f"it is {kind}; little-endian versions 2 and 3 are read: convert it again")
    tensor_count, key_count = cursor.integer("<Q"), cursor.integer("<Q")
    cursor.need(tensor_count * SMALLEST_TENSOR_BYTES, f"{tensor_count} tensors")
    cursor.need(key_count * SMALLEST_KEY_VALUE_BYTES, f"{key_count} metadata keys")
    metadata: dict[str, MetadataValue] = {}
    for _ in range(key_count):
        key = cursor.text("a metadata key")
        if key in metadata:
            cursor.fail(f"the metadata key {key!r} is there twice")
        metadata[key] = cursor.value(cursor.integer("<I"), key)
    raw_tensors = [cursor.tensor() for _ in range(tensor_count)]
    tensors = _place_tensors(raw_tensors, cursor, alignment=_alignment(metadata, cursor))
    return GgufHeader(version=version, metadata=metadata, tensors=tensors)


def _alignment(metadata: Mapping[str, MetadataValue], cursor: _Cursor) -> int:
    alignment = metadata.get("general.alignment", 32)
    if type(alignment) is not int or alignment < 1 or alignment & (alignment - 1):
        cursor.fail(f"general.alignment is {alignment!r}, a power of two was expected")
    return alignment


def _place_tensors(
    raw_tensors: list[GgufTensor], cursor: _Cursor, *, alignment: int
) -> dict[str, GgufTensor]:
    """Offsets made absolute; none may leave the file, overlap another or have another's name."""
    start = -(-cursor.position // alignment) * alignment
    placed: dict[str, GgufTensor] = {}
    end = start
    for raw in sorted(raw_tensors, key=lambda tensor: (tensor.offset, tensor.size_bytes)):
        offset = start + raw.offset
        if raw.name in placed:
            cursor.fail(f"the tensor {raw.name!r} is there twice")
        if raw.offset % alignment:
            cursor.fail(f"{raw.name} begins at {raw.offset}, not a multiple of {alignment}")
        if offset < end:
            cursor.fail(f"{raw.name} overlaps the tensor before it")
        end = offset + raw.size_bytes
        if end > cursor.size:
            cursor.fail(
                f"{raw.name} should end at byte {end:,}, but the file has {cursor.size:,}: "
                "the download was cut short or the header is damaged; fetch it again"
            )
        placed[raw.name] = GgufTensor(
            name=raw.name,
            shape=raw.shape,
            ggml_type=raw.ggml_type,
            offset=offset,
            size_bytes=raw.size_bytes,
        )
    return {raw.name: placed[raw.name] for raw in raw_tensors}


class _Cursor:
    """A position in the file that refuses to pass its end."""

    def __init__(self, data: np.ndarray, *, source: str) -> None:
        self.view = data.data
        self.size = data.nbytes
        self.position = 0
        self.source = source

    def fail(self, problem: str) -> NoReturn:
        raise ModelError(f"{self.source}: {problem}")

    def need(self, count: int, what: str) -> None:
        left = self.size - self.position
        if count > left:
            self.fail(
                f"damaged or cut short: {what} need at least {count:,} bytes at byte "
                f"{self.position:,}, but {left:,} are left; fetch it again"
            )

    def take(self, count: int, what: str = "the next bytes") -> memoryview:
        self.need(count, what)
        self.position += count
        return self.view[self.position - count : self.position]

    def integer(self, layout: str) -> int:
        return struct.unpack(layout, self.take(struct.calcsize(layout)))[0]

    def text(self, what: str) -> str:
        try:
            return str(self.take(self.integer("<Q"), what), "utf-8")
        except UnicodeDecodeError:
            self.fail(f"{what} is not UTF-8 text: the header is damaged")

    def value(self, kind: int, key: str) -> MetadataValue:
        if kind == STRING:
            return self.text(key)
        if kind != ARRAY:
            return self.numbers(kind, 1, key)[0].item()
        item_kind, count = self.integer("<I"), self.integer("<Q")
        if item_kind == STRING:
            self.need(count * 8, f"{count:,} strings of {key}")
            return [self.text(key) for _ in range(count)]
        return self.numbers(item_kind, count, key)

    def numbers(self, kind: int, count: int, key: str) -> np.ndarray:
        dtype = SCALARS.get(kind)
        if dtype is None:
            self.fail(f"{key} has the unknown value type {kind}: the header is damaged")
        raw = self.take(count * dtype.itemsize, f"{count:,} values of {key}")
        if dtype.kind == "b":  # any byte but zero is true
            return np.frombuffer(raw, dtype=np.uint8) != 0
        return np.frombuffer(raw, dtype=dtype)

    def tensor(self) -> GgufTensor:
        """One tensor's entry; its offset still counts from the start of the weights."""
        name = self.text("a tensor's name")
        dimension_count = self.integer("<I")
        if not 1 <= dimension_count <= MAX_DIMENSIONS:
            self.fail(f"{name} has {dimension_count} dimensions, 1 to {MAX_DIMENSIONS} expected")
        shape = tuple(self.integer("<Q") for _ in range(dimension_count))[::-1]
        type_number, offset = self.integer("<I"), self.integer("<Q")
        try:
            ggml_type = GGMLQuantizationType(type_number)
            block_size, block_bytes = GGML_QUANT_SIZES[ggml_type]
        except (ValueError, KeyError):
            self.fail(
                f"{name} has the ggml type {type_number}, which the installed gguf package does "
                "not know: upgrade it (pip install -U gguf) or convert the model to a usual type"
            )
        if 0 in shape or shape[-1] % block_size:
            self.fail(f"{name} has the shape {list(shape)}: rows of {block_size}·n were expected")
        size_bytes = math.prod(shape) // block_size * block_bytes
        return GgufTensor(
            name=name, shape=shape, ggml_type=ggml_type, offset=offset, size_bytes=size_bytes
        )
