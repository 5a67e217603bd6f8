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
