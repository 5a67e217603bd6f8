"""The compressor: blocks in order, each on the activations of the already rounded ones.

    source model → calibration tokens → for every block: inputs of each group of layers → XXᵀ →
    rotation and rounding with feedback → the rounded layer in the original's place → … → writer

Every finished block is kept on disk (`gnomon.compress.job`), so an interrupted run loses at most
one. A resumed run gives bit for bit what an uninterrupted one gives.
"""

from __future__ import annotations

import hashlib
import math
import re
import time
import zlib
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

import gnomon
from gnomon.codecs import EncodedWeight
from gnomon.compress.calibration import calibration_sequences
from gnomon.compress.drift import Drift
from gnomon.compress.estimate import expected_seconds, in_words
from gnomon.compress.importance import EMBEDDING, HEAD, importance_tokens, measure_importance
from gnomon.compress.job import Job, open_job, partial_folder, writing
from gnomon.compress.options import CompressOptions, CompressResult, LayerReport
from gnomon.compress.part import Part, layer_record, stored_tensors
from gnomon.compress.plan import plan_bits, require_possible
from gnomon.compress.rounding import RoundedWeight, WeightRounder
from gnomon.compress.statistics import (
    GroupStatistics,
    add_up,
    measure_shard,
    reference_block,
    support_experts,
)
from gnomon.compress.workers import LocalWorkers, Workers
from gnomon.compress.writer import plain_tensor, require_ours, write_model
from gnomon.errors import ModelError, UsageError
from gnomon.models import Model, require_tokenizer
from gnomon.models.config import ModelConfig
from gnomon.models.forward import STEPS, BlockState, advance, embed, rms_norm
from gnomon.progress import OnProgress, Progress, within
from gnomon.token_ids import require_known_tokens

FINAL_NORM = "model.norm.weight"
HEAD_PART = "head"  # the job's name for the embedding and the head
PLAN_PART = "plan"
SHARD_TOKENS = 4096  # of the calibration, that one task runs


def compress(
    model: Model,
    output: Path,
    *,
    options: CompressOptions | None = None,
    resume: bool = False,
    overwrite: bool = False,
    workers: Workers | None = None,
    are_activations_on_disk: bool = False,
    on_progress: OnProgress = lambda progress: None,
) -> CompressResult:
    """Writes the compressed model to the folder `output`.

    `overwrite` allows to replace a folder that gnomon wrote, `resume` to go on with an interrupted
    run; with both, a run that cannot be gone on with starts again. `workers` do the work, by
    default the threads of this process; these can leave the activations on the disk instead of in
    memory. Neither changes the result. Raises UsageError, ModelError, DataError or OutputError;
    what was finished is kept.
    """
    options = options or CompressOptions()
    output = output.resolve()
    start = time.monotonic()
    require_plain(model)
    if options.target is not None:
        require_possible(model, options.target)
    with writing(output):
        is_interrupted = partial_folder(output).exists()  # and was allowed to replace the output
    require_ours(output, overwrite=overwrite or (resume and is_interrupted))
    tokens = calibration_sequences(
        require_tokenizer(model),
        file=options.calibration,
        tokens=options.tokens,
        max_context=model.config.max_context,
    )
    require_known_tokens(tokens, vocab_size=model.config.vocab_size)
    expected = in_words(expected_seconds(model, options, tokens=tokens.size))
    on_progress(Progress(stage="expected to take", done=0, total=0, detail=expected))
    description = describe_job(model, options, tokens)
    with open_job(output, description, resume=resume, overwrite=overwrite) as job:
        if workers is None:
            folder = job.scratch("activations") if are_activations_on_disk else None
            workers = LocalWorkers(folder=folder)
        finished = Compressor(model, options, job, workers, on_progress).run(tokens)
        gnomon_json = {
            "format": "gnomon",
            "version": 1,
            "gnomon_version": gnomon.__version__,
            **description,
            "parameters": sum(
                math.prod(model.weights.shape(name)) for name in model.weights.names()
            ),
            "layers": {name: layer_record(weight) for name, weight in finished.layers.items()},
            "notes": dict(finished.notes),
            "seconds": round(time.monotonic() - start, 1),
        }
        size_bytes = write_model(
            model,
            all_tensors(model, finished),
            gnomon_json,
            output=output,
            scratch=job.folder / "model",
        )
        job.remove()
    return CompressResult(
        output=output,
        seconds=time.monotonic() - start,
        layers=tuple(report(name, weight) for name, weight in finished.layers.items()),
        size_bytes=size_bytes,
        bits_per_weight=gnomon_json["bits_per_weight"],
    )


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

    def run(self, tokens: np.ndarray) -> Part:
        """Everything that is coded or changed, for calibration tokens [sequences, time]."""
        config = self.model.config
        total = config.num_layers + 1
        finished = self.plan(tokens)
        table = self.model.weights.load(EMBEDDING)
        kept_table = self.workers.keep(table)
        originals = states = self.workers.map_kept(
            embed_shard, [(config, kept_table, shard) for shard in shards_of(tokens)]
        )
        del kept_table
        for layer in range(config.num_layers):
            self._report_block(layer, "(kept)" if self.job.has(block_part(layer)) else "")
            block, originals, states = self.round_block(layer, originals, states)
            if not all(self.workers.map(is_finite, [(state,) for state in states])):
                raise ModelError(
                    f"The activations after block {layer} are not finite, so there is nothing to "
                    "calibrate on. Is the model damaged?"
                )
            finished |= block
        self.on_progress(
            Progress(stage="head", done=config.num_layers, total=total, detail="embedding")
        )
        finished |= self.round_head(states, table)
        self.on_progress(Progress(stage="write", done=total, total=total))
        return finished

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
        self, layer: int, originals: list[Any], states: list[Any]
    ) -> tuple[Part, list[Any], list[Any]]:
        """Block `layer` rounded, and what both models' shards are after it."""
        part, weights = block_part(layer), self.block_weights(layer)
        references = self._every_shard(reference_block, layer, weights, originals)
        finished = self.job.load(part)
        if finished is not None:
            return finished, references, self._run_block(layer, weights, finished, states)
        finished, before = Part(), states
        for step in range(STEPS):
            current = self.workers.keep(weights | finished.decoded())
            tasks = [
                (self.model.config, layer, step, current, *pair)
                for pair in zip(references, states, strict=True)
            ]
            groups = add_up(self.workers.map(measure_shard, tasks))
            for group in support_experts(groups):
                finished |= self.round_group(weights, group)
            current = weights | finished.decoded()
            states = self._every_shard(advance, layer, current, states, step)
        if self.options.effort != "quick":
            finished = self.tune(layer, weights, finished, references, before)
            states = self._run_block(layer, weights, finished, before)
        self.job.save(part, finished)
        return finished, references, states

    def tune(
        self,
        layer: int,
        weights: Mapping[str, np.ndarray],
        rounded: Part,
        references: list[Any],
        before: list[Any],
    ) -> Part:
        """The rounded block after training what is continuous in it; see `tuning`."""
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
        notes = {"before": tuned.before, "after": tuned.after, "tokens": tuned.tokens}
        if tuned.trouble is not None:
            notes["trouble"] = tuned.trouble
            self._report_block(layer, f"went back to the best state: {tuned.trouble}")
        layers = {
            name: replace(weight, encoded=tuned.encoded[name])
            for name, weight in rounded.layers.items()
        }
        return Part(layers=layers, vectors=tuned.vectors, notes={f"tuning {layer}": notes})

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
        current = {**weights, **part.decoded()}
        for step in range(STEPS):
            states = self._every_shard(advance, layer, current, states, step)
        return states

    def _every_shard(
        self,
        function: Callable[..., Any],
        layer: int,
        weights: Mapping[str, np.ndarray],
        shards: list[Any],
        *step: int,
    ) -> list[Any]:
        kept = self.workers.keep(weights)
        tasks = [(self.model.config, layer, *step, kept, shard) for shard in shards]
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

    def round_head(self, states: list[Any], table: np.ndarray) -> Part:
        """The embedding and the head; they share one matrix where the model ties them."""
        config = self.model.config
        names = [
            name
            for name in ((EMBEDDING,) if config.is_head_tied else (EMBEDDING, HEAD))
            if self.planned.get(name, self.options.head_width) != 16
        ]
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
            matrix = table if name == EMBEDDING else self.model.weights.load(HEAD)
            rounded[name] = self.round_vocabulary(name, matrix, inputs)
        finished = Part(layers=rounded)
        self.job.save(HEAD_PART, finished)
        return finished

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


def is_finite(state: BlockState) -> bool:
    return bool(np.isfinite(state.hidden).all())


def head_gram(config: ModelConfig, norm: np.ndarray, state: BlockState) -> np.ndarray:
    """A task: XᵀX float32 [hidden, hidden] of what the head reads."""
    outputs = rms_norm(state.hidden, norm, config).reshape(-1, config.hidden_size)
    return outputs.T @ outputs


def block_part(layer: int) -> str:
    """The job's name for a block."""
    return f"block-{layer:04d}"


def require_plain(model: Model) -> None:
    """Compressing twice would lose twice; a UsageError says so."""
    if model.provenance:
        raise UsageError(
            f"{model.source} is already compressed by gnomon. Give the model it was made from."
        )


def describe_job(model: Model, options: CompressOptions, tokens: np.ndarray) -> dict[str, Any]:
    """What decides the result: two jobs with equal descriptions may continue one another."""
    return {
        "source": {
            "name": model.name,
            "architecture": model.config.architecture,
            "size_bytes": model.size_bytes,
            "fingerprint": fingerprint(model),
        },
        "options": {
            "codec": options.codec,
            **described_bits(options),
            "effort": options.effort,
            "calibration": options.calibration.name if options.calibration else "bundled",
            "calibration_tokens": int(tokens.size),
            "calibration_sha256": hashlib.sha256(tokens.tobytes()).hexdigest(),
            "seed": options.seed,
        },
    }


def described_bits(options: CompressOptions) -> dict[str, Any]:
    """What was asked for in bits or bytes."""
    if options.size_bytes is not None:
        return {"size_bytes": options.size_bytes, "head_bits": options.head_bits}
    bits = options.width if options.target is None else options.bits
    return {"bits": bits, "head_bits": options.head_width}


def fingerprint(model: Model) -> str:
    """A hash of all the bytes of the weights' files."""
    source = model.source
    files = [source] if source.is_file() else sorted(source.glob("*.safetensors"))
    digest = hashlib.sha256()
    for file in files:
        with open(file, "rb") as opened:
            digest.update(hashlib.file_digest(opened, "sha256").digest())
    return digest.hexdigest()


def derive_seed(seed: int, purpose: str) -> int:
    """A 32-bit seed for one use, the same wherever and in whatever order it is asked for."""
    return zlib.crc32(f"{seed} {purpose}".encode())


def input_site(name: str) -> str:
    """What names the input of a weight's layer: experts of one block read the same vector."""
    return "input of " + re.sub(r"experts\.\d+\.", "experts.", name)


def all_tensors(model: Model, finished: Part) -> dict[str, np.ndarray]:
    """What model.safetensors holds: codes for rounded weights, the others plain."""
    tensors: dict[str, np.ndarray] = {}
    for name in model.weights.names():
        if name in finished.layers:
            tensors |= stored_tensors(name, finished.layers[name].encoded)
        elif name in finished.vectors:
            tensors[name] = plain_tensor(finished.vectors[name])
        elif not (name == HEAD and model.config.is_head_tied):
            tensors[name] = plain_tensor(model.weights.load(name))
    return tensors


def report(name: str, weight: RoundedWeight) -> LayerReport:
    encoded: EncodedWeight = weight.encoded
    return LayerReport(
        name=name,
        codec=encoded.codec,
        shape=encoded.shape,
        bits_per_weight=encoded.bits_per_weight,
        relative_error=weight.relative_error,
    )
