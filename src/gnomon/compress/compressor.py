"""`Compressor`: rounds one model, block by block, and lets it learn what its effort asks for.

    embedded calibration → for every block and every step of it: sums over the shards → the matrix
    to round → codes → the step, taken with the rounded layers → … → tuning of the block → … →
    the head → distillation

Both models' shards of the calibration, and everything heavy that is done with them, belong to the
workers; what is finished goes to the job, block by block.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

import numpy as np

from gnomon.compress.drift import Drift
from gnomon.compress.importance import EMBEDDING, HEAD, importance_tokens, measure_importance
from gnomon.compress.job import Job
from gnomon.compress.options import EFFORTS, CompressOptions
from gnomon.compress.part import Part
from gnomon.compress.plan import plan_bits
from gnomon.compress.rounding import RoundedWeight, WeightRounder
from gnomon.compress.statistics import (
    GroupStatistics,
    add_up,
    measure_shard,
    reference_block,
    support_experts,
)
from gnomon.compress.workers import Workers
from gnomon.errors import ModelError
from gnomon.models import Model
from gnomon.models.config import ModelConfig
from gnomon.models.forward import STEPS, BlockState, advance, embed, rms_norm, run_block
from gnomon.progress import OnProgress, Progress, within

FINAL_NORM = "model.norm.weight"
HEAD_PART = "head"  # the job's name for the embedding and the head
PLAN_PART = "plan"
SHARD_TOKENS = 4096  # of the calibration, that one task runs


class Compressor:
    """Rounds one model; holds what its steps share."""

    def __init__(
        self,
        model: Model,
        options: CompressOptions,
        job: Job,
        workers: Workers,
        on_progress: OnProgress,
    ):
        self.model, self.options, self.job, self.workers = model, options, job, workers
        self.on_progress = on_progress
        self.planned: Mapping[str, int] = {}  # bits by name, where they are not all alike

    def run(self, tokens: np.ndarray, judging: np.ndarray) -> Part:
        """Everything that is coded or changed, for calibration tokens [sequences, time].

        Where the whole model is taught, it is on some of these, and `judging` ones, which nothing
        was fitted to, decide how far.
        """
        config = self.model.config
        total = config.num_layers + 1
        finished = self.plan(tokens)
        kept_table = self.workers.keep(self.model.weights.load(EMBEDDING))
        needed = tokens[:0] if self._is_rounded() else tokens
        originals = states = self.workers.map_kept(
            embed_shard, [(config, kept_table, shard) for shard in shards_of(needed)]
        )
        lesson = self._lesson_tokens(tokens, judging)
        teachers = self.workers.map_kept(
            embed_shard, [(config, kept_table, shard) for shard in shards_of(lesson)]
        )
        del kept_table
        for layer in range(config.num_layers):
            self._report_block(layer, "(kept)" if self.job.has(block_part(layer)) else "")
            # What is replaced or deleted here would else stay beside the next block's.
            weights = self.block_weights(layer)
            kept = self.workers.keep(weights)
            originals = self._every_shard(reference_block, layer, kept, originals)
            if teachers:
                teachers = self._every_shard(run_whole_block, layer, kept, teachers)
            del kept
            block, states = self.round_block(layer, weights, originals, states)
            del weights
            if not all(self.workers.map(is_finite, [(state,) for state in states])):
                raise ModelError(
                    f"The activations after block {layer} are not finite, so there is nothing to "
                    "calibrate on. Is the model damaged?"
                )
            finished |= block
        self.on_progress(
            Progress(stage="head", done=config.num_layers, total=total, detail="embedding")
        )
        finished |= self.round_head(states)
        del originals, states
        if teachers:
            from gnomon.compress.teaching import Lesson, teach

            hidden = self._hidden(teachers).astype(np.float16)
            del teachers
            lesson = Lesson(
                model=self.model,
                tokens=lesson,
                kept=len(judging),
                hidden=hidden,
                job=self.job,
                seed=derive_seed(self.options.seed, "teaching"),
                on_progress=self.on_progress,
            )
            finished = teach(lesson, finished)
        self.on_progress(Progress(stage="write", done=total, total=total))
        return finished

    def _lesson_tokens(self, tokens: np.ndarray, judging: np.ndarray) -> np.ndarray:
        """What the original alone reads, to teach: `judging` ones, then some of the others."""
        count = self.options.distillation_tokens // tokens.shape[1]
        rng = np.random.default_rng(derive_seed(self.options.seed, "lesson"))
        return np.concatenate([judging, tokens[np.sort(rng.permutation(len(tokens))[:count])]])

    def plan(self, tokens: np.ndarray) -> Part:
        """A note of the bits that every matrix gets, chosen once in a job; nothing if all alike."""
        target = self.options.target
        if target is None:
            return Part()
        part = self.job.load(PLAN_PART)
        if part is None:
            importance = measure_importance(
                self.model,
                importance_tokens(tokens),
                seed=derive_seed(self.options.seed, "importance"),
                on_progress=within("importance", self.on_progress),
            )
            plan = plan_bits(self.model, importance, target)
            note = asdict(plan) | {"sensitivity": dict(importance.sensitivity)}
            part = Part(notes={PLAN_PART: note})
            self.job.save(PLAN_PART, part)
        self.planned = part.notes[PLAN_PART]["bits"]
        return part

    def block_weights(self, layer: int) -> dict[str, np.ndarray]:
        prefix = f"model.layers.{layer}."
        weights = self.model.weights
        return {name: weights.load(name) for name in weights.names() if name.startswith(prefix)}

    def round_block(
        self,
        layer: int,
        weights: Mapping[str, np.ndarray],
        references: list[Any],
        states: list[Any],
    ) -> tuple[Part, list[Any]]:
        """Block `layer` rounded, and the rounded model's shards after it."""
        part = block_part(layer)
        finished = self.job.load(part)
        if finished is not None:
            return finished, self._run_block(layer, weights, finished, states) if states else []
        finished, before = Part(), states
        latest = weights
        current = self.workers.keep(latest)
        for step in range(STEPS):
            tasks = [
                (self.model.config, layer, step, current, *pair)
                for pair in zip(references, states, strict=True)
            ]
            groups = add_up(self.workers.map(measure_shard, tasks))
            for group in support_experts(groups):
                rounded = self.round_group(weights, group)
                finished |= rounded
                latest = {**latest, **rounded.decoded()}
            current = self.workers.keep(latest)
            states = self._every_shard(advance, layer, current, states, step)
        if EFFORTS[self.options.effort].is_tuned:
            tuned = self.tune(layer, weights, finished, references, before)
            finished |= tuned
            if tuned.layers:  # else the states are what they were
                states = self._run_block(layer, weights, finished, before)
        self.job.save(part, finished)
        return finished, states

    def tune(
        self,
        layer: int,
        weights: Mapping[str, np.ndarray],
        rounded: Part,
        references: list[Any],
        before: list[Any],
    ) -> Part:
        """What of a rounded block has changed after training what is continuous in it.

        See `tuning`. There is always a note; no layers where nothing was learned.
        """
        from gnomon.compress.tuning import tune_block

        def report(progress: Progress) -> None:
            self._report_block(layer, f"tuning {progress.done}/{progress.total} {progress.detail}")

        tuned = tune_block(
            self.model.config,
            layer,
            encoded={name: weight.encoded for name, weight in rounded.layers.items()},
            plain={name: weights[name] for name in weights if name not in rounded.layers},
            hidden=self._hidden(before),
            target=self._hidden(references),
            seed=derive_seed(self.options.seed, f"tuning {layer}"),
            on_progress=report,
        )
        if tuned.trouble is not None:
            self._report_block(layer, f"went back to the best state: {tuned.trouble}")
        return Part(
            layers=rounded.recoded(tuned.encoded) if tuned.is_better else {},
            vectors=tuned.vectors,
            notes={f"tuning {layer}": tuned.notes},
        )

    def _hidden(self, shards: list[Any]) -> np.ndarray:
        """The residual stream of all shards, float32 [sequences, time, hidden]."""
        return np.concatenate([self.workers.fetch(shard).hidden for shard in shards])

    def _report_block(self, layer: int, detail: str = "") -> None:
        count = self.model.config.num_layers
        detail = f"{layer + 1} of {count} {detail}".rstrip()
        self.on_progress(Progress(stage="block", done=layer, total=count + 1, detail=detail))

    def _run_block(
        self, layer: int, weights: Mapping[str, np.ndarray], part: Part, states: list[Any]
    ) -> list[Any]:
        current = self.workers.keep({**weights, **part.decoded()})
        return self._every_shard(run_whole_block, layer, current, states)

    def _every_shard(
        self,
        function: Callable[..., Any],
        layer: int,
        weights: Any,  # kept
        shards: list[Any],
        *step: int,
    ) -> list[Any]:
        tasks = [(self.model.config, layer, *step, weights, shard) for shard in shards]
        return self.workers.map_kept(function, tasks)

    def round_group(self, weights: Mapping[str, np.ndarray], group: GroupStatistics) -> Part:
        """The layers of one group, rounded so as to answer as the original's would."""
        drift = Drift(group)
        rounder = WeightRounder(
            group.gram,
            codec=self.options.codec,
            bits=self.options.width,
            input_seed=derive_seed(self.options.seed, input_site(group.names[0])),
            workers=self.workers,
        )
        rounded = {}
        for name in group.names:
            seed = derive_seed(self.options.seed, name)
            weight = drift.compensate(weights[name])
            bits = self.planned.get(name)
            rounded[name] = rounder.encode(weight, output_seed=seed, seed=seed, bits=bits)
        return Part(layers=rounded)

    def round_head(self, states: list[Any]) -> Part:
        """The embedding and the head; they share one matrix where the model ties them."""
        config = self.model.config
        names = self._coded_vocabulary()
        if not names:
            return Part()
        finished = self.job.load(HEAD_PART)
        if finished is not None:
            return finished
        norm = self.model.weights.load(FINAL_NORM)
        grams = self.workers.map(head_gram, [(config, norm, state) for state in states])
        gram = np.zeros((config.hidden_size, config.hidden_size), np.float32)
        for shard in grams:
            gram += shard
        rounded = {}
        for name in names:
            is_looked_up_only = name == EMBEDDING and not config.is_head_tied
            inputs = np.eye(config.hidden_size, dtype=np.float32) if is_looked_up_only else gram
            rounded[name] = self.round_vocabulary(name, self.model.weights.load(name), inputs)
        finished = Part(layers=rounded)
        self.job.save(HEAD_PART, finished)
        return finished

    def _coded_vocabulary(self) -> list[str]:
        names = (EMBEDDING,) if self.model.config.is_head_tied else (EMBEDDING, HEAD)
        return [name for name in names if self.planned.get(name, self.options.head_width) != 16]

    def _is_rounded(self) -> bool:
        """Whether an earlier run has rounded everything; then nothing needs the calibration."""
        parts = [block_part(layer) for layer in range(self.model.config.num_layers)]
        if self._coded_vocabulary():
            parts.append(HEAD_PART)
        return all(self.job.load(part) is not None for part in parts)

    def round_vocabulary(self, name: str, matrix: np.ndarray, gram: np.ndarray) -> RoundedWeight:
        """A matrix [vocab, hidden]: every row has its own scale, and rows are not mixed.

        So one row can be looked up without decoding the others.
        """
        seed = derive_seed(self.options.seed, name)
        bits = self.planned.get(name, self.options.head_width)
        codec = "int8" if bits == 8 else "trellis"
        rounder = WeightRounder(gram, codec=codec, bits=bits, input_seed=seed, workers=self.workers)
        return rounder.encode(matrix, output_seed=None, seed=seed, has_row_scales=True)


def shards_of(tokens: np.ndarray) -> list[np.ndarray]:
    """Calibration tokens [sequences, time] in shards of about SHARD_TOKENS."""
    count = max(1, SHARD_TOKENS // tokens.shape[1])
    return [tokens[start : start + count] for start in range(0, len(tokens), count)]


def embed_shard(config: ModelConfig, table: np.ndarray, tokens: np.ndarray) -> BlockState:
    """A task: the residual stream before the first block."""
    return BlockState(hidden=embed(config, table, tokens))


def run_whole_block(
    config: ModelConfig, layer: int, weights: Mapping[str, np.ndarray], state: BlockState
) -> BlockState:
    """A task: all steps of a block at once."""
    return BlockState(hidden=run_block(config, layer, weights, state.hidden))


def is_finite(state: BlockState) -> bool:
    return bool(np.isfinite(state.hidden).all())


def head_gram(config: ModelConfig, norm: np.ndarray, state: BlockState) -> np.ndarray:
    """A task: XᵀX float32 [hidden, hidden] of what the head reads."""
    outputs = rms_norm(state.hidden, norm, config).reshape(-1, config.hidden_size)
    return outputs.T @ outputs


def block_part(layer: int) -> str:
    """The job's name for a block."""
    return f"block-{layer:04d}"


def derive_seed(seed: int, purpose: str) -> int:
    """A 32-bit seed for one use, the same wherever and in whatever order it is asked for."""
    return zlib.crc32(f"{seed} {purpose}".encode())


def input_site(name: str) -> str:
    """What names the input of a weight's layer: experts of one block read the same vector."""
    return "input of " + re.sub(r"experts\.\d+\.", "experts.", name)
