"""How many false statements are "proved": it must be none.

    python benchmarks/geometry_false.py --data DIR [--keep]

Goals of AlphaGeometry's problems (`imo_ag_30.txt`, `jgex_ag_231.txt` in DIR) are perturbed: a point
exchanged for another, or a predicate for one with as many points. A statement counts as false when
some picture out of many, of whatever configuration can be drawn, contradicts it. Half of them are
chosen to be hard: true in some picture of the problem.
"""

from __future__ import annotations

import argparse
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from random import Random

from gnomon.errors import GnomonError
from gnomon.geometry import Problem, Status, parse_problems, solve
from gnomon.geometry.diagram import Diagram, DiagramError, draw
from gnomon.geometry.predicates import PREDICATES, Statement, holds
from record import print_table, publish

FILES = ("imo_ag_30", "jgex_ag_231")
PICTURES = 40
_PREDICATES = ("coll", "para", "perp", "cong", "eqangle", "eqratio", "cyclic", "midp")


def pictures(problem: Problem) -> list[Diagram]:
    """Pictures of many configurations, with seeds that the solver does not use."""
    found = []
    for number in range(PICTURES):
        try:
            found.append(draw(problem, seed=900_000 + number, choice=number))
        except DiagramError:
            continue
    return found


def perturbed(problem: Problem, rng: Random) -> Statement | None:
    """Another goal, or None where it would be no statement."""
    assert problem.goal is not None
    name, points = problem.goal.predicate, list(problem.goal.points)
    if rng.random() < 0.3:
        like = [p for p in _PREDICATES if PREDICATES[p].points == len(points) and p != name]
        if not like or problem.goal.numbers:
            return None
        name = rng.choice(like)
    else:
        for _ in range(rng.choice((1, 1, 2))):
            points[rng.randrange(len(points))] = rng.choice(problem.points)
    goal = Statement(name, tuple(points), problem.goal.numbers)
    is_wrong = PREDICATES[name].problem_of(goal.points, goal.numbers)
    return None if is_wrong or goal == problem.goal else goal


def false_statements(problems: list[Problem], count: int, seed: int) -> Iterator[Problem]:
    """`count` of them, in turn easy ones (false everywhere) and hard ones (true somewhere)."""
    rng = Random(seed)
    drawn = {problem.name: pictures(problem) for problem in problems}
    left = {True: count // 2, False: count - count // 2}
    for _ in range(400 * count):
        if not any(left.values()):
            return
        problem = rng.choice(problems)
        goal = perturbed(problem, rng)
        if goal is None:
            continue
        truths = [holds(goal, at, tolerance=1e-6) for at in drawn[problem.name]]
        if not truths or all(truths):
            continue
        is_hard = any(truths)
        if left[is_hard]:
            left[is_hard] -= 1
            yield Problem(
                name=f"{problem.name}{' (hard)' if is_hard else ''}",
                clauses=problem.clauses,
                goal=goal,
                places=problem.places,
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", default=os.environ.get("GNOMON_DATA"))
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--time", type=float, default=0.5, help="seconds for each statement")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", action="store_true", help="write the result's file")
    options = parser.parse_args()
    if options.data is None:
        parser.error("--data DIR (or GNOMON_DATA) must name the folder of the two files")
    problems = [
        problem
        for name in FILES
        for problem in parse_problems(
            (Path(options.data) / f"{name}.txt").read_text(encoding="utf-8")
        )
    ]
    answers: Counter[str] = Counter()
    wrong = []
    for problem in false_statements(problems, options.count, options.seed):
        try:
            status = solve(problem, time_s=options.time, seed=options.seed, minimise_s=0).status
        except GnomonError as error:
            answers[f"error: {type(error).__name__}"] += 1
            continue
        answers[status.value] += 1
        if status is Status.PROVED:
            wrong.append(f"{problem.name}: {problem.goal}")
    row = {"false statements": sum(answers.values()), '"proved"': len(wrong), **answers}
    print_table([row])
    publish(
        "geometry-false",
        {"time_s": options.time, "answers": dict(answers), "wrongly proved": wrong},
        is_kept=options.keep,
    )


if __name__ == "__main__":
    main()
