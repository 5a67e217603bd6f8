"""The forms that a matrix can be stored in: their sizes to the byte, and the error of each."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from gnomon.codecs.trellis import BITS, BLOCK, FORMS, STRIP

# Mean squared error on a unit Gaussian (benchmarks/results/gaussian_error.json). Rotated weights
# look Gaussian, and feedback lowers the error by about the same factor at every width.
TRELLIS_ERROR = {2: 0.0794, 3: 0.0204, 4: 0.0053}
INT8_ERROR = 1e-4  # a row's largest weight is four to five standard deviations
F16_ERROR = 1e-7


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredTensor:
    """What a safetensors header says of a tensor."""

    name: str
    dtype: str  # as safetensors writes it: U8, I8, F16, F32
    shape: tuple[int, ...]

    @property
    def size_bytes(self) -> int:
        return math.prod(self.shape) * {"U8": 1, "I8": 1, "F16": 2, "F32": 4}[self.dtype]


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredForm:
    """One way to store one matrix."""

    codec: str  # a key of CODECS, or `f16`: as it is
    bits: int
    tensors: tuple[StoredTensor, ...]
    error: float  # of the weights, relative and squared, if they were independent and Gaussian

    @property
    def size_bytes(self) -> int:
        return sum(tensor.size_bytes for tensor in self.tensors)


def block_forms(name: str, shape: tuple[int, int]) -> list[StoredForm]:
    """For a linear layer of a block: the trellis in all its widths, with one scale a matrix."""
    return [_trellis(name, shape, bits, {"scales": ("F32", 1)}) for bits in BITS]


def vocabulary_forms(name: str, shape: tuple[int, int]) -> list[StoredForm]:
    """For an embedding or a head: the trellis with one scale a row, int8, and f16 as it is."""
    stem = name.removesuffix(".weight")
    rows = shape[0]
    int8 = (
        StoredTensor(name=f"{stem}.codes", dtype="I8", shape=shape),
        StoredTensor(name=f"{stem}.scales", dtype="F32", shape=(rows,)),
    )
    f16 = (StoredTensor(name=name, dtype="F16", shape=shape),)
    return [
        *(_trellis(name, shape, bits, {"scales": ("F16", rows)}) for bits in BITS),
        StoredForm(codec="int8", bits=8, tensors=int8, error=INT8_ERROR),
        StoredForm(codec="f16", bits=16, tensors=f16, error=F16_ERROR),
    ]


def _trellis(
    name: str, shape: tuple[int, int], bits: int, scales: Mapping[str, tuple[str, int]]
) -> StoredForm:
    stem = name.removesuffix(".weight")
    strips, blocks = -(-shape[0] // STRIP), -(-shape[1] // BLOCK)
    tensors = (
        StoredTensor(name=f"{stem}.codes", dtype="U8", shape=(strips, blocks, 4 * bits, STRIP)),
        StoredTensor(name=f"{stem}.table", dtype="I8", shape=FORMS[bits].table_shape),
        *(
            StoredTensor(name=f"{stem}.{key}", dtype=dtype, shape=(count,))
            for key, (dtype, count) in scales.items()
        ),
    )
    return StoredForm(codec="trellis", bits=bits, tensors=tensors, error=TRELLIS_ERROR[bits])


def plain_form(name: str, shape: tuple[int, ...]) -> StoredTensor:
    """A tensor that is not coded: vectors in float32, matrices in float16."""
    return StoredTensor(name=name, dtype="F32" if len(shape) < 2 else "F16", shape=shape)


def header_bytes(tensors: Iterable[StoredTensor], *, end: int, metadata: Mapping[str, str]) -> int:
    """At most so many bytes come before these tensors in a safetensors file.

    `end` is at least the bytes of all of them together: no offset has more digits.
    """
    header: dict[str, object] = {"__metadata__": dict(metadata)}
    for tensor in tensors:
        header[tensor.name] = {
            "dtype": tensor.dtype,
            "shape": list(tensor.shape),
            "data_offsets": [end, end],
        }
    length = len(json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode())
    return 8 + -(-length // 8) * 8
