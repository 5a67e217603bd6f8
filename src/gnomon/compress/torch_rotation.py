"""The Hadamard–Hartley transform of `gnomon.codecs.rotation` in torch, differentiable.

It multiplies with the transform's small Kronecker factors, which a CPU does faster in training
than the butterflies: they would pass over memory once for every power of two.

>>> x = torch.eye(6)
>>> bool(torch.allclose(rotate(rotate(x)), x, atol=1e-6))
True
"""

from __future__ import annotations

import math
from functools import cache

import numpy as np
import torch
from torch import Tensor

from gnomon.codecs.rotation import hadamard, hartley

LARGEST_FACTOR = 64


def rotate(x: Tensor) -> Tensor:
    """`x @ H` along the last axis of x float32 [..., n]; H is its own inverse and transpose."""
    factors = _factors(x.shape[-1])
    sizes = [len(factor) for factor in factors]
    y = x.reshape(-1, sizes[-1]) @ factors[-1]
    for i, factor in enumerate(factors[:-1]):
        y = factor @ y.reshape(-1, sizes[i], math.prod(sizes[i + 1 :]))
    return y.reshape(x.shape)


@cache
def _factors(width: int) -> tuple[Tensor, ...]:
    """Small symmetric matrices whose Kronecker product is H [width, width]."""
    power = width & -width
    factors = [hartley(width // power)] if width > power else []
    while power > LARGEST_FACTOR:
        factors.append(hadamard(np.eye(16, dtype=np.float32)))
        power //= 16
    factors.append(hadamard(np.eye(power, dtype=np.float32)))
    return tuple(torch.from_numpy(factor) for factor in factors)
