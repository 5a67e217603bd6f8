"""Distillation: everything continuous in a rounded model learns the original's predictions.

The codes stand still (`gnomon.compress.moving` moves them). Adam lowers the divergence from the
original (`gnomon.compress.divergence`), and the state that was best on sequences kept aside is what
is returned.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from gnomon.codecs import EncodedWeight
from gnomon.compress.descent import Descent, batches, split
from gnomon.compress.divergence import Target, Teacher, final_hidden
from gnomon.compress.student import Student
from gnomon.models.config import ModelConfig
from gnomon.progress import OnProgress, Progress


@dataclass(frozen=True, slots=True, kw_only=True)
class DistillationOptions:
    """How long and how hard."""

    passes: float = 1.0  # over the sequences
    batch_tokens: int = 2048  # a step
    learning_rate: float = 2e-3  # relative to every parameter's size
    held_out: float = 0.0625  # the share of the sequences that the best state is chosen on
    checks: int = 8  # how often that is looked at, and a state is handed out to be kept
    patience: int = 3  # checks without a better state before the end


@dataclass(frozen=True, slots=True, kw_only=True)
class Distilled:
    """A model after distillation. Losses are of the sequences kept aside, nats a token."""

    encoded: Mapping[str, EncodedWeight]
    vectors: Mapping[str, np.ndarray]
    before: float
    after: float
    tokens: int  # that were trained on, repeats counted
    trouble: str | None  # what went wrong, if the last good state had to be gone back to


State = Mapping[str, np.ndarray]


def distill(
    config: ModelConfig,
    *,
    encoded: Mapping[str, EncodedWeight],
    plain: Mapping[str, np.ndarray],
    tokens: np.ndarray,
    teacher: Teacher,
    options: DistillationOptions | None = None,
    seed: int,
    state: State | None = None,
    keep: Callable[[State], None] = lambda state: None,
    on_progress: OnProgress = lambda progress: None,
) -> Distilled:
    """Trains the whole rounded model on tokens int [sequences, time].

    `encoded` are its coded weights by name, `plain` all its other tensors: vectors are trained too,
    matrices (an embedding that is not coded) stay. `keep` is handed a state now and then; given
    back as `state`, with everything else the same, it goes on from there to the same result.
    """
    options = options or DistillationOptions()
    vectors = {name: array for name, array in plain.items() if array.ndim == 1}
    frozen = {name: array for name, array in plain.items() if array.ndim > 1}
    student = Student(encoded, vectors, frozen=frozen)
    rng = np.random.default_rng(seed)
    kept, trained = split(len(tokens), options.held_out, rng)
    batch = max(1, options.batch_tokens // tokens.shape[1])
    steps = round(options.passes * len(trained) / batch)
    every = max(1, steps // options.checks)
    target = Target(config, teacher)

    def loss_on(module: Student, sequences: np.ndarray) -> Tensor:
        hidden = final_hidden(config, module, torch.from_numpy(tokens[sequences]))
        return target.divergence(module, hidden, sequences)

    def kept_loss(module: Student) -> float:
        with torch.no_grad():
            parts = np.array_split(kept, math.ceil(len(kept) / batch))
            return sum(float(loss_on(module, part)) * len(part) for part in parts) / len(kept)

    descent = Descent(student, steps=steps, learning_rate=options.learning_rate)
    best = descent.copy()
    if state is None:
        before = lowest = kept_loss(student)
        misses = 0
    else:
        descent.load(state)
        before, lowest, misses = (float(state[key]) for key in ("before", "lowest", "misses"))
        best = [torch.from_numpy(state[f"best.{index}"]) for index in range(len(best))]
    trouble = None
    for step, sequences in zip(range(steps), batches(trained, batch, rng), strict=False):
        if step < descent.done or misses >= options.patience:
            continue  # done in the run that is gone on with
        loss = descent.step(lambda: loss_on(student, sequences))  # noqa: B023
        if not loss < 10 * before + 1:
            trouble = f"the loss was {loss:.3g} in step {step + 1}, {before:.3g} before"
            break
        detail = f"loss {loss:.4f}, kept aside {lowest:.4f} of {before:.4f}"
        on_progress(Progress(stage="distil", done=step + 1, total=steps, detail=detail))
        if (step + 1) % every == 0 or step == steps - 1:
            now = kept_loss(student)
            misses = 0 if now < lowest else misses + 1
            if now < lowest:
                lowest, best = now, descent.copy()
            scalars = {"before": before, "lowest": lowest, "misses": misses}
            keep(
                descent.state()
                | {key: np.array(value) for key, value in scalars.items()}
                | {f"best.{index}": tensor.numpy() for index, tensor in enumerate(best)}
            )
    descent.restore(best)
    learned, learned_vectors = student.encoded(), student.vectors()
    after = kept_loss(Student(learned, learned_vectors, frozen=frozen))  # as stored: in float16
    if not after < before:
        learned, learned_vectors, after = encoded, vectors, before
    return Distilled(
        encoded=learned,
        vectors=learned_vectors,
        before=before,
        after=after,
        tokens=descent.done * batch * tokens.shape[1],
        trouble=trouble,
    )
