"""`Metrics`: what the server does, in Prometheus' form and for its own estimates."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.process_collector import ProcessCollector

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300)
_STEP_SECONDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2)
_FIRST_GUESS_S = 5.0  # how long a text takes, before any was seen
_MEMORY = 0.9  # weight of the past in the mean


class Metrics:
    """One registry a server; nothing is global. Safe to use from several threads."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        self._requests = Counter(
            "gnomon_requests", "Answered requests.", ["route", "status"], registry=self._registry
        )
        self._tokens = Counter(
            "gnomon_tokens",
            "Tokens: read of prompts, found read already (cached), generated.",
            ["kind"],
            registry=self._registry,
        )
        for kind in ("prompt", "cached", "generated"):
            self._tokens.labels(kind)
        self._ends = Counter(
            "gnomon_texts", "Texts by how they ended.", ["end"], registry=self._registry
        )
        self._steps = self._histogram(
            "gnomon_step_seconds", "Time of one step of the engine.", _STEP_SECONDS
        )
        self._batch = self._histogram(
            "gnomon_step_texts", "Texts that a step worked on.", (1, 2, 4, 8, 16, 32, 64)
        )
        self._first = self._histogram(
            "gnomon_first_token_seconds", "From a request to its first text.", _SECONDS
        )
        self._duration = self._histogram(
            "gnomon_request_seconds", "From a request to the end of its answer.", _SECONDS
        )
        self._lock = threading.Lock()
        self._mean_s = _FIRST_GUESS_S
        self._slots = 1

    def text(self) -> str:
        """All of it, as a scraper reads it."""
        return generate_latest(self._registry).decode()

    def set_slots(self, count: int) -> None:
        """Texts at once, which the estimate of waiting times needs."""
        self._slots = count

    def request(self, *, route: str, status: int) -> None:
        self._requests.labels(route, str(status)).inc()

    def prompt(self, *, tokens: int, cached: int) -> None:
        self._tokens.labels("prompt").inc(tokens - cached)
        self._tokens.labels("cached").inc(cached)

    def generated(self, tokens: int) -> None:
        self._tokens.labels("generated").inc(tokens)

    def first_text(self, seconds: float) -> None:
        self._first.observe(seconds)

    def end(self, how: str, *, seconds: float) -> None:
        """A text ended: `stop`, `length`, `embedded`, `cancelled`, or how it failed."""
        self._ends.labels(how).inc()
        self._duration.observe(seconds)
        with self._lock:
            self._mean_s = _MEMORY * self._mean_s + (1 - _MEMORY) * seconds

    def watch(
        self,
        *,
        running: Callable[[], int],
        waiting: Callable[[], int],
        held_tokens: Callable[[], int],
    ) -> None:
        """What is asked when somebody looks."""
        for name, what, value in (
            ("gnomon_running_texts", "Texts that are worked on.", running),
            ("gnomon_waiting_texts", "Texts that wait for a slot.", waiting),
            ("gnomon_held_tokens", "Tokens whose keys and values are kept.", held_tokens),
        ):
            Gauge(name, what, registry=self._registry).set_function(value)

    def step(self, *, seconds: float, texts: int) -> None:
        self._steps.observe(seconds)
        self._batch.observe(texts)

    def expected_wait_s(self, waiting: int) -> int:
        """Seconds, 1 to 60, after which `waiting` texts are probably done."""
        with self._lock:
            return min(60, max(1, math.ceil(self._mean_s * waiting / self._slots)))

    def _histogram(self, name: str, what: str, buckets: tuple[float, ...]) -> Histogram:
        return Histogram(name, what, buckets=buckets, registry=self._registry)
