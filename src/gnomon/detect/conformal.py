"""Intervals that hold the boundary with a stated frequency: split conformal prediction.

A posterior says how sure a model is; on texts it has not learned from, it counts how often it was
right. The interval grows from the best boundary to the likelier of its two neighbours, and a
boundary's nonconformity is the probability that was gathered before it was reached. Intervals of
all boundaries up to the right quantile of these numbers, over texts kept aside, hold at least the
stated share of new texts of the same kind (Vovk et al. 2005; Romano et al., arXiv 2006.02544,
without randomness).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from gnomon.errors import DataError


def given_machine(posterior: np.ndarray) -> np.ndarray:
    """p(b | some of the text is a machine's): without the last boundary, and summing to one."""
    return posterior[:-1] / max(posterior[:-1].sum(), 1e-300)


def best_boundary(posterior: np.ndarray) -> int:
    """The boundary that is expected to come nearest to the true one, if a miss by d counts as
    exp(−d²/2) of a hit: of places that are about as likely, the one with likely neighbours.
    """
    closeness = np.exp(-0.5 * np.arange(-4.0, 5.0) ** 2)
    return int(np.convolve(posterior, closeness)[4 : 4 + posterior.size].argmax())


def gathered_before(posterior: np.ndarray) -> np.ndarray:
    """f64 [boundaries]: the probability of those that the growing interval took in before each."""
    low = high = best_boundary(posterior)
    gathered = np.zeros(posterior.size)
    total = float(posterior[low])
    while high - low + 1 < posterior.size:
        below = posterior[low - 1] if low > 0 else -1.0
        above = posterior[high + 1] if high + 1 < posterior.size else -1.0
        if below > above:
            low -= 1
            reached = low
        else:
            high += 1
            reached = high
        gathered[reached] = min(total, 1.0)
        total += float(posterior[reached])
    return gathered


def calibrate(
    posteriors: Sequence[np.ndarray], boundaries: Sequence[int], *, coverage: float
) -> float:
    """The level for `interval`. Raises DataError if the texts are too few for `coverage`."""
    scores = sorted(
        float(gathered_before(p)[b]) for p, b in zip(posteriors, boundaries, strict=True)
    )
    rank = math.ceil((len(scores) + 1) * coverage)
    if rank > len(scores):
        least = math.ceil(coverage / (1 - coverage) - 1e-9)
        raise DataError(
            f"an interval with {coverage:.0%} coverage needs at least {least} texts to calibrate "
            f"on; there are {len(scores)}"
        )
    return scores[rank - 1]


def interval(posterior: np.ndarray, level: float) -> tuple[int, int]:
    """The first and the last boundary of the interval."""
    inside = np.flatnonzero(gathered_before(posterior) <= level)
    return int(inside[0]), int(inside[-1])
