"""Block tuning: what stays continuous in a rounded block learns to give the original's output.

The codes stand still. Adam lowers the error of the block's output on whole sequences, a few at a
time, and the state that was best on sequences kept aside is what is returned. So tuning cannot
make a block worse on them than rounding left it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from gnomon.codecs import EncodedWeight
from gnomon.compress.descent import Descent, batches, split
from gnomon.compress.student import Student
from gnomon.compress.torch_forward import run_block
from gnomon.models.config import ModelConfig
from gnomon.progress import OnProgress, Progress


@dataclass(frozen=True, slots=True, kw_only=True)
class TuningOptions:
    """How long and how hard a block is trained."""

    tokens: int = 32_768  # trained on, repeats counted; most of what can be won is won by then
    batch_tokens: int = 2048  # a step
    learning_rate: float = 5e-3  # relative to every parameter's size
    held_out: float = 0.0625  # the share of the sequences that the best state is chosen on
    checks: int = 4  # how often that is looked at
    patience: int = 3  # checks without a better state before the end


@dataclass(frozen=True, slots=True, kw_only=True)
class TunedBlock:
    """A block after tuning. Losses are of the sequences kept aside: ‖ŷ - y‖² / ‖y‖² of a token."""

    encoded: Mapping[str, EncodedWeight]
    vectors: Mapping[str, np.ndarray]
    before: float
    after: float
    tokens: int  # that were trained on, repeats counted
    trouble: str | None  # what went wrong, if the last good state had to be gone back to


def tune_block(
    config: ModelConfig,
    layer: int,
    *,
    encoded: Mapping[str, EncodedWeight],
    plain: Mapping[str, np.ndarray],
    hidden: np.ndarray,
    target: np.ndarray,
    options: TuningOptions | None = None,
    seed: int,
    on_progress: OnProgress = lambda progress: None,
) -> TunedBlock:
    """Trains block `layer` to give `target` for `hidden`, both float32 [sequences, time, hidden].

    `encoded` are the block's coded weights by name, `plain` everything else it has: vectors (norms,
    biases) are trained too, matrices stay. The result is the same for the same seed and number of
    torch threads.
    """
    options = options or TuningOptions()
    vectors = {name: array for name, array in plain.items() if array.ndim == 1}
    frozen = {name: array for name, array in plain.items() if array.ndim > 1}
    student = Student(encoded, vectors, frozen=frozen)
    rng = np.random.default_rng(seed)
    kept, trained = split(len(hidden), options.held_out, rng)
    batch = max(1, options.batch_tokens // hidden.shape[1])
    steps = round(options.tokens / (batch * hidden.shape[1])) if len(trained) else 0

    def loss_on(module: Student, sequences: np.ndarray) -> Tensor:
        x, y = (torch.from_numpy(array[sequences]) for array in (hidden, target))
        return relative_error(run_block(config, layer, module, x), y)

    def kept_loss(module: Student) -> float:
        with torch.no_grad():
            parts = np.array_split(kept, math.ceil(len(kept) / batch))
            return sum(float(loss_on(module, part)) * len(part) for part in parts) / len(kept)

    descent = Descent(student, steps=steps, learning_rate=options.learning_rate)
    before = best = kept_loss(student)
    best_state, misses, trouble, tokens = descent.copy(), 0, None, 0
    every = max(1, steps // options.checks)
    for step, sequences in zip(range(steps), batches(trained, batch, rng), strict=False):
        loss = descent.step(lambda: loss_on(student, sequences))  # noqa: B023
        tokens += sequences.size * hidden.shape[1]
        if not loss < 10 * max(before, 1e-12) + 1:
            trouble = f"the loss was {loss:.3g} after {tokens} tokens, {before:.3g} before"
            break
        if (step + 1) % every == 0 or step == steps - 1:
            now = kept_loss(student)
            detail = f"loss {now:.5f}, {before:.5f} before"
            on_progress(Progress(stage="tune", done=step + 1, total=steps, detail=detail))
            misses = 0 if now < best else misses + 1
            if now < best:
                best, best_state = now, descent.copy()
            elif misses >= options.patience:
                break
    descent.restore(best_state)
    tuned, tuned_vectors = student.encoded(), student.vectors()
    after = kept_loss(Student(tuned, tuned_vectors, frozen=frozen))  # as stored: in float16
    if not after < before:
        tuned, tuned_vectors, after = encoded, vectors, before
    return TunedBlock(
        encoded=tuned,
        vectors=tuned_vectors,
        before=before,
        after=after,
        tokens=tokens,
        trouble=trouble,
    )


def relative_error(ours: Tensor, target: Tensor) -> Tensor:
    """The mean over tokens of ‖ŷ - y‖² / ‖y‖²: what follows reads every token normalised."""
    return ((ours - target).square().sum(-1) / target.square().sum(-1).clamp_min(1e-12)).mean()
