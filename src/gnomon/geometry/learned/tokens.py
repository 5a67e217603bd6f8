"""Problems and proposals as tokens.

A problem is written clause by clause as in its text, points by their order of appearance; a
proposal is a construction (`gnomon.geometry.auxiliary.forms`) and the points that it uses.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from gnomon.geometry.auxiliary import forms
from gnomon.geometry.constructions import CONSTRUCTIONS
from gnomon.geometry.language import Clause, Problem
from gnomon.geometry.predicates import PREDICATES

MOST_POINTS = 40
MOST_TOKENS = 320  # of a problem; a longer one keeps its end, where the goal is
MOST_PROPOSED = 6  # tokens of a proposal: the construction and up to five points

_MARKS = ("<pad>", "<propose>", ";", ",", "=", "?", "#")


@cache
def vocabulary() -> dict[str, int]:
    """Marks, constructions, predicates, proposals and points, in this order."""
    words = [
        *_MARKS,
        *(f"construction {name}" for name in sorted(CONSTRUCTIONS)),
        *(f"predicate {name}" for name in sorted(PREDICATES)),
        *(f"propose {form}" for form in forms()),
        *(f"point {number}" for number in range(MOST_POINTS)),
    ]
    return {word: number for number, word in enumerate(words)}


def form_token(form: int) -> int:
    """The token of a construction that is proposed."""
    return vocabulary()[f"propose {forms()[form]}"]


def point_token(number: int) -> int:
    """The token of a point."""
    return vocabulary()["point 0"] + number


@cache
def form_points(form: int) -> int:
    """How many points a construction uses."""
    return len({word for word in forms()[form].replace(",", " ").split() if len(word) == 1}) - 1


def encode(problem: Problem) -> list[int]:
    """The tokens of a problem with its goal. Raises ValueError where it has too many points."""
    known = vocabulary()
    points = {name: number for number, name in enumerate(problem.points)}
    if len(points) > MOST_POINTS:
        raise ValueError(f"more than {MOST_POINTS} points")
    tokens: list[int] = []
    for clause in problem.clauses:
        tokens += [point_token(points[name]) for name in clause.points]
        for index, step in enumerate(clause.steps):
            tokens.append(known["=" if index == 0 else ","])
            tokens.append(known[f"construction {step.construction.name}"])
            for name in step.construction.signature:
                bound = step.binding[name]
                tokens.append(point_token(points[bound]) if isinstance(bound, str) else known["#"])
        tokens.append(known[";"])
    if problem.goal is not None:
        tokens += [known["?"], known[f"predicate {problem.goal.predicate}"]]
        tokens += [point_token(points[name]) for name in problem.goal.points]
    return [*tokens, known["<propose>"]][-MOST_TOKENS:]


def form_of(clause: Clause, points: Sequence[str]) -> tuple[int, tuple[int, ...]] | None:
    """The proposal that a clause of one point is, if it is one: (form, points by number)."""
    if len(clause.points) != 1:
        return None
    words = ", ".join(map(str, clause.steps)).replace(",", " ,").split()
    for form, text in enumerate(forms()):
        pattern = text.replace(",", " ,").split()
        bound = {"x": clause.points[0]}
        if len(pattern) == len(words) and all(
            word == part if len(part) > 1 or part == "," else bound.setdefault(part, word) == word
            for part, word in zip(pattern, words, strict=True)
        ):
            letters = sorted(set(bound) - {"x"})
            return form, tuple(points.index(bound[letter]) for letter in letters)
    return None
