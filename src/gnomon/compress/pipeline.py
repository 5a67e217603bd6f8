"""`compress`: a model in, a folder out, whatever happens on the way.

    source model → calibration tokens → `Compressor`, block by block → writer

Every finished block is kept on disk (`gnomon.compress.job`), so an interrupted run loses at most
one. A resumed run gives bit for bit what an uninterrupted one gives.
"""

from __future__ import annotations

import hashlib
import math
import time
from pathlib import Path
from typing import Any

import numpy as np

import gnomon
from gnomon.codecs import EncodedWeight
from gnomon.compress.calibration import calibration_sequences, doubt_of_language, set_aside
from gnomon.compress.compressor import Compressor
from gnomon.compress.estimate import expected_seconds, in_words
from gnomon.compress.importance import HEAD
from gnomon.compress.job import open_job, partial_folder, writing
from gnomon.compress.options import EFFORTS, CompressOptions, CompressResult, LayerReport
from gnomon.compress.part import Part, layer_record, stored_tensors
from gnomon.compress.plan import require_possible
from gnomon.compress.rounding import RoundedWeight
from gnomon.compress.shared_vocabulary import share_vocabulary
from gnomon.compress.workers import LocalWorkers, Workers
from gnomon.compress.writer import plain_tensor, require_ours, write_model
from gnomon.errors import UsageError
from gnomon.extras import how_to_install
from gnomon.models import Model, require_tokenizer
from gnomon.models.aqlm_format import quantization_config
from gnomon.models.coded_layers import VERSION
from gnomon.models.fingerprint import fingerprint
from gnomon.progress import OnProgress, Progress
from gnomon.token_ids import require_known_tokens


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
    model = share_vocabulary(model)
    if EFFORTS[options.effort].is_tuned or options.target is not None:
        require_torch(options)
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
    calibration, judging = tokens, tokens[:0]
    if options.distillation_tokens:
        calibration, judging = set_aside(tokens, seed=options.seed)
    description = describe_job(model, options, tokens)
    with open_job(output, description, resume=resume, overwrite=overwrite) as job:
        say_first(model, options, on_progress, tokens=calibration.size)
        if workers is None:
            folder = job.scratch("activations") if are_activations_on_disk else None
            workers = LocalWorkers(folder=folder)
        finished = Compressor(model, options, job, workers, on_progress).run(calibration, judging)
        gnomon_json = {
            "format": "gnomon",
            "version": VERSION,
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
            quantization=quantization_config(
                {name: weight.encoded for name, weight in finished.layers.items()}
            ),
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


def say_first(
    model: Model, options: CompressOptions, on_progress: OnProgress, *, tokens: int
) -> None:
    """A doubt of the calibration text if there is one, and how long `tokens` of it will take."""
    said = [("expected to take", in_words(expected_seconds(model, options, tokens=tokens)))]
    doubt = doubt_of_language(require_tokenizer(model), options.calibration)
    if doubt is not None:
        said.insert(0, ("careful:", doubt))
    for stage, detail in said:
        on_progress(Progress(stage=stage, done=0, total=0, detail=detail, is_note=True))


def require_torch(options: CompressOptions) -> None:
    """What is learned is learned with PyTorch; a UsageError says so where there is none."""
    try:
        import torch  # noqa: F401
    except ImportError as error:
        asked = (
            "Spreading bits over the layers"
            if options.target is not None
            else f"The effort {options.effort}"
        )
        raise UsageError(
            f"{asked} needs PyTorch, which is not installed, and --effort quick with --bits 2, 3 "
            f"or 4 needs none; {how_to_install('compress')}"
        ) from error


def require_plain(model: Model) -> None:
    """Compressing twice would lose twice; a UsageError says so."""
    how = "by gnomon" if model.provenance else ""
    if not how and "quantization_config" in model.hf_config:
        how = f"({model.hf_config['quantization_config'].get('quant_method', 'unknown method')})"
    if how:
        raise UsageError(
            f"{model.source} is already compressed {how}. Give the model it was made from."
        )


def describe_job(model: Model, options: CompressOptions, tokens: np.ndarray) -> dict[str, Any]:
    """What decides the result: two jobs with equal descriptions may continue one another."""
    return {
        "source": {
            "name": model.name,
            "architecture": model.config.architecture,
            "size_bytes": model.size_bytes,
            "is_head_tied": model.config.is_head_tied,
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
    return {"bits": options.wanted_bits, "head_bits": options.head_width}


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
