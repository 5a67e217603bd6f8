"""Beam search for the codes of the codec `aq` (AQLM, arXiv 2401.06118, section 3.2).

The loss of a row w is e H eᵀ, e = w - ŵ, with H = XXᵀ of the layer's inputs. Seen from one group g
of eight columns, with the errors of all others as they are, it is |(t_g - ŵ_g) F_g|² and something
that g cannot change; the target t_g = w_g + Σ_j e_j M_jg. Two views of the same loss are used:

- a first search, where the groups to the left are still free: H = L D Lᵀ, L unit lower triangular
  by groups, M = L and F_g the Cholesky factor of D_g (as rounding with feedback has it);
- a sweep, where every group has its codes already: M_jg = H_jg H_gg⁻¹ and F_g that of H_gg.

Groups are visited from the last to the first, and the `beam` best code sets of the row are kept.
`search` is the native form (cpp/codecs/beam_search.h), `search_plainly` says the same slowly.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gnomon import _native
from gnomon.codecs.aq import GROUP, sum_codewords


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """The loss as the groups of eight columns see it."""

    coupling: np.ndarray  # M float32 [in, in]
    factors: np.ndarray  # F float32 [in / 8, 8, 8]


def first_view(factor: np.ndarray) -> View:
    """For the Cholesky factor C [in, in] of H = C Cᵀ: no group has codes yet."""
    blocks = _diagonal(factor)
    coupling = np.empty(factor.shape, dtype=np.float32)
    for g, block in enumerate(blocks):
        columns = slice(GROUP * g, GROUP * (g + 1))
        coupling[:, columns] = np.linalg.solve(block.T, factor[:, columns].T).T
    return View(coupling=coupling, factors=np.ascontiguousarray(blocks, dtype=np.float32))


def sweep_view(gram: np.ndarray) -> View:
    """For H [in, in]: all groups have codes."""
    blocks = _diagonal(gram)
    coupling = np.empty(gram.shape, dtype=np.float32)
    for g, block in enumerate(blocks):
        columns = slice(GROUP * g, GROUP * (g + 1))
        coupling[:, columns] = np.linalg.solve(block, gram[columns]).T
    return View(coupling=coupling, factors=np.linalg.cholesky(blocks).astype(np.float32))


def _diagonal(matrix: np.ndarray) -> np.ndarray:
    """The blocks [in / 8, 8, 8] on the diagonal, float64."""
    starts = range(0, len(matrix), GROUP)
    blocks = [matrix[s : s + GROUP, s : s + GROUP] for s in starts]
    return np.stack(blocks).astype(np.float64)


def search(
    weight: np.ndarray,
    view: View,
    codebooks: np.ndarray,
    codes: np.ndarray | None = None,
    *,
    beam: int,
    width: int,
    threads: int = 0,
) -> np.ndarray:
    """Codes uint8 [out, in / 8, K] for W float32 [out, in], every row divided by its scale.

    Without `codes` it is a first search and `view` must be a first view; with them it is a sweep,
    which never leaves a row worse than it was. Within a group, codeword i has the place
    i mod `width` (8, 16, … 256), and the best sum at each place goes on to the next codebook, for
    each of the `beam` code sets. codebooks: float32 [K, 256, 8]. `threads`: 0 for all
    cores; the result is the same for any number.
    """
    targets, values = _start(weight, view, codebooks, codes)
    result = (
        np.zeros((len(weight), weight.shape[1] // GROUP, len(codebooks)), dtype=np.uint8)
        if codes is None
        else codes.copy()
    )
    _native.beam_search(
        targets,
        values,
        view.coupling,
        view.factors,
        np.ascontiguousarray(codebooks, dtype=np.float32),
        result,
        is_sweep=codes is not None,
        beam=beam,
        width=width,
        threads=threads,
    )
    return result


def _start(
    weight: np.ndarray, view: View, codebooks: np.ndarray, codes: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    """The targets t and the values ŵ that their errors come from, float32 [out, in]."""
    weight = np.ascontiguousarray(weight, dtype=np.float32)
    if codes is None:  # as if ŵ were w: no errors yet
        return weight, weight
    values = sum_codewords(codes, codebooks).reshape(weight.shape)
    errors = weight - values
    return values + errors @ view.coupling, values  # M_gg = 1, so the group's own error is in it


def search_plainly(
    weight: np.ndarray,
    view: View,
    codebooks: np.ndarray,
    codes: np.ndarray | None = None,
    *,
    beam: int,
    width: int,
) -> np.ndarray:
    """`search`, row by row and sum by sum."""
    targets, values = _start(weight, view, codebooks, codes)
    rows = []
    for r in range(len(weight)):
        present = None if codes is None else codes[r]
        rows.append(
            _search_row(
                targets[r],
                values[r],
                present,
                view,
                codebooks.astype(np.float64),
                beam=beam,
                width=width,
            )
        )
    return np.array(rows, dtype=np.uint8)


@dataclass(frozen=True, slots=True)
class _Sum:
    """The first codewords of a group, to go on from the code set number `parent` of the row."""

    cost: float
    parent: int
    codes: tuple[int, ...]
    value: np.ndarray  # [8]


def _search_row(targets, values, present, view, codebooks, *, beam, width):
    """The best codes [in / 8, K] of one row. A code set is (cost, targets, codes of its groups)."""
    sets = [(0.0, targets.astype(np.float64), [])]
    for g in reversed(range(len(view.factors))):
        columns, factor = slice(GROUP * g, GROUP * (g + 1)), view.factors[g].astype(np.float64)
        kept, sums = [], []
        for parent, (cost, moved, _) in enumerate(sets):
            saved = 0.0
            if present is not None:  # the group may keep what it has
                saved = np.sum(((moved[columns] - values[columns]) @ factor) ** 2)
                kept.append(_Sum(cost, parent, tuple(present[g].tolist()), values[columns]))
            sums.append(_Sum(cost - saved, parent, (), np.zeros(GROUP)))
        base = [total.cost for total in sums]
        for k, book in enumerate(codebooks):
            longer = []
            for total in sums:
                rest = sets[total.parent][1][columns] - total.value - book  # [256, 8]
                costs = base[total.parent] + np.sum((rest @ factor) ** 2, axis=1)
                longer += [
                    _Sum(costs[i], total.parent, (*total.codes, i), total.value + book[i])
                    for i in range(len(book))
                ]
            longer.sort(key=lambda total: total.cost)
            if k < len(codebooks) - 1:
                best = {}
                for total in longer:
                    best.setdefault((total.parent, total.codes[-1] % width), total)
                sums = list(best.values())
            else:
                same = {(total.parent, total.codes) for total in kept}
                kept += [total for total in longer if (total.parent, total.codes) not in same]
        kept.sort(key=lambda total: total.cost)
        sets = [
            (
                total.cost,
                sets[total.parent][1] + (values[columns] - total.value) @ view.coupling[columns],
                [total.codes, *sets[total.parent][2]],
            )
            for total in kept[:beam]
        ]
    return sets[0][2]
