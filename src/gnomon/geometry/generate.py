"""Random theorems with their auxiliary points (AlphaGeometry, Nature 2024, "synthetic data").

A random figure is saturated, and a conclusion is traced back. What it takes to state the conclusion
are the constructions of its own points; what its proof needs beyond them is auxiliary. Each record
is one line of JSON:

    {"problem": "a b c = triangle a b c; … ? cong …", "points": ["x = midpoint x a b"], "steps": 12}

The same seed gives the same records, whatever the number of processes.
"""

from __future__ import annotations

import itertools
import multiprocessing
from collections.abc import Iterator
from random import Random
from typing import Any

from gnomon.errors import GnomonError
from gnomon.geometry.auxiliary import AuxiliaryPoint, clause_of
from gnomon.geometry.diagram import Diagram, draw
from gnomon.geometry.language import Clause, Problem
from gnomon.geometry.native import Native, make_state, proof_of, to_native
from gnomon.geometry.proof import Proof

# Symmetric figures have more theorems, and general ones are what problems are about.
_FIGURES = (
    "triangle a b c", "triangle a b c", "iso_triangle a b c", "r_triangle a b c",
    "ieq_triangle a b c", "quadrangle a b c d", "eq_trapezoid a b c d", "rectangle a b c d",
    "isquare a b c d",
)  # fmt: skip
_FREE = ("on_line p a b", "on_circum p a b c", "on_bline p a b", "on_circle p a b", "free p")
_GOALS = ("coll", "para", "perp", "cong", "eqangle", "eqratio", "cyclic", "midp")
_MOST_STEPS = 60
_MOST_PLAIN = 2  # records of a figure that need no auxiliary point
_PROPOSALS = 40  # of the best-ranked points of a figure one is taken at random
_MOST_EACH = 5  # records for one auxiliary point


def generate(
    count: int, *, seed: int, processes: int = 1, only_auxiliary: bool = False
) -> Iterator[dict[str, Any]]:
    """`count` records, of which no two state the same in the same words; with `only_auxiliary`,
    those that need a further point.
    """
    seen: set[tuple[str, str]] = set()

    def distinct(found: Iterator[list[dict[str, Any]]]) -> Iterator[dict[str, Any]]:
        for record in itertools.chain.from_iterable(found):
            key = record["problem"], " ".join(record["points"])
            if key not in seen and (record["points"] or not only_auxiliary):
                seen.add(key)
                yield record

    seeds = (f"{seed}/{number}" for number in itertools.count())
    if processes == 1:
        yield from itertools.islice(distinct(map(records_of, seeds)), count)
        return
    context = multiprocessing.get_context("spawn")
    with context.Pool(processes) as pool:
        # An endless iterable is read ahead without end, so the seeds come in batches.
        batches = iter(lambda: list(itertools.islice(seeds, 16 * processes)), [])
        found = (records for batch in batches for records in pool.imap(records_of, batch))
        yield from itertools.islice(distinct(found), count)


def records_of(seed: str) -> list[dict[str, Any]]:
    """The records of one random figure; none where it cannot be drawn."""
    rng = Random(seed)
    try:
        problem, diagrams = _random_figure(rng)
        state = make_state(problem, diagrams)
    except GnomonError:
        return []
    state.saturate(1.0)
    conclusions = [said for said in state.conclusions() if said[0] in _GOALS]
    rng.shuffle(conclusions)
    named = [_names(said, problem) for said in conclusions]
    records: list[dict[str, Any]] = []
    # A conclusion that does not follow without a point which it does not mention needs that point.
    for clause in problem.clauses[1:]:
        smaller = _without(problem, clause)
        poorer = make_state(smaller, diagrams)
        poorer.saturate(1.0)
        points = {name: number for number, name in enumerate(smaller.points)}
        lost = [
            said
            for said, names in zip(conclusions, named, strict=True)
            if points.keys() >= set(names)
            and not poorer.knows((said[0], [points[name] for name in names], *said[2:]))
        ]
        records += [
            record
            for said in lost[:_MOST_EACH]
            if (record := _record(problem, diagrams, proof_of(state, said, problem.points)))
            and record["points"]
        ]
    for said in conclusions[:_MOST_PLAIN]:
        record = _record(problem, diagrams, proof_of(state, said, problem.points))
        if record and not record["points"]:
            records.append(record)
    return records


def _record(problem: Problem, diagrams: Any, proof: Proof) -> dict[str, Any] | None:
    """A theorem with what its proof needs, or None where it is too easy or too long."""
    if not 3 <= proof.length <= _MOST_STEPS:
        return None
    goal = proof.steps[-1].conclusion
    stated = _closure(problem, goal.points)
    needed = _closure(problem, {p for step in proof.steps for p in step.conclusion.points})
    auxiliary = [clause for clause in needed if clause not in stated]
    small = Problem(name="", clauses=tuple(stated), goal=goal)
    if auxiliary and make_state(small, diagrams).solve(to_native(goal, small.points), 1.0):
        auxiliary = []
    return {
        "problem": str(small),
        "points": [str(clause) for clause in auxiliary],
        "steps": proof.length,
    }


def _without(problem: Problem, clause: Clause) -> Problem:
    """The figure without a clause and all that is built on it."""
    gone, kept = set(clause.points), []
    for other in problem.clauses:
        bound = {b for step in other.steps for b in step.binding.values() if isinstance(b, str)}
        if other is clause or bound & gone:
            gone.update(other.points)
        else:
            kept.append(other)
    return Problem(name="", clauses=tuple(kept), goal=None)


def _names(said: Native, problem: Problem) -> list[str]:
    points = problem.points
    return [points[place] for place in said[1]]


def _random_figure(rng: Random) -> tuple[Problem, tuple[Diagram, Diagram]]:
    """A figure whose points lie on more than their constructions say, and two pictures of it."""
    figure = rng.choice(_FIGURES)
    points = list[str](figure.split()[1:])
    problem = Problem.parse(f"{' '.join(points)} = {figure}")
    if rng.random() < 0.7:
        free = rng.choice(_FREE)
        problem = problem.extended(f"p = {free}")
        points.append("p")
    first, second = (draw(problem, seed=rng.randrange(1 << 30), choice=0) for _ in range(2))
    for _ in range(rng.randint(4, 8)):
        state = make_state(problem, (first, second))
        near = ("coll", rng.sample(range(len(points)), 3), 0, 1)
        proposals = state.propose(near, False, _PROPOSALS)
        if not proposals:
            break
        form, used, one, other, score = rng.choice(proposals)
        name = f"p{len(points)}"
        point = AuxiliaryPoint(form, tuple(used), (one, other), score)
        problem = problem.extended(clause_of(point, name, points))
        points.append(name)
        first[name], second[name] = one, other
    return problem, (first, second)


def _closure(problem: Problem, points: Any) -> list[Clause]:
    """The clauses that make some points, and those that make what these need."""
    needed, kept = set(points), []
    for clause in reversed(problem.clauses):
        if needed & set(clause.points):
            kept.append(clause)
            for step in clause.steps:
                needed.update(bound for bound in step.binding.values() if isinstance(bound, str))
    return kept[::-1]
