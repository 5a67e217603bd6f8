"""`PieceMeans`: hidden states of tokens that come one after the other, as means over pieces.

A piece whose last token has come is projected at once (by a head's probes, say), so that no more
than the states of the pieces that came together are held.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

Project = Callable[[np.ndarray], np.ndarray]  # [pieces, layers, hidden] → [pieces, …]


class PieceMeans:
    def __init__(self, starts: np.ndarray, shape: tuple[int, int], project: Project | None) -> None:
        """`starts` [pieces + 1] are the pieces' first tokens and the end, `shape` [layers, hidden]
        that of a token's states.
        """
        self._starts = starts
        self._project = project
        self._begun = np.zeros((0, *shape), np.float32)  # the sum of a piece that goes on
        self._whole = 0  # pieces that have come to their ends
        self._rows: list[np.ndarray] = []
        self.are_finite = True

    def add(self, states: np.ndarray, begin: int, end: int) -> None:
        """`states` [layers, tokens, hidden] of the tokens from `begin` on, up to `end`."""
        first = self._whole
        self._whole = int(np.searchsorted(self._starts[1:], end, side="right"))
        piece_of = np.searchsorted(self._starts[1:], np.arange(begin, end), side="right") - first
        pieces = max(self._whole - first, int(piece_of[-1]) + 1)
        sums = np.zeros((pieces, *self._begun.shape[1:]), np.float32)
        sums[: len(self._begun)] = self._begun
        if len(states):
            firsts = np.flatnonzero(np.diff(piece_of, prepend=-1))
            added = np.add.reduceat(states, firsts, axis=1)  # [layers, pieces here, hidden]
            sums[piece_of[firsts]] += added.transpose(1, 0, 2)
        self.are_finite = self.are_finite and bool(np.isfinite(sums).all())
        self._begun = sums[self._whole - first :].copy()
        if self._whole > first:
            counts = np.maximum(np.diff(self._starts[first : self._whole + 1]), 1)
            means = sums[: len(counts)] / counts[:, None, None].astype(np.float32)
            self._rows.append(means if self._project is None else self._project(means))

    def all(self) -> np.ndarray:
        """f32 [pieces, …], when all tokens have come."""
        return np.concatenate(self._rows)
