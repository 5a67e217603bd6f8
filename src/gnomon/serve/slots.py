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
    from gnomon.serve.events import Event
    from gnomon.serve.work import Work


class Slot:
    """A session and the text that is worked on in it, if any."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.work: Work | None = None
        self.last_used = 0  # by a counter of uses

    def begin(self, source: Session, kept: int) -> list[Event]:
        """Hold the first `kept` tokens of `source`, and let the work begin with them."""
        assert self.work is not None
        self.session.copy_prefix(source, kept)
        self.work.begin(kept=kept)
        return []


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

    def take(self, work: Work) -> tuple[Slot, Session, int]:
        """A free slot for `work`, of which there must be one; and with how many tokens of which
        session it should begin.
        """
        free = [slot for slot in self._slots if slot.work is None]
        slot = source = min(free, key=lambda slot: slot.last_used)
        kept = 0
        if work.reuses_prefix:
            shared = {slot: _shared_length(slot.session, work.prompt) for slot in self._slots}
            source = max(self._slots, key=lambda slot: shared[slot])
            own = max(free, key=lambda slot: shared[slot])
            kept = shared[source]
            # A chat's next turn goes on in the session of the turns before; nothing is copied.
            if shared[own] == kept and own.session.length - kept <= kept:
                slot = source = own
        self._uses += 1
        slot.last_used = self._uses
        slot.work = work
        return slot, source.session, kept


def _shared_length(session: Session, prompt: np.ndarray) -> int:
    """Tokens that both begin with, but for the prompt's last, which has to be read."""
    count = min(session.length, prompt.size - 1)
    differing = np.flatnonzero(session.tokens[:count] != prompt[:count])
    return int(differing[0]) if differing.size else count
