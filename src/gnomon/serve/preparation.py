"""`Preparation`: requests on their way to texts, a few at once, in threads of their own.

Templates, tokens and grammars take time, so that the event loop does not wait for them; and what
has begun cannot be stopped, so that it keeps its thread and its place even when who asked has been
told that the time is up.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from gnomon.serve.scheduler import SHUTTING_DOWN, DrainingError, Scheduler

THREADS = 2
Prepared = TypeVar("Prepared")


class TimeLimitError(Exception):
    """The request's time was up before it was prepared."""


class Preparation:
    """Takes a place in the scheduler's line for each request until it is prepared."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="prepare")

    async def run(self, prepare: Callable[[], Prepared], *, deadline_s: float) -> Prepared:
        """What `prepare` returns or raises. Raises QueueFullError, DrainingError, and
        TimeLimitError once it is `deadline_s` (time.monotonic).
        """
        self._scheduler.take_place()
        work = self._threads.submit(prepare)
        work.add_done_callback(lambda _: self._scheduler.leave_place())
        prepared = asyncio.wrap_future(work)
        try:
            await asyncio.wait({prepared}, timeout=max(0.0, deadline_s - time.monotonic()))
            if not prepared.done():
                raise TimeLimitError("the request took longer than the server allows")
            if prepared.cancelled():
                raise DrainingError(SHUTTING_DOWN)
            return prepared.result()
        finally:
            prepared.cancel()  # what has not begun never will

    def stop(self) -> None:
        """Begin nothing more; who waits for it is told."""
        self._threads.shutdown(wait=False, cancel_futures=True)
