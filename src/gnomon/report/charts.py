"""Where every bar of the report's charts stands. Pure arithmetic; the template draws.

All coordinates are in a box of `WIDTH` × `HEIGHT` units that the page stretches to fit, so that
the words around the bars can stay HTML and keep their size on a narrow screen.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from gnomon.report.measurement import LayerRow, number

WIDTH = 1000.0
HEIGHT = 100.0

_BLOCK = re.compile(r"(?:^|\.)layers\.(\d+)\.")
# Attention in cool colours, the feed-forward part in warm ones; classes of the style sheet.
_COLOURS = {
    "q_proj": "q",
    "k_proj": "k",
    "v_proj": "v",
    "o_proj": "o",
    "gate_proj": "gate",
    "up_proj": "up",
    "down_proj": "down",
    "w1": "gate",
    "w3": "up",
    "w2": "down",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    x: float
    y: float
    width: float
    height: float
    colour: str  # a class of the style sheet
    title: str  # shown when pointed at


@dataclass(frozen=True, slots=True, kw_only=True)
class Strip:
    """A figure of one kind of layer, block by block."""

    kind: str
    colour: str
    bars: tuple[Bar, ...]
    mean: str
    summary: str  # the strip in one sentence, for who cannot see it


@dataclass(frozen=True, slots=True, kw_only=True)
class Skyline:
    """All layers side by side: as wide as they have weights, as high as they have bits."""

    bars: tuple[Bar, ...]
    grid: tuple[tuple[float, str], ...]  # (percent from the top, label)
    summary: str


def block_of(name: str) -> int | None:
    """
    >>> block_of("model.layers.12.mlp.up_proj.weight"), block_of("lm_head.weight")
    (12, None)
    """
    found = _BLOCK.search(name)
    return int(found[1]) if found else None


def kind_of(name: str) -> str:
    """
    >>> kind_of("model.layers.12.mlp.up_proj.weight")
    'up_proj'
    """
    return name.removesuffix(".weight").rsplit(".", 1)[-1]


def colour_of(name: str) -> str:
    return _COLOURS.get(kind_of(name), "other")


def error_strips(layers: Sequence[LayerRow]) -> tuple[Strip, ...]:
    """A strip for each kind of layer that the blocks have, all on one scale that starts at zero."""
    return _strips(layers, "relative error", lambda layer: layer.relative_error, digits=4)


def bits_strips(layers: Sequence[LayerRow]) -> tuple[Strip, ...]:
    """The same of bits a weight; none where all layers of the blocks have about as many."""
    in_blocks = [layer.bits_per_weight for layer in layers if block_of(layer.name) is not None]
    if not in_blocks or max(in_blocks) - min(in_blocks) < 0.5:
        return ()
    return _strips(layers, "bits a weight", lambda layer: layer.bits_per_weight, digits=2)


def _strips(
    layers: Sequence[LayerRow], what: str, value: Callable[[LayerRow], float], *, digits: int
) -> tuple[Strip, ...]:
    kinds: dict[str, dict[int, list[float]]] = {}
    for layer in layers:
        block = block_of(layer.name)
        if block is not None and math.isfinite(value(layer)):
            kinds.setdefault(kind_of(layer.name), {}).setdefault(block, []).append(value(layer))
    means = {
        kind: {block: sum(values) / len(values) for block, values in blocks.items()}
        for kind, blocks in kinds.items()
    }
    highest = max((mean for blocks in means.values() for mean in blocks.values()), default=0.0)
    count = 1 + max((block for blocks in means.values() for block in blocks), default=0)
    return tuple(
        _strip(kind, blocks, what, highest=highest, count=count, digits=digits)
        for kind, blocks in means.items()
    )


def _strip(
    kind: str, values: dict[int, float], what: str, *, highest: float, count: int, digits: int
) -> Strip:
    slot = WIDTH / count
    bars = []
    for block, value in sorted(values.items()):
        height = HEIGHT * value / highest if highest > 0 else 0.0
        bars.append(
            Bar(
                x=round(block * slot + 0.1 * slot, 3),
                y=round(HEIGHT - height, 3),
                width=round(0.8 * slot, 3),
                height=round(height, 3),
                colour=colour_of(kind),
                title=f"block {block}, {kind}: {number(value, digits)}",
            )
        )
    most = max(values, key=lambda block: values[block])
    mean = sum(values.values()) / len(values)
    return Strip(
        kind=kind,
        colour=colour_of(kind),
        bars=tuple(bars),
        mean=number(mean, digits),
        summary=f"{kind}: {what} {number(mean, digits)} on average over {len(values)} blocks, "
        f"highest in block {most} with {number(values[most], digits)}",
    )


def bits_skyline(layers: Sequence[LayerRow]) -> Skyline:
    """Every layer as a bar whose area is what it takes in the file; kinds stand together."""
    kinds = list(dict.fromkeys(kind_of(layer.name) for layer in layers))
    ordered = sorted(layers, key=lambda layer: kinds.index(kind_of(layer.name)))  # stable
    total = sum(math.prod(layer.shape) for layer in ordered)
    highest = max((layer.bits_per_weight for layer in ordered), default=0.0)
    top = 1.06 * highest if highest > 0 else 1.0
    bars = []
    x = stored_bits = 0.0
    for layer in ordered:
        weights = math.prod(layer.shape)
        width = WIDTH * weights / total if total else 0.0
        height = HEIGHT * layer.bits_per_weight / top
        bars.append(
            Bar(
                x=round(x, 3),
                y=round(HEIGHT - height, 3),
                # A little under its right neighbour: no light seams between equal bars.
                width=round(min(width + 0.5, WIDTH - x), 3),
                height=round(height, 3),
                colour=colour_of(layer.name),
                title=f"{layer.name}: {weights:,} × {number(layer.bits_per_weight, 3)} bits",
            )
        )
        x += width
        stored_bits += weights * layer.bits_per_weight
    step = max(1, 2 * math.ceil(top / 10))  # even numbers, and not more than five of them
    return Skyline(
        bars=tuple(bars),
        grid=tuple(
            (round(100 - 100 * mark / top, 3), str(mark)) for mark in range(0, int(top) + 1, step)
        ),
        summary=f"{len(layers)} coded layers with {total:,} weights, "
        f"{number(stored_bits / total if total else math.nan, 3)} bits a weight on average",
    )
