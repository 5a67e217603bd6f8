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
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

import gnomon
from gnomon.codecs import EncodedWeight, decode
from gnomon.compress.calibration import calibration_sequences
from gnomon.compress.drift import Drift
from gnomon.compress.job import Job, layer_record, open_job, partial_folder, stored_tensors, writing
from gnomon.compress.options import CompressOptions, CompressResult, LayerReport
from gnomon.compress.rounding import RoundedWeight, WeightRounder
from gnomon.compress.writer import plain_tensor, require_ours, write_model
from gnomon.errors import ModelError, UsageError
from gnomon.models import Model, require_tokenizer
from gnomon.models.forward import (
    BlockOutput,
    LinearInputs,
    embed,
    forward_block,
    rms_norm,
    run_block,
)
from gnomon.progress import OnProgress, Progress
from gnomon.token_ids import require_known_tokens

EMBEDDING = "model.embed_tokens.weight"
FINAL_NORM = "model.norm.weight"
HEAD = "lm_head.weight"
HEAD_PART = "head"  # the job's name for the embedding and the head


def compress(
    model: Model,
    output: Path,
    *,
    options: CompressOptions | None = None,
    resume: bool = False,
    overwrite: bool = False,
    on_progress: OnProgress = lambda progress: None,
) -> CompressResult:
    """Writes the compressed model to the folder `output`.

    `overwrite` allows to replace a folder that gnomon wrote, `resume` to go on with an interrupted
    run; with both, a run that cannot be gone on with starts again. Raises UsageError, ModelError,
    DataError or OutputError; what was finished is kept.
    """
    options = options or CompressOptions()
    output = output.resolve()
    start = time.monotonic()
    require_plain(model)
    with writing(output):
        is_interrupted = partial_folder(output).exists()  # and was allowed to replace the output
    require_ours(output, overwrite=overwrite or (resume and is_interrupted))
    tokens = calibration_sequences(
        require_tokenizer(model),
        file=options.calibration,
        tokens=options.calibration_tokens,
        max_context=model.config.max_context,
    )
    require_known_tokens(tokens, vocab_size=model.config.vocab_size)
    description = describe_job(model, options, tokens)
    with open_job(output, description, resume=resume, overwrite=overwrite) as job:
        compressor = Compressor(model, options, job, on_progress)
        rounded = compressor.run(tokens)
        gnomon_json = {
            "format": "gnomon",
            "version": 1,
            "gnomon_version": gnomon.__version__,
            **description,
            "parameters": sum(
                math.prod(model.weights.shape(name)) for name in model.weights.names()
            ),
            "layers": {name: layer_record(weight) for name, weight in rounded.items()},
            "seconds": round(time.monotonic() - start, 1),
        }
        size_bytes = write_model(
            model,
            all_tensors(model, rounded),
            gnomon_json,
            output=output,
            scratch=job.folder / "model",
        )
        job.remove()
    return CompressResult(
        output=output,
        seconds=time.monotonic() - start,
        layers=tuple(report(name, weight) for name, weight in rounded.items()),
        size_bytes=size_bytes,
        bits_per_weight=gnomon_json["bits_per_weight"],
    )


class Compressor:
    """Rounds one model; holds what its steps share."""

    def __init__(self, model: Model, options: CompressOptions, job: Job, on_progress: OnProgress):
        self.model, self.options, self.job = model, options, job
        self.on_progress = on_progress

    def run(self, tokens: np.ndarray) -> dict[str, RoundedWeight]:
        """All rounded weights by name, for calibration tokens [sequences, time]."""
        config = self.model.config
        total = config.num_layers + 1
        rounded: dict[str, RoundedWeight] = {}
        table = self.model.weights.load(EMBEDDING)
        original = hidden = embed(config, table, tokens)
        for layer in range(config.num_layers):
            kept = " (kept)" if self.job.has(block_part(layer)) else ""
            detail = f"{layer + 1} of {config.num_layers}{kept}"
            self.on_progress(Progress(stage="block", done=layer, total=total, detail=detail))
            weights = self.block_weights(layer)
            block, original, hidden = self.round_block(layer, weights, original, hidden)
            if not np.isfinite(hidden).all():
                raise ModelError(
                    f"The activations after block {layer} are not finite, so there is nothing to "
                    "calibrate on. Is the model damaged?"
                )
            rounded |= block
        self.on_progress(
            Progress(stage="head", done=config.num_layers, total=total, detail="embedding")
        )
        rounded |= self.round_head(hidden, table)
        self.on_progress(Progress(stage="write", done=total, total=total))
        return rounded

    def block_weights(self, layer: int) -> dict[str, np.ndarray]:
        prefix = f"model.layers.{layer}."
        weights = self.model.weights
        return {name: weights.load(name) for name in weights.names() if name.startswith(prefix)}

    def round_block(
        self,
        layer: int,
        weights: dict[str, np.ndarray],
        original: np.ndarray,
        hidden: np.ndarray,
    ) -> tuple[dict[str, RoundedWeight], np.ndarray, np.ndarray]:
        """Block `layer` rounded; its output on `original`, and that of the rounded on `hidden`."""
        config, part = self.model.config, block_part(layer)
        finished = self.job.load(part)
        if finished is not None:
            decoded = {name: decode(weight.encoded) for name, weight in finished.items()}
            original = run_block(config, layer, weights, original)
            return finished, original, run_block(config, layer, weights | decoded, hidden)
        rounded, replaced = {}, dict(weights)
        both = zip(
            forward_block(config, layer, weights, original),
            forward_block(config, layer, replaced, hidden),
            strict=True,
        )
        for event, rounded_event in both:
            if isinstance(event, BlockOutput) or isinstance(rounded_event, BlockOutput):
                assert isinstance(event, BlockOutput)
                assert isinstance(rounded_event, BlockOutput)
                original, hidden = event.hidden, rounded_event.hidden
            else:
                group = self.round_group(weights, event, rounded_event)
                replaced |= {name: decode(weight.encoded) for name, weight in group.items()}
                rounded |= group
        self.job.save(part, rounded)
        return rounded, original, hidden

    def round_group(
        self, weights: Mapping[str, np.ndarray], original: LinearInputs, inputs: LinearInputs
    ) -> dict[str, RoundedWeight]:
        """The layers that read `inputs`, rounded so as to answer as the original's would."""
        gram = inputs.inputs.T @ inputs.inputs
        drift = Drift.measure(original, inputs, gram)
        rounder = WeightRounder(
            gram,
            codec=self.options.codec,
            bits=self.options.width,
            input_seed=derive_seed(self.options.seed, input_site(inputs.names[0])),
        )
        rounded = {}
        for name in inputs.names:
            seed = derive_seed(self.options.seed, name)
            weight = drift.compensate(weights[name])
            rounded[name] = rounder.encode(weight, output_seed=seed, seed=seed)
        return rounded

    def round_head(self, hidden: np.ndarray, table: np.ndarray) -> dict[str, RoundedWeight]:
        """The embedding and the head; they share one matrix where the model ties them."""
        config = self.model.config
        if self.options.head_bits == 16:
            return {}
        finished = self.job.load(HEAD_PART)
        if finished is not None:
            return finished
        outputs = rms_norm(hidden, self.model.weights.load(FINAL_NORM), config)
        outputs = outputs.reshape(-1, config.hidden_size)
        gram = outputs.T @ outputs
        if config.is_head_tied:
            rounded = {EMBEDDING: self.round_vocabulary(EMBEDDING, table, gram)}
        else:
            identity = np.eye(config.hidden_size, dtype=np.float32)
            head = self.model.weights.load(HEAD)
            rounded = {
                EMBEDDING: self.round_vocabulary(EMBEDDING, table, identity),
                HEAD: self.round_vocabulary(HEAD, head, gram),
            }
        self.job.save(HEAD_PART, rounded)
        return rounded

    def round_vocabulary(self, name: str, matrix: np.ndarray, gram: np.ndarray) -> RoundedWeight:
        """A matrix [vocab, hidden]: every row has its own scale, and rows are not mixed.

        So one row can be looked up without decoding the others.
        """
        seed = derive_seed(self.options.seed, name)
        bits = self.options.head_bits
        codec = "int8" if bits == 8 else "trellis"
        rounder = WeightRounder(gram, codec=codec, bits=bits, input_seed=seed)
        return rounder.encode(matrix, output_seed=None, seed=seed, has_row_scales=True)


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
            "bits": options.width,
            "head_bits": options.head_bits,
            "calibration": options.calibration.name if options.calibration else "bundled",
            "calibration_tokens": int(tokens.size),
            "calibration_sha256": hashlib.sha256(tokens.tobytes()).hexdigest(),
            "seed": options.seed,
        },
    }


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


def all_tensors(model: Model, rounded: dict[str, RoundedWeight]) -> dict[str, np.ndarray]:
    """What model.safetensors holds: codes for rounded weights, the others plain."""
    tensors: dict[str, np.ndarray] = {}
    for name in model.weights.names():
        if name in rounded:
            tensors |= stored_tensors(name, rounded[name].encoded)
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
