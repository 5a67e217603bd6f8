"""Errors in the form in which OpenAI's clients read them."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.responses import JSONResponse

from gnomon.serve.answers import ErrorAnswer, ErrorBody


def error_response(
    status: int,
    message: str,
    *,
    kind: str = "invalid_request_error",
    code: str | None = None,
    param: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> JSONResponse:
    message = message.encode("utf-8", "replace").decode()  # a client's text may be no Unicode
    body = ErrorAnswer(error=ErrorBody(message=message, type=kind, param=param, code=code))
    return JSONResponse(body.model_dump(), status_code=status, headers=headers)
