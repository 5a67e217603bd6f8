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
from functools import partial

import numpy as np
import torch
from torch import Tensor

from gnomon.codecs import EncodedWeight
from gnomon.codecs.trellis import TrellisRounder, gaussian_table, unpack
from gnomon.compress.descent import batches, split
from gnomon.compress.divergence import Target, Teacher, final_hidden
from gnomon.compress.feedback import InputStatistics
from gnomon.compress.refinement import refine
from gnomon.compress.student import Student, TrellisLayer
from gnomon.models.config import ModelConfig
from gnomon.progress import OnProgress, Progress


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """A model some of whose codes have moved."""

    encoded: Mapping[str, EncodedWeight]
    before: float  # the loss on what was kept aside
    after: float
    share: float  # of the blocks of 32 weights that have moved
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
            moved += int(np.any(codes != old, axis=2).sum())
            total += old.size // old.shape[2]
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


@dataclass(frozen=True, slots=True, kw_only=True)
class MovingOptions:
    """How many tokens a move is made by, and how much moves at a time."""

    tokens: int = 16_384  # forward and backward, for every group of blocks
    blocks: int = 30  # in a group; a block takes memory for two gradients and XXᵀ of its matrices
    held_out: float = 0.0625  # the share of the sequences that the loss is judged on
    curvature: float = 16.0  # to begin with


def move_model(
    config: ModelConfig,
    *,
    encoded: Mapping[str, EncodedWeight],
    plain: Mapping[str, np.ndarray],
    tokens: np.ndarray,
    teacher: Teacher,
    options: MovingOptions | None = None,
    seed: int,
    on_progress: OnProgress = lambda progress: None,
) -> Moved:
    """Moves codes of every block once, some blocks at a time, from the last to the first.

    The arguments are those of `gnomon.compress.distillation.distill`; losses are divergences, nats
    a token.
    """
    options = options or MovingOptions()
    student = Student(encoded, plain)
    target = Target(config, teacher)
    rng = np.random.default_rng(seed)
    kept, rest = split(len(tokens), options.held_out, rng)
    count = 2 * max(1, options.tokens // (2 * tokens.shape[1]))  # sequences, in two halves
    shuffled = batches(rest, count, rng)

    def loss_on(sequence: int) -> Tensor:
        chosen = np.array([sequence])
        hidden = final_hidden(config, student, torch.from_numpy(tokens[chosen]))
        return target.divergence(student, hidden, chosen) * tokens.shape[1]

    def kept_loss(_: Student) -> float:
        with torch.no_grad():
            return sum(float(loss_on(each)) for each in kept) / (len(kept) * tokens.shape[1])

    before = loss = kept_loss(student)
    curvature, shares = options.curvature, []
    for end in range(config.num_layers, 0, -options.blocks):
        first = max(0, end - options.blocks)
        prefixes = tuple(f"model.layers.{layer}." for layer in range(first, end))
        losses = [partial(loss_on, each) for each in next(shuffled, ())]  # none: nothing moves
        moved = move_codes(
            student,
            names=[name for name in encoded if name.startswith(prefixes)],
            halves=(losses[::2], losses[1::2]),
            kept_loss=kept_loss,
            before=loss,
            curvature=curvature,
        )
        loss, curvature = moved.after, moved.curvature
        shares.append(moved.share)
        detail = f"loss {loss:.4f}, {before:.4f} before; {moved.share:.1%} of the codes moved"
        done = config.num_layers - first
        on_progress(Progress(stage="move", done=done, total=config.num_layers, detail=detail))
    return Moved(
        encoded=student.encoded(),
        before=before,
        after=loss,
        share=float(np.mean(shares)),
        curvature=curvature,
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
    codes = np.asarray(encoded.tensors["codes"])
    rounder.codes[:] = unpack(codes, bits=bits)[: len(values)]
    after = refine(proposal, before, statistics, rounder, judge=judge)
    return rounder.packed(), np.round(after).astype(np.int8)


def _times_inverse(gradient: np.ndarray, statistics: InputStatistics) -> np.ndarray:
    """G H⁻¹."""
    halfway = np.linalg.solve(statistics.factor, gradient.T)
    return np.linalg.solve(statistics.factor.T, halfway).T
