"""safetensors' number formats as numpy arrays and as float32."""

from __future__ import annotations

import numpy as np

from gnomon.errors import ModelError
from gnomon.models.safetensors_header import StoredTensor

NUMPY_DTYPES = {
    "F64": "<f8", "F32": "<f4", "F16": "<f2", "I64": "<i8", "I32": "<i4", "I16": "<i2", "I8": "i1",
    "U64": "<u8", "U32": "<u4", "U16": "<u2", "U8": "u1", "BOOL": "?",
}  # fmt: skip


def as_array(data: np.ndarray, tensor: StoredTensor, *, name: str, source: str) -> np.ndarray:
    """A read-only view of a tensor in its own dtype, or a float32 copy if it is BF16. Raises
    ModelError if numpy has no such dtype.
    """
    if tensor.dtype == "BF16":
        return to_float32(data, tensor, name=name, source=source)
    dtype = NUMPY_DTYPES.get(tensor.dtype)
    if dtype is None:
        raise ModelError(f"{source}: codes of {name} are stored as {tensor.dtype}: damaged")
    return _bytes(data, tensor).view(dtype).reshape(tensor.shape)


def to_float32(data: np.ndarray, tensor: StoredTensor, *, name: str, source: str) -> np.ndarray:
    """A tensor's values as a new float32 array. Raises ModelError if they are not numbers of
    floating point (codes of an unknown method, for one).
    """
    raw = _bytes(data, tensor)
    with np.errstate(all="ignore"):  # too large for float32: infinity, which the caller refuses
        if tensor.dtype in ("F64", "F32", "F16"):
            values = raw.view(NUMPY_DTYPES[tensor.dtype]).astype(np.float32)
        elif tensor.dtype == "BF16":  # the upper half of a float32
            values = (raw.view("<u2").astype(np.uint32) << 16).view(np.float32)
        elif tensor.dtype == "F8_E5M2":  # the upper half of a float16
            values = (raw.astype(np.uint16) << 8).view(np.float16).astype(np.float32)
        elif tensor.dtype == "F8_E4M3":
            values = _e4m3_values()[raw]
        else:
            raise ModelError(
                f"{source}: {name} is stored as {tensor.dtype}, floating point was expected: the "
                "model is quantised by a method that is not read"
            )
    return values.reshape(tensor.shape)


def _bytes(data: np.ndarray, tensor: StoredTensor) -> np.ndarray:
    return data[tensor.offset : tensor.offset + tensor.size_bytes]


def _e4m3_values() -> np.ndarray:
    """float32 [256]: E4M3 without infinities (arXiv 2209.05433, table 1)."""
    code = np.arange(256)
    exponent, mantissa = code >> 3 & 15, code & 7
    normal = (1 + mantissa / 8) * 2.0 ** (exponent - 7)
    values = np.where(exponent == 0, mantissa / 8 * 2.0**-6, normal)
    values[code & 127 == 127] = np.nan
    return np.where(code & 128, -values, values).astype(np.float32)
