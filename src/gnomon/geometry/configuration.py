"""Which configurations of a problem there are, and in which of them its goal is true."""

from __future__ import annotations

import itertools
import time
from dataclasses import dataclass

from gnomon.geometry.diagram import Diagram, DiagramError, draw, draw_many
from gnomon.geometry.language import Problem
from gnomon.geometry.predicates import holds

_CHOICES = 24  # how many are looked at for one in which the goal is true
_PICTURES = 3  # of each; the engine sees two
_MORE_PICTURES = 60  # each of its own choice: a goal that is proved should be true in them
_ENOUGH = 10  # of these, to speak of every configuration
_MOST_LATE_S = 8.0  # to draw as many, after the time is over


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """A choice of intersections in which the goal is true, as far as pictures tell."""

    choice: int
    diagrams: tuple[Diagram, ...]
    counterexample: Diagram | None  # a picture of another choice in which it is not


@dataclass(frozen=True, slots=True, kw_only=True)
class Elsewhere:
    """What pictures of many choices say about a goal that was proved in one."""

    counterexample: Diagram | None
    pictures: int  # how many could be drawn, and were looked at

    @property
    def is_true(self) -> bool:
        """Whether enough pictures were looked at, and the goal is true in all of them."""
        return self.counterexample is None and self.pictures >= _ENOUGH


def find_configuration(problem: Problem, *, seed: int) -> Configuration | Diagram:
    """Pictures in which the goal is true, or a counterexample. Raises DiagramError."""
    assert problem.goal is not None
    counterexample: Diagram | None = None
    failure: DiagramError | None = None
    for choice in range(_CHOICES):
        try:
            drawn = tuple(itertools.islice(draw_many(problem, seed=seed, choice=choice), _PICTURES))
        except DiagramError as error:
            failure = error
            if choice == 1 and counterexample is None:
                break  # twice in vain: more choices do not help
            continue
        wrong = next((at for at in drawn if not holds(problem.goal, at)), None)
        if wrong is None:
            return Configuration(choice=choice, diagrams=drawn, counterexample=counterexample)
        counterexample = counterexample or wrong
    if counterexample is None:
        assert failure is not None
        raise failure
    return counterexample


def look_elsewhere(problem: Problem, *, seed: int, time_s: float = 10.0) -> Elsewhere:
    """Look for a picture, of any choice that can be drawn, in which the goal is not true. The time
    ends it when enough pictures were looked at.
    """
    assert problem.goal is not None
    end = time.perf_counter() + time_s
    pictures = 0
    for choice in range(1, _MORE_PICTURES + 1):
        if time.perf_counter() - end > (0 if pictures >= _ENOUGH else _MOST_LATE_S):
            break
        try:
            at = draw(problem, seed=seed + choice, choice=choice, is_wide=True)
        except DiagramError:
            continue
        pictures += 1
        if not holds(problem.goal, at, tolerance=1e-6):
            return Elsewhere(counterexample=at, pictures=pictures)
    return Elsewhere(counterexample=None, pictures=pictures)
