"""The loop where it can be counted by hand: reach a number from 1 by doubling and adding."""

from __future__ import annotations

import math

import pytest

from gnomon.search import Accepted, Extended, Proposal, Rejected, search


class Steps:
    """Doubling is likely, adding one is not."""

    def propose(self, state: tuple[int, str]) -> list[Proposal[str]]:
        return [Proposal("double", math.log(4 / 3)), Proposal("add", math.log(4))]


class Reach:
    def __init__(self, goal: int) -> None:
        self.goal = goal
        self.seen: list[int] = []

    def verify(self, state: tuple[int, str], step: str):
        number, way = state
        reached = number * 2 if step == "double" else number + 1
        self.seen.append(reached)
        if reached == self.goal:
            return Accepted(way + step[0])
        return Rejected("too far") if reached > self.goal else Extended((reached, way + step[0]))


@pytest.mark.parametrize("threads", [1, 3])
def test_the_way_is_found(threads: int) -> None:
    outcome = search((1, ""), Steps(), Reach(11), time_s=20, threads=threads, most_depth=8)
    assert outcome.result is not None
    number = 1
    for letter in outcome.result:
        number = number * 2 if letter == "d" else number + 1
    assert number == 11
    assert outcome.attempts >= 5


def test_cheaper_sequences_come_first() -> None:
    # Four doublings cost 4 log(4/3) = 1.15, less than one addition: log 4 = 1.39.
    reach = Reach(100)
    search((1, ""), Steps(), reach, time_s=20, most_depth=4)
    assert list(dict.fromkeys(reach.seen))[:4] == [2, 4, 8, 16]


def test_the_depth_is_kept_and_everything_within_it_is_tried() -> None:
    outcome = search((1, ""), Steps(), Reach(1000), time_s=20, most_depth=3)
    assert outcome.result is None
    assert outcome.is_exhausted
    assert outcome.attempts == 2 + 4 + 8
    assert outcome.expanded == 1 + 2 + 4


def test_states_are_made_again_when_they_were_forgotten() -> None:
    few = search((1, ""), Steps(), Reach(1000), time_s=20, most_depth=4, most_states=1)
    many = search((1, ""), Steps(), Reach(1000), time_s=20, most_depth=4)
    assert few.attempts == many.attempts == 30


def test_no_time_means_no_attempt() -> None:
    outcome = search((1, ""), Steps(), Reach(2), time_s=0)
    assert outcome.result is None
    assert outcome.attempts == 0
    assert not outcome.is_exhausted


@pytest.mark.parametrize("threads", [1, 2])
def test_an_error_of_the_verifier_is_raised(threads: int) -> None:
    class Broken:
        def verify(self, state, step):
            raise ZeroDivisionError("broken")

    with pytest.raises(ZeroDivisionError, match="broken"):
        search((1, ""), Steps(), Broken(), time_s=20, threads=threads)
