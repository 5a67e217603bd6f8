"""How requests and servers end: clients that leave, time that runs out, SIGTERM in the middle."""

from __future__ import annotations

import signal
import threading
import time

import httpx
import pytest
from running_servers import ENDLESS, events, serving

BODY = {"prompt": "the old hen", "stream": True, "temperature": 1, "seed": 1, "logit_bias": ENDLESS}
LONG = 60_000  # tokens, which take any machine longer than the times here


def wait_until(condition, seconds=30):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.mark.parametrize("streams", [True, False])
def test_a_client_that_leaves_frees_its_place(tiny_server, streams):
    left = 'gnomon_texts_total{end="cancelled"}'
    before = tiny_server.metric(left) if left in tiny_server.get("/metrics").text else 0
    body = {**BODY, "max_tokens": LONG, "stream": streams}
    if streams:
        with (
            tiny_server.client as client,
            client.stream("POST", "/v1/completions", json=body) as answer,
        ):
            next(answer.iter_lines())
    else:
        with tiny_server.client as client, pytest.raises(httpx.ReadTimeout):
            client.post("/v1/completions", json=body, timeout=0.3)
    wait_until(lambda: tiny_server.get("/health").json()["running"] == 0)
    assert tiny_server.metric(left) == before + 1


def test_time_runs_out(tiny):
    limits = ("--context", 65_536, "--time-limit", 0.5, "--receive-time", 0.5)
    with serving(tiny, "--threads", 1, *limits) as server, server.client as client:
        with client.stream("POST", "/v1/completions", json={**BODY, "max_tokens": LONG}) as answer:
            assert answer.status_code == 200
            last = list(events(answer.iter_lines()))[-1]
        assert last["error"]["code"] == "time_limit"
        whole = client.post("/v1/completions", json={**BODY, "max_tokens": LONG, "stream": False})
        assert whole.status_code == 504
        assert whole.json()["error"]["code"] == "time_limit"

        def trickle():
            while True:
                yield b" "
                time.sleep(0.1)

        slow = client.post(
            "/v1/completions", content=trickle(), headers={"content-type": "application/json"}
        )
        assert slow.status_code == 408
        assert "within 0.5 s" in slow.json()["error"]["message"]


def stream_in_thread(server, max_tokens, into):
    def run():
        with (
            server.client as client,
            client.stream(
                "POST", "/v1/completions", json={**BODY, "max_tokens": max_tokens}
            ) as answer,
        ):
            for event in events(answer.iter_lines()):
                into.append(event)

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def test_sigterm_lets_answers_come_to_their_end(tiny):
    with serving(tiny, "--threads", 1, "--drain", 30) as server:
        streams = [[], [], []]
        threads = [stream_in_thread(server, 600, into) for into in streams]
        wait_until(lambda: all(streams))
        server.terminate()
        wait_until(lambda: server.get("/health").status_code == 503)
        with server.client as client:
            refused = client.post("/v1/completions", json={**BODY, "max_tokens": 1})
        assert refused.status_code == 503
        assert "retry-after" in refused.headers
        for thread in threads:
            thread.join(60)
        for stream in streams:
            assert stream[-1] == "[DONE]"
            assert stream[-2]["choices"][0]["finish_reason"] == "length"
        assert server.process.wait(30) == 0


@pytest.mark.parametrize("signals", [1, 2], ids=["time is up", "a second signal"])
def test_what_is_left_ends_with_an_event_that_says_so(tiny, signals):
    drain = 0.2 if signals == 1 else 60
    options = ("--context", 65_536, "--slots", 1, "--drain", drain)
    with serving(tiny, "--threads", 1, *options) as server:
        streams = [[], []]
        threads = [stream_in_thread(server, LONG, into) for into in streams]
        wait_until(lambda: any(streams))
        wait_until(lambda: server.get("/health").json()["waiting"] == 1)
        server.terminate()
        if signals == 2:
            wait_until(lambda: server.get("/health").status_code == 503)
            server.process.send_signal(signal.SIGINT)
        for thread in threads:
            thread.join(30)
        assert server.process.wait(30) == 0
        assert sorted(len(stream) > 0 for stream in streams) == [False, True]
        last = next(stream for stream in streams if stream)[-1]
        assert last["error"]["code"] == "shutting_down"


def test_the_port_is_told_and_an_idle_server_ends_at_once(tiny):
    with serving(tiny, "--threads", 1) as server:
        assert server.get("/health").json()["status"] == "ok"
        server.terminate()
        assert server.process.wait(30) == 0
