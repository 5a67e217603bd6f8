"""`gnomon compress`: write a model's weights in two bits each, or a few more."""

from __future__ import annotations

import contextlib
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gnomon.cli.options import AsJson, ModelArgument, Quiet
from gnomon.cli.output import format_bytes, print_facts, print_json
from gnomon.cli.progress import ProgressDisplay
from gnomon.cli.size import parse_size
from gnomon.errors import UsageError
from gnomon.progress import within

if TYPE_CHECKING:
    from gnomon.compress import CompressOptions, CompressResult, LayerReport


def compress(
    model: ModelArgument = None,
    *,
    output: Annotated[
        Path,
        typer.Option(
            "--output", "-o", metavar="DIR", show_default=False, help="The folder to write."
        ),
    ],
    bits: Annotated[
        float | None,
        typer.Option(
            metavar="N",
            min=1,
            max=8,
            show_default="2; 2.1 with --effort standard or max; 8 with int8",
            help="Bits a weight in the blocks' linear layers. A whole number is the width of "
            "every layer's codes; 2.3, say, is the mean of all that is stored for these layers, "
            "and those that matter more get more of it.",
        ),
    ] = None,
    size: Annotated[
        str | None,
        typer.Option(
            metavar="SIZE",
            show_default=False,
            help="Instead of bits: how large model.safetensors may be, as in 450MB (a MB is a "
            "million bytes), 429MiB or 450000000. Layers, embedding and head get what of it suits "
            "them.",
        ),
    ] = None,
    head_bits: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=1,
            max=16,
            show_default="4, or what suits the size",
            help="Bits a weight in the embedding and the head: 2, 3, 4, 8 or 16.",
        ),
    ] = None,
    codec: Annotated[
        str, typer.Option(metavar="NAME", help="How weights are coded: trellis, aq or int8.")
    ] = ("trellis"),
    effort: Annotated[
        str,
        typer.Option(
            metavar="LEVEL",
            help="quick only rounds; standard also trains every rounded block to give the "
            "original's output; max then trains the whole model to give the original's answers. "
            "The last two need PyTorch: the extra 'compress'.",
        ),
    ] = "quick",
    calibration: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            show_default="pages of Wikipedia (WikiText-2), and chats",
            help="A text of the kind the model will meet; it shows what matters to each layer.",
        ),
    ] = None,
    calibration_tokens: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=1,
            show_default="8192; standard 65536, max 147456",
            help="Use this much of it; more is slower and a little better.",
        ),
    ] = None,
    seed: Annotated[
        int,
        typer.Option(
            metavar="N",
            min=0,
            help="Chooses the rotations; on one machine the same seed gives the same bytes.",
        ),
    ] = 0,
    activations: Annotated[
        str,
        typer.Option(
            metavar="WHERE",
            help="Keep the calibration's activations in memory or on disk, beside the output; "
            "the result is the same.",
        ),
    ] = "memory",
    ray: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS",
            show_default="the cores of this machine",
            help="Let the Ray cluster at HOST:PORT do the work, or 'auto': the one that this "
            "machine belongs to. The result is the same on machines of one kind. "
            "Needs the extra 'ray'.",
        ),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on where an interrupted run of this stopped.")
    ] = False,
    overwrite: Annotated[
        bool,
        typer.Option("--overwrite", help="Replace the folder if it holds an earlier result."),
    ] = False,
    report: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            show_default=False,
            help="Also write a page (HTML) that shows where the error is and where the bits went.",
        ),
    ] = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Compress a model to two bits a weight and write it as a folder.

    The folder holds config.json, tokenizer.json, model.safetensors and gnomon.json, which says how
    each layer was coded and how far it is from the original. It appears under its name only when
    it is complete; a run that was interrupted goes on with --resume.

    Example: gnomon compress -o out/smollm2-2bit

    Example: gnomon compress path/to/model --size 450MB -o out/model-450MB
    """
    from gnomon.compress import CompressOptions
    from gnomon.compress import compress as compress_model
    from gnomon.models import open_model

    chosen: dict[str, Any] = {
        "codec": codec,
        "bits": int(bits) if bits is not None and bits.is_integer() else bits,
        "effort": effort,
        "calibration": calibration,
        "seed": seed,
    }
    if size is not None:
        chosen["size_bytes"] = parse_size(size)
    if head_bits is not None:
        chosen["head_bits"] = head_bits
    if calibration_tokens is not None:
        chosen["calibration_tokens"] = calibration_tokens
    options = CompressOptions(**chosen)
    if activations not in ("memory", "disk"):
        raise UsageError(f"--activations is {activations!r}; expected memory or disk.")
    if ray is not None and activations == "disk":
        raise UsageError(
            "--activations disk and --ray exclude one another: Ray keeps them, and moves to the "
            "disk what its memory does not hold."
        )
    original = open_model(model)
    try:
        with _workers(ray) as workers, ProgressDisplay(quiet=quiet) as show:
            result = compress_model(
                original,
                output,
                options=options,
                resume=resume,
                overwrite=overwrite,
                workers=workers,
                are_activations_on_disk=activations == "disk",
                on_progress=within("compressing", show),
            )
    except KeyboardInterrupt:
        print(
            "gnomon: interrupted; the same command with --resume goes on from the last block",
            file=sys.stderr,
        )
        raise

    if report is not None:
        _write_report(report, original.name, options, result)
    if as_json:
        print_json(
            {
                "output": result.output,
                "model": original.name,
                "codec": options.codec,
                "bits": options.wanted_bits if size is None else None,
                "head_bits": options.head_bits if size is not None else options.head_width,
                "asked_size_bytes": options.size_bytes,
                "effort": options.effort,
                "seed": options.seed,
                "original_size_bytes": original.size_bytes,
                "size_bytes": result.size_bytes,
                "bits_per_weight": result.bits_per_weight,
                "seconds": result.seconds,
                "layers": [
                    {
                        "name": layer.name,
                        "codec": layer.codec,
                        "shape": layer.shape,
                        "bits_per_weight": layer.bits_per_weight,
                        "relative_error": layer.relative_error,
                    }
                    for layer in result.layers
                ],
            }
        )
        return
    errors = [layer.relative_error for layer in result.layers]
    print_facts(
        {
            "written": str(result.output),
            "size": f"{format_bytes(result.size_bytes)} "
            f"(the original has {format_bytes(original.size_bytes)})",
            "bits per weight": f"{result.bits_per_weight:.3f}, everything counted",
            **({} if options.target is None else {"spread": _spread(result.layers)}),
            "relative error": f"{sum(errors) / len(errors):.4f}, the mean of {len(errors)} layers"
            if errors
            else "no layer was coded",
            "time": f"{result.seconds:.1f} s",
        }
    )


def _workers(ray: str | None) -> contextlib.AbstractContextManager[Any]:
    """Those of a Ray cluster; None, the usual ones, without an address."""
    if ray is None:
        return contextlib.nullcontext()
    from gnomon.compress.ray_workers import RayWorkers

    return RayWorkers(ray)


def _write_report(path: Path, model: str, options: CompressOptions, result: CompressResult) -> None:
    from gnomon.report import write_report

    if options.size_bytes is not None:
        asked = f"a file of at most {options.size_bytes:,} bytes"
    elif options.target is not None:
        asked = f"{options.wanted_bits:g} bits a weight in the blocks on average"
    else:
        asked = f"{options.width} bits a weight in the blocks"
    write_report(
        path,
        model=model,
        measurements=[],
        layers=result.layers,
        settings={
            "codec": options.codec,
            "asked for": asked,
            "written": f"{result.size_bytes:,} bytes, {result.bits_per_weight:.3f} bits a weight",
            "effort": options.effort,
            "calibration": f"{options.tokens:,} tokens: "
            + (options.calibration.name if options.calibration else "bundled texts"),
            "seed": str(options.seed),
            "time": f"{result.seconds:.0f} s",
        },
    )


def _spread(layers: Sequence[LayerReport]) -> str:
    """How many layers have how many bits, and what the embedding and the head have."""
    counts: Counter[int] = Counter()
    outside = []
    for layer in layers:
        bits = int(layer.bits_per_weight)  # tables and scales are a small part of one
        if layer.name.startswith("model.layers."):
            counts[bits] += 1
        else:
            outside.append(f"{layer.name.removesuffix('.weight')} {bits}")
    blocks = [f"{bits} bits in {counts[bits]} layers" for bits in sorted(counts)]
    return ", ".join([*blocks, *outside])
