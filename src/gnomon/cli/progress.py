"""Progress on stderr: a bar in a terminal, a line now and then everywhere else."""

from __future__ import annotations

import sys
import time
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from gnomon.progress import Progress as Step

_SECONDS_BETWEEN_LINES = 10.0


class ProgressDisplay:
    """Shows steps while it is open; call it with each one.

    >>> with ProgressDisplay(quiet=True) as show:
    ...     pass  # long_job(on_progress=show)
    """

    def __init__(self, *, quiet: bool = False) -> None:
        console = Console(stderr=True, highlight=False)
        self._quiet = quiet
        self._stage: str | None = None
        self._last_line_s = 0.0
        self._bars: Progress | None = None
        if not quiet and console.is_terminal:
            self._bars = Progress(
                TextColumn("{task.description}", markup=False),
                BarColumn(bar_width=28),
                TextColumn("{task.fields[count]}", markup=False),
                TimeElapsedColumn(),
                TextColumn("{task.fields[detail]}", style="dim", markup=False),
                console=console,
            )
        self._task = None

    def __enter__(self) -> ProgressDisplay:
        if self._bars:
            self._bars.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bars:
            if self._task is not None and kind is None:
                self._finish()
            self._bars.stop()

    def __call__(self, step: Step) -> None:
        if self._quiet:
            return
        if self._bars:
            self._move_bar(step)
        else:
            self._print_line(step)

    def _move_bar(self, step: Step) -> None:
        assert self._bars is not None
        if step.is_note:
            self._bars.console.print(f"{step.stage}  {step.detail}", markup=False)
            return
        if step.stage != self._stage:
            if self._task is not None:
                self._finish()
            self._task = self._bars.add_task(step.stage, total=None, count="", detail="")
            self._stage = step.stage
        assert self._task is not None
        self._bars.update(
            self._task,
            completed=step.done,
            total=step.total or None,
            count=f"{step.done}/{step.total}" if step.total else "",
            detail=step.detail,
        )

    def _finish(self) -> None:
        """Leave the stage's bar full: a stage that was of unknown length has ended too."""
        assert self._bars is not None
        assert self._task is not None
        task = next(task for task in self._bars.tasks if task.id == self._task)
        total = task.total or 1
        count = f"{total:.0f}/{total:.0f}" if task.total else ""
        self._bars.update(self._task, total=total, completed=total, count=count, detail="")
        self._bars.stop_task(self._task)

    def _print_line(self, step: Step) -> None:
        now_s = time.monotonic()
        is_new = step.stage != self._stage
        is_last = step.total > 0 and step.done >= step.total
        is_due = now_s - self._last_line_s > _SECONDS_BETWEEN_LINES
        if not (step.is_note or is_new or is_last or is_due):
            return
        self._stage, self._last_line_s = step.stage, now_s
        count = f" {step.done}/{step.total}" if step.total else ""
        detail = f"  {step.detail}" if step.detail else ""
        print(f"{step.stage}{count}{detail}", file=sys.stderr, flush=True)
