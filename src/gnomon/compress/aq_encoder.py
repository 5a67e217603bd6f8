"""A matrix to additive codes: AQLM (arXiv 2401.06118, section 3), by turns.

Residual k-means, a first beam search, then rounds of codebooks, scales and codes, each of which
lowers the same loss tr(E H Eᵀ). Codebooks are learned on some of the rows; all rows are
coded at the end.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gnomon.codecs.aq import GROUP, encoded_weight
from gnomon.codecs.aq_search import first_view, search, sweep_view
from gnomon.codecs.encoded import EncodedWeight
from gnomon.compress.aq_codebooks import decoded, fit_codebooks, fit_scales, start_codebooks
from gnomon.compress.feedback import InputStatistics
from gnomon.errors import UsageError


@dataclass(frozen=True, slots=True, kw_only=True)
class AqEffort:
    """How long to look."""

    beam: int = 4  # code sets of a row in a first search and in the last sweep
    width: int = 16  # sums within a group, for each
    rows: int = 512  # that codebooks are learned on
    vectors: int = 4096  # that they start from
    rounds: int = 6  # of codebooks, scales and codes on those rows
    last_rounds: int = 3  # on all


class AqEncoder:
    """Codes the matrices that read the same inputs; what depends on H alone is prepared once."""

    def __init__(self, statistics: InputStatistics, effort: AqEffort | None = None):
        width = len(statistics.gram)
        if width % GROUP:
            raise UsageError(
                f"The codec aq takes weights in groups of {GROUP}, and a layer reads {width} "
                "inputs. Choose the codec trellis for this model."
            )
        self.statistics = statistics
        self.effort = effort or AqEffort()
        self.first_view = first_view(statistics.factor)
        self.sweep_view = sweep_view(statistics.gram)

    def encode(self, weight: np.ndarray, *, codebooks: int, seed: int) -> EncodedWeight:
        """The codes of W float32 [out, in]: K = `codebooks` of 256 codewords."""
        rng = np.random.default_rng(seed)
        effort = self.effort
        rms = np.sqrt(np.mean(weight**2, axis=1))
        scales = np.where(rms > 0, rms, 1).astype(np.float32)
        chosen = np.sort(rng.permutation(len(weight))[: effort.rows])
        some, some_scales = weight[chosen], scales[chosen]
        vectors = (some / some_scales[:, None]).reshape(-1, GROUP)
        vectors = vectors[rng.permutation(len(vectors))[: effort.vectors]]
        books = start_codebooks(vectors, codebooks=codebooks, rng=rng)
        codes = self._search(some, some_scales, books)
        for _ in range(effort.rounds):
            books, some_scales = self._learn(some, some_scales, codes, books)
            codes = self._search(some, some_scales, books, codes)
        scales[chosen] = some_scales
        if len(some) < len(weight):
            codes = self._search(weight, scales, books)
            codes = self._search(weight, scales, books, codes)
        for turn in range(effort.last_rounds):
            books, scales = self._learn(weight, scales, codes, books)
            books, scales = _half(books), _half(scales)
            is_last = turn == effort.last_rounds - 1
            codes = self._search(weight, scales, books, codes, beam=effort.beam if is_last else 1)
        gram = self.statistics.gram
        scales = _half(fit_scales(weight @ gram, decoded(codes, books), gram))
        return encoded_weight(codes, books, scales)

    def _learn(self, weight, scales, codes, books):
        gram = self.statistics.gram
        pulled = weight @ gram
        books = fit_codebooks(pulled, scales, codes, books, gram)
        return books, fit_scales(pulled, decoded(codes, books), gram)

    def _search(self, weight, scales, books, codes=None, *, beam=1):
        """A first search, as wide as it may be, or a sweep over the codes there are."""
        beam = self.effort.beam if codes is None else beam
        view = self.first_view if codes is None else self.sweep_view
        scaled = weight / _divisor(scales)
        return search(scaled, view, books, codes, beam=beam, width=self.effort.width)


def _divisor(scales: np.ndarray) -> np.ndarray:
    """A scale of zero says that the row is zero, whatever its codes."""
    return np.where(scales != 0, scales, 1)[:, None]


def _half(values: np.ndarray) -> np.ndarray:
    """As they will be stored."""
    return values.astype(np.float16).astype(np.float32)
