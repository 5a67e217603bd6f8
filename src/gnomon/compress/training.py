"""The loop that a student learns in, be it one block or the whole model.

Some sequences are kept aside. Adam goes down the loss on the others, a few sequences at a time, and
the state that was best on those kept aside is what is returned, as it will be stored; where none
was better than the start, the start. So training cannot make anything worse on them, and it ends
early where it brings nothing.
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
from gnomon.compress.student import Student
from gnomon.progress import OnProgress, Progress


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingOptions:
    """How long and how hard."""

    passes: float = 1.0  # over the sequences
    tokens: float = math.inf  # trained on at most, repeats counted
    batch_tokens: int = 2048  # a step, or a quarter of a pass if that is less
    learning_rate: float = 3e-3  # relative to every parameter's size, times √loss at the start
    held_out: float = 0.0625  # the share of the sequences that the best state is chosen on
    checks: int = 8  # how often that is looked at, and a state is handed out to be kept
    least_gain: float = 0.0  # the share of the loss that must be won from one check to the next
    patience: int = 3  # checks that did not win it before the end


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """What was learned. Losses are of the sequences kept aside."""

    encoded: Mapping[str, EncodedWeight]
    vectors: Mapping[str, np.ndarray]
    before: float
    after: float
    tokens: int  # that were trained on, repeats counted
    trouble: str | None  # what went wrong, if the last good state had to be gone back to

    @property
    def is_better(self) -> bool:
        """Whether anything was learned; else all is as it was."""
        return self.after < self.before

    @property
    def notes(self) -> dict[str, float | int | str]:
        """For the model's own record."""
        notes = {"before": self.before, "after": self.after, "tokens": self.tokens}
        return notes if self.trouble is None else notes | {"trouble": self.trouble}


State = Mapping[str, np.ndarray]
PART_TOKENS = 1024  # in memory at a time: the C library asks the system anew for larger arrays


def train(
    encoded: Mapping[str, EncodedWeight],
    plain: Mapping[str, np.ndarray],
    loss_on: Callable[[Student, np.ndarray], Tensor],
    *,
    shape: tuple[int, int],
    kept: int | None = None,
    options: TrainingOptions,
    seed: int,
    stage: str,
    state: State | None = None,
    keep: Callable[[State], None] = lambda state: None,
    on_progress: OnProgress = lambda progress: None,
) -> Trained:
    """Trains the student of `encoded` weights and `plain` tensors, of which matrices stay.

    `loss_on` is the mean loss on some of the sequences, of which there are `shape`: [sequences,
    time]. The first `kept` of them are kept aside; any, a share of them, if that is None. `keep` is
    handed a state now and then; given back as `state`, with everything else the same, it goes on
    from there to the same result, which the seed and the number of torch threads decide.
    """
    student = Student(encoded, plain)
    rng = np.random.default_rng(seed)
    count, time = shape
    if kept is None:
        aside, trained = split(count, options.held_out, rng)
    else:
        aside, trained = np.split(np.arange(count), [kept])
    batch = max(1, min(options.batch_tokens // time, len(trained) // 4))
    steps = round(min(options.tokens / time, options.passes * len(trained)) / batch)
    every = max(1, steps // options.checks)

    def kept_loss(module: Student) -> float:
        with torch.no_grad():
            parts = [(loss_on(module, part), len(part)) for part in _parts(aside, time)]
            return sum(float(loss) * size for loss, size in parts) / len(aside)

    before = kept_loss(student) if state is None else float(state["before"])
    # A loss is quadratic in what is wrong: the less there is, the finer are the steps.
    learning_rate = options.learning_rate * math.sqrt(before if before > 0 else 0.0)
    descent = Descent(student, steps=steps, learning_rate=learning_rate)
    best, lowest = descent.copy(), before
    misses = tokens = 0
    if state is not None:
        descent.load(state)
        lowest = float(state["lowest"])
        misses, tokens = int(state["misses"]), int(state["tokens"])
        best = [torch.from_numpy(state[f"best.{index}"]) for index in range(len(best))]
    trouble = None
    for step, sequences in zip(range(steps), batches(trained, batch, rng), strict=False):
        if step < descent.done or misses >= options.patience:
            continue  # done in the run that is gone on with
        loss = descent.step(
            lambda part=part: loss_on(student, part) * len(part) / len(sequences)  # noqa: B023
            for part in _parts(sequences, time)
        )
        tokens += sequences.size * time
        if not loss < 10 * max(before, 1e-12) + 1:
            trouble = f"the loss was {loss:.3g} in step {step + 1}, {before:.3g} before"
            break
        detail = f"loss {loss:.4g}, kept aside {lowest:.4g} of {before:.4g}"
        on_progress(Progress(stage=stage, done=step + 1, total=steps, detail=detail))
        if (step + 1) % every == 0 or step == steps - 1:
            now = kept_loss(student)
            misses = 0 if now < (1 - options.least_gain) * lowest else misses + 1
            if now < lowest:
                lowest, best = now, descent.copy()
            scalars = {"before": before, "lowest": lowest, "misses": misses, "tokens": tokens}
            keep(
                descent.state()
                | {key: np.array(value) for key, value in scalars.items()}
                | {f"best.{index}": tensor.numpy() for index, tensor in enumerate(best)}
            )
    descent.restore(best)
    learned, vectors = student.encoded(), student.vectors()
    after = kept_loss(Student(learned, {**plain, **vectors}))  # as stored: in float16
    if not after < (1 - options.least_gain) * before:
        learned, vectors, after = encoded, {}, before
    return Trained(
        encoded=learned,
        vectors=vectors,
        before=before,
        after=after,
        tokens=tokens,
        trouble=trouble,
    )


def _parts(sequences: np.ndarray, time: int) -> list[np.ndarray]:
    """Sequences of `time` tokens, about PART_TOKENS together."""
    return np.array_split(sequences, math.ceil(len(sequences) / max(1, PART_TOKENS // time)))
