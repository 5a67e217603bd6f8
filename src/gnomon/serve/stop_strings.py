"""`StopStrings`: lets text through until one of several strings turns up in it.

What may be the beginning of such a string is held back until it is clear that it is none, so that
nothing is given out that a stop string would have cut off.

>>> stops = StopStrings(["END"])
>>> stops.feed("one E"), stops.feed("gg, EN"), stops.feed("D two")
('one ', 'Egg, ', '')
>>> stops.is_found
True
"""

from __future__ import annotations

from collections.abc import Sequence


class StopStrings:
    """One stream of text."""

    def __init__(self, stops: Sequence[str]) -> None:
        """`stops`: not empty, each of at least one character; none at all lets everything pass."""
        self._stops = tuple(stops)
        self._held = ""
        self.is_found = False
        self.rest = ""  # of what was fed, after the stop string that was found

    def feed(self, text: str) -> str:
        """What may be given out now. Once a stop string was found it is always ""."""
        if self.is_found:
            return ""
        if not self._stops:
            return text
        self._held += text
        found = [(place, stop) for stop in self._stops if (place := self._held.find(stop)) >= 0]
        if found:
            place, stop = min(found)
            self.is_found = True
            self.rest = self._held[place + len(stop) :]
            return self._release(place)
        return self._release(len(self._held) - self._possible_beginning())

    def flush(self) -> str:
        """The rest, once no more text comes."""
        return "" if self.is_found else self._release(len(self._held))

    def _release(self, count: int) -> str:
        released, self._held = self._held[:count], self._held[count:]
        if self.is_found:
            self._held = ""
        return released

    def _possible_beginning(self) -> int:
        """Characters at the end that some stop string begins with."""
        longest = min(len(self._held), max(map(len, self._stops)) - 1)
        for length in range(longest, 0, -1):
            if any(stop.startswith(self._held[-length:]) for stop in self._stops):
                return length
        return 0
