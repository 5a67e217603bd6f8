"""Which weight gets how many bits, so that the sum of the losses is least and the sizes fit.

Every weight has some forms that it can be stored in, each with a size and a predicted loss, and
takes exactly one: the multiple-choice knapsack problem. Its Lagrangian relaxation (a price for
every byte) gives a bound that is nearly tight; the exact answer is then found by dynamic
programming over (bytes, loss), where only what the bound allows is kept.

>>> forms = [Form(codec="trellis", bits=2, size_bytes=20, loss=1.0),
...          Form(codec="trellis", bits=4, size_bytes=40, loss=0.1)]
>>> chosen = choose_forms({"a": forms, "b": forms[:1]}, budget_bytes=70)
>>> chosen["a"].bits, chosen["b"].bits
(4, 2)
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

STATES = 50_000  # partial choices kept at a time; with more, the least promising are dropped


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """One way to store one weight."""

    codec: str  # a key of CODECS, or `f16`
    bits: int  # of the codes
    size_bytes: int  # everything stored for it
    loss: float  # predicted, ≥ 0, in any unit that all weights share


def choose_forms(forms: Mapping[str, Sequence[Form]], budget_bytes: int) -> dict[str, Form]:
    """A form for every weight: the least total loss among all choices that fit the budget.

    The budget must be at least `smallest_bytes(forms)`. The answer is exact unless more than
    STATES partial choices are as promising as one another, and never worse than the Lagrangian's.
    """
    assert budget_bytes >= smallest_bytes(forms), "nothing fits the budget"
    items = [_undominated(some) for some in forms.values()]
    sizes = [np.array([form.size_bytes for form in item], dtype=np.int64) for item in items]
    losses = [np.array([form.loss for form in item], dtype=np.float64) for item in items]
    price = _price(sizes, losses, budget_bytes)
    incumbent = _greedy(sizes, losses, price, budget_bytes)
    chosen = _search(sizes, losses, price, budget_bytes, incumbent)
    return {name: item[k] for name, item, k in zip(forms, items, chosen, strict=True)}


def smallest_bytes(forms: Mapping[str, Sequence[Form]]) -> int:
    return sum(min(form.size_bytes for form in some) for some in forms.values())


def largest_bytes(forms: Mapping[str, Sequence[Form]]) -> int:
    """The size at which every weight has its best form; more bytes buy nothing."""
    return sum(_undominated(some)[-1].size_bytes for some in forms.values())


def _undominated(forms: Sequence[Form]) -> list[Form]:
    """By size, those that no form of at most their size beats."""
    kept: list[Form] = []
    for form in sorted(forms, key=lambda form: (form.size_bytes, form.loss)):
        if not kept or form.loss < kept[-1].loss:
            kept.append(form)
    return kept


def _cheapest(sizes: list[np.ndarray], losses: list[np.ndarray], price: float) -> list[int]:
    """For every weight the form with the least loss + price · bytes; of equals the smallest."""
    return [int(np.argmin(loss + price * size)) for size, loss in zip(sizes, losses, strict=True)]


def _total(values: list[np.ndarray], chosen: Sequence[int]) -> float:
    return math.fsum(value[k] for value, k in zip(values, chosen, strict=True))


def _price(sizes: list[np.ndarray], losses: list[np.ndarray], budget: int) -> float:
    """The least price of a byte (to a relative 1e-12) at which what is cheapest fits."""
    if _total(sizes, _cheapest(sizes, losses, 0.0)) <= budget:
        return 0.0
    low, high = 0.0, 1.0 + max(float(loss.max(initial=0)) for loss in losses)
    while high - low > 1e-12 * high:
        middle = (low + high) / 2
        fits = _total(sizes, _cheapest(sizes, losses, middle)) <= budget
        low, high = (low, middle) if fits else (middle, high)
    return high


def _greedy(
    sizes: list[np.ndarray], losses: list[np.ndarray], price: float, budget: int
) -> list[int]:
    """What is cheapest at the price, then upgrades while any fits, the best for its bytes first."""
    chosen = _cheapest(sizes, losses, price)
    room = budget - int(_total(sizes, chosen))
    while True:
        best, gain = None, 0.0
        for i, now in enumerate(chosen):
            for k in range(now + 1, len(sizes[i])):
                more = int(sizes[i][k] - sizes[i][now])
                rate = float(losses[i][now] - losses[i][k]) / more
                if more <= room and rate > gain:
                    best, gain = (i, k), rate
        if best is None:
            return chosen
        i, k = best
        room -= int(sizes[i][k] - sizes[i][chosen[i]])
        chosen[i] = k


def _search(
    sizes: list[np.ndarray],
    losses: list[np.ndarray],
    price: float,
    budget: int,
    incumbent: list[int],
) -> list[int]:
    """The best choice that fits, by dynamic programming over the weights one after another."""
    reduced = [loss + price * size for size, loss in zip(sizes, losses, strict=True)]
    rest_cost = sum(float(cost.min()) for cost in reduced)  # of the weights still to come
    rest_size = sum(int(size.min()) for size in sizes)
    best = _total(losses, incumbent)
    limit = best + price * budget
    limit += 1e-9 * abs(limit)
    size, loss = np.zeros(1, np.int64), np.zeros(1)
    steps: list[tuple[np.ndarray, np.ndarray]] = []  # (state before, form) of every state
    for more_size, more_loss, cost in zip(sizes, losses, reduced, strict=True):
        rest_cost -= float(cost.min())
        rest_size -= int(more_size.min())
        count = len(more_size)
        before = np.repeat(np.arange(len(size)), count)
        form = np.tile(np.arange(count), len(size))
        size = (size[:, None] + more_size).ravel()
        loss = (loss[:, None] + more_loss).ravel()
        bound = loss + price * size + rest_cost
        kept = np.flatnonzero((size + rest_size <= budget) & (bound <= limit))
        kept = kept[np.lexsort((loss[kept], size[kept]))]
        lowest = np.minimum.accumulate(np.concatenate([[np.inf], loss[kept][:-1]]))[: len(kept)]
        kept = kept[loss[kept] < lowest]
        if len(kept) > STATES:
            kept = np.sort(kept[np.argpartition(bound[kept], STATES)[:STATES]])
        size, loss = size[kept], loss[kept]
        steps.append((before[kept], form[kept]))
    if not len(loss) or loss.min() >= best:
        return incumbent
    state = int(np.argmin(loss))
    chosen = []
    for before, form in reversed(steps):
        chosen.append(int(form[state]))
        state = int(before[state])
    return chosen[::-1]
