"""`Measurement`: what was measured of one form of a model, and two of them side by side.

>>> before = Measurement(name="original", size_bytes=98_400_000, bits_per_weight=5.85,
...                      perplexity=21.44, tokens_per_second=80.0, seconds=9.0)
>>> comparison(before).columns
('', 'original')
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """One form of a model (`original`, `compressed`), measured."""

    name: str
    size_bytes: int  # of the weights' files, everything in them counted
    bits_per_weight: float  # 8 * size_bytes / number of weights
    perplexity: float
    tokens_per_second: float  # of decoding, one token at a time
    seconds: float  # what it took to make and to measure it


class LayerRow(Protocol):
    """One coded matrix; `gnomon.compress.LayerReport` is one."""

    @property
    def name(self) -> str: ...
    @property
    def codec(self) -> str: ...
    @property
    def shape(self) -> tuple[int, ...]: ...
    @property
    def bits_per_weight(self) -> float: ...
    @property
    def relative_error(self) -> float: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """A table: `rows` are as long as `columns`, the first cell names what is compared."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def comparison(*measurements: Measurement) -> Comparison:
    """The measurements as the columns of one table, in words and digits."""

    rows = {
        "Size (bytes)": [f"{each.size_bytes:,}" for each in measurements],
        "Bits a weight, everything counted": [
            number(each.bits_per_weight, 3) for each in measurements
        ],
        "Perplexity": [number(each.perplexity, 2) for each in measurements],
        "Decoding (tokens/s)": [number(each.tokens_per_second, 1) for each in measurements],
        "Time taken (s)": [number(each.seconds, 1) for each in measurements],
    }
    return Comparison(
        columns=("", *(each.name for each in measurements)),
        rows=tuple((label, *cells) for label, cells in rows.items()),
    )


def number(value: float, digits: int) -> str:
    """`value` with so many digits after the point, or a dash if it is no finite number."""
    return f"{value:,.{digits}f}" if math.isfinite(value) else "–"
