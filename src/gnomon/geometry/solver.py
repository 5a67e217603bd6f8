"""From a problem to an answer: draw it, deduce, add points, check the proof."""

from __future__ import annotations

import itertools
import time
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any, Literal

from gnomon.errors import DataError, UsageError
from gnomon.geometry.auxiliary import Figure, HeuristicProposer, PointVerifier, clause_of
from gnomon.geometry.check import ProofRejected, check, check_added, is_true_in
from gnomon.geometry.configuration import Configuration, find_configuration, look_elsewhere
from gnomon.geometry.diagram import Diagram, DiagramError, draw_many
from gnomon.geometry.drawing import clarity
from gnomon.geometry.language import MOST_POINTS, Clause, Problem
from gnomon.geometry.minimise import minimise
from gnomon.geometry.native import make_state, proof_of, to_native
from gnomon.geometry.proof import Proof
from gnomon.search import Outcome, search

if TYPE_CHECKING:
    from gnomon._native import GeometryState

Points = Literal["heuristic", "learned", "mixed", "none"]

_FRESH = 24  # pictures for the checker: three are enough if they show the same configuration
_PICTURES = 3
_MOST_ADDED = 4
_LEAST_LOOK_S = 2.0  # at pictures of other configurations, however little time is left


class Status(Enum):
    """How an attempt ended."""

    PROVED = "proved"
    PROVED_IN_PART = "proved in some configurations"  # others contradict it, or are not drawn
    NOT_FOUND = "not found"  # nothing more follows from the rules, or the time is over
    FALSE = "false"


@dataclass(frozen=True, slots=True, kw_only=True)
class Solution:
    """What became of a problem."""

    status: Status
    problem: Problem  # with the auxiliary points that the proof needs
    added: tuple[Clause, ...]  # these points
    diagram: Diagram  # of that problem, in which the proof is true; for FALSE a counterexample
    proof: Proof | None
    counterexample: Diagram | None  # for FALSE, and for PROVED_IN_PART where one was found
    refusal: str  # why the checker did not accept what was found first; empty where it did
    facts: int  # how many the engine derived alone
    attempts: int  # how many points were tried
    seconds: float
    search_s: float  # of these, for trying points
    is_time_over: bool  # for NOT_FOUND: there was more to try
    # False: a step of the proof is not true for other intersections or orders of points.
    is_every_choice: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class _Accepted:
    """A proof that the checker has accepted, and for what."""

    proof: Proof
    problem: Problem
    added: tuple[Clause, ...]
    diagram: Diagram
    is_every_choice: bool


def solve(
    problem: Problem,
    *,
    time_s: float = 60.0,
    threads: int = 1,
    seed: int = 0,
    points: Points = "heuristic",
    minimise_s: float = 2.0,
) -> Solution:
    """Deduce the goal of `problem`, with auxiliary points where it does not follow without
    (`points` says who proposes them; "none": nobody). A proof is returned only if the checker
    accepts it; up to `minimise_s` of processor time goes into making it shorter.

    >>> text = "a b c = triangle a b c; h = orthocenter h a b c ? perp c h a b"
    >>> solve(Problem.parse(text)).status.value
    'proved'
    """
    start = time.perf_counter()
    if problem.goal is None:
        raise DataError("the problem has no goal; add '? ' and what is to be shown")
    if problem.more_goals:
        raise UsageError(
            f"the problem has {1 + len(problem.more_goals)} goals; solve its parts() one by one"
        )
    if not time_s >= 0:
        raise UsageError(f"the time must be 0 seconds or more, not {time_s}")
    if threads < 1:
        raise UsageError(f"the threads must be 1 or more, not {threads}")

    def remaining_s() -> float:
        return max(0.0, time_s - (time.perf_counter() - start))

    found = find_configuration(problem, seed=seed)
    if isinstance(found, dict):
        return Solution(
            status=Status.FALSE,
            problem=problem,
            added=(),
            diagram=found,
            proof=None,
            counterexample=found,
            refusal="",
            facts=0,
            attempts=0,
            seconds=time.perf_counter() - start,
            search_s=0.0,
            is_time_over=False,
            is_every_choice=True,
        )
    state = make_state(problem, found.diagrams)
    judge = _Judge(problem, found, seed=seed + 1, minimise_s=minimise_s)
    accepted = None
    if remaining_s() > 0 and state.solve(judge.goal, time_s=remaining_s()):
        accepted = judge.accept(Figure(state))
    facts, attempts, search_s = state.facts, 0, 0.0
    if accepted is None and points != "none" and remaining_s() > 0:
        proposer = _proposer(points, problem, found, judge)
        outcome = _add_points(state, judge, proposer, time_s=remaining_s(), threads=threads)
        accepted, attempts, search_s = outcome.result, outcome.attempts, outcome.seconds
    counterexample, status = None, Status.NOT_FOUND
    if accepted is not None:
        counterexample, status = found.counterexample, Status.PROVED_IN_PART
        if counterexample is None:
            elsewhere = look_elsewhere(
                problem, seed=seed + 2, time_s=max(remaining_s(), _LEAST_LOOK_S)
            )
            counterexample = elsewhere.counterexample
            status = Status.PROVED if elsewhere.is_true else Status.PROVED_IN_PART
    return Solution(
        status=status,
        problem=accepted.problem if accepted else problem,
        added=accepted.added if accepted else (),
        diagram=accepted.diagram if accepted else found.diagrams[0],
        proof=accepted.proof if accepted else None,
        counterexample=counterexample,
        refusal="" if accepted else judge.refusal,
        facts=facts,
        attempts=attempts,
        seconds=time.perf_counter() - start,
        search_s=search_s,
        is_time_over=accepted is None and remaining_s() == 0,
        is_every_choice=bool(accepted and accepted.is_every_choice and status is Status.PROVED),
    )


def _proposer(points: Points, problem: Problem, found: Configuration, judge: _Judge) -> Any:
    if points == "heuristic":
        return HeuristicProposer(judge.goal, seed=judge.seed)
    from gnomon.geometry.learned.model import Model
    from gnomon.geometry.learned.proposer import LearnedProposer, MixedProposer

    model = Model.load()
    if points == "learned":
        return LearnedProposer(model, problem, found.diagrams)
    if points == "mixed":
        return MixedProposer(model, problem, found.diagrams, judge.goal, seed=judge.seed)
    raise UsageError(f"points are heuristic, learned, mixed or none, not '{points}'")


def _add_points(
    state: GeometryState, judge: _Judge, proposer: Any, *, time_s: float, threads: int
) -> Outcome[_Accepted]:
    return search(
        Figure(state),
        proposer,
        PointVerifier(judge.goal, judge.accept),
        time_s=time_s,
        threads=threads,
        most_depth=min(_MOST_ADDED, MOST_POINTS - state.points),
        least_cost=proposer.least_cost,
    )


class _Judge:
    """Lets the checker decide about a figure in which the engine takes the goal for known."""

    def __init__(
        self, problem: Problem, found: Configuration, *, seed: int, minimise_s: float
    ) -> None:
        assert problem.goal is not None
        self.goal = to_native(problem.goal, problem.points)
        self.refusal = ""
        self._goal = problem.goal
        self._problem = problem
        self._found = found
        self.seed = seed
        self._minimise_s = minimise_s

    def accept(self, figure: Figure) -> _Accepted | None:
        """The checked proof, with the added points that it needs; None where it is refused."""
        names = list(self._problem.points)
        texts = []
        diagrams = [dict(at) for at in self._found.diagrams[:2]]
        for point, name in zip(figure.added, _new_names(names), strict=False):
            texts.append(clause_of(point, name, names))
            names.append(name)
            for at, place in zip(diagrams, point.places, strict=True):
                at[name] = place
        proof = proof_of(figure.state, self.goal, names)
        first = self._judge(proof, texts)
        if first is None:
            return None
        proofs = minimise(
            proof,
            goal=self._goal,
            facts=first.problem.facts(),
            diagrams=diagrams,
            added=[point for clause in first.added for point in clause.points],
            seed=self.seed,
            time_s=self._minimise_s,
        )
        for proof in proofs[:-1]:
            shorter = self._judge(proof, texts)
            if shorter is not None and shorter.is_every_choice >= first.is_every_choice:
                return shorter
        return first

    def _judge(self, proof: Proof, texts: list[str]) -> _Accepted | None:
        texts = _needed(texts, proof)
        problem = self._problem.extended("; ".join(texts)) if texts else self._problem
        added = problem.clauses[len(self._problem.clauses) :]
        try:
            check_added(added)
            diagram, is_every_choice = self._check(proof, problem)
        except (ProofRejected, DiagramError) as error:
            self.refusal = str(error)
            return None
        return _Accepted(
            proof=proof,
            problem=problem,
            added=added,
            diagram=diagram,
            is_every_choice=is_every_choice,
        )

    def _check(self, proof: Proof, problem: Problem) -> tuple[Diagram, bool]:
        """A picture, and whether any fresh one may be taken. Raises ProofRejected.

        A fresh diagram may show another configuration: the other of two intersections, another
        order of points on a line. Then the proof is for that in which all its steps are true.
        """
        pictures = draw_many(problem, seed=self.seed, choice=self._found.choice)
        fresh = list(itertools.islice(pictures, _FRESH))
        try:
            check(proof, problem, fresh[:_PICTURES])
            return max((at for at in fresh if is_true_in(proof, at)), key=clarity), True
        except ProofRejected:
            alike = [at for at in fresh if is_true_in(proof, at)]
            if len(alike) < _PICTURES:
                raise
            check(proof, problem, alike)
            return max(alike, key=clarity), False


def _new_names(used: list[str]) -> Any:
    """Names for added points: letters that are free, then p1, p2, …"""
    letters = "xyzpqrstuvwkmnlgjhefabcd"
    return (
        name
        for name in itertools.chain(letters, (f"p{number}" for number in itertools.count(1)))
        if name not in used
    )


def _needed(texts: list[str], proof: Proof) -> list[str]:
    """The clauses of the added points that a proof speaks of, and of those that these need."""
    needed = {point for step in proof.steps for point in step.conclusion.points}
    kept = []
    for text in reversed(texts):
        name, _, rest = text.partition(" = ")
        if name in needed:
            needed.update(rest.replace(",", " ").split())
            kept.append(text)
    return kept[::-1]
