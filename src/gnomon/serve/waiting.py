"""`WaitingLine`: texts that wait for a slot, taken in turns from each client.

A client with a hundred texts in the line does not keep one with a single text waiting for more than
one turn.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

from gnomon.serve.work import Work


class WaitingLine:
    """First come, first served within a client; clients take turns."""

    def __init__(self) -> None:
        self._by_client: OrderedDict[str, list[Work]] = OrderedDict()

    def __len__(self) -> int:
        return sum(map(len, self._by_client.values()))

    def add(self, work: Work) -> None:
        self._by_client.setdefault(work.client, []).append(work)

    def take(self) -> Work | None:
        """The next text that may begin; its client goes to the end."""
        for client, works in self._by_client.items():
            for index, work in enumerate(works):
                if work.is_ready:
                    del works[index]
                    self._by_client.move_to_end(client)
                    if not works:
                        del self._by_client[client]
                    return work
        return None

    def remove(self, is_out: Callable[[Work], bool]) -> list[Work]:
        """Take out, and return, all texts of which `is_out` is true."""
        out = [work for works in self._by_client.values() for work in works if is_out(work)]
        for work in out:
            self._by_client[work.client].remove(work)
            if not self._by_client[work.client]:
                del self._by_client[work.client]
        return out
