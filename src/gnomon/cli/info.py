"""`gnomon info`: what a model is made of, without running it."""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gnomon.cli.options import AsJson, ModelArgument
from gnomon.cli.output import format_bytes, print_facts, print_json, print_table

if TYPE_CHECKING:
    from gnomon.models.model import Model


def info(
    model: ModelArgument = None,
    *,
    tensors: Annotated[
        bool, typer.Option("--tensors", help="List every tensor with its shape and storage.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Say what a model is: architecture, size, how its weights are stored, tokenizer.

    Example: gnomon info out/smollm2-2bit --tensors
    """
    from gnomon.models import open_model

    opened = open_model(model)
    facts = _describe(opened)
    listing = [
        {
            "name": name,
            "shape": opened.weights.shape(name),
            "storage": opened.weights.storage(name),
            "size_bytes": opened.weights.size_bytes(name),
        }
        for name in opened.weights.names()
    ]
    if as_json:
        print_json({**facts, "tensors": listing} if tensors else facts)
        return
    _print(facts)
    if tensors:
        print_table(
            ["tensor", "shape", "storage", "bytes", "bits a weight"],
            [
                [
                    entry["name"],
                    " × ".join(str(side) for side in entry["shape"]),
                    entry["storage"],
                    f"{entry['size_bytes']:,}",
                    f"{8 * entry['size_bytes'] / max(1, math.prod(entry['shape'])):.3f}",
                ]
                for entry in listing
            ],
        )


def _describe(model: Model) -> dict[str, Any]:
    weights, config = model.weights, model.config
    parameters = sum(math.prod(weights.shape(name)) for name in weights.names())
    storage: dict[str, Counter[str]] = {}
    for name in weights.names():
        kind = storage.setdefault(weights.storage(name), Counter())
        kind["tensors"] += 1
        kind["weights"] += math.prod(weights.shape(name))
        kind["size_bytes"] += weights.size_bytes(name)
    tokenizer = model.tokenizer
    return {
        "name": model.name,
        "source": model.source,
        "architecture": config.architecture,
        "parameters": parameters,
        "layers": config.num_layers,
        "hidden_size": config.hidden_size,
        "intermediate_size": config.intermediate_size,
        "heads": config.num_heads,
        "kv_heads": config.num_kv_heads,
        "head_dim": config.head_dim,
        "experts": config.num_experts,
        "vocabulary": config.vocab_size,
        "context": config.max_context,
        "has_tied_head": config.is_head_tied,
        "has_tokenizer": tokenizer is not None,
        "has_chat_template": tokenizer is not None and tokenizer.chat_template is not None,
        "size_bytes": model.size_bytes,
        "bits_per_weight": 8 * model.size_bytes / parameters if parameters else None,
        "storage": {kind: dict(counts) for kind, counts in storage.items()},
        "compressed_by": model.provenance.get("gnomon_version"),
        "bits": _bits_by_kind(model),
    }


def _bits_by_kind(model: Model) -> dict[str, list[float]]:
    """The width of the codes of each kind of layer, block by block; experts' on average."""
    widths: dict[str, dict[int, list[int]]] = {}
    for name, layer in model.provenance.get("layers", {}).items():
        bits = layer["settings"].get("bits")
        if name.startswith("model.layers.") and bits is not None:
            _, _, block, *_, kind, _ = name.split(".")
            widths.setdefault(kind, {}).setdefault(int(block), []).append(bits)
    return {
        kind: [sum(each) / len(each) for _, each in sorted(blocks.items())]
        for kind, blocks in widths.items()
    }


def _print(facts: dict[str, Any]) -> None:
    heads = f"{facts['heads']} heads of {facts['head_dim']}"
    if facts["kv_heads"] != facts["heads"]:
        heads += f", {facts['kv_heads']} of them for keys and values"
    lines = {
        "model": facts["name"],
        "read from": str(facts["source"]),
        "architecture": f"{facts['architecture']}, {facts['layers']} layers, {heads}",
        "width": f"{facts['hidden_size']}, {facts['intermediate_size']} in the feed-forward part"
        + (f", {facts['experts']} experts" if facts["experts"] else ""),
        "weights": f"{facts['parameters']:,}"
        + (" (embedding and head are the same)" if facts["has_tied_head"] else ""),
        "size": f"{format_bytes(facts['size_bytes'])} ({facts['size_bytes']:,} bytes)",
    }
    if facts["bits_per_weight"] is not None:
        lines["bits per weight"] = f"{facts['bits_per_weight']:.3f}, everything counted"
    lines["context"] = f"{facts['context']:,} tokens"
    lines["tokenizer"] = (
        f"{facts['vocabulary']:,} tokens, "
        + ("with" if facts["has_chat_template"] else "without")
        + " a chat template"
        if facts["has_tokenizer"]
        else "none"
    )
    if facts["compressed_by"]:
        lines["compressed by"] = f"gnomon {facts['compressed_by']}"
    print_facts(lines)
    _print_bits(facts["bits"])
    print_table(
        ["storage", "tensors", "weights", "bytes", "bits a weight"],
        [
            [
                kind,
                str(counts["tensors"]),
                f"{counts['weights']:,}",
                f"{counts['size_bytes']:,}",
                f"{8 * counts['size_bytes'] / max(1, counts['weights']):.3f}",
            ]
            for kind, counts in sorted(
                facts["storage"].items(), key=lambda entry: -entry[1]["size_bytes"]
            )
        ],
    )


def _print_bits(bits: dict[str, list[float]]) -> None:
    """A line for each kind of layer, where not all have as many."""
    if len({width for widths in bits.values() for width in widths}) < 2:
        return
    is_whole = all(width.is_integer() for widths in bits.values() for width in widths)
    print_table(
        ["bits by layer", "block by block", "mean"],
        [
            [
                kind,
                "".join(f"{width:.0f}" for width in widths)
                if is_whole
                else " ".join(f"{width:.1f}" for width in widths),
                f"{sum(widths) / len(widths):.2f}",
            ]
            for kind, widths in bits.items()
        ],
    )
