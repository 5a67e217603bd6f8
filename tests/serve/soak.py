"""Many clients at once, some of which go away in the middle.

Every stream is either complete, cut by its own client, or ends with an error that says what it is;
afterwards nothing is left running, and memory is where it was. `benchmarks/serve.py` does the same
for longer.
"""

from __future__ import annotations

import json
import random
import threading
import time
from collections import Counter
from dataclasses import dataclass, field

import httpx


@dataclass
class Soak:
    """What came of it. `broken` must stay empty."""

    ends: Counter = field(default_factory=Counter)
    broken: list[str] = field(default_factory=list)


def soak(
    address: str, *, clients: int, seconds: float, body: dict, seed: int = 0, least: int = 0
) -> Soak:
    """Let `clients` ask `body` (of /v1/completions) over and over, each at least `least` times; a
    third of the streams is left after a random number of events.
    """
    result = Soak()
    end = time.monotonic() + seconds
    threads = [
        threading.Thread(
            target=_client, args=(address, body, random.Random(seed + i), end, least, result)
        )
        for i in range(clients)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return result


def _client(
    address: str, body: dict, rng: random.Random, end: float, least: int, result: Soak
) -> None:
    asked = 0
    with httpx.Client(base_url=address, timeout=120) as client:
        while asked < least or time.monotonic() < end:
            asked += 1
            length = rng.randint(1, body["max_tokens"])
            leaves_after = rng.randint(0, length) if rng.random() < 1 / 3 else None
            request = {**body, "max_tokens": length, "seed": rng.randrange(1000), "stream": True}
            try:
                how = _one(client, request, length, leaves_after)
            except Exception as error:
                how = f"broken: {error!r}"
            result.ends[how.partition(":")[0]] += 1
            if how.startswith("broken"):
                result.broken.append(how)


def _one(client: httpx.Client, request: dict, length: int, leaves_after: int | None) -> str:
    with client.stream("POST", "/v1/completions", json=request) as answer:
        if answer.status_code != 200:
            answer.read()
            if answer.status_code == 429 and "retry-after" in answer.headers:
                time.sleep(0.05)
                return "told to come again"
            return f"broken: status {answer.status_code}, {answer.text[:200]}"
        count, reason, last = 0, None, None
        for line in answer.iter_lines():
            if not line:
                continue
            count += 1
            if leaves_after is not None and count > leaves_after:
                return "left"
            last = line.removeprefix("data: ")
            if last == "[DONE]":
                continue
            choice = json.loads(last)["choices"][0]
            reason = choice["finish_reason"] or reason
        if last == "[DONE]" and reason == "length":
            return "complete"
        return f"broken: {count} events, {reason}, {last}"
