"""The codec `trellis`: overlapping 8-bit windows of a bit string, looked up in a table.

Two neighbouring weights share all but `bits` bits of their windows, so a weight costs only `bits`
bits although it can take 256 values, and a path through the windows is found by Viterbi's
algorithm. QTIP (arXiv 2406.11235) calls this a bitshift trellis; here the table is free and learned
for a unit Gaussian. The format is described in docs/trellis-format.md.

`encode_reference` is the plain form of cpp/codecs/viterbi.cpp, and tests hold them together.
"""

from __future__ import annotations

from functools import cache
from importlib import resources

import numpy as np

from gnomon import _native
from gnomon.codecs.encoded import EncodedWeight
from gnomon.codecs.rotation import hadamard, signs, unrotate

BITS = (2, 3, 4)
TILE = 16  # a tile is TILE rows by TILE columns
SEQUENCE = TILE * TILE
STATES = 256
OUTPUT_SCALES = "output_scales"  # a tensor that a tuned weight has
SEAM = 32  # numbers on either side of the seam that the first pass looks at


@cache
def gaussian_table(bits: int) -> tuple[np.ndarray, float]:
    """The learned table for a unit Gaussian: int8 [256], and the unit that its entries count."""
    with resources.files("gnomon.codecs").joinpath("trellis_tables.npz").open("rb") as file:
        tables = np.load(file)
        table, unit = tables[f"table{bits}"], float(tables[f"unit{bits}"])
    table.setflags(write=False)
    return table, unit


def encode(
    sequences: np.ndarray, table: np.ndarray, *, bits: int, threads: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Codes uint8 [count, 32·bits] and the values they decode to, float32 [count, 256].

    `sequences` is float32 [count, 256], `table` float32 [256]. `threads` 0 means all cores.
    """
    codes = np.empty((len(sequences), 32 * bits), dtype=np.uint8)
    values = np.empty_like(sequences)
    _native.trellis_encode(sequences, table, bits, codes, values, threads)
    return codes, values


def encode_reference(sequence: np.ndarray, table: np.ndarray, *, bits: int) -> np.ndarray:
    """The states uint8 [256] that `encode` finds for one sequence float32 [256], step by step."""
    table = table.astype(np.float32)
    across_seam = np.concatenate([sequence[-SEAM:], sequence[:SEAM]])
    cost, branches = _search(across_seam, table, bits, seam=None)
    path = _trace(branches, bits, group=int(np.argmin(cost)))
    seam = int(path[SEAM - 1]) >> bits  # the bits that the last state shares with the first
    return path_through_seam(sequence, table, bits=bits, seam=seam)


def path_through_seam(
    sequence: np.ndarray, table: np.ndarray, *, bits: int, seam: int
) -> np.ndarray:
    """The best cyclic path, uint8 [256], whose last and first state share the bits `seam`."""
    _, branches = _search(sequence, table, bits, seam=seam)
    return _trace(branches, bits, group=seam)


def _search(
    sequence: np.ndarray, table: np.ndarray, bits: int, *, seam: int | None
) -> tuple[np.ndarray, np.ndarray]:
    """The cost of the best path into every group, and the branch [time, group] it came by.

    The `groups` lowest values of a state are what it shares with the state before, the states
    `group·2^bits … + 2^bits - 1` are those that the next state can follow.
    """
    groups, branch_count = STATES >> bits, 1 << bits
    state = np.arange(STATES)
    before = np.zeros(STATES, dtype=np.float32)
    if seam is not None:
        before[state % groups != seam] = np.inf
    branches = np.empty((len(sequence), groups), dtype=np.uint8)
    for time, number in enumerate(sequence.astype(np.float32)):
        difference = number - table
        candidates = (before + difference * difference).reshape(groups, branch_count)
        branches[time] = np.argmin(candidates, axis=1)
        before = np.min(candidates, axis=1)[state % groups]
    return before[:groups], branches


def _trace(branches: np.ndarray, bits: int, *, group: int) -> np.ndarray:
    states = np.empty(len(branches), dtype=np.uint8)
    groups = STATES >> bits
    for time in reversed(range(len(branches))):
        states[time] = (group << bits) | int(branches[time, group])
        group = int(states[time]) % groups
    return states


def states_of(codes: np.ndarray, *, bits: int) -> np.ndarray:
    """The window of every weight, uint8 [..., 256], from codes uint8 [..., 32·bits]."""
    stream = np.concatenate([codes, codes[..., :1]], axis=-1).astype(np.uint16)
    first_bit = bits * np.arange(SEQUENCE)
    byte, shift = first_bit >> 3, (first_bit & 7).astype(np.uint16)
    return ((stream[..., byte] | (stream[..., byte + 1] << 8)) >> shift).astype(np.uint8)


def tiles_of(weight: np.ndarray) -> np.ndarray:
    """A matrix [rows, columns] as sequences float32 [rows/16, columns/16, 256], padded with 0."""
    rows, columns = weight.shape
    padded = np.pad(weight, ((0, -rows % TILE), (0, -columns % TILE)))
    tiles = padded.reshape(padded.shape[0] // TILE, TILE, -1, TILE).swapaxes(1, 2)
    return np.ascontiguousarray(tiles, dtype=np.float32).reshape(*tiles.shape[:2], SEQUENCE)


def untile(tiles: np.ndarray, *, shape: tuple[int, int]) -> np.ndarray:
    """The inverse of `tiles_of`, without the padding."""
    tile_rows, tile_columns, _ = tiles.shape
    matrix = tiles.reshape(tile_rows, tile_columns, TILE, TILE).swapaxes(1, 2)
    return matrix.reshape(tile_rows * TILE, tile_columns * TILE)[: shape[0], : shape[1]]


def decode(encoded: EncodedWeight) -> np.ndarray:
    """The matrix float32 [out, in], rotations undone."""
    weight = unrotate(decode_rotated(encoded), seed=_seed(encoded.settings, "input"))
    scales = output_scales(encoded)
    return np.ascontiguousarray(
        weight if scales is None else hadamard(weight.T).T * scales[:, None]
    )


def output_scales(encoded: EncodedWeight) -> np.ndarray | None:
    """S_out, float32 [out]: learned where they are stored, else signs; None: outputs stay put."""
    seed = _seed(encoded.settings, "output")
    if seed is None:
        return None
    learned = encoded.tensors.get(OUTPUT_SCALES)
    return signs(seed, encoded.shape[0]) if learned is None else learned.astype(np.float32)


def decode_rotated(encoded: EncodedWeight) -> np.ndarray:
    """`scale · table[state]`, float32 [out, in], as coded, before the rotations are undone."""
    bits = int(encoded.settings["bits"] or 0)
    table = encoded.tensors["table"].astype(np.float32)
    states = states_of(np.asarray(encoded.tensors["codes"]), bits=bits)
    matrix = untile(table[states], shape=encoded.shape)
    return matrix * encoded.tensors["scales"].astype(np.float32)[:, None]


def _seed(settings, side: str) -> int | None:
    seed = settings[f"{side}_seed"]
    return None if seed is None else int(seed)


class TrellisRounder:
    """Rounds a rotated matrix, 16 columns at a time in any order, and collects the codes.

    `scales` is float32 [1] or [rows]. See `gnomon.compress.feedback` for who calls it.
    """

    columns = rows = TILE

    def __init__(self, *, shape: tuple[int, int], bits: int, scales: np.ndarray, threads: int = 0):
        self.shape, self.bits, self.threads = shape, bits, threads
        self.table, self.unit = gaussian_table(bits)
        self.scales = scales.astype(np.float32)
        rows, columns = (-(-size // TILE) for size in shape)
        self.codes = np.zeros((rows, columns, 32 * bits), dtype=np.uint8)

    def round(self, block: np.ndarray, *, start: int) -> np.ndarray:
        """The nearest values for columns `start …` of the matrix, float32 [rows, ≤ 16]."""
        sequences = tiles_of(block / self.scales[:, None])[:, 0]
        table = self.table.astype(np.float32) * np.float32(self.unit)
        codes, values = encode(sequences, table, bits=self.bits, threads=self.threads)
        self.codes[:, start // TILE] = codes
        return untile(values[:, None], shape=block.shape) * self.scales[:, None]
