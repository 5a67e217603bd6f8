"""The whole rounded model learns to predict as the original does: `--effort max`.

What stays continuous is trained (`distillation`), then codes move where that lowers the loss
(`moving`), then, if any has moved, what is continuous is trained again, to make the best of the
new codes. Sequences that nothing was fitted to, not even the rounding, judge all along. Each of the
three is a part of the job; the long ones go on where they were interrupted.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace

import numpy as np

from gnomon.codecs import EncodedWeight
from gnomon.compress.distillation import distill
from gnomon.compress.divergence import EMBEDDING, FINAL_NORM, HEAD, Teacher
from gnomon.compress.job import Job
from gnomon.compress.moving import MovingOptions, move_model
from gnomon.compress.part import Part
from gnomon.models import Model
from gnomon.progress import OnProgress

MOVING = "moving"  # the part of the job
GRADIENT_BYTES = 3 << 30  # what the slopes of all matrices that move together may take


@dataclass(frozen=True, slots=True, kw_only=True)
class Lesson:
    """What is taught, and how it is kept."""

    model: Model  # the original
    tokens: np.ndarray  # int64 [sequences, time]
    kept: int  # so many of them, the first, only judge
    hidden: np.ndarray  # its stream after the last block, float16 [sequences, time, hidden]
    job: Job
    seed: int
    on_progress: OnProgress


def teach(lesson: Lesson, rounded: Part) -> Part:
    """The parts of `rounded` as they are after all three."""
    weights, config = lesson.model.weights, lesson.model.config
    teacher = Teacher(
        hidden=lesson.hidden,
        norm=weights.load(FINAL_NORM),
        head=weights.load(EMBEDDING if config.is_head_tied else HEAD),
    )
    taught = _distil(lesson, teacher, rounded, name="distillation 1")
    taught = _move(lesson, teacher, taught)
    if not taught.notes[MOVING]["share"]:
        return taught
    return _distil(lesson, teacher, taught, name="distillation 2")


def _distil(lesson: Lesson, teacher: Teacher, before: Part, *, name: str) -> Part:
    finished = lesson.job.load(name)
    if finished is not None:
        return before | finished
    learned = distill(
        lesson.model.config,
        encoded=_encoded(before),
        plain=_plain(lesson.model, before),
        tokens=lesson.tokens,
        kept=lesson.kept,
        teacher=teacher,
        seed=lesson.seed,
        state=lesson.job.load_state(name),
        keep=lambda state: lesson.job.save_state(name, state),
        on_progress=lesson.on_progress,
    )
    finished = Part(
        layers=before.recoded(learned.encoded),
        vectors=learned.vectors,
        notes={name: learned.notes},
    )
    lesson.job.save(name, finished)
    return before | finished


def _move(lesson: Lesson, teacher: Teacher, before: Part) -> Part:
    finished = lesson.job.load(MOVING)
    if finished is not None:
        return before | finished
    options = MovingOptions()
    moved = move_model(
        lesson.model.config,
        encoded=_encoded(before),
        plain=_plain(lesson.model, before),
        tokens=lesson.tokens,
        kept=lesson.kept,
        teacher=teacher,
        options=replace(options, blocks=min(options.blocks, _blocks_together(lesson.model))),
        seed=lesson.seed,
        on_progress=lesson.on_progress,
    )
    notes = {key: value for key, value in asdict(moved).items() if key != "encoded"}
    finished = Part(layers=before.recoded(moved.encoded), notes={MOVING: notes})
    lesson.job.save(MOVING, finished)
    return before | finished


def _encoded(part: Part) -> dict[str, EncodedWeight]:
    return {name: weight.encoded for name, weight in part.layers.items()}


def _plain(model: Model, part: Part) -> dict[str, np.ndarray]:
    """All tensors that are not coded, trained ones as they are now."""
    return {
        name: part.vectors[name] if name in part.vectors else model.weights.load(name)
        for name in model.weights.names()
        if name not in part.layers
    }


def _blocks_together(model: Model) -> int:
    """So many that two gradients and XXᵀ of each of their matrices fit into memory."""
    shapes = [
        model.weights.shape(name)
        for name in model.weights.names()
        if name.startswith("model.layers.0.") and len(model.weights.shape(name)) == 2
    ]
    return max(1, GRADIENT_BYTES // sum(4 * (2 * out * size + size * size) for out, size in shapes))
