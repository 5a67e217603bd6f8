"""What does not get in: strangers, foreign pages and names, and too much at once."""

from __future__ import annotations

import json
import math
import os
import re
import subprocess
import sys
import time

import httpx
import pytest
from running_servers import ENDLESS, quick_start, serving

from gnomon.errors import UsageError
from gnomon.serve import ServeSettings
from gnomon.serve.guard import SAFE_HEADERS

HELLO = {"messages": [{"role": "user", "content": "the old hen"}], "max_tokens": 2}


def post(server, body=HELLO, path="/v1/chat/completions", **headers):
    with server.client as client:
        return client.post(path, json=body, headers=headers)


def get(server, path, **headers):
    with server.client as client:
        return client.get(path, headers=headers)


@pytest.fixture(scope="module")
def locked(tiny):
    """A server with keys, one on the command line and two in its environment's way."""
    environment = quick_start() | {"GNOMON_API_KEY": "first second"}
    arguments = (
        tiny,
        "--threads",
        1,
        "--allow-origin",
        "https://friend.example",
        "--max-body",
        4096,
    )
    with serving(*arguments, environment=environment) as server:
        yield server


@pytest.mark.parametrize("path", ["/v1/models", "/metrics", "/report"])
def test_a_key_is_asked_for(locked, path):
    for headers in ({}, {"authorization": "Bearer wrong"}, {"authorization": "first"}):
        answer = get(locked, path, **headers)
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == "Bearer"
        assert answer.json()["error"]["code"] == "invalid_api_key"
    for key in ("first", "second"):
        assert get(locked, path, authorization=f"Bearer {key}").status_code == 200


def test_what_needs_no_key(locked):
    for path in ("/", "/page/app.js", "/health", "/docs", "/openapi.json"):
        assert get(locked, path).status_code == 200


def test_only_other_machines_need_a_key():
    ServeSettings(host="::1")
    ServeSettings(host="0.0.0.0", api_keys=("k",))
    for host in ("0.0.0.0", "192.168.1.2", "::", "example.org"):
        with pytest.raises(UsageError, match="--api-key"):
            ServeSettings(host=host)


@pytest.mark.parametrize(
    "origin",
    ["friend.example", "https://friend.example/", "https://Friend.example", "*", "http://[::1", ""],
)
def test_an_origin_that_no_browser_sends_is_refused(origin):
    ServeSettings(allowed_origins=("https://friend.example", "http://[::1]:3000"))
    with pytest.raises(UsageError, match="--allow-origin"):
        ServeSettings(allowed_origins=(origin,))


def test_the_command_refuses_before_it_reads_a_model():
    run = subprocess.run(
        [sys.executable, "-m", "gnomon", "serve", "no such model", "--host", "0.0.0.0"],
        capture_output=True,
        text=True,
        timeout=60,
        env={k: v for k, v in os.environ.items() if k != "GNOMON_API_KEY"},
    )
    assert run.returncode == 2
    assert "--api-key" in run.stderr
    assert "Traceback" not in run.stderr


def test_what_is_not_installed_is_said():
    program = (
        "import sys; sys.modules['fastapi'] = None; "
        "from gnomon.cli import main; sys.exit(main(['serve']))"
    )
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60
    )
    assert run.returncode == 2
    assert "pip install -e '.[serve]'" in run.stderr


def test_a_port_in_use_is_said(tiny_server):
    port = tiny_server.address.rpartition(":")[2]
    run = subprocess.run(
        [sys.executable, "-m", "gnomon", "serve", "--port", port],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert run.returncode == 2
    assert "cannot listen" in run.stderr


def test_foreign_names_are_refused(tiny_server):
    # A page that points its own name at this machine (DNS rebinding) gets nothing.
    assert get(tiny_server, "/v1/models", host="evil.example").status_code == 403
    assert get(tiny_server, "/v1/models", host="localhost:9").status_code == 200


def test_foreign_pages_are_refused(tiny_server):
    answer = post(tiny_server, origin="https://evil.example")
    assert answer.status_code == 403
    assert "access-control-allow-origin" not in answer.headers
    assert post(tiny_server, origin=tiny_server.address).status_code == 200
    for origin in ("null", "http://[::1", "x"):
        assert post(tiny_server, origin=origin).status_code == 403


def test_a_page_that_was_let_in(locked):
    origin = {"origin": "https://friend.example"}
    with locked.client as client:
        asked = client.options("/v1/chat/completions", headers=origin)
    assert asked.status_code == 204
    assert "authorization" in asked.headers["access-control-allow-headers"]
    answer = post(locked, authorization="Bearer first", **origin)
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == "https://friend.example"
    assert get(locked, "/health").headers.get("access-control-allow-origin") is None


def test_large_bodies_are_refused(locked):
    key = {"authorization": "Bearer first"}
    large = {"messages": [{"role": "user", "content": "a" * 5000}]}
    assert post(locked, large, **key).status_code == 413
    with locked.client as client:  # without a length that gives it away
        chunks = (b" " * 1024 for _ in range(8))
        answer = client.post(
            "/v1/chat/completions",
            content=chunks,
            headers=key | {"content-type": "application/json"},
        )
    assert answer.status_code == 413


@pytest.mark.parametrize(
    "body",
    [
        {"messages": []},
        {"messages": [HELLO["messages"][0]] * 1025},
        {**HELLO, "stop": ["a"] * 17},
        {**HELLO, "n": 17},
        {**HELLO, "n": 9},  # more than may wait here
        {**HELLO, "top_logprobs": 21, "logprobs": True},
        {**HELLO, "logit_bias": {"48": 1}},
        {**HELLO, "max_tokens": "5"},
        {**HELLO, "unheard_of": 1},
        {"messages": [{"role": "user", "content": "\ud800"}]},
    ],
)  # fmt: skip
def test_too_much_and_nonsense_are_refused(tiny_server, body):
    import json

    with tiny_server.client as client:
        answer = client.post(
            "/v1/chat/completions",
            content=json.dumps(body),
            headers={"content-type": "application/json"},
        )
    assert answer.status_code == 400, answer.text
    assert set(answer.json()["error"]) == {"message", "type", "param", "code"}


@pytest.mark.parametrize(
    ("path", "body", "param", "message"),
    [
        (
            "chat/completions",
            {"messages": [{"role": "user", "content": [{"type": "image_url"}]}]},
            "messages.0.content.0.type",
            "'text'",
        ),
        ("chat/completions", {**HELLO, "stop": ["a", ""]}, "stop.1", "at least 1 character"),
        ("chat/completions", {**HELLO, "tool_choice": "must"}, "tool_choice", "'required'"),
        ("chat/completions", {"messages": [{}]}, "messages.0.role", "required"),
        ("completions", {"prompt": [5, -1]}, "prompt.1", "greater than or equal to 0"),
        ("embeddings", {"input": ["a"] * 257}, "input", "at most 256 items"),
        ("embeddings", {"input": 5}, "input", "valid string"),
    ],
)
def test_what_is_wrong_is_named_in_the_requests_own_words(tiny_server, path, body, param, message):
    answer = post(tiny_server, body, f"/v1/{path}")
    assert answer.status_code == 400
    error = answer.json()["error"]
    assert error["param"] == param
    assert message in error["message"]


@pytest.mark.parametrize("place", ["answer", "tool"])
def test_a_schema_that_would_take_minutes_is_refused_at_once(tiny_server, place):
    schema = {"type": "object", "properties": {f"p{i}": {"type": "string"} for i in range(5000)}}
    form = {"type": "json_schema", "json_schema": {"name": "w", "schema": schema}}
    tools = [{"type": "function", "function": {"name": "f", "parameters": schema}}]
    body = {**HELLO, **({"response_format": form} if place == "answer" else {"tools": tools})}
    start_s = time.monotonic()
    answer = post(tiny_server, body)
    assert answer.status_code == 400
    assert "10003 values; at most 3000" in answer.json()["error"]["message"]
    assert time.monotonic() - start_s < 5


def test_nesting_without_end_is_refused(tiny_server):
    deep = '{"a":' * 20_000 + "1" + "}" * 20_000
    body = (
        '{"messages": [{"role": "user", "content": "a"}], "max_tokens": 1, "tools": [{"type": '
        f'"function", "function": {{"name": "f", "parameters": {deep}}}}}]}}'
    )
    with tiny_server.client as client:
        answer = client.post(
            "/v1/chat/completions", content=body, headers={"content-type": "application/json"}
        )
    assert answer.status_code == 400
    assert set(answer.json()["error"]) == {"message", "type", "param", "code"}


# What openai's own client, LangChain, Continue and Open WebUI send whether it is needed or not.
HARMLESS = {
    "user": "u",
    "store": True,
    "metadata": {"topic": "hens"},
    "parallel_tool_calls": True,
    "modalities": ["text"],
    "service_tier": "auto",
    "reasoning_effort": "low",
    "verbosity": "low",
    "prompt_cache_key": "k",
    "prompt_cache_retention": "24h",
    "safety_identifier": "s",
    "prediction": {"type": "content", "content": "the old hen"},
    "stream_options": {"include_usage": True, "include_obfuscation": False},
    "max_completion_tokens": 2,
    "tool_choice": "auto",
    "response_format": {"type": "text"},
    "logit_bias": {},
    "frequency_penalty": 0,
    "presence_penalty": 0,
    "top_p": 0,
    "n": 1,
    "stop": None,
    "seed": None,
    "functions": None,
    "function_call": None,
    "audio": None,
    "web_search_options": None,
}


def test_what_clients_always_send_is_taken(tiny_server):
    said = {
        "role": "assistant",
        "content": None,
        "refusal": None,
        "parsed": None,
        "audio": None,
        "function_call": None,
        "tool_calls": [
            {
                "index": 0,
                "id": "1",
                "type": "function",
                "function": {"name": "f", "arguments": "{}", "parsed_arguments": {}},
            }
        ],
    }
    answered = {"role": "tool", "tool_call_id": "1", "content": [{"type": "text", "text": "5"}]}
    messages = [HELLO["messages"][0], said, answered]
    for streams in (False, True):
        answer = post(tiny_server, {**HELLO, **HARMLESS, "messages": messages, "stream": streams})
        assert answer.status_code == 200, answer.text


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("functions", [{"name": "f"}]),
        ("function_call", "auto"),
        ("audio", {"voice": "ash"}),
        ("web_search_options", {}),
        ("modalities", ["text", "audio"]),
        ("top_p", -0.1),
    ],
)
def test_what_would_change_the_answer_is_refused_by_name(tiny_server, name, value):
    answer = post(tiny_server, {**HELLO, name: value})
    assert answer.status_code == 400
    error = answer.json()["error"]
    assert (error["param"] or "").startswith(name)
    assert name in error["message"]


def test_embeddings_of_fewer_dimensions(tiny_server):
    def embed(**more):
        answer = post(tiny_server, {"input": "the old hen", **more}, "/v1/embeddings")
        assert answer.status_code == 200
        return answer.json()["data"][0]["embedding"]

    whole = embed()
    assert embed(dimensions=len(whole)) == whole
    part = embed(dimensions=5)
    length = math.sqrt(sum(x * x for x in whole[:5]))
    assert part == pytest.approx([x / length for x in whole[:5]], abs=1e-6)
    refused = post(tiny_server, {"input": "a", "dimensions": len(whole) + 1}, "/v1/embeddings")
    assert refused.status_code == 400
    assert f"have {len(whole)}" in refused.json()["error"]["message"]


def test_a_form_is_not_json(tiny_server):
    # What a foreign page could send without asking first.
    with tiny_server.client as client:
        answer = client.post("/v1/chat/completions", content='{"messages": []}')
        assert answer.status_code == 400
        answer = client.post(
            "/v1/completions", content='{"prompt": "the"}', headers={"content-type": "text/plain"}
        )
    assert answer.status_code == 400


def test_the_page_is_locked_down(tiny_server):
    policy = get(tiny_server, "/").headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "http" not in policy
    assert get(tiny_server, "/").headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    "path", ["/page/../app.py", "/page/%2e%2e/app.py", "/page//etc/passwd", "/page/"]
)
def test_only_the_page_is_served(tiny_server, path):
    answer = httpx.get(httpx.URL(tiny_server.address).copy_with(raw_path=path.encode()))
    assert answer.status_code == 404


def test_no_answer_tells_where_anything_lies(tiny_server, tiny):
    with tiny_server.client as client:
        answers = [
            client.get(path)
            for path in (
                "/",
                "/docs",
                "/health",
                "/report",
                "/v1/models",
                "/openapi.json",
                "/nothing",
                "/metrics",
            )
        ]
        answers.append(client.post("/v1/chat/completions", json={"model": "x", **HELLO}))
        answers.append(client.post("/v1/completions", json={"prompt": "the " * 5000}))
    for answer in answers:
        assert str(tiny.parent) not in answer.text
        assert not re.search(r"/(home|root|usr|tmp)/", answer.text)


def test_every_answer_is_safe_and_counted(tiny_server, locked):
    key = {"authorization": "Bearer first"}
    large = {"messages": [{"role": "user", "content": "a" * 5000}]}
    with tiny_server.client as client, locked.client as locked_client:
        before = tiny_server.get("/metrics").text
        answers = {
            200: client.get("/health"),
            400: client.post("/v1/completions", json={"prompt": 5}),
            403: client.get("/health", headers={"host": "evil.example"}),
            404: client.get("/nothing"),
            405: client.put("/health"),
            401: locked_client.get("/v1/models"),
            413: locked_client.post("/v1/chat/completions", json=large, headers=key),
        }
        after = tiny_server.get("/metrics").text
    for status, answer in answers.items():
        assert answer.status_code == status
        assert SAFE_HEADERS.items() <= dict(answer.headers).items()
        if status != 200:
            assert set(answer.json()["error"]) == {"message", "type", "param", "code"}
    for line in (
        'gnomon_requests_total{route="/v1/completions",status="400"}',
        'gnomon_requests_total{route="none",status="403"}',
        'gnomon_requests_total{route="none",status="404"}',
        'gnomon_requests_total{route="/health",status="405"}',
    ):
        assert count(after, line) == count(before, line) + 1, line
    metrics = get(locked, "/metrics", **key).text
    for status in (401, 413):
        assert count(metrics, f'gnomon_requests_total{{route="none",status="{status}"}}') >= 1


def count(metrics, line):
    return next((float(row.split()[-1]) for row in metrics.splitlines() if row.startswith(line)), 0)


def test_busy_says_when_to_come_again(tiny_server):
    body = {
        "prompt": "the old hen",
        "max_tokens": 2000,
        "logit_bias": ENDLESS,
        "n": 8,
        "stream": True,
    }
    with (
        tiny_server.client as client,
        client.stream("POST", "/v1/completions", json=body) as stream,
    ):
        lines = stream.iter_lines()
        next(lines)
        refused = post(tiny_server, {**body, "n": 8, "stream": False}, "/v1/completions")
        assert refused.status_code == 429
        assert 1 <= int(refused.headers["retry-after"]) <= 60
        assert refused.json()["error"]["code"] == "queue_full"
        assert SAFE_HEADERS.items() <= dict(refused.headers).items()


@pytest.mark.parametrize("streams", [False, True])
def test_a_pattern_that_proves_too_much_is_the_clients_mistake(smollm, streams):
    # The library builds its automaton as the answer grows, so that this is seen only then.
    pattern = "^(.*a.{0,60}b.*|.*c.{0,60}d.*|.*e.{0,60}f.*)$"
    schema = {"type": "string", "pattern": pattern}
    form = {"type": "json_schema", "json_schema": {"name": "w", "schema": schema}}
    body = {**HELLO, "max_tokens": 8, "temperature": 0, "response_format": form}
    answer = post(smollm, {**body, "stream": streams})
    assert answer.status_code == 400 or streams
    *_, last = answer.text.removeprefix("data: ").split("data: ")
    error = json.loads(last)["error"]
    assert (error["type"], error["code"]) == ("invalid_request_error", "request")
    assert "grammar failed" in error["message"]
