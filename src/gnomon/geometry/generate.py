"""Random theorems with their auxiliary points (AlphaGeometry, Nature 2024, "synthetic data").

A random figure is saturated. What it takes to state a conclusion are the constructions of its own
points; if it does not follow of these alone, what its proof needs beyond them is auxiliary. Each
record is one line of JSON:

    {"problem": "a b c = triangle a b c; … ? cong …", "points": ["d = midpoint d a b"], "steps": 12,
     "figure": "0/17"}

`figure` is the seed and the figure's number. The same seed gives the same records, whatever the
number of processes.
"""

from __future__ import annotations

import itertools
import json
import multiprocessing
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from random import Random
from typing import TYPE_CHECKING, Any

from gnomon.errors import DataError, GnomonError
from gnomon.geometry.auxiliary import AuxiliaryPoint, clause_of
from gnomon.geometry.coincidences import coincidences
from gnomon.geometry.diagram import Diagram, draw
from gnomon.geometry.language import Clause, Problem
from gnomon.geometry.native import Native, make_state, proof_of

if TYPE_CHECKING:
    from gnomon._native import GeometryState

# Symmetric figures have more theorems, and general ones are what problems are about.
_FIGURES = (
    "triangle a b c", "triangle a b c", "iso_triangle a b c", "r_triangle a b c",
    "ieq_triangle a b c", "quadrangle a b c d", "eq_trapezoid a b c d", "rectangle a b c d",
    "isquare a b c d",
)  # fmt: skip
_FREE = ("on_line p a b", "on_circum p a b c", "on_bline p a b", "on_circle p a b", "free p")
_GOALS = ("coll", "para", "perp", "cong", "eqangle", "eqratio", "cyclic", "midp")
_LEAST_STEPS, _MOST_STEPS = 3, 60
_MOST_PLAIN = 2  # records of a figure that need no auxiliary point
_MOST_EACH = 4  # goals that are tried of those that take the same clauses to state
_PROPOSALS = 40  # of the best-ranked points of a figure some are taken at random
_ROUNDS, _POINTS = (2, 4), 4  # how often points are proposed for a figure, how many are added then
_APART = 1e-2
_SATURATION_S = 5.0


def generate(
    count: int,
    *,
    seed: int,
    processes: int = 1,
    only_auxiliary: bool = False,
    before: Sequence[dict[str, Any]] = (),
) -> Iterator[dict[str, Any]]:
    """`count` records, of which no two state the same; with `only_auxiliary`, those that need a
    further point. `before` is what an earlier run with the same arguments gave first: what comes
    after it is given.
    """
    seen = {_key(record) for record in before}
    first = int(before[-1]["figure"].partition("/")[2]) if before else 0

    def distinct(found: Iterator[list[dict[str, Any]]]) -> Iterator[dict[str, Any]]:
        for record in itertools.chain.from_iterable(found):
            if _key(record) not in seen and (record["points"] or not only_auxiliary):
                seen.add(_key(record))
                yield record

    left = max(0, count - len(before))
    seeds = (f"{seed}/{number}" for number in itertools.count(first))
    if processes == 1:
        yield from itertools.islice(distinct(map(records_of, seeds)), left)
        return
    context = multiprocessing.get_context("spawn")
    with context.Pool(processes) as pool:
        # An endless iterable is read ahead without end, so the seeds come in batches.
        batches = iter(lambda: list(itertools.islice(seeds, 16 * processes)), [])
        found = (records for batch in batches for records in pool.imap(records_of, batch))
        yield from itertools.islice(distinct(found), left)


def read_records(lines: Sequence[str], *, seed: int) -> list[dict[str, Any]]:
    """What an earlier run gave, for `generate` to go on from. Raises DataError where it was of
    another seed or is something else.
    """
    records = []
    for number, line in enumerate(lines, start=1):
        try:
            record = json.loads(line)
            given = record["figure"].partition("/")[0]
            _key(record)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise DataError(
                f"line {number} is no record of 'geometry generate': {error}"
            ) from error
        if given != str(seed):
            raise DataError(f"line {number} was made with seed {given}, not {seed}")
        records.append(record)
    return records


def _key(record: dict[str, Any]) -> tuple[str, str]:
    return record["problem"], "; ".join(record["points"])


def records_of(figure: str) -> list[dict[str, Any]]:
    """The records of one random figure; none where it cannot be drawn."""
    rng = Random(figure)
    try:
        problem, diagrams = _random_figure(rng)
        state = make_state(problem, diagrams)
    except GnomonError:
        return []
    if not state.saturate(_SATURATION_S):
        return []
    places = list(zip(*(at.values() for at in diagrams), strict=True))
    said = [*coincidences(places), *(s for s in state.conclusions() if s[0] in _GOALS)]
    goals_of: defaultdict[tuple[str, ...], list[Native]] = defaultdict(list)
    for goal in said:
        names = [problem.points[place] for place in goal[1]]
        stated = _closure(problem, names)
        goals_of[tuple(point for clause in stated for point in clause.points)].append(goal)
    records = []
    for stated, goals in goals_of.items():
        records += _needing_points(stated, goals, problem, diagrams, state, rng)
    for goal in rng.sample(said, min(_MOST_PLAIN, len(said))):
        records += _needing_none(goal, problem, diagrams)
    return [{**record, "figure": figure} for record in records]


def _needing_points(
    stated: Sequence[str],
    goals: Sequence[Native],
    problem: Problem,
    diagrams: tuple[Diagram, Diagram],
    state: GeometryState,
    rng: Random,
) -> list[dict[str, Any]]:
    """Records of goals that can be stated with some points, and do not follow of these alone: they
    need the rest of the figure, as far as their proofs there use it.
    """
    small = _part(problem, stated)
    alone = make_state(small, diagrams)
    if len(small.clauses) == len(problem.clauses) or not alone.saturate(_SATURATION_S):
        return []
    number_of = {problem.points.index(point): number for number, point in enumerate(small.points)}
    unknown = [
        goal
        for goal in goals
        if not alone.knows((goal[0], [number_of[place] for place in goal[1]], *goal[2:]))
        and state.knows(goal)
    ]
    records = []
    for goal in rng.sample(unknown, min(_MOST_EACH, len(unknown))):
        proof = proof_of(state, goal, problem.points)
        used = {point for step in proof.steps for point in step.conclusion.points}
        auxiliary = [c for c in _closure(problem, used) if c not in small.clauses]
        if _LEAST_STEPS <= proof.length <= _MOST_STEPS:
            theorem = replace(small, goal=proof.steps[-1].conclusion)
            records.append(_record(theorem, auxiliary, proof.length))
    return records


def _needing_none(
    goal: Native, problem: Problem, diagrams: tuple[Diagram, Diagram]
) -> list[dict[str, Any]]:
    """The record of a goal that follows of the points which it takes to state it, if it does."""
    points = [problem.points[place] for place in goal[1]]
    small = _part(problem, [p for clause in _closure(problem, points) for p in clause.points])
    in_small = (goal[0], [small.points.index(point) for point in points], *goal[2:])
    alone = make_state(small, diagrams)
    if not alone.solve(in_small, _SATURATION_S):
        return []
    proof = proof_of(alone, in_small, small.points)
    if not _LEAST_STEPS <= proof.length <= _MOST_STEPS:
        return []
    return [_record(replace(small, goal=proof.steps[-1].conclusion), [], proof.length)]


def _part(problem: Problem, points: Sequence[str]) -> Problem:
    """The clauses of some points."""
    return replace(problem, clauses=tuple(c for c in problem.clauses if c.points[0] in points))


def _record(problem: Problem, auxiliary: Sequence[Clause], steps: int) -> dict[str, Any]:
    """The record, with points called a, b, … in order: the same theorem reads the same."""
    points = [*problem.points, *(point for clause in auxiliary for point in clause.points)]
    names = {point: chr(ord("a") + n % 26) + (str(n // 26) if n > 25 else "") for n, point in
             enumerate(points)}  # fmt: skip

    def rename(said: Problem | Clause) -> str:
        return re.sub(r"\w+", lambda word: names.get(word.group(), word.group()), str(said))

    return {
        "problem": rename(problem),
        "points": [rename(clause) for clause in auxiliary],
        "steps": steps,
    }


def _propose(state: GeometryState, rng: Random) -> list[AuxiliaryPoint]:
    """The points that rank best, with some three points for a goal."""
    near = ("coll", rng.sample(range(state.points), 3), 0, 1)
    return [
        AuxiliaryPoint(form, tuple(used), (one, other), score)
        for form, used, one, other, score in state.propose(near, False, _PROPOSALS)
    ]


def _is_apart(point: AuxiliaryPoint, diagrams: tuple[Diagram, Diagram]) -> bool:
    return all(
        abs(place - known) > _APART
        for place, at in zip(point.places, diagrams, strict=True)
        for known in at.values()
    )


def _random_figure(rng: Random) -> tuple[Problem, tuple[Diagram, Diagram]]:
    """A figure whose points lie on more than their constructions say, and two pictures of it."""
    figure = rng.choice(_FIGURES)
    points = list[str](figure.split()[1:])
    problem = Problem.parse(f"{' '.join(points)} = {figure}")
    if rng.random() < 0.7:
        free = rng.choice(_FREE)
        problem = problem.extended(f"p = {free}")
    first, second = (draw(problem, seed=rng.randrange(1 << 30), choice=0) for _ in range(2))
    for _ in range(rng.randint(*_ROUNDS)):
        proposed = _propose(make_state(problem, (first, second)), rng)
        for point in rng.sample(proposed, min(_POINTS, len(proposed))):
            if _is_apart(point, (first, second)):
                name = f"p{len(problem.points)}"
                problem = problem.extended(clause_of(point, name, problem.points))
                first[name], second[name] = point.places
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
