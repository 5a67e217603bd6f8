"""The codec `int8`: one signed byte a weight and one scale an output row. Near enough lossless."""

from __future__ import annotations

import numpy as np

from gnomon.codecs.encoded import EncodedWeight


def decode(encoded: EncodedWeight) -> np.ndarray:
    """`scales · codes`, float32 [out, in]."""
    codes, scales = encoded.tensors["codes"], encoded.tensors["scales"]
    return codes.astype(np.float32) * scales.astype(np.float32)[:, None]


class Int8Rounder:
    """Rounds a matrix to int8, some columns at a time, and collects the codes."""

    columns = 16

    def __init__(self, weight: np.ndarray):
        largest = np.abs(weight).max(axis=1)
        self.scales = (np.where(largest > 0, largest, 1) / 127).astype(np.float32)
        self.codes = np.zeros(weight.shape, dtype=np.int8)

    def round(self, block: np.ndarray, *, start: int) -> np.ndarray:
        """The nearest values for columns `start …` of the matrix, float32 [rows, ≤ 16]."""
        codes = np.clip(np.round(block / self.scales[:, None]), -127, 127)
        self.codes[:, start : start + block.shape[1]] = codes
        return (codes * self.scales[:, None]).astype(np.float32)
