"""Codes that move: weights are coded again where the loss of the whole model says so.

With G the gradient of the loss by the values V of a matrix and H = XXᵀ of its inputs, a change Δ
changes the loss by about

    ⟨G, Δ⟩ + ½ c tr(Δ H Δᵀ) = ½ c tr((T - V - Δ) H (T - V - Δ)ᵀ) + const,   T = V - G H⁻¹ / c,

with c the curvature by an output, proportional to the mean square of its gradient. So to move codes
is to round T, starting at V, and coordinate descent (`gnomon.compress.refinement`) does it. The
gradient of a few thousand tokens is mostly noise, and a code that was chosen by it looks better
than it is; so the tokens are halved, one half proposes and the other judges. What has moved stays
only if the loss on sequences kept aside has fallen; otherwise c grows and fewer codes move.

That a subset moves at a time, so that the loss surely falls, is PV-Tuning's idea (arXiv
2405.14852); curvature and judging are ours.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from gnomon.codecs import EncodedWeight
from gnomon.codecs.trellis import TrellisRounder, gaussian_table
from gnomon.compress.feedback import InputStatistics
from gnomon.compress.refinement import refine
from gnomon.compress.student import Student, TrellisLayer


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """A model some of whose codes have moved."""

    encoded: Mapping[str, EncodedWeight]
    before: float  # the loss on what was kept aside
    after: float
    share: float  # of the tiles that have moved
    curvature: float  # c that was good enough; where to begin the next time


class Slope:
    """Of one matrix: the gradients of both halves of the tokens, and the sums for H and c."""

    def __init__(self, layer: TrellisLayer):
        rows, columns = layer.values.shape
        self.gradients = [torch.zeros(rows, columns) for _ in range(2)]
        self.gram = torch.zeros(columns, columns)
        self.power, self.tokens, self.half = 0.0, 0, 0

    def __call__(self, x: Tensor, gradient: Tensor) -> None:
        self.gradients[self.half].addmm_(gradient.T, x)
        self.gram.addmm_(x.T, x)
        self.power += float(gradient.square().sum())
        self.tokens += len(x)


def move_codes(
    student: Student,
    *,
    names: Iterable[str],
    halves: tuple[Iterable[Callable[[], Tensor]], Iterable[Callable[[], Tensor]]],
    kept_loss: Callable[[Student], float],
    before: float,
    curvature: float = 16.0,
    attempts: int = 3,
) -> Moved:
    """Moves codes of the trellis-coded weights `names` of `student`, in place.

    `halves` are losses to compute, each the sum over some tokens, in two sets of about equally many
    tokens; `kept_loss` is the loss that decides and `before` what it is now. Where no attempt
    lowers it nothing has moved.
    """
    layers = {name: student.coded[name] for name in names}
    trellises = {n: layer for n, layer in layers.items() if isinstance(layer, TrellisLayer)}
    slopes = _measure(trellises, halves)
    start = {name: (layer.source, layer.values) for name, layer in trellises.items()}
    for _ in range(attempts):
        moved = total = 0
        for name, layer in trellises.items():
            source, values = start[name]
            codes, new = moved_codes(source, values.numpy(), slopes[name], curvature=curvature)
            old = np.asarray(source.tensors["codes"])
            moved += int(np.any(codes != old, axis=-1).sum())
            total += old.shape[0] * old.shape[1]
            layer.replace_codes(codes, torch.from_numpy(new))
        after = kept_loss(student)
        if after < before:
            share = moved / max(total, 1)
            encoded = student.encoded()
            return Moved(
                encoded=encoded, before=before, after=after, share=share, curvature=curvature
            )
        curvature *= 4
    for name, layer in trellises.items():
        source, values = start[name]
        layer.replace_codes(np.asarray(source.tensors["codes"]), values)
    return Moved(
        encoded=student.encoded(), before=before, after=before, share=0.0, curvature=curvature
    )


def _measure(
    layers: Mapping[str, TrellisLayer],
    halves: tuple[Iterable[Callable[[], Tensor]], Iterable[Callable[[], Tensor]]],
) -> dict[str, Slope]:
    slopes = {name: Slope(layer) for name, layer in layers.items()}
    try:
        for name, layer in layers.items():
            layer.observer = slopes[name]
        for half, losses in enumerate(halves):
            for slope in slopes.values():
                slope.half = half
            for loss in losses:
                loss().backward()
    finally:
        for layer in layers.values():
            layer.observer = None
    return slopes


def moved_codes(
    encoded: EncodedWeight, values: np.ndarray, slope: Slope, *, curvature: float
) -> tuple[np.ndarray, np.ndarray]:
    """Codes like those of `encoded`, and the values int8 [out, in] they stand for, after moving."""
    bits = int(encoded.settings["bits"] or 0)
    before = values.astype(np.float32)
    c = curvature * slope.power / max(1, slope.tokens * len(values))
    if not c > 0:
        return np.asarray(encoded.tensors["codes"]), values
    statistics = InputStatistics.from_gram(slope.gram.numpy())
    proposal, judge = (
        before - 2 / c * _times_inverse(gradient.numpy(), statistics)
        for gradient in slope.gradients  # of half the tokens each
    )
    unit = gaussian_table(bits)[1]
    rounder = TrellisRounder(shape=encoded.shape, bits=bits, scales=np.array([1 / unit]))
    rounder.codes[:] = encoded.tensors["codes"]
    after = refine(proposal, before, statistics, rounder, judge=judge)
    return rounder.codes, np.round(after).astype(np.int8)


def _times_inverse(gradient: np.ndarray, statistics: InputStatistics) -> np.ndarray:
    """G H⁻¹."""
    halfway = np.linalg.solve(statistics.factor, gradient.T)
    return np.linalg.solve(statistics.factor.T, halfway).T
