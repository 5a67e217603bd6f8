"""Map a file into memory, read-only."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from gnomon.errors import ModelError


def map_file(path: Path) -> np.ndarray:
    """uint8 [size of the file], read-only. Raises ModelError if it cannot be read or is empty."""
    try:
        if path.stat().st_size == 0:
            raise ModelError(f"{path}: the file is empty; fetch it again")
        return np.asarray(np.memmap(path, dtype=np.uint8, mode="r"))
    except OSError as error:
        raise ModelError(f"{path}: cannot be read: {error.strerror or error}") from error
