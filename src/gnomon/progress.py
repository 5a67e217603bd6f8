"""`Progress`: what a long job tells whoever watches it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """`done` of `total` in a stage; a `total` of 0 means that nobody knows yet.

    A note is no stage that goes on, but a sentence to be left standing.
    """

    stage: str
    done: int
    total: int
    detail: str = ""
    is_note: bool = False


OnProgress = Callable[[Progress], None]


def within(stage: str, on_progress: OnProgress) -> OnProgress:
    """For a job that is one stage of a larger one: its own stages become the detail.

    >>> within("compressing", print)(Progress(stage="round", done=3, total=31, detail="3"))
    Progress(stage='compressing', done=3, total=31, detail='round 3', is_note=False)
    """

    def report(step: Progress) -> None:
        detail = f"{step.stage} {step.detail}".rstrip()
        on_progress(replace(step, stage=stage, detail=detail))

    return report
