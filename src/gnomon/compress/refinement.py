"""Second thoughts after rounding: columns are rounded again, now that the others' errors are known.

Rounding with feedback lets a block of columns make up for those rounded before it, never for those
after. Here every block b is rounded once more with all the others as they are. For E = W - Ŵ and
H = XXᵀ the error tr(E H Eᵀ) as a function of E_b alone is least at the target

    W_b + (Σ_{j≠b} E_j H_jb) H_bb⁻¹,

and what the codec then finds is taken, row by row, where it lowers that error. So the error can
only fall: coordinate descent, as in QuIP's greedy updates (arXiv 2307.13304, algorithm 4).
"""

from __future__ import annotations

from typing import Protocol

import numpy as np

from gnomon.compress.feedback import InputStatistics


class MutableRounder(Protocol):
    """A `Rounder` whose codes of some rows can be put back to what they were."""

    columns: int  # that it rounds at a time
    rows: int  # that are coded together
    codes: np.ndarray  # [⌈out / rows⌉, ⌈in / columns⌉, …]

    def round(self, block: np.ndarray, *, start: int) -> np.ndarray: ...


def refine(
    weight: np.ndarray,
    rounded: np.ndarray,
    statistics: InputStatistics,
    rounder: MutableRounder,
    *,
    passes: int = 1,
    judge: np.ndarray | None = None,
) -> np.ndarray:
    """A rounded matrix float32 [out, in] with less error; the codes in `rounder` follow.

    `weight` is W, `rounded` Ŵ, and `rounder` holds the codes that Ŵ came from.
    With a `judge`, another estimate of W, it is the error against that one that has to fall.
    """
    gram = statistics.gram
    rounded = rounded.copy()
    errors = weight - rounded
    judge = weight if judge is None else judge
    judged = errors if judge is weight else judge - rounded
    for _ in range(passes):
        for start in reversed(range(0, weight.shape[1], rounder.columns)):
            block = slice(start, start + rounder.columns)
            own = gram[block, block]
            from_others = errors @ gram[:, block] - errors[:, block] @ own
            target = weight[:, block] + from_others @ np.linalg.inv(own)
            before = rounder.codes[:, start // rounder.columns].copy()
            candidate = rounder.round(target, start=start)
            if judged is not errors:
                from_others = judged @ gram[:, block] - judged[:, block] @ own
            now = _cost(judge[:, block] - candidate, own, from_others)
            gain = _by_group(_cost(judged[:, block], own, from_others) - now, rounder.rows)
            rounder.codes[gain <= 0, start // rounder.columns] = before[gain <= 0]
            is_better = np.repeat(gain > 0, rounder.rows)[: len(weight)]
            rounded[is_better, block] = candidate[is_better]
            errors[:, block] = weight[:, block] - rounded[:, block]
            judged[:, block] = judge[:, block] - rounded[:, block]
    return rounded


def _cost(errors: np.ndarray, own: np.ndarray, from_others: np.ndarray) -> np.ndarray:
    """What the errors [rows, columns] of one block add to tr(E H Eᵀ), for each row."""
    return np.sum(errors * (errors @ own + 2 * from_others), axis=1)


def _by_group(numbers: np.ndarray, rows: int) -> np.ndarray:
    return np.pad(numbers, (0, -len(numbers) % rows)).reshape(-1, rows).sum(axis=1)
