"""The codec `trellis`: symbols of a few bits, whose overlapping windows are sums of table entries.

A row's 32 neighbouring weights are a cycle of symbols. Each weight is the sum of what `window`
symbols, its own and those that follow, have in a table for their place in the window. So a weight
costs `bits` bits although it depends on 12, and the best cycle is found by Viterbi's algorithm; and
as sums come apart, a product with the weights is one look-up for every symbol. QTIP (arXiv
2406.11235) calls such a code a bitshift trellis; that its table is a sum is AQLM's form (arXiv
2401.06118). Tables are learned for a unit Gaussian. The format is described in
docs/trellis-format.md.

`encode_reference` is the plain form of cpp/codecs/trellis_search.h, and tests hold them together.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib import resources

import numpy as np

from gnomon import _native
from gnomon.codecs.encoded import EncodedWeight
from gnomon.codecs.rotation import signs, unrotate_weight

BLOCK = 32  # columns of a cycle
STRIP = 64  # rows whose codes stand together
MARGIN = 8  # symbols that the search looks at beyond the cycle, on either side


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """How a number of bits is spent."""

    symbol_bits: int
    columns: int  # that a symbol stands for
    window: int  # symbols that a weight depends on

    @property
    def symbols(self) -> int:
        """Of a cycle."""
        return BLOCK // self.columns

    @property
    def table_shape(self) -> tuple[int, int, int]:
        """[window, 2^symbol_bits, columns]"""
        return self.window, 1 << self.symbol_bits, self.columns


FORMS = {
    2: Form(symbol_bits=4, columns=2, window=3),
    3: Form(symbol_bits=3, columns=1, window=4),
    4: Form(symbol_bits=4, columns=1, window=3),
}
BITS = tuple(FORMS)


@cache
def gaussian_table(bits: int) -> tuple[np.ndarray, float]:
    """The table for a unit Gaussian, int8 `table_shape`, and the unit that its entries count."""
    with resources.files("gnomon.codecs").joinpath("trellis_tables.npz").open("rb") as file:
        tables = np.load(file)
        table, unit = tables[f"table{bits}"], float(tables[f"unit{bits}"])
    table.setflags(write=False)
    return table, unit


def encode(
    blocks: np.ndarray, table: np.ndarray, *, bits: int, threads: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Symbols uint8 [count, symbols] and the values they decode to, float32 [count, 32].

    `blocks` is float32 [count, 32], `table` float32 `table_shape`. `threads` 0 means all cores.
    """
    symbols = np.empty((len(blocks), FORMS[bits].symbols), dtype=np.uint8)
    values = np.empty_like(blocks)
    _native.trellis_encode(blocks, table, bits, symbols, values, threads)
    return symbols, values


def encode_reference(block: np.ndarray, table: np.ndarray, *, bits: int) -> np.ndarray:
    """The symbols uint8 [symbols] that `encode` finds for float32 [32], step by step."""
    count = FORMS[bits].symbols
    search = _Search(block, table)
    path = search.best_path(range(-MARGIN, count + MARGIN))
    seams = [tuple(path[start : start + search.memory]) for start in (MARGIN, MARGIN + count)]
    if seams[0] == seams[1]:
        return path[MARGIN : MARGIN + count]
    cycles = [search.best_path(range(count), seam=seam)[:count] for seam in seams]
    return min(cycles, key=search.error)


class _Search:
    """Viterbi's algorithm for one block; a state is the `memory` symbols that two windows share."""

    def __init__(self, block: np.ndarray, table: np.ndarray):
        self.window, self.values, self.columns = table.shape
        self.memory = self.window - 1
        self.numbers = block.reshape(-1, self.columns)
        self.table = table
        # The value of every window, by its symbols: [values, … (window times), columns].
        self.sums = np.zeros((self.values,) * self.window + (self.columns,))
        for place in range(self.window):
            shape = [1] * self.window + [self.columns]
            shape[place] = self.values
            self.sums += table[place].reshape(shape)

    def best_path(self, places: range, *, seam: tuple[int, ...] | None = None) -> np.ndarray:
        """Symbols uint8 [len(places) + memory] from first to last place, the best of all.

        Held to begin and end with the symbols `seam`, if given.
        """
        cost = np.zeros((self.values,) * self.memory)
        if seam is not None:
            cost[...] = np.inf
            cost[seam] = 0
        choices = []
        for place in places:
            number = self.numbers[place % len(self.numbers)]
            all_costs = cost[..., None] + np.sum((number - self.sums) ** 2, axis=-1)
            choices.append(np.argmin(all_costs, axis=0))
            cost = np.min(all_costs, axis=0)
        state = np.unravel_index(np.argmin(cost), cost.shape) if seam is None else seam
        path = [int(symbol) for symbol in state]
        for choice in reversed(choices):
            path.insert(0, int(choice[tuple(path[: self.memory])]))
        return np.array(path, dtype=np.uint8)

    def error(self, symbols: np.ndarray) -> float:
        values = values_of(symbols, self.table).reshape(self.numbers.shape)
        return float(np.sum((values - self.numbers) ** 2))


def values_of(symbols: np.ndarray, table: np.ndarray) -> np.ndarray:
    """What symbols uint8 [..., symbols] stand for: [..., 32] of the table's dtype."""
    places = (table[j][np.roll(symbols, -j, axis=-1)] for j in range(len(table)))
    total = next(places).copy()
    for place in places:
        total += place
    return total.reshape(*symbols.shape[:-1], BLOCK)


def pack(symbols: np.ndarray, *, bits: int) -> np.ndarray:
    """Codes uint8 [⌈rows/64⌉, blocks, 4·bits, 64] of symbols uint8 [rows, blocks, symbols]."""
    rows = symbols.shape[0]
    padded = np.pad(symbols, ((0, -rows % STRIP), (0, 0), (0, 0)))
    if bits == 3:
        low = padded & 3
        planes = [low[..., i::4] << (2 * i) for i in range(4)]
        high = [(padded[..., i::8] >> 2) << i for i in range(8)]
        packed = np.concatenate([_joined(planes), _joined(high)], axis=-1)
    else:
        packed = padded[..., ::2] | (padded[..., 1::2] << 4)
    strips = packed.reshape(-1, STRIP, *packed.shape[1:])
    return np.ascontiguousarray(strips.transpose(0, 2, 3, 1))


def unpack(codes: np.ndarray, *, bits: int) -> np.ndarray:
    """The inverse of `pack`, with the rows that fill up the last strip."""
    packed = codes.transpose(0, 3, 1, 2).reshape(-1, codes.shape[1], codes.shape[2])
    count = FORMS[bits].symbols
    symbols = np.empty((*packed.shape[:2], count), dtype=np.uint8)
    if bits == 3:
        for i in range(4):
            symbols[..., i::4] = (packed[..., : count // 4] >> (2 * i)) & 3
        for i in range(8):
            symbols[..., i::8] |= ((packed[..., count // 4 :] >> i) & 1) << 2
    else:
        symbols[..., ::2], symbols[..., 1::2] = packed & 15, packed >> 4
    return symbols


def _joined(planes: list[np.ndarray]) -> np.ndarray:
    joined = planes[0].copy()
    for plane in planes[1:]:
        joined |= plane
    return joined


def decode(encoded: EncodedWeight) -> np.ndarray:
    """The matrix float32 [out, in], rotations undone."""
    return unrotate_weight(
        decode_rotated(encoded),
        input_seed=_seed(encoded.settings, "input"),
        output_seed=_seed(encoded.settings, "output"),
    )


def output_signs(encoded: EncodedWeight) -> np.ndarray | None:
    """S_out, float32 [out]; None: outputs stay put."""
    seed = _seed(encoded.settings, "output")
    return None if seed is None else signs(seed, encoded.shape[0])


def decode_rotated(encoded: EncodedWeight) -> np.ndarray:
    """Scales times `coded_values`: float32 [out, in], as coded, before rotations are undone."""
    scales = encoded.tensors["scales"].astype(np.float32)
    return coded_values(encoded).astype(np.float32) * scales[:, None]


def coded_values(encoded: EncodedWeight) -> np.ndarray:
    """What the codes stand for, int8 [out, in], in units of the scales."""
    bits = int(encoded.settings["bits"] or 0)
    rows, columns = encoded.shape
    symbols = unpack(np.asarray(encoded.tensors["codes"]), bits=bits)[:rows]
    values = values_of(symbols, np.asarray(encoded.tensors["table"]))
    return values.reshape(rows, -1)[:, :columns]


def _seed(settings, side: str) -> int | None:
    seed = settings[f"{side}_seed"]
    return None if seed is None else int(seed)


class TrellisRounder:
    """Rounds a rotated matrix, 32 columns at a time in any order, and collects the symbols.

    `scales` is float32 [1] or [rows]. See `gnomon.compress.feedback` for who calls it.
    """

    columns = BLOCK
    rows = 1  # that are coded together

    def __init__(self, *, shape: tuple[int, int], bits: int, scales: np.ndarray, threads: int = 0):
        self.shape, self.bits, self.threads = shape, bits, threads
        self.table, self.unit = gaussian_table(bits)
        self.scales = scales.astype(np.float32)
        blocks = -(-shape[1] // BLOCK)
        self.codes = np.zeros((shape[0], blocks, FORMS[bits].symbols), dtype=np.uint8)

    def round(self, block: np.ndarray, *, start: int) -> np.ndarray:
        """The nearest values for columns `start …` of the matrix, float32 [rows, ≤ 32]."""
        width = block.shape[1]
        numbers = np.zeros((len(block), BLOCK), np.float32)
        np.divide(block, self.scales[:, None], out=numbers[:, :width])
        table = self.table.astype(np.float32) * np.float32(self.unit)
        symbols, values = encode(numbers, table, bits=self.bits, threads=self.threads)
        self.codes[:, start // BLOCK] = symbols
        return values[:, :width] * self.scales[:, None]

    def packed(self) -> np.ndarray:
        """The codes as they are stored."""
        return pack(self.codes, bits=self.bits)
