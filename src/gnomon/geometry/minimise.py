"""Shorter proofs: the engine is asked again and again, without what the last proof did not need.

What a saturation finds first depends on the order of the points; so the orders are shuffled, and
the points and facts that the shortest proof so far does not use are left out.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from random import Random
from typing import TYPE_CHECKING

from gnomon.geometry.check import plain
from gnomon.geometry.diagram import Diagram
from gnomon.geometry.native import proof_of, to_native
from gnomon.geometry.predicates import Statement
from gnomon.geometry.proof import Proof

if TYPE_CHECKING:
    from gnomon._native import GeometryState


def minimise(
    proof: Proof,
    *,
    goal: Statement,
    facts: Sequence[Statement],
    diagrams: Sequence[Diagram],
    added: Sequence[str] = (),
    seed: int,
    tries: int = 200,
    time_s: float = 2.0,
) -> list[Proof]:
    """Proofs that are better than `proof`, the best first and `proof` itself last: with fewer of
    the `added` points, then with fewer steps.

    `facts` are all that is given, `diagrams` two in which the proof is true; `time_s` is processor
    time, so that a busy machine gives no longer proofs.
    """
    deadline = time.thread_time() + time_s
    rng = Random(seed)
    found = [proof]

    def attempt(kept: list[Statement], names: list[str]) -> bool:
        if time.thread_time() > deadline:
            return False
        better = _prove(goal, kept, names, diagrams)
        if better is None or _size(better, added) >= _size(found[0], added):
            return False
        found.insert(0, better)
        return True

    for point in reversed(added):
        kept = [fact for fact in _used(found[0], facts) if point not in fact.points]
        attempt(kept, _points(kept, goal))
    for _ in range(tries):
        if found[0].length <= 1 or time.thread_time() > deadline:
            break
        kept = _used(found[0], facts)
        if rng.random() < 0.3 and len(kept) > 1:
            kept.pop(rng.randrange(len(kept)))
        names = _points(kept, goal)
        rng.shuffle(names)
        rng.shuffle(kept)
        attempt(kept, names)
    return found


def _used(proof: Proof, facts: Sequence[Statement]) -> list[Statement]:
    used = {step.conclusion for step in proof.steps if step.rule == "given"}
    return [fact for fact in facts if plain(fact) in used]


def _points(facts: Sequence[Statement], goal: Statement) -> list[str]:
    return sorted({point for fact in [*facts, goal] for point in fact.points})


def _prove(
    goal: Statement, facts: Sequence[Statement], names: Sequence[str], diagrams: Sequence[Diagram]
) -> Proof | None:
    from gnomon import _native

    first, second = ([at[name] for name in names] for at in diagrams[:2])
    state: GeometryState = _native.GeometryState(first, second)
    for fact in facts:
        state.give(to_native(fact, names))
    native = to_native(goal, names)
    return proof_of(state, native, names) if state.solve(native, time_s=0.5) else None


def _size(proof: Proof, added: Sequence[str]) -> tuple[int, int, int]:
    """Added points, steps to read, and how much each of them looks back at."""
    points = {point for step in proof.steps for point in step.conclusion.points}
    return len(points & set(added)), proof.length, sum(len(s.premises) for s in proof.steps)
