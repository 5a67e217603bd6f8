"""The table of codecs and the one interface they share.

A codec is asked for a `Rounder` for one matrix; the rounder is handed a few columns at a time, in
any order, answers with the values it can store for them, and keeps the codes. What is fed back into
the columns that follow is not the codec's business (`gnomon.compress.feedback`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from gnomon.codecs import aq, int8, trellis
from gnomon.codecs.encoded import EncodedWeight
from gnomon.errors import ModelError


class Rounder(Protocol):
    """Turns a matrix [rows, columns] into codes, block of columns by block of columns."""

    columns: int  # how many columns it takes at a time

    def round(self, block: np.ndarray, *, start: int) -> np.ndarray: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Codec:
    """A row of the table."""

    name: str
    bits: tuple[int, ...]  # the widths it can be asked for, codes alone
    is_rotated: bool  # whether the matrix is rotated before it is coded
    decode: Callable[[EncodedWeight], np.ndarray]  # float32 [out, in]


CODECS = {
    codec.name: codec
    for codec in (
        Codec(name="trellis", bits=trellis.BITS, is_rotated=True, decode=trellis.decode),
        Codec(name="aq", bits=(1, 2, 3, 4), is_rotated=False, decode=aq.decode),
        Codec(name="int8", bits=(8,), is_rotated=False, decode=int8.decode),
    )
}


def decode(encoded: EncodedWeight) -> np.ndarray:
    """The matrix float32 [out, in] that `encoded` stands for."""
    if encoded.codec not in CODECS:
        raise ModelError(
            f"Unknown codec {encoded.codec!r}; this version knows {', '.join(CODECS)}. "
            "Was the model written by a newer gnomon?"
        )
    return CODECS[encoded.codec].decode(encoded)
