"""A short soak; `benchmarks/serve.py --soak 60` is the long one."""

from __future__ import annotations

import time

from running_servers import ENDLESS, serving
from soak import soak

BODY = {"prompt": "the old hen told the tale", "max_tokens": 60, "logit_bias": ENDLESS}


def test_sixteen_clients_come_and_go(tiny):
    arguments = (tiny, "--threads", 1, "--slots", 8, "--queue", 12, "--context", 256)
    with serving(*arguments) as server:
        soak(
            server.address, clients=16, seconds=2, body=BODY, least=3
        )  # until all memory is touched once
        before = server.memory_bytes()
        result = soak(server.address, clients=16, seconds=6, body=BODY, seed=100, least=5)
        end = time.monotonic() + 30
        while server.get("/health").json()["running"] and time.monotonic() < end:
            time.sleep(0.05)
        health = server.get("/health").json()
        assert (health["running"], health["waiting"]) == (0, 0)
        assert result.broken == []
        assert result.ends["complete"] > 20
        assert result.ends["left"] > 5
        # Two percent over a minute is what is asked for; allocators need some room in a short run.
        assert server.memory_bytes() < 1.05 * before
