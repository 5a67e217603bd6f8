"""What is said of requests that are not understood."""

from __future__ import annotations

import pytest

CHAT = {"messages": [{"role": "user", "content": "a"}], "max_tokens": 1}
TOOL = {"type": "function", "function": {"name": "f", "params": {}}}


@pytest.mark.parametrize("content_type", [None, "application/x-www-form-urlencoded", "text/plain"])
def test_a_body_that_is_not_said_to_be_json(tiny_server, content_type):
    headers = {"content-type": content_type} if content_type else {}
    with tiny_server.client as client:
        answer = client.post("/detect", content='{"text": "A. B."}', headers=headers)
    error = answer.json()["error"]
    assert (answer.status_code, error["param"]) == (400, None)
    assert "send Content-Type: application/json" in error["message"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"max_token": 1}, "unknown option 'max_token'; did you mean max_tokens?"),
        ({"zzz": 1}, "unknown option 'zzz'"),
        (
            {"messages": [{"role": "user", "contents": "a"}]},
            "messages.0: unknown option 'contents'; did you mean content?",
        ),
        (
            {"messages": [{"role": "user", "content": [{"type": "text", "text": "a", "txt": 1}]}]},
            "messages.0.content.0: unknown option 'txt'; did you mean text?",
        ),
        (
            {"tools": [TOOL]},
            "tools.0.function: unknown option 'params'; did you mean parameters?",
        ),
        (
            {
                "response_format": {
                    "type": "json_schema",
                    "json_schema": {"name": "a", "schemas": {}},
                }
            },
            "response_format.json_schema: unknown option 'schemas'; did you mean schema?",
        ),
    ],
)
def test_an_unknown_option(tiny_server, change, message):
    with tiny_server.client as client:
        answer = client.post("/v1/chat/completions", json=CHAT | change)
    assert (answer.status_code, answer.json()["error"]["message"]) == (400, message)
