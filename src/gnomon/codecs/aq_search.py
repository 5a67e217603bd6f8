"""Beam search for the codes of the codec `aq` (AQLM, arXiv 2401.06118, section 3.2).

The loss of a row w is e H eᵀ, e = w - ŵ, with H = XXᵀ of the layer's inputs. Seen from one group g of
eight columns, with the errors of all others as they are, it is |(t_g - ŵ_g) F_g|² and something that
g cannot change; the target t_g = w_g + Σ_j e_j M_jg. Two views of the same loss are used:

- a first search, where the groups to the left are still free: H = L D Lᵀ, L unit lower triangular by
  groups, M = L and F_g the Cholesky factor of D_g (as rounding with feedback has it);
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
    which never leaves a row worse than it was. Within a group, codeword i has the place i mod `width`
    (8, 16, … 256), and the best sum at each place goes on to the next codebook, for each of the `beam`
    code sets. codebooks: float32 [K, 256, 8]. `threads`: 0 for all cores; the result is the
    same for any number.
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
    rows = [
        _search_row(targets[r], values[r], None if codes is None else codes[r], view, codebooks,
                    beam=beam, width=width)
        for r in range(len(weight))
    ]  # fmt: skip
    return np.array(rows, dtype=np.uint8)


def _search_row(targets, values, codes, view, codebooks, *, beam, width):
    """The best code set [in / 8, K] of one row; a set is (cost, targets, codes of the groups)."""
    sets = [(0.0, targets.astype(np.float64), [])]
    for g in reversed(range(len(view.factors))):
        group, factor = slice(GROUP * g, GROUP * (g + 1)), view.factors[g].astype(np.float64)
        found = []
        sums = []  # (cost, set, codes, ŵ_g)
        for cost, moved, before in sets:
            is_sweep = codes is not None
            saved = np.sum(((moved[group] - values[group]) @ factor) ** 2) if is_sweep else 0.0
            sums.append((cost - saved, moved, before, [], np.zeros(GROUP)))
            if is_sweep:  # the group may keep what it has
                found.append((cost, moved, before, list(codes[g]), values[group]))
        for k, book in enumerate(codebooks.astype(np.float64)):
            longer = [
                (
                    base + np.sum(((moved[group] - value - word) @ factor) ** 2),
                    (base, moved, before, [*chosen, i], value + word),
                )
                for base, moved, before, chosen, value in sums
                for i, word in enumerate(book)
            ]
            longer.sort(key=lambda pair: pair[0])
            if k < len(codebooks) - 1:
                best = {}
                for _, partial in longer:
                    best.setdefault((id(partial[1]), partial[3][-1] % width), partial)
                sums = list(best.values())
            else:
                found += [(cost, *partial[1:]) for cost, partial in longer]
        kept = sorted(_distinct(found), key=lambda entry: entry[0])[:beam]
        sets = []
        for cost, moved, before, chosen, value in kept:
            change = values[group] - value
            sets.append((cost, moved + change @ view.coupling[group], [chosen, *before]))
    return sets[0][2]


def _distinct(found):
    """Of sets that went on from the same one with the same codes, the first."""
    seen = {}
    for entry in found:
        seen.setdefault((id(entry[1]), tuple(int(code) for code in entry[3])), entry)
    return list(seen.values())
