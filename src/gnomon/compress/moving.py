"""Codes that move: weights are coded again where the loss of the whole model says so.

With G = Σ gxᵀ the gradient of the loss by the values V of a matrix, x its inputs, g the gradient by
its outputs, and H = Σ ḡ² xxᵀ, ḡ² the mean square of g, a change Δ changes the loss by about

    ⟨G, Δ⟩ + ½ c tr(Δ H Δᵀ) = ½ c tr((T - V - Δ) H (T - V - Δ)ᵀ) + const,   T = V - G H⁻¹ / c,

(a factored Fisher matrix, as in K-FAC, arXiv 1503.05671). So to move codes is to round T, starting
at V, and coordinate descent (`gnomon.compress.refinement`) does it. The gradient of a few thousand
tokens is mostly noise, and a code that was chosen by it looks better than it is; so the tokens are
halved, one half proposes and the other judges. How large c is no theory here says: where most
predictions are right already the loss is far more curved than its gradients tell, and all matrices
move at once. So it starts where hardly a code moves and falls as long as the loss on sequences kept
aside falls with it.

The first token of a sequence, where attention goes to rest, has hundreds of times the others'
gradient, and a step along it ruins the model. Such tokens count in H, which keeps their outputs
where they are, and not in G.

That a subset moves at a time, so that the loss surely falls, is PV-Tuning's idea (arXiv
2405.14852); curvature and judging are ours.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import torch
from torch import Tensor

from gnomon.codecs import EncodedWeight
from gnomon.codecs.trellis import TrellisRounder, gaussian_table, unpack
from gnomon.compress import cholesky
from gnomon.compress.descent import batches
from gnomon.compress.divergence import Target, Teacher, final_hidden
from gnomon.compress.feedback import InputStatistics
from gnomon.compress.refinement import refine
from gnomon.compress.student import Student, TrellisLayer
from gnomon.models.config import ModelConfig
from gnomon.progress import OnProgress, Progress

OUTLIER = 16  # times the mean power of a sequence's gradients


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """A model some of whose codes have moved."""

    encoded: Mapping[str, EncodedWeight]
    before: float  # the loss on what was kept aside
    after: float
    share: float  # of the blocks of 32 weights that have moved, summed over rounds
    curvature: float  # c of the attempt that was taken, the largest of all groups; 0 if none was


class Slope:
    """Of one matrix: the gradients of both halves of the tokens, and H."""

    def __init__(self, layer: TrellisLayer):
        rows, columns = layer.values.shape
        self.gradients = [torch.zeros(rows, columns) for _ in range(2)]
        self.gram = torch.zeros(columns, columns)
        self.half = 0

    def __call__(self, x: Tensor, gradient: Tensor) -> None:
        power = gradient.square().mean(1, keepdim=True)  # of every token
        self.gram.addmm_((x * power).T, x)
        gradient = gradient * (power <= OUTLIER * power.mean())
        self.gradients[self.half].addmm_(gradient.T, x)


def move_codes(
    student: Student,
    *,
    names: Iterable[str],
    halves: tuple[Iterable[Callable[[], Tensor]], Iterable[Callable[[], Tensor]]],
    kept_loss: Callable[[Student], float],
    before: float,
    curvature: float,
    attempts: int = 6,
) -> Moved:
    """Moves codes of the trellis-coded weights `names` of `student`, in place.

    `halves` are losses to compute, each the sum over some tokens, in two sets of about equally many
    tokens; `kept_loss` is the loss that decides and `before` what it is now. The first attempt is
    with `curvature`, every further one with half of it, and the best is taken; where none lowers
    the loss nothing has moved.
    """
    layers = {name: student.coded[name] for name in names}
    trellises = {n: layer for n, layer in layers.items() if isinstance(layer, TrellisLayer)}
    slopes = _measure(trellises, halves)
    start = {name: (layer.source, layer.values) for name, layer in trellises.items()}
    best, chosen = Moved(encoded={}, before=before, after=before, share=0.0, curvature=0.0), start
    for attempt in range(attempts):
        c = curvature / 2**attempt
        moved = total = 0
        for name, layer in trellises.items():
            source, values = start[name]
            codes, new = moved_codes(source, values.numpy(), slopes[name], curvature=c)
            old = np.asarray(source.tensors["codes"])
            moved += int(np.any(codes != old, axis=2).sum())
            total += old.size // old.shape[2]
            layer.replace_codes(codes, torch.from_numpy(new))
        if not moved:
            continue
        after = kept_loss(student)
        if not after < best.after:
            break
        best = replace(best, after=after, share=moved / total, curvature=c)
        chosen = {name: (layer.source, layer.values) for name, layer in trellises.items()}
    for name, layer in trellises.items():
        source, values = chosen[name]
        layer.replace_codes(np.asarray(source.tensors["codes"]), values)
    return replace(best, encoded=student.encoded())


@dataclass(frozen=True, slots=True, kw_only=True)
class MovingOptions:
    """How many tokens a move is made by, and how much moves at a time."""

    tokens: int = 32_768  # forward and backward, for every group of blocks
    rounds: int = 2  # over all blocks, at most
    blocks: int = 30  # in a group; a block takes memory for two gradients and XXᵀ of its matrices
    curvature: float = 4096.0  # to begin with


def move_model(
    config: ModelConfig,
    *,
    encoded: Mapping[str, EncodedWeight],
    plain: Mapping[str, np.ndarray],
    tokens: np.ndarray,
    kept: int,
    teacher: Teacher,
    options: MovingOptions | None = None,
    seed: int,
    on_progress: OnProgress = lambda progress: None,
) -> Moved:
    """Moves codes of every block, some blocks at a time, from the last to the first, in rounds.

    The arguments are those of `gnomon.compress.distillation.distill`; losses are divergences, nats
    a token.
    """
    options = options or MovingOptions()
    student = Student(encoded, plain)
    target = Target(config, teacher)
    rng = np.random.default_rng(seed)
    count = 2 * max(1, options.tokens // (2 * tokens.shape[1]))  # sequences, in two halves
    shuffled = batches(np.arange(kept, len(tokens)), count, rng)

    def loss_on(sequence: int) -> Tensor:
        chosen = np.array([sequence])
        hidden = final_hidden(config, student, torch.from_numpy(tokens[chosen]))
        return target.divergence(student, hidden, chosen) * tokens.shape[1]

    def kept_loss(_: Student) -> float:
        with torch.no_grad():
            return sum(float(loss_on(each)) for each in range(kept)) / tokens[:kept].size

    before = loss = kept_loss(student)
    curvatures, share = [0.0], 0.0
    groups = range(config.num_layers, 0, -options.blocks)
    for number in range(options.rounds):
        share_before = share
        for place, end in enumerate(groups, start=1):
            prefixes = tuple(f"model.layers.{n}." for n in range(max(0, end - options.blocks), end))
            losses = [partial(loss_on, each) for each in next(shuffled, ())]  # none: nothing moves
            moved = move_codes(
                student,
                names=[name for name in encoded if name.startswith(prefixes)],
                halves=(losses[::2], losses[1::2]),
                kept_loss=kept_loss,
                before=loss,
                curvature=options.curvature,
            )
            loss = moved.after
            curvatures.append(moved.curvature)
            share += moved.share / len(groups)
            detail = f"loss {loss:.4f}, {before:.4f} before; {share:.3%} of the codes moved"
            done, total = number * len(groups) + place, options.rounds * len(groups)
            on_progress(Progress(stage="move", done=done, total=total, detail=detail))
        if share == share_before:
            break
    return Moved(
        encoded=student.encoded(),
        before=before,
        after=loss,
        share=share,
        curvature=max(curvatures),
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
    if not slope.gram.any():
        return np.asarray(encoded.tensors["codes"]), values
    statistics = InputStatistics.from_gram(slope.gram.numpy())
    proposal, judge = (
        before - 2 / curvature * cholesky.solve(statistics.factor, gradient.numpy().T).T
        for gradient in slope.gradients  # of half the tokens each
    )
    unit = gaussian_table(bits)[1]
    rounder = TrellisRounder(shape=encoded.shape, bits=bits, scales=np.array([1 / unit]))
    codes = np.asarray(encoded.tensors["codes"])
    rounder.codes[:] = unpack(codes, bits=bits)[: len(values)]
    after = refine(proposal, before, statistics, rounder, judge=judge)
    return rounder.packed(), np.round(after).astype(np.int8)
