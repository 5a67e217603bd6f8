"""`Progress`: what a long job tells whoever watches it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """`done` of `total` in a stage; a `total` of 0 means that nobody knows yet."""

    stage: str
    done: int
    total: int
    detail: str = ""


OnProgress = Callable[[Progress], None]


def within(stage: str, on_progress: OnProgress) -> OnProgress:
    """For a job that is one stage of a larger one: its own stages become the detail.

    >>> within("compressing", print)(Progress(stage="round", done=3, total=31, detail="3"))
    Progress(stage='compressing', done=3, total=31, detail='round 3')
    """

    def report(step: Progress) -> None:
        detail = f"{step.stage} {step.detail}".rstrip()
        on_progress(Progress(stage=stage, done=step.done, total=step.total, detail=detail))

    return report
