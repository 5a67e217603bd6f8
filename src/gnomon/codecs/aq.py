"""The codec `aq`: a group of 8 weights is the sum of K codewords, one from each codebook.

Additive quantisation of language models, AQLM (arXiv 2401.06118). Its tensors are those of Hugging
Face's `aqlm` format (docs/aq-format.md):

    codes      int8 or int16 [out, in / 8, K]; 2^n is taken off those of 2^(n-1) and more
    codebooks  float16 [K, 2^n, 1, 8]
    scales     float16 [out, 1, 1, 1]

What gnomon writes has n = 8, so K bits a weight, 4·K KiB of codebooks a matrix and one scale an
output row; any n up to 16 is read.
"""

from __future__ import annotations

import numpy as np

from gnomon.codecs.encoded import EncodedWeight
from gnomon.errors import ModelError

GROUP = 8
CODEWORDS = 256  # of a codebook that gnomon writes
MOST_CODE_BITS = 16


def decode(encoded: EncodedWeight) -> np.ndarray:
    """`scale · Σ_k codebook[k][code_k]`, float32 [out, in]. Raises ModelError on damaged codes."""
    codes = indices(encoded)
    codebooks = encoded.tensors["codebooks"].astype(np.float32)[:, :, 0]
    groups = sum_codewords(codes, codebooks)
    scales = encoded.tensors["scales"].astype(np.float32).reshape(-1, 1)
    return groups.reshape(encoded.shape) * scales


def sum_codewords(codes: np.ndarray, codebooks: np.ndarray) -> np.ndarray:
    """Vectors float32 [..., 8] from codes [..., K] ≥ 0 and codebooks [K, 2^n, 8]."""
    total = codebooks[0][codes[..., 0]]
    for k in range(1, len(codebooks)):
        total += codebooks[k][codes[..., k]]
    return total


def code_bits(encoded: EncodedWeight) -> int:
    """n: the bits of one code, from the size of the codebooks."""
    return int(encoded.tensors["codebooks"].shape[1]).bit_length() - 1


def indices(encoded: EncodedWeight) -> np.ndarray:
    """The codes from 0 to 2^n - 1, uint8 or uint16: a view where n is 8 or 16, a copy otherwise.
    Raises ModelError if any is out of range.
    """
    codes, bits = encoded.tensors["codes"], code_bits(encoded)
    unsigned = codes.view(np.uint8 if codes.dtype.itemsize == 1 else np.uint16)
    if bits == 8 * codes.dtype.itemsize:
        return unsigned
    half = 1 << (bits - 1)
    if codes.size and not (-half <= codes.min() and codes.max() < half):
        raise ModelError(
            f"its codes go from {codes.min()} to {codes.max()}, those of {bits} bits go from "
            f"{-half} to {half - 1}: the file is damaged"
        )
    return unsigned & unsigned.dtype.type((1 << bits) - 1)


def encoded_weight(
    codes: np.ndarray, codebooks: np.ndarray, scales: np.ndarray, *, code_bits: int = 8
) -> EncodedWeight:
    """As the format stores it: codes [out, in / 8, K] ≥ 0, codebooks [K, 2^n, 8], scales [out]."""
    out, groups, _ = codes.shape
    signed = np.where(
        codes >= 1 << (code_bits - 1), codes.astype(np.int32) - (1 << code_bits), codes
    )
    return EncodedWeight(
        codec="aq",
        shape=(out, GROUP * groups),
        tensors={
            "codes": signed.astype(np.int8 if code_bits <= 8 else np.int16),
            "codebooks": codebooks.astype(np.float16)[:, :, None],
            "scales": scales.astype(np.float16).reshape(-1, 1, 1, 1),
        },
    )
