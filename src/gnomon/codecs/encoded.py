"""`EncodedWeight`: a matrix as a codec stores it, plain data that any layer may carry."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True, slots=True, kw_only=True)
class EncodedWeight:
    """One weight matrix, coded.

    `tensors` are what `model.safetensors` holds under `<weight name minus ".weight">.<key>`;
    `settings` are what `gnomon.json` holds for it (bits, rotation seeds, …), JSON types only.
    """

    codec: str  # a key of CODECS
    shape: tuple[int, int]  # [out, in] of the decoded matrix
    tensors: Mapping[str, np.ndarray]
    settings: Mapping[str, int | float | str | None] = field(default_factory=dict)

    @property
    def size_bytes(self) -> int:
        return sum(tensor.nbytes for tensor in self.tensors.values())

    @property
    def bits_per_weight(self) -> float:
        """Everything stored for this matrix, tables and scales included."""
        return 8 * self.size_bytes / math.prod(self.shape)
