"""The one check every loaded tensor passes: no NaN, no infinity."""

from __future__ import annotations

import numpy as np

from gnomon.errors import ModelError


def require_finite(values: np.ndarray, *, name: str, source: str) -> np.ndarray:
    """`values` (float32, any shape), or a ModelError naming the tensor."""
    if values.size and not (np.isfinite(values.min()) and np.isfinite(values.max())):
        raise ModelError(
            f"{source}: {name} holds NaN or infinity: the file is damaged or was converted "
            "wrongly; fetch or convert it again"
        )
    return values
