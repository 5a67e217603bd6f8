"""One matrix to codes: rotation, scale, rounding with feedback, and the error that is left."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gnomon.codecs import CODECS, EncodedWeight, decode
from gnomon.codecs.int8 import Int8Rounder
from gnomon.codecs.rotation import rotate_gram, rotate_weight
from gnomon.codecs.trellis import TrellisRounder
from gnomon.compress.aq_encoder import AqEncoder
from gnomon.compress.feedback import InputStatistics, round_with_feedback

SCALE_FACTORS = (0.88, 0.94, 1.0, 1.06)  # of the rotated matrix's root mean square
SCALE_ROWS = 128  # rows that the scale is chosen on


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundedWeight:
    """A coded matrix and tr(E H Eᵀ) / tr(W H Wᵀ): the squared error of its outputs, relative."""

    encoded: EncodedWeight
    relative_error: float


class WeightRounder:
    """Codes every matrix that reads the same inputs, whose statistics are prepared once.

    `gram` is XXᵀ float32 [in, in]; `input_seed` rotates the inputs (None: it does not).
    """

    def __init__(self, gram: np.ndarray, *, codec: str, bits: int, input_seed: int | None):
        self.codec, self.bits = codec, bits
        self.input_seed = input_seed if CODECS[codec].is_rotated else None
        self.statistics = InputStatistics.from_gram(rotate_gram(gram, seed=self.input_seed))
        self.additive: AqEncoder | None = None

    def encode(
        self,
        weight: np.ndarray,
        *,
        output_seed: int | None,
        seed: int,
        has_row_scales: bool = False,
    ) -> RoundedWeight:
        """Codes W float32 [out, in]. `seed` is for what a codec draws at random."""
        if self.codec == "trellis":
            return self._encode_trellis(weight, output_seed, has_row_scales)
        if self.codec == "aq":
            if self.additive is None:
                self.additive = AqEncoder(self.statistics)
            encoded = self.additive.encode(weight, codebooks=self.bits, seed=seed)
            return self._result(weight, decode(encoded), encoded.tensors, {})
        int8 = Int8Rounder(weight)
        rounded = round_with_feedback(weight, self.statistics, int8)
        return self._result(weight, rounded, {"codes": int8.codes, "scales": int8.scales}, {})

    def _encode_trellis(
        self, weight: np.ndarray, output_seed: int | None, has_row_scales: bool
    ) -> RoundedWeight:
        rotated = rotate_weight(weight, input_seed=self.input_seed, output_seed=output_seed)
        rms = np.sqrt(np.mean(rotated**2, axis=1 if has_row_scales else None)).reshape(-1)
        scales = np.where(rms > 0, rms, 1).astype(np.float32)
        scales *= self._best_factor(rotated, scales)
        if has_row_scales:
            scales = scales.astype(np.float16).astype(np.float32)
        rounder = TrellisRounder(shape=rotated.shape, bits=self.bits, scales=scales)
        rounded = round_with_feedback(rotated, self.statistics, rounder)
        stored = (scales * np.float32(rounder.unit)).astype(np.float32)
        if has_row_scales:
            stored = stored.astype(np.float16)
        else:  # the one scale that suits these codes best, in closed form
            fit = self._fitting_factor(rotated, rounded)
            rounded, stored = rounded * np.float32(fit), stored * np.float32(fit)
        tensors = {"codes": rounder.codes, "table": rounder.table, "scales": stored}
        settings = {"bits": self.bits, "input_seed": self.input_seed, "output_seed": output_seed}
        return self._result(rotated, rounded, tensors, settings)

    def _best_factor(self, rotated: np.ndarray, scales: np.ndarray) -> np.float32:
        """Of SCALE_FACTORS, the one with the least error on some of the rows."""
        some = rotated[:SCALE_ROWS]
        some_scales = scales[: len(some)] if len(scales) > 1 else scales

        def error(factor: float) -> float:
            rounder = TrellisRounder(
                shape=some.shape, bits=self.bits, scales=some_scales * np.float32(factor)
            )
            return self.statistics.error(some - round_with_feedback(some, self.statistics, rounder))

        return np.float32(min(SCALE_FACTORS, key=error))

    def _fitting_factor(self, weight: np.ndarray, rounded: np.ndarray) -> float:
        """argmin over a of tr((W - aŴ) H (W - aŴ)ᵀ)."""
        outputs = rounded @ self.statistics.factor
        wanted = weight @ self.statistics.factor
        power = float(np.sum(outputs**2, dtype=np.float64))
        return float(np.sum(outputs * wanted, dtype=np.float64)) / power if power > 0 else 1.0

    def _result(self, weight, rounded, tensors, settings) -> RoundedWeight:
        power = self.statistics.error(weight)
        error = self.statistics.error(weight - rounded)
        encoded = EncodedWeight(
            codec=self.codec, shape=weight.shape, tensors=tensors, settings=settings
        )
        return RoundedWeight(encoded=encoded, relative_error=error / power if power > 0 else 0.0)
