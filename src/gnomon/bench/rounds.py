"""`measure`: every case of every contender, in turns.

In each round all contenders run the case one after the other, so that whatever else the machine
does meets them all; the median over the rounds is what counts.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from gnomon.bench.cases import Case
from gnomon.progress import OnProgress, Progress


class Contender(Protocol):
    name: str

    def takes(self, case: Case) -> bool:
        """Whether it can run the case at all."""
        ...

    def speed(self, case: Case) -> float:
        """Tokens a second."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Speed:
    """One case's figure: the median of its rounds, and the slowest and the fastest."""

    case: Case
    tokens_per_second: float
    slowest: float
    fastest: float


def measure(
    contenders: Sequence[Contender],
    cases: Sequence[Case],
    *,
    rounds: int,
    on_progress: OnProgress = lambda progress: None,
) -> list[list[Speed]]:
    """For each contender the speeds of the cases that it takes, in their order."""
    speeds: list[list[Speed]] = [[] for _ in contenders]
    for number, case in enumerate(cases):
        on_progress(Progress(stage="bench", done=number, total=len(cases), detail=str(case)))
        taking = [index for index, one in enumerate(contenders) if one.takes(case)]
        found: dict[int, list[float]] = {index: [] for index in taking}
        for _ in range(rounds):
            for index in taking:
                found[index].append(contenders[index].speed(case))
        for index, values in found.items():
            speeds[index].append(
                Speed(
                    case=case,
                    tokens_per_second=statistics.median(values),
                    slowest=min(values),
                    fastest=max(values),
                )
            )
    on_progress(Progress(stage="bench", done=len(cases), total=len(cases)))
    return speeds
