"""Requests made up from the server's own description, good ones and bad ones (schemathesis)."""

from __future__ import annotations

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    response_headers_conformance,
    negative_data_rejection,
]


ASKED = [
    ("/v1/chat/completions", "POST"),
    ("/v1/completions", "POST"),
    ("/v1/embeddings", "POST"),
    ("/detect", "POST"),
    ("/v1/models", "GET"),
    ("/v1/models/{model}", "GET"),
    ("/health", "GET"),
    ("/metrics", "GET"),
    ("/report", "GET"),
]


@pytest.fixture(scope="module")
def description(tiny_server):
    return schemathesis.openapi.from_url(f"{tiny_server.address}/openapi.json")


def test_nothing_is_left_out(description):
    assert {(path, method.upper()) for path, route in description.items() for method in route} == {
        *ASKED
    }


@pytest.mark.parametrize(
    ("path", "method", "mode"),
    [
        (path, method, mode)
        for path, method in ASKED
        for mode in GenerationMode
        if method == "POST" or mode is GenerationMode.POSITIVE  # a GET has nothing to get wrong
    ],
)
def test_answers_are_what_the_description_says(description, path, method, mode):
    operation = description[path][method]

    @given(case=operation.as_strategy(generation_mode=mode))
    @settings(
        max_examples=15 if method == "POST" else 3,
        deadline=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    def ask(case):
        if isinstance(case.body, dict) and mode is GenerationMode.POSITIVE:
            case.body.pop("model", None)  # made up names would all be unknown
            if "completions" in path:
                case.body["max_tokens"] = 2  # what the model says is not the point here
        case.call_and_validate(checks=CHECKS)

    ask()
