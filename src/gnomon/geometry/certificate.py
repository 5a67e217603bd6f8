"""A proof in a file: the problem, the added points, the steps. Whoever has the file can check it.

{"format": "gnomon geometry proof 1", "problem": "a b c = …  ? …", "points": ["x = foot …"],
 "steps": [{"conclusion": …, "rule": …, "premises": [{"step": 0}, …]}, …]}
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from gnomon.errors import DataError
from gnomon.geometry.check import ProofRejected, check, check_added, is_true_in
from gnomon.geometry.diagram import Diagram, DiagramError, draw_many
from gnomon.geometry.language import Clause, Problem, ProblemError
from gnomon.geometry.proof import Proof

_CHOICES, _EACH, _LEAST = 24, 4, 3  # pictures: configurations, of each, and how many must agree
_LONGEST = 20_000_000  # characters of a file that is read


def to_dict(proof: Proof, problem: Problem, added: Sequence[Clause]) -> dict[str, Any]:
    """As plain data. `problem` ends with the clauses `added`."""
    given = replace(problem, clauses=problem.clauses[: len(problem.clauses) - len(added)])
    data = proof.to_dict()
    return {
        "format": data["format"],
        "problem": str(given),
        "points": [str(clause) for clause in added],
        "steps": data["steps"],
    }


def read(text: str) -> tuple[Proof, Problem, Problem]:
    """The proof in a file's text (from `--format json`, or within the answer of `--json`), its
    problem with the added points, and without them: these may not choose the configurations that
    count. Raises DataError, also where an added point would bring more than a point.
    """
    if len(text) > _LONGEST:
        raise DataError(f"the proof has more than {_LONGEST:,} characters; gnomon reads no more")
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DataError(f"a proof in JSON was expected: {error}") from error
    data = _within_answer(data)
    proof = Proof.from_dict(data)
    clauses, points = data.get("problem"), data.get("points", [])
    is_text = isinstance(clauses, str) and isinstance(points, list)
    if not is_text or not all(isinstance(point, str) for point in points):
        raise DataError("'problem' must be a text and 'points' a list of texts")
    try:
        problem = Problem.parse(clauses)
        if problem.more_goals:
            raise DataError(
                f"the problem in the proof has {1 + len(problem.more_goals)} goals, and a proof is "
                "of one; leave the others out"
            )
        if any("?" in point for point in points):
            raise DataError("an added point may not bring another goal")
        longer = problem.extended("; ".join(points)) if points else problem
    except ProblemError as error:
        raise DataError(f"the problem in the proof cannot be read: {error}") from error
    check_added(longer.clauses[len(problem.clauses) :])
    return proof, longer, problem


def _within_answer(data: Any) -> Any:
    """The proof in what `solve --json` prints; anything else as it is."""
    if not isinstance(data, dict) or "format" in data:
        return data
    if "parts" in data:
        raise DataError(
            "the file has answers to several goals, and one proof was expected; take one goal "
            "with 'solve --goal N --format json'"
        )
    if data.get("proof", "") is None:
        raise DataError(
            f"the file has no proof: the answer is '{data.get('status')}'; "
            "'solve --format json' writes a proof where one is found"
        )
    if "proof" not in data:
        raise DataError("the file is no proof; write one with 'solve --format json'")
    return data["proof"]


def verify(proof: Proof, problem: Problem, *, seed: int) -> int:
    """Check a proof in fresh diagrams of the configuration that it is about, and say in how many.
    Raises ProofRejected, or DiagramError where the problem cannot be drawn.
    """
    pictures: list[Diagram] = []
    failure: DiagramError | None = None
    for choice in range(_CHOICES):
        try:
            drawn = itertools.islice(draw_many(problem, seed=seed, choice=choice), _EACH)
            pictures = list(drawn)
        except DiagramError as error:
            failure = failure or error
            continue
        alike = [at for at in pictures if is_true_in(proof, at)]
        if len(alike) >= _LEAST:
            check(proof, problem, alike)
            return len(alike)
    if not pictures:
        assert failure is not None
        raise failure
    check(proof, problem, pictures)  # says which step is not true
    raise ProofRejected("the fresh diagrams of no configuration show all its steps")
