"""What a coded matrix must look like before anyone computes with it: its tensors and settings.

Only headers are looked at, never the codes themselves, so that opening a model stays cheap.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from gnomon.codecs import aq, trellis
from gnomon.codecs.encoded import EncodedWeight
from gnomon.errors import ModelError

Shapes = tuple[tuple[int, ...], ...]  # any one of them will do

SEEDS = 1 << 64


def require_layout(encoded: EncodedWeight, *, name: str, source: str) -> None:
    """Raise ModelError, naming tensor and reason, unless `encoded` is whole and fits its shape."""
    where = f"{source}: {name}"
    expected = {"trellis": _trellis, "aq": _aq, "int8": _int8}[encoded.codec](encoded, where)
    for key, (dtypes, shapes) in expected.items():
        tensor = _tensor(encoded, key, where)
        if tensor.shape not in shapes:
            wanted = " or ".join(str(list(shape)) for shape in shapes)
            raise ModelError(
                f"{where}: its {key} have the shape {list(tensor.shape)}, {wanted} was expected: "
                "the codes are damaged or the settings are another layer's"
            )
        if tensor.dtype.name not in dtypes:
            raise ModelError(
                f"{where}: its {key} are {tensor.dtype.name}, {' or '.join(dtypes)} was expected"
            )


Expected = Mapping[str, tuple[tuple[str, ...], Shapes]]
_FLOATS = ("float32", "float16", "float64")


def _trellis(encoded: EncodedWeight, where: str) -> Expected:
    strips, blocks = -(-encoded.shape[0] // trellis.STRIP), -(-encoded.shape[1] // trellis.BLOCK)
    bits = encoded.settings.get("bits")
    if type(bits) is not int or bits not in trellis.BITS:
        raise ModelError(
            f"{where}: bits is {bits!r}; {', '.join(map(str, trellis.BITS))} are what there is"
        )
    for key in ("input_seed", "output_seed"):
        if key not in encoded.settings:
            raise ModelError(f"{where}: its settings have no {key}")
        seed = encoded.settings[key]
        if seed is not None and not (type(seed) is int and 0 <= seed < SEEDS):
            raise ModelError(
                f"{where}: {key} is {seed!r}; null or a whole number from 0 to 2^64 - 1 was "
                "expected"
            )
    if "output_scales" in encoded.tensors:  # of tuned models, before format 2 was settled
        raise ModelError(f"{where}: has output_scales, which are no longer read: compress it again")
    return {
        "codes": (("uint8",), ((strips, blocks, 4 * bits, trellis.STRIP),)),
        "table": (("int8",), (trellis.FORMS[bits].table_shape,)),
        "scales": _scales(encoded),
    }


def _aq(encoded: EncodedWeight, where: str) -> Expected:
    out, in_ = encoded.shape
    codebooks = _tensor(encoded, "codebooks", where)
    books, entries = codebooks.shape[:2] if codebooks.ndim == 4 else (0, 0)
    bits = entries.bit_length() - 1
    if books < 1 or not 1 <= bits <= aq.MOST_CODE_BITS or entries != 1 << bits:
        raise ModelError(
            f"{where}: its codebooks have the shape {list(codebooks.shape)}, [K, 2^n, 1, "
            f"{aq.GROUP}] with n up to {aq.MOST_CODE_BITS} was expected"
        )
    if in_ % aq.GROUP:
        raise ModelError(
            f"{where}: coded with aq, which takes a multiple of {aq.GROUP} columns; it has {in_}"
        )
    return {
        "codes": (("int8" if bits <= 8 else "int16",), ((out, in_ // aq.GROUP, books),)),
        "codebooks": (_FLOATS, ((books, entries, 1, aq.GROUP),)),
        "scales": (_FLOATS, ((out, 1, 1, 1),)),
    }


def _int8(encoded: EncodedWeight, where: str) -> Expected:
    return {"codes": (("int8",), (encoded.shape,)), "scales": _scales(encoded)}


def _scales(encoded: EncodedWeight) -> tuple[tuple[str, ...], Shapes]:
    return _FLOATS, ((1,), (encoded.shape[0],))


def _tensor(encoded: EncodedWeight, key: str, where: str) -> np.ndarray:
    if key not in encoded.tensors:
        raise ModelError(f"{where}: coded with {encoded.codec}, but its {key} are missing")
    return encoded.tensors[key]
