"""`read_arrays`: the arrays of a .npz that may come from anybody.

Nothing is unpacked before the archive's directory has said that it is small, and nothing is
allocated for what an array's header claims: its bytes have to be there.
"""

from __future__ import annotations

import math
import os
import re
import zipfile
import zlib
from pathlib import Path

import numpy as np

MOST_BYTES = 64_000_000  # of the file, and of all that is in it
_MOST_ENTRIES = 100
# What numpy writes before an array; its own reader takes far more than that.
_HEADER = re.compile(
    rb"\x93NUMPY\x01\x00..\{'descr': '(<f4|<U\d{1,8})', 'fortran_order': (False|True), "
    rb"'shape': \(((?:\d{1,8}(?:, |,|(?=\))))*)\), \} *\n",
    re.DOTALL,
)


def read_arrays(path: Path | str) -> dict[str, np.ndarray]:
    """The arrays, of float32 or text, by their names, read-only. Raises OSError if the file cannot
    be read, ValueError if it is not an archive of a few such arrays.
    """
    with Path(path).open("rb") as raw:
        if os.fstat(raw.fileno()).st_size > MOST_BYTES:
            raise ValueError(f"it is larger than {MOST_BYTES // 1_000_000} MB")
        try:
            with zipfile.ZipFile(raw) as archive:
                _require_small(archive.infolist())
                parts = {part.filename: archive.read(part) for part in archive.infolist()}
        except (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError) as error:
            raise ValueError(f"it is no archive, or damaged ({error})") from error
    return {name.removesuffix(".npy"): _array(name, data) for name, data in parts.items()}


def _require_small(parts: list[zipfile.ZipInfo]) -> None:
    if len(parts) > _MOST_ENTRIES or len({part.filename for part in parts}) < len(parts):
        raise ValueError("it has too many entries, or several of one name")
    if sum(part.file_size for part in parts) > MOST_BYTES:
        raise ValueError(f"it holds more than {MOST_BYTES // 1_000_000} MB")
    # zipfile unpacks these two in bounded steps, and others all at once.
    if any(part.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) for part in parts):
        raise ValueError("it is packed in another way than numpy's")


def _array(name: str, data: bytes) -> np.ndarray:
    header = _HEADER.match(data)
    if header is None:
        raise ValueError(f"its entry {name} is no array of float32, and no text")
    dtype = np.dtype(header[1].decode())
    shape = tuple(int(n) for n in re.findall(rb"\d+", header[3]))
    size = math.prod(shape) * dtype.itemsize
    if size == 0 or size != len(data) - header.end():
        raise ValueError(f"its entry {name} does not have the bytes that its shape {shape} needs")
    array = np.frombuffer(data, dtype, offset=header.end())
    return array.reshape(shape, order="F" if header[2] == b"True" else "C")
