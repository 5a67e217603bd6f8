"""`gnomon bench`: how fast models run here, alone or beside llama.cpp."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from gnomon.cli.options import AsJson, Quiet, Threads
from gnomon.cli.output import format_bytes, print_facts, print_json, print_table
from gnomon.cli.progress import ProgressDisplay
from gnomon.errors import UsageError

if TYPE_CHECKING:
    from gnomon.bench import LlamaBench, OurModel, Speed

_PEER = "A peer"


def bench(
    models: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[MODEL]...",
            show_default=False,
            help="Folders, .gguf files or hub ids. Nothing, or 'smollm2', is the embedded "
            "SmolLM2-135M-Instruct.",
        ),
    ] = None,
    *,
    prompt: Annotated[
        list[int] | None,
        typer.Option(
            metavar="N",
            min=1,
            show_default="128 and 512",
            help="Time reading a prompt of N tokens. Give it again for more lengths.",
        ),
    ] = None,
    context: Annotated[
        list[int] | None,
        typer.Option(
            metavar="N",
            min=1,
            show_default="64 and 1024",
            help="Time decoding after N tokens. Give it again for more.",
        ),
    ] = None,
    batch: Annotated[
        list[int] | None,
        typer.Option(
            metavar="N",
            min=1,
            show_default="1, 2, 4 and 8",
            help="Time decoding N sequences together, after the shortest context. Give it again "
            "for more.",
        ),
    ] = None,
    decode: Annotated[
        int, typer.Option(metavar="N", min=1, help="Tokens to decode in each sequence.")
    ] = 64,
    cache: Annotated[
        Literal["float32", "float16", "int8"],
        typer.Option(metavar="FORM", help="The form of keys and values: float32, float16 or int8."),
    ] = "float16",
    rounds: Annotated[
        int,
        typer.Option(
            metavar="N", min=1, help="Time everything N times, in turns, and take the medians."
        ),
    ] = 5,
    against: Annotated[
        Literal["llama.cpp"] | None,
        typer.Option(
            metavar="PEER",
            rich_help_panel=_PEER,
            show_default=False,
            help="llama.cpp: time its llama-bench too, in turns with ours, and print the ratios.",
        ),
    ] = None,
    gguf: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE",
            rich_help_panel=_PEER,
            show_default="those among the models",
            help="A file that the peer runs. Give it again for more.",
        ),
    ] = None,
    llama_bench: Annotated[
        str | None,
        typer.Option(
            metavar="PATH",
            rich_help_panel=_PEER,
            show_default="the one on PATH",
            help="Where llama-bench is; benchmarks/llama_cpp.py builds one.",
        ),
    ] = None,
    threads: Threads = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Time prompts and decoding at several lengths and batch sizes; compare with llama.cpp.

    Every figure is a median of rounds in which all models take turns. "Of bandwidth" is how much
    of the rate at which this machine reads memory goes into reading weights.

    Example: gnomon bench out/smollm2-2bit --batch 8 --context 64

    Example: gnomon bench out/smollm2-2bit --against llama.cpp --gguf smollm2-Q2_K.gguf
    """
    from gnomon import _native
    from gnomon.bench import OurModel, Plan, measure, measure_bandwidth
    from gnomon.models import open_model

    cores = _native.usable_cores()
    if threads is not None and threads > cores:
        raise UsageError(
            f"--threads {threads} on {cores} cores: threads that wait for one another would be "
            f"timed; expected at most {cores}."
        )
    threads = threads or cores
    peers = _peers(models or [], gguf or [], against, llama_bench, threads)
    plan = Plan(
        prompts=tuple(prompt or (128, 512)),
        contexts=tuple(context or (64, 1024)),
        batches=tuple(batch or (1, 2, 4, 8)),
        decode=decode,
    )
    ours = [
        OurModel(partial(open_model, model), plan=plan, threads=threads, cache=cache)
        for model in models or [None]
    ]
    bandwidth = measure_bandwidth(threads)
    with ProgressDisplay(quiet=quiet) as show:
        speeds = measure([*ours, *peers], plan.cases(), rounds=rounds, on_progress=show)
    our_results = [
        _our_result(model, found, bandwidth) for model, found in zip(ours, speeds, strict=False)
    ]
    peer_results = [
        {"name": peer.name, "speeds": _speeds(found)}
        for peer, found in zip(peers, speeds[len(ours) :], strict=True)
    ]
    result = {
        "threads": threads,
        "isa": _native.chosen_isa(),
        "rounds": rounds,
        "cache": cache,
        "bandwidth_bytes_per_second": bandwidth,
        "models": our_results,
        "peers": peer_results,
        "ratios": _ratios(our_results, peer_results),
    }
    if as_json:
        print_json(result)
    else:
        _print(result)


def _peers(
    models: Sequence[str],
    files: Sequence[Path],
    against: str | None,
    tool: str | None,
    threads: int,
) -> list[LlamaBench]:
    from gnomon.bench import LlamaBench, find_tool

    if against is None:
        if files or tool:
            raise UsageError("--gguf and --llama-bench are for a peer; add --against llama.cpp.")
        return []
    files = files or [Path(model) for model in models if model.endswith(".gguf")]
    if not files:
        raise UsageError("--against llama.cpp needs a file that it can run; name it with --gguf.")
    for file in files:
        if not file.is_file():
            raise UsageError(f"--gguf {file}: there is no such file.")
    found = find_tool(tool)
    return [LlamaBench(found, file, threads=threads) for file in files]


def _our_result(model: OurModel, speeds: Sequence[Speed], bandwidth: float) -> dict[str, Any]:
    entries = _speeds(speeds)
    for entry in entries:
        if entry["kind"] == "decode":
            # Sequences of a mixture choose experts of their own: for several, this is the least.
            entry["weight_bytes_per_token"] = model.engine.weight_bytes / entry["batch"]
            rate = entry["weight_bytes_per_token"] * entry["tokens_per_second"]
            entry["bandwidth_share"] = rate / bandwidth
    return {
        "name": model.name,
        "first_token_s": model.first_token_s,
        "memory_bytes": model.memory_bytes,
        "weight_bytes": model.engine.weight_bytes,
        "speeds": entries,
    }


def _speeds(speeds: Sequence[Speed]) -> list[dict[str, Any]]:
    return [
        {
            "kind": speed.case.kind,
            "tokens": speed.case.tokens,
            "context": speed.case.context,
            "batch": speed.case.batch,
            "case": str(speed.case),
            "tokens_per_second": speed.tokens_per_second,
            "slowest": speed.slowest,
            "fastest": speed.fastest,
        }
        for speed in speeds
    ]


def _ratios(
    ours: Sequence[dict[str, Any]], peers: Sequence[dict[str, Any]]
) -> list[dict[str, Any]]:
    """How many times as fast each of ours is as each peer, case by case."""
    return [
        {
            "model": model["name"],
            "peer": peer["name"],
            "case": entry["case"],
            "ratio": entry["tokens_per_second"] / other["tokens_per_second"],
        }
        for model in ours
        for peer in peers
        for entry in model["speeds"]
        for other in peer["speeds"]
        if entry["case"] == other["case"]
    ]


def _print(result: dict[str, Any]) -> None:
    gigabytes = result["bandwidth_bytes_per_second"] / 1e9
    print_facts(
        {
            "threads": f"{result['threads']}, {result['isa']} kernels",
            "memory is read at": f"{gigabytes:.1f} GB/s",
            "figures": f"medians of {result['rounds']} rounds, in turns",
        }
    )
    for model in [*result["models"], *result["peers"]]:
        print_table(
            ["case", "tokens/s", "slowest", "fastest", "weights a token", "of bandwidth"],
            [_row(entry) for entry in model["speeds"]],
            title=_title(model),
        )
    if result["ratios"]:
        print_table(
            ["case", "model", "peer", "times as fast"],
            [
                [each["case"], each["model"], each["peer"], f"{each['ratio']:.2f}"]
                for each in result["ratios"]
            ],
        )


def _title(model: dict[str, Any]) -> str:
    if "first_token_s" not in model:
        return model["name"]
    memory = format_bytes(model["memory_bytes"])
    return f"{model['name']}: first token after {model['first_token_s']:.2f} s, {memory} of memory"


def _row(entry: dict[str, Any]) -> list[str]:
    numbers = [entry[key] for key in ("tokens_per_second", "slowest", "fastest")]
    row = [entry["case"], *(f"{number:.1f}" for number in numbers)]
    if "bandwidth_share" not in entry:
        return [*row, "", ""]
    weights = format_bytes(int(entry["weight_bytes_per_token"]))
    return [*row, weights, f"{100 * entry['bandwidth_share']:.0f} %"]
