"""`Slots`: the sessions that texts are worked on in, and which of them a new text gets.

A session keeps what it read after its text is done, so that the next turn of a chat finds the turns
before it. What another session has read already is copied, not read again; so answers to one
prompt, and prompts with one beginning, cost one reading.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from gnomon.engine import Engine, Session
    from gnomon.serve.work import Work


class Slot:
    """A session and the text that is worked on in it, if any."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.work: Work | None = None
        self.last_used = 0  # by a counter of uses


class Slots:
    """As many texts at once as there are slots."""

    def __init__(self, engine: Engine, *, count: int, capacity: int) -> None:
        """Raises what `engine.session` raises. Memory is taken as texts fill it."""
        self._slots = [Slot(engine.session(capacity)) for _ in range(count)]
        self._uses = 0

    @property
    def busy(self) -> list[Slot]:
        return [slot for slot in self._slots if slot.work is not None]

    @property
    def has_room(self) -> bool:
        return any(slot.work is None for slot in self._slots)

    @property
    def held_tokens(self) -> int:
        return sum(slot.session.length for slot in self._slots)

    def take(self, work: Work) -> Slot:
        """A free slot for `work`, which begins; there must be one."""
        free = [slot for slot in self._slots if slot.work is None]
        slot = min(free, key=lambda slot: slot.last_used)
        kept = 0
        if work.reuses_prefix:
            shared = {slot: _shared_length(slot.session, work.prompt) for slot in self._slots}
            best = max(self._slots, key=lambda slot: shared[slot])
            own = max(free, key=lambda slot: shared[slot])
            kept = shared[best]
            # A chat's next turn goes on in the session of the turns before; nothing is copied.
            if shared[own] == kept and own.session.length - kept <= kept:
                slot = best = own
            slot.session.copy_prefix(best.session, kept)
        else:
            slot.session.truncate(0)
        self._uses += 1
        slot.last_used = self._uses
        slot.work = work
        work.begin(kept=kept)
        return slot


def _shared_length(session: Session, prompt: np.ndarray) -> int:
    """Tokens that both begin with, but for the prompt's last, which has to be read."""
    count = min(session.length, prompt.size - 1)
    differing = np.flatnonzero(session.tokens[:count] != prompt[:count])
    return int(differing[0]) if differing.size else count
