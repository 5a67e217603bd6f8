"""One matrix to codes: rotation, scale, rounding with feedback, and the error that is left.

The rows of a rotated matrix do not know of one another, so they are coded in tasks of some hundred
rows each, cut the same way whoever does them.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from gnomon.codecs import CODECS, EncodedWeight, decode
from gnomon.codecs.int8 import Int8Rounder
from gnomon.codecs.rotation import rotate_gram, rotate_weight
from gnomon.codecs.trellis import BLOCK, TrellisRounder, gaussian_table, pack
from gnomon.compress.aq_encoder import AqEncoder
from gnomon.compress.cholesky import times_lower
from gnomon.compress.feedback import InputStatistics, round_with_feedback
from gnomon.compress.refinement import refine
from gnomon.compress.workers import LocalWorkers, Workers

# Of the rotated matrix's root mean square. Feedback widens what is rounded, the more so the more
# alike the inputs are.
SCALE_FACTORS = ((1.04, 1.18), (1.4, 1.7), (2.0, 2.4))
SCALE_ROWS = 128  # rows that the scale is chosen on
REFINEMENTS = 1  # passes of rounding again: the first takes 5 % off the error, the second 0.4 %
TASK_ROWS = 384  # at most, of one task


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundedWeight:
    """A coded matrix and tr(E H Eᵀ) / tr(W H Wᵀ): the squared error of its outputs, relative."""

    encoded: EncodedWeight
    relative_error: float


@dataclass(frozen=True, slots=True, kw_only=True)
class CodedRows:
    """Some rows of a rotated matrix W, coded as Ŵ."""

    symbols: np.ndarray  # uint8 [rows, blocks, symbols]
    wanted_power: float  # tr(W H Wᵀ)
    overlap: float  # tr(W H Ŵᵀ)
    power: float  # tr(Ŵ H Ŵᵀ)

    def error(self, factor: float = 1.0) -> float:
        """tr(E H Eᵀ) for E = W - factor · Ŵ."""
        return self.wanted_power - 2 * factor * self.overlap + factor * factor * self.power


class WeightRounder:
    """Codes every matrix that reads the same inputs, whose statistics are prepared once.

    `gram` is XXᵀ float32 [in, in]; `input_seed` rotates the inputs (None: it does not).
    """

    def __init__(
        self,
        gram: np.ndarray,
        *,
        codec: str,
        bits: int,
        input_seed: int | None,
        workers: Workers | None = None,
    ):
        self.codec, self.bits = codec, bits
        self.input_seed = input_seed if CODECS[codec].is_rotated else None
        self.statistics = InputStatistics.from_gram(rotate_gram(gram, seed=self.input_seed))
        self.workers = LocalWorkers() if workers is None else workers
        self._kept = None
        self._additive: AqEncoder | None = None

    def encode(
        self,
        weight: np.ndarray,
        *,
        output_seed: int | None,
        seed: int,
        has_row_scales: bool = False,
        bits: int | None = None,
    ) -> RoundedWeight:
        """Codes W float32 [out, in]. `seed` is for what a codec draws at random.

        `bits` is for a matrix that gets others than those that the rounder was made for.
        """
        bits = self.bits if bits is None else bits
        if self.codec == "trellis":
            return self._encode_trellis(weight, bits, output_seed, has_row_scales)
        if self.codec == "aq":
            if self._additive is None:
                self._additive = AqEncoder(self.statistics)
            encoded = self._additive.encode(weight, codebooks=bits, seed=seed)
            return self._result(weight, decode(encoded), encoded.tensors, {})
        int8 = Int8Rounder(weight)
        rounded = round_with_feedback(weight, self.statistics, int8)
        return self._result(weight, rounded, {"codes": int8.codes, "scales": int8.scales}, {})

    def _encode_trellis(
        self, weight: np.ndarray, bits: int, output_seed: int | None, has_row_scales: bool
    ) -> RoundedWeight:
        rotated = rotate_weight(weight, input_seed=self.input_seed, output_seed=output_seed)
        powers = np.einsum("ij,ij->i", rotated, rotated) / rotated.shape[1]  # without a copy
        rms = np.sqrt(powers if has_row_scales else powers.mean(keepdims=True))
        scales = np.where(rms > 0, rms, 1).astype(np.float32)
        scales *= self._best_factor(rotated, scales, bits)
        if has_row_scales:
            scales = scales.astype(np.float16).astype(np.float32)
        coded = self._code(
            [
                (rotated[rows], scales[rows] if has_row_scales else scales)
                for rows in task_rows(len(rotated))
            ],
            bits,
            refinements=REFINEMENTS,
        )
        table, unit = gaussian_table(bits)
        stored = (scales * np.float32(unit)).astype(np.float32)
        factor = 1.0
        if has_row_scales:
            stored = stored.astype(np.float16)
        else:  # the one scale that suits these codes best, in closed form
            power = sum(part.power for part in coded)
            factor = sum(part.overlap for part in coded) / power if power > 0 else 1.0
            stored = stored * np.float32(factor)
        wanted = sum(part.wanted_power for part in coded)
        error = sum(part.error(factor) for part in coded)
        encoded = EncodedWeight(
            codec="trellis",
            shape=(weight.shape[0], weight.shape[1]),
            tensors={
                "codes": pack(np.concatenate([part.symbols for part in coded]), bits=bits),
                "table": table,
                "scales": stored,
            },
            settings={"bits": bits, "input_seed": self.input_seed, "output_seed": output_seed},
        )
        return RoundedWeight(encoded=encoded, relative_error=error / wanted if wanted > 0 else 0.0)

    def _code(
        self, parts: list[tuple[np.ndarray, np.ndarray]], bits: int, *, refinements: int
    ) -> list[CodedRows]:
        if self._kept is None:
            self.statistics.unit_lower(BLOCK)  # once, before it is shared
            self._kept = self.workers.keep(self.statistics)
        tasks = [(rows, scales, self._kept, bits, refinements) for rows, scales in parts]
        return list(self.workers.map(code_rows, tasks))

    def _best_factor(self, rotated: np.ndarray, scales: np.ndarray, bits: int) -> np.float32:
        """Of SCALE_FACTORS the one with the least error on some of the rows.

        The next pair is only looked at if the larger of a pair is the best so far.
        """
        some = rotated[:SCALE_ROWS]
        some_scales = scales[: len(some)] if len(scales) > 1 else scales
        errors: dict[float, float] = {}
        best = 1.0
        for pair in SCALE_FACTORS:
            parts = [(some, some_scales * np.float32(factor)) for factor in pair]
            coded = self._code(parts, bits, refinements=0)
            errors |= {f: part.error() for f, part in zip(pair, coded, strict=True)}
            best = min(errors, key=errors.__getitem__)
            if best != pair[-1]:
                break
        return np.float32(best)

    def _result(self, weight, rounded, tensors, settings) -> RoundedWeight:
        power = self.statistics.error(weight)
        error = self.statistics.error(weight - rounded)
        encoded = EncodedWeight(
            codec=self.codec, shape=weight.shape, tensors=tensors, settings=settings
        )
        return RoundedWeight(encoded=encoded, relative_error=error / power if power > 0 else 0.0)


def task_rows(rows: int) -> list[slice]:
    """Which rows of a matrix of so many make a task each, about equally many."""
    count = -(-rows // TASK_ROWS)
    bounds = [rows * index // count for index in range(count)] + [rows]
    return [slice(*pair) for pair in pairwise(bounds)]


def code_rows(
    weight: np.ndarray,
    scales: np.ndarray,
    statistics: InputStatistics,
    bits: int,
    refinements: int,
) -> CodedRows:
    """Rows of a rotated matrix, float32 [rows, in], as the trellis codes them. A task."""
    rounder = TrellisRounder(shape=weight.shape, bits=bits, scales=scales, threads=1)
    rounded = round_with_feedback(weight, statistics, rounder)
    rounded = refine(weight, rounded, statistics, rounder, passes=refinements)
    wanted = times_lower(weight, statistics.factor).ravel()
    outputs = times_lower(rounded, statistics.factor).ravel()
    return CodedRows(
        symbols=rounder.codes,
        wanted_power=float(np.sum(wanted * wanted, dtype=np.float64)),
        overlap=float(np.sum(wanted * outputs, dtype=np.float64)),
        power=float(np.sum(outputs * outputs, dtype=np.float64)),
    )
