"""A head that is the embedding again is stored once.

Some files hold one matrix twice, as embedding and as head, often at two precisions: what was made
from a checkpoint with tied weights by a tool that does not know them. Coded once, it leaves the
blocks the bits.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from gnomon.codecs.encoded import EncodedWeight
from gnomon.compress.importance import EMBEDDING, HEAD
from gnomon.models.model import Model, Weights

_ROWS = 4096  # compared at a time
_FINEST_BITS = 10  # roundings to BF16 are off by 0.0017 of a norm, and 0.003 is allowed


def share_vocabulary(model: Model) -> Model:
    """`model`, with a head that is tied to its embedding if the two are one matrix; the finer of
    the two is what both are then.
    """
    if model.config.is_head_tied or not _is_one_matrix(model.weights):
        return model
    return replace(
        model,
        config=replace(model.config, is_head_tied=True),
        hf_config={**model.hf_config, "tie_word_embeddings": True},
        weights=_Shared(model.weights),
    )


def tolerance(weights: Weights) -> float:
    """What two roundings of one matrix differ by at most, as a share of its norm.

    The coarser one's step halves with each of its bits: with Q4_K's 4.5 it is 0.075 of the norm of
    Qwen2.5's vocabulary, and 0.13 is allowed.
    """
    coarser = min(weights.size_bytes(name) for name in (EMBEDDING, HEAD))
    bits = 8 * coarser / math.prod(weights.shape(HEAD))
    return 3 * 2 ** -min(bits, _FINEST_BITS)


def _is_one_matrix(weights: Weights) -> bool:
    if weights.shape(EMBEDDING) != weights.shape(HEAD):
        return False
    embedding, head = weights.load(EMBEDDING), weights.load(HEAD)
    difference = power = 0.0
    for begin in range(0, len(head), _ROWS):
        rows = slice(begin, begin + _ROWS)
        difference += float(np.sum((head[rows] - embedding[rows]) ** 2, dtype=np.float64))
        power += float(np.sum(head[rows] ** 2, dtype=np.float64))
    return difference <= tolerance(weights) ** 2 * power


@dataclass(frozen=True, slots=True)
class _Shared:
    """`Weights` without the head; the embedding is the finer of the two."""

    whole: Weights

    def names(self) -> list[str]:
        return [name for name in self.whole.names() if name != HEAD]

    def shape(self, name: str) -> tuple[int, ...]:
        return self.whole.shape(self._stored(name))

    def storage(self, name: str) -> str:
        return self.whole.storage(self._stored(name))

    def size_bytes(self, name: str) -> int:
        return self.whole.size_bytes(self._stored(name))

    def load(self, name: str) -> np.ndarray:
        return self.whole.load(self._stored(name))

    def encoded(self, name: str) -> EncodedWeight | None:
        return self.whole.encoded(self._stored(name))

    def _stored(self, name: str) -> str:
        if name != EMBEDDING:
            return name
        return max((HEAD, EMBEDDING), key=self.whole.size_bytes)
