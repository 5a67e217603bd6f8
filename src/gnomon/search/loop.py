"""One loop for all provers: the cheapest open step is tried next.

A prover brings a state of its own kind (a saturated figure, a goal with its hypotheses), a proposer
that says which steps might help there and how likely each is, and a verifier that takes a step: it
ends the search (`Accepted`), leads to another state (`Extended`), or leads nowhere (`Rejected`).

A sequence of steps costs the sum of the steps' -log(probability), and sequences are tried in the
order of their cost: so that a likely second step comes before an unlikely first one, and depth
needs no schedule. (Orseau et al., "Single-agent policy tree search with guarantees", 2018.)

    outcome = search(root, proposer, verifier, time_s=10, threads=2)
    if outcome.result is not None: ...
"""

from __future__ import annotations

import heapq
import itertools
import threading
import time
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

S = TypeVar("S")  # a state
P = TypeVar("P")  # a step
R = TypeVar("R")  # what an accepted step ends with
S_in = TypeVar("S_in", contravariant=True)
P_in = TypeVar("P_in", contravariant=True)


@dataclass(frozen=True, slots=True)
class Proposal(Generic[P]):
    """A step and how likely it is to be the right one; `cost` is -log of that, in nats."""

    step: P
    cost: float


@dataclass(frozen=True, slots=True)
class Accepted(Generic[R]):
    """The search is over: this is the result."""

    result: R


@dataclass(frozen=True, slots=True)
class Extended(Generic[S]):
    """The step was possible, and the search may go on from this state."""

    state: S


@dataclass(frozen=True, slots=True)
class Rejected:
    """Nothing comes of the step."""

    reason: str


Verdict = Accepted[R] | Extended[S] | Rejected


class Proposer(Protocol[S_in, P]):
    """Says what might be tried in a state."""

    def propose(self, state: S_in) -> Sequence[Proposal[P]]:
        """Steps, the cheapest first. Called from several threads."""
        ...


class Verifier(Protocol[S, P_in, R]):
    """Says what comes of a step."""

    def verify(self, state: S, step: P_in) -> Verdict[R, S]:
        """The same verdict for the same step, every time. Called from several threads."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome(Generic[R]):
    """How a search ended."""

    result: R | None
    attempts: int  # verified steps, repetitions not counted
    expanded: int  # states about which the proposer was asked
    rejections: int
    seconds: float
    is_exhausted: bool  # everything was tried, within the depth


class _Node:
    """A state, by the way to it."""

    __slots__ = ("cost", "depth", "parent", "proposals", "step")

    def __init__(self, parent: _Node | None, step: Any, cost: float) -> None:
        self.parent = parent
        self.step = step
        self.cost = cost
        self.depth: int = 0 if parent is None else parent.depth + 1
        self.proposals: Sequence[Proposal] = ()


class _Search(Generic[S, P, R]):
    """The open steps and states of one search, shared by its threads."""

    def __init__(
        self,
        root: S,
        proposer: Proposer[S, P],
        verifier: Verifier[S, P, R],
        *,
        deadline: float,
        most_depth: int,
        least_cost: float,
        most_states: int,
    ) -> None:
        self._proposer = proposer
        self._verifier = verifier
        self._deadline = deadline
        self._most_depth = most_depth
        self._least_cost = least_cost
        self._most_states = most_states
        self._root = root
        self._states: OrderedDict[_Node, S] = OrderedDict()
        self._lock = threading.Condition()
        self._ties = itertools.count()
        # (cost, tie, node, number of the proposal to try, or -1: ask the proposer)
        self._open: list[tuple[float, int, _Node, int]] = []
        self._busy = 0
        self._error: BaseException | None = None
        self.result: R | None = None
        self.is_exhausted = False
        self.attempts = self.expanded = self.rejections = 0
        self._push(0.0, _Node(None, None, 0.0), -1)

    def work(self) -> None:
        """Takes open steps until the search is over."""
        while (taken := self._take()) is not None:
            node, number = taken
            try:
                if number < 0:
                    self._expand(node)
                else:
                    self._attempt(node, number)
            except BaseException as error:
                with self._lock:
                    self._error = self._error or error
            finally:
                with self._lock:
                    self._busy -= 1
                    self._lock.notify_all()

    def raise_error(self) -> None:
        """What a proposer or verifier raised is the caller's to see."""
        if self._error is not None:
            raise self._error

    def _take(self) -> tuple[_Node, int] | None:
        with self._lock:
            while True:
                is_over = self.result is not None or self._error is not None
                if is_over or time.perf_counter() >= self._deadline:
                    return None
                if self._open:
                    _, _, node, number = heapq.heappop(self._open)
                    self._busy += 1
                    return node, number
                if self._busy == 0:
                    self.is_exhausted = True
                    self._lock.notify_all()
                    return None
                self._lock.wait(timeout=0.05)

    def _push(self, cost: float, node: _Node, number: int) -> None:
        heapq.heappush(self._open, (cost, next(self._ties), node, number))

    def _expand(self, node: _Node) -> None:
        proposals = self._proposer.propose(self._state(node))
        with self._lock:
            self.expanded += 1
            if proposals:
                node.proposals = proposals
                self._push(node.cost + proposals[0].cost, node, 0)

    def _attempt(self, node: _Node, number: int) -> None:
        proposal = node.proposals[number]
        if number + 1 < len(node.proposals):
            with self._lock:
                self._push(node.cost + node.proposals[number + 1].cost, node, number + 1)
        verdict = self._verifier.verify(self._state(node), proposal.step)
        with self._lock:
            self.attempts += 1
            if isinstance(verdict, Accepted):
                self.result = verdict.result if self.result is None else self.result
            elif isinstance(verdict, Rejected):
                self.rejections += 1
            elif node.depth + 1 < self._most_depth:
                child = _Node(node, proposal.step, node.cost + proposal.cost)
                self._push(child.cost + self._least_cost, child, -1)

    def _state(self, node: _Node) -> S:
        """A node's state; what has been forgotten is made again, from the next one that has not."""
        if node.parent is None:
            return self._root
        with self._lock:
            if node in self._states:
                self._states.move_to_end(node)
                return self._states[node]
        verdict = self._verifier.verify(self._state(node.parent), node.step)
        assert isinstance(verdict, Extended), "a verifier has changed its mind"
        with self._lock:
            self._states[node] = verdict.state
            while len(self._states) > self._most_states:
                self._states.popitem(last=False)
        return verdict.state


def search(
    root: S,
    proposer: Proposer[S, P],
    verifier: Verifier[S, P, R],
    *,
    time_s: float,
    threads: int = 1,
    most_depth: int = 3,
    least_cost: float = 0.0,
    most_states: int = 512,
) -> Outcome[R]:
    """Try steps from `root` on until one is accepted, nothing is open, or the time is over.

    `least_cost` is what every proposal costs at least: a state is looked at no earlier than its
    best step could come. At most `most_states` states are kept; others are made again when they
    are needed. With one thread the order of trials is always the same. What a proposer or verifier
    raises ends the search and is raised here.
    """
    start = time.perf_counter()
    state = _Search(
        root,
        proposer,
        verifier,
        deadline=start + time_s,
        most_depth=most_depth,
        least_cost=least_cost,
        most_states=most_states,
    )
    helpers = [threading.Thread(target=state.work, daemon=True) for _ in range(threads - 1)]
    for helper in helpers:
        helper.start()
    state.work()
    for helper in helpers:
        helper.join()
    state.raise_error()
    return Outcome(
        result=state.result,
        attempts=state.attempts,
        expanded=state.expanded,
        rejections=state.rejections,
        seconds=time.perf_counter() - start,
        is_exhausted=state.is_exhausted,
    )
