"""From the sampling options to the engine's `Sampler`."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gnomon.engine import Sampler


def make_sampler(
    *,
    temperature: float,
    top_k: int,
    top_p: float,
    min_p: float,
    repetition_penalty: float,
    seed: int | None,
) -> tuple[Sampler, int]:
    """The sampler and its seed: the one asked for, or one drawn here, so that it can be told."""
    from gnomon.engine import Sampler, SamplingOptions

    used_seed = secrets.randbelow(2**31) if seed is None else seed
    options = SamplingOptions(
        temperature=temperature,
        top_k=top_k or None,
        top_p=top_p if top_p < 1 else None,
        min_p=min_p or None,
        repetition_penalty=repetition_penalty,
        seed=used_seed,
    )
    return Sampler(options), used_seed
