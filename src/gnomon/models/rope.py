"""Rotary frequencies (Su et al., arXiv 2104.09864) and the ways to stretch them to longer texts.

`make_rope` takes one set of rope parameters as a Hugging Face configuration holds it and returns
the `Rope` the forward pass needs. The variants in `ROPE_TYPES` are all there are.

>>> make_rope({"rope_type": "default", "rope_theta": 1e4}, head_dim=4, max_context=64)
Rope(inverse_frequencies=array([1.  , 0.01], dtype=float32), amplitude=1.0)
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from gnomon.errors import ModelError
from gnomon.models.config import Rope

Parameters = Mapping[str, Any]

_TYPES = {"rope_type", "type"}
_TYPELESS = {"rope_theta", "partial_rotary_factor", "original_max_position_embeddings"}


def make_rope(
    parameters: Parameters,
    *,
    head_dim: int,
    max_context: int,
    factors: Sequence[float] | None = None,
) -> Rope:
    """The scaled frequencies of `parameters` (`rope_type`, `rope_theta` and what the type needs).

    `factors` [head_dim / 2] divide the result: some GGUF files carry the scaling in that form.
    Raises ModelError if the type is unknown or a number it needs is missing or absurd.
    """
    unexplained = sorted(parameters.keys() - _TYPELESS)
    if unexplained and not _TYPES & parameters.keys():
        raise ModelError(
            f"The RoPE parameters have {', '.join(unexplained)} but no rope_type that says what to "
            f"do with it; expected one of {', '.join(ROPE_TYPES)}."
        )
    rope_type = parameters.get("rope_type", parameters.get("type", "default"))
    if not isinstance(rope_type, str) or rope_type not in ROPE_TYPES:
        raise ModelError(
            f"RoPE type {rope_type!r} is not supported; expected one of {', '.join(ROPE_TYPES)}."
        )
    partial = parameters.get("partial_rotary_factor")
    if partial not in (None, 1, 1.0):
        raise ModelError(f"partial_rotary_factor is {partial!r}; only whole heads can be rotated.")
    theta = _number(parameters, "rope_theta", minimum=1.0)
    plain = theta ** -(np.arange(0, head_dim, 2, dtype=np.float64) / head_dim)
    rope = ROPE_TYPES[rope_type](plain, parameters, theta, max_context)
    inverse_frequencies = rope.inverse_frequencies
    if factors is not None:
        inverse_frequencies = inverse_frequencies / _divisors(factors, plain.size)
    return Rope(
        inverse_frequencies=inverse_frequencies.astype(np.float32), amplitude=rope.amplitude
    )


def _divisors(factors: Sequence[float], count: int) -> np.ndarray:
    try:
        divisors = np.asarray(factors, dtype=np.float64)
    except (TypeError, ValueError, OverflowError):
        divisors = np.empty(0)
    if divisors.shape != (count,) or not np.all(np.isfinite(divisors) & (divisors > 0)):
        raise ModelError(
            f"gnomon_rope_factors must be {count} positive numbers, one for each frequency."
        )
    return divisors


def _default(plain: np.ndarray, parameters: Parameters, theta: float, max_context: int) -> Rope:
    return Rope(inverse_frequencies=plain)


def _linear(plain: np.ndarray, parameters: Parameters, theta: float, max_context: int) -> Rope:
    """Position interpolation (Chen et al., arXiv 2306.15595): positions are divided by `factor`."""
    return Rope(inverse_frequencies=plain / _number(parameters, "factor", minimum=0.0))


def _dynamic(plain: np.ndarray, parameters: Parameters, theta: float, max_context: int) -> Rope:
    """NTK-aware scaling that sets in beyond the trained length (arXiv 2309.00071, appendix B.2).

    Up to `max_position_embeddings` tokens, the length it was trained for, it is the default; we
    offer no longer context than that, so it always is.
    """
    _number(parameters, "factor", minimum=0.0)
    return Rope(inverse_frequencies=plain)


def _yarn(plain: np.ndarray, parameters: Parameters, theta: float, max_context: int) -> Rope:
    """YaRN (Peng et al., arXiv 2309.00071): fast frequencies stay, slow ones are interpolated.

    The ramp between them runs over the dimensions that turn `beta_fast` to `beta_slow` times
    within the original context (section 3.2); `amplitude` is its attention temperature (3.4).
    """
    original = _number(parameters, "original_max_position_embeddings", max_context, minimum=1.0)
    factor = _number(parameters, "factor", max_context / original, minimum=0.0)
    dim = 2 * plain.size

    def dimension(turns: float) -> float:
        return dim * math.log(original / (turns * 2 * math.pi)) / (2 * math.log(theta))

    low = dimension(_number(parameters, "beta_fast", 32.0, minimum=0.0))
    high = dimension(_number(parameters, "beta_slow", 1.0, minimum=0.0))
    if parameters.get("truncate", True):
        low, high = math.floor(low), math.ceil(high)
    low, high = max(low, 0), min(high, dim - 1)
    width = high - low if high != low else 0.001
    slow = np.clip((np.arange(plain.size) - low) / width, 0.0, 1.0)
    frequencies = plain / factor * slow + plain * (1.0 - slow)
    return Rope(inverse_frequencies=frequencies, amplitude=_yarn_amplitude(parameters, factor))


def _yarn_amplitude(parameters: Parameters, factor: float) -> float:
    if parameters.get("attention_factor") is not None:
        return _number(parameters, "attention_factor", minimum=0.0)

    def temperature(weight: float) -> float:
        return 1.0 if factor <= 1 else 0.1 * weight * math.log(factor) + 1.0

    if parameters.get("mscale") and parameters.get("mscale_all_dim"):
        return temperature(_number(parameters, "mscale")) / temperature(
            _number(parameters, "mscale_all_dim")
        )
    return temperature(1.0)


def _llama3(plain: np.ndarray, parameters: Parameters, theta: float, max_context: int) -> Rope:
    """Llama 3.1's scaling (arXiv 2407.21783; published as code): by wavelength.

    Wavelengths beyond original / low_freq_factor are divided by `factor`, those below
    original / high_freq_factor are kept, and in between both are blended.
    """
    factor = _number(parameters, "factor", minimum=0.0)
    low = _number(parameters, "low_freq_factor", minimum=0.0)
    high = _number(parameters, "high_freq_factor", minimum=0.0)
    original = _number(parameters, "original_max_position_embeddings", max_context, minimum=1.0)
    if high <= low:
        raise ModelError(f"llama3 RoPE: high_freq_factor {high} must exceed low_freq_factor {low}.")
    turns = original * plain / (2 * math.pi)
    kept = np.clip((turns - low) / (high - low), 0.0, 1.0)
    return Rope(inverse_frequencies=plain * kept + plain / factor * (1.0 - kept))


def _number(
    parameters: Parameters, key: str, default: float | None = None, *, minimum: float | None = None
) -> float:
    value = parameters.get(key)
    value = default if value is None else value
    lowest = -math.inf if minimum is None else minimum
    number = math.nan  # fails every comparison
    if isinstance(value, int | float) and not isinstance(value, bool):
        with contextlib.suppress(OverflowError):  # a whole number of hundreds of digits
            number = float(value)
    if not lowest < number < math.inf:
        bound = "a number" if minimum is None else f"a number above {minimum:g}"
        raise ModelError(f"RoPE parameter {key} is {value!r}; expected {bound}.")
    return number


ROPE_TYPES: Mapping[str, Callable[[np.ndarray, Parameters, float, int], Rope]] = {
    "default": _default,
    "linear": _linear,
    "dynamic": _dynamic,
    "yarn": _yarn,
    "llama3": _llama3,
}
