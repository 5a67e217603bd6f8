"""What the calibration tells of a group of layers, measured shard by shard and added up.

The original and the rounded model read the same tokens side by side. For every group of layers
that read the same inputs X̂ (of the rounded model) two sums over the tokens are all that is needed:
the Gram matrix X̂ᵀX̂, and the cross product of X̂ with what the original does otherwise, from which
`gnomon.compress.drift` computes the matrix to round. Both are taken in tasks that know one shard,
a few sequences of the calibration, and one block.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from gnomon.models.config import ModelConfig
from gnomon.models.forward import BlockState, LinearInputs, advance, linear_inputs

BORROWED_TOKENS = 0.1  # for each input, by every expert from the others


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What the layers of one group give in the original, their bias left out."""

    outputs: np.ndarray  # float32 [rows, out], with the residual stream where they add to it
    tokens: np.ndarray | None  # int [rows]; None: all in order


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """The original's block on one shard: what the rounded one is held to."""

    hidden: np.ndarray  # its output [sequences, time, hidden]
    streams: tuple[np.ndarray, np.ndarray]  # the residual stream before steps 0 and 2
    wanted: tuple[list[Wanted], list[Wanted]]  # of the groups of steps 1 and 3


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupStatistics:
    """The sums over the tokens for layers that read the same inputs."""

    names: tuple[str, ...]
    gram: np.ndarray  # float32 [in, in]: X̂ᵀX̂
    cross: np.ndarray  # float32 [in, in]: X̂ᵀ(X - X̂), or [in, out]: X̂ᵀ(Y - X̂Wᵀ)
    is_of_outputs: bool  # which of the two
    rows: int  # tokens seen


def reference_block(
    config: ModelConfig,
    layer: int,
    weights: Mapping[str, np.ndarray],
    before: BlockState | Reference,
) -> Reference:
    """Block `layer` of the original on the output `before` of the block before it."""
    states = [BlockState(hidden=before.hidden)]
    wanted = []
    for step in range(4):
        states.append(advance(config, layer, step, weights, states[-1]))
        if step % 2:
            groups = linear_inputs(config, layer, step, weights, states[step])
            wanted.append([_wanted(group, weights, states[-1]) for group in groups])
            states[step] = states[-1]  # the inner activations are not needed any more
    return Reference(
        hidden=states[4].hidden,
        streams=(states[0].hidden, states[2].hidden),
        wanted=(wanted[0], wanted[1]),
    )


def _wanted(group: LinearInputs, weights: Mapping[str, np.ndarray], after: BlockState) -> Wanted:
    (name,) = group.names
    if group.residual is None:
        return Wanted(outputs=group.inputs @ weights[name].T, tokens=group.tokens)
    outputs = after.hidden.reshape(group.residual.shape)
    bias = weights.get(name.removesuffix("weight") + "bias")
    return Wanted(outputs=outputs if bias is None else outputs - bias, tokens=group.tokens)


def measure_shard(
    config: ModelConfig,
    layer: int,
    step: int,
    weights: Mapping[str, np.ndarray],
    reference: Reference,
    state: BlockState,
) -> list[GroupStatistics]:
    """The sums of one shard for every group of `step`, whose `weights` are the original's still."""
    groups = linear_inputs(config, layer, step, weights, state)
    if step % 2:
        return [
            _against_outputs(group, wanted, weights)
            for group, wanted in zip(groups, reference.wanted[step // 2], strict=True)
        ]
    before = BlockState(hidden=reference.streams[step // 2])
    originals = linear_inputs(config, layer, step, weights, before)
    return [_against_inputs(*pair) for pair in zip(groups, originals, strict=True)]


def _against_inputs(group: LinearInputs, original: LinearInputs) -> GroupStatistics:
    ours, theirs = _common(group.tokens, original.tokens)
    x = group.inputs[ours]
    return _sums(group, x.T @ (original.inputs[theirs] - x), is_of_outputs=False)


def _against_outputs(
    group: LinearInputs, wanted: Wanted, weights: Mapping[str, np.ndarray]
) -> GroupStatistics:
    ours, theirs = _common(group.tokens, wanted.tokens)
    x = group.inputs[ours]
    missing = wanted.outputs[theirs] - x @ weights[group.names[0]].T
    if group.residual is not None:
        missing -= group.residual[ours]
    return _sums(group, x.T @ missing, is_of_outputs=True)


def _sums(group: LinearInputs, cross: np.ndarray, *, is_of_outputs: bool) -> GroupStatistics:
    return GroupStatistics(
        names=group.names,
        gram=group.inputs.T @ group.inputs,
        cross=cross,
        is_of_outputs=is_of_outputs,
        rows=len(group.inputs),
    )


def _common(
    ours: np.ndarray | None, theirs: np.ndarray | None
) -> tuple[slice | np.ndarray, slice | np.ndarray]:
    """Where the tokens that both have seen stand in each: an expert may be sent other tokens."""
    if ours is None or theirs is None:
        return slice(None), slice(None)
    _, at_ours, at_theirs = np.intersect1d(ours, theirs, assume_unique=True, return_indices=True)
    return at_ours, at_theirs


def add_up(shards: Iterable[Sequence[GroupStatistics]]) -> list[GroupStatistics]:
    """The sums of all shards, in their order."""
    totals: list[GroupStatistics] = []
    rows: list[int] = []
    for groups in shards:
        if not totals:  # copied, as what a task gave may be read-only
            totals = [replace(g, gram=g.gram.copy(), cross=g.cross.copy()) for g in groups]
            rows = [group.rows for group in groups]
            continue
        for index, group in enumerate(groups):
            np.add(totals[index].gram, group.gram, out=totals[index].gram)
            np.add(totals[index].cross, group.cross, out=totals[index].cross)
            rows[index] += group.rows
    return [replace(total, rows=count) for total, count in zip(totals, rows, strict=True)]


def support_experts(groups: Sequence[GroupStatistics]) -> list[GroupStatistics]:
    """Every expert borrows a few tokens from the others, which matters to those that saw few.

    Experts that read the same stream borrow from the Gram matrix of them all; a way down, whose
    inputs are the expert's own, from a multiple of the identity: a shrinkage of the covariance. An
    expert that saw nothing is so rounded for the average token, and the regression of one that saw
    little on the drift, which has little to go by, is held near zero.
    """
    rows = sum(group.rows for group in groups)
    if len(groups) == 1 or rows == 0:
        return list(groups)
    pooled = sum(group.gram for group in groups[1:]) + groups[0].gram
    supported = []
    for group in groups:
        size = len(group.gram)
        borrowed = pooled
        if group.is_of_outputs:
            borrowed = np.eye(size, dtype=np.float32) * np.float32(np.trace(pooled) / size)
        gram = group.gram + borrowed * np.float32(BORROWED_TOKENS * size / rows)
        supported.append(replace(group, gram=gram))
    return supported
