"""The learned proposer, and the one that mixes it with the heuristic."""

from __future__ import annotations

import math
from collections.abc import Sequence

from gnomon.geometry.auxiliary import (
    POINT_COST,
    AuxiliaryPoint,
    Figure,
    HeuristicProposer,
    Native,
    Step,
    clause_of,
)
from gnomon.geometry.diagram import Diagram, place
from gnomon.geometry.language import Problem
from gnomon.geometry.learned.model import Model
from gnomon.geometry.learned.tokens import encode
from gnomon.search import Proposal

_MOST = 48  # proposals about one state


class LearnedProposer:
    """Asks the transformer; the likeliest proposal that can be drawn comes first."""

    least_cost = POINT_COST

    def __init__(self, model: Model, problem: Problem, diagrams: Sequence[Diagram]) -> None:
        self._model = model
        self._problem = problem
        self._diagrams = diagrams[:2]

    def rank(self, state: Figure) -> list[AuxiliaryPoint]:
        """Points to add, the likeliest first."""
        problem, names = self._problem, list(self._problem.points)
        pictures = [dict(at) for at in self._diagrams]
        for number, point in enumerate(state.added):
            name = f"added{number}"
            problem = problem.extended(clause_of(point, name, names))
            names.append(name)
            for at, where in zip(pictures, point.places, strict=True):
                at[name] = where
        try:
            guesses = self._model.propose(encode(problem), len(names), most=_MOST)
        except ValueError:
            return []  # more points than the model has names for
        found = []
        for guess in guesses:
            point = AuxiliaryPoint(guess.form, guess.points, (0j, 0j), guess.log_probability)
            clause = problem.extended(clause_of(point, "new", names)).clauses[-1]
            try:
                first, second = (place(clause, at, seed=0)["new"] for at in pictures)
            except ArithmeticError:
                continue
            found.append(
                AuxiliaryPoint(guess.form, guess.points, (first, second), guess.log_probability)
            )
        return found

    def propose(self, state: Figure) -> list[Proposal[Step]]:
        """Steps, the likeliest first."""
        found = self.rank(state)
        return [
            Proposal(Step((point,), (found, rank + 1)), POINT_COST + math.log1p(rank))
            for rank, point in enumerate(found)
        ]


class MixedProposer:
    """The heuristic's proposals, and after every one of the first ones a learned one."""

    least_cost = POINT_COST

    def __init__(
        self,
        model: Model,
        problem: Problem,
        diagrams: Sequence[Diagram],
        goal: Native,
        *,
        seed: int = 0,
    ) -> None:
        self._heuristic = HeuristicProposer(goal, seed=seed)
        self._learned = LearnedProposer(model, problem, diagrams)

    def propose(self, state: Figure) -> Sequence[Proposal[Step]]:
        """Steps in turn from both, as long as there are learned ones."""
        return _InTurn(self._learned.propose(state), self._heuristic.propose(state))


class _InTurn(Sequence[Proposal[Step]]):
    """One from the first sequence, one from the second; then the rest of the second."""

    def __init__(self, first: Sequence[Proposal], second: Sequence[Proposal]) -> None:
        self._first = first
        self._second = second

    def __len__(self) -> int:
        return len(self._first) + len(self._second)

    def __getitem__(self, number: int) -> Proposal[Step]:  # type: ignore[override]
        if not 0 <= number < len(self):
            raise IndexError(number)
        short = min(len(self._first), len(self._second))
        if number < 2 * short:
            source, index = (self._second, self._first)[number % 2 == 0], number // 2
        else:
            rest = number - 2 * short
            source = self._first if len(self._first) > short else self._second
            index = short + rest
        return Proposal(source[index].step, POINT_COST + math.log1p(number))
