"""`Mailbox`: from the engine's thread to one coroutine that waits.

Events are put by the event loop's own thread (see `Scheduler`, which hands over a whole step at
once), so that no lock is needed and a step wakes the loop only once.
"""

from __future__ import annotations

import asyncio
from typing import Generic, TypeVar

Event = TypeVar("Event")


class Mailbox(Generic[Event]):
    """A queue that gives out everything that has come, so that who is slow gets more at once."""

    def __init__(self) -> None:
        self._events: list[Event] = []
        self._arrival: asyncio.Future[None] | None = None

    def put(self, event: Event) -> None:
        self._events.append(event)
        if self._arrival is not None and not self._arrival.done():
            self._arrival.set_result(None)

    async def take(self) -> list[Event]:
        """All events so far, at least one."""
        if not self._events:
            self._arrival = asyncio.get_running_loop().create_future()
            await self._arrival
            self._arrival = None
        taken, self._events = self._events, []
        return taken
