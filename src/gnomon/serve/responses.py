"""Responses that last as long as their job: streams of server-sent events, and whole answers.

Both notice when the client goes away, and take its texts out of the engine then.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from gnomon.serve.errors import error_response
from gnomon.serve.events import Event, Failed

if TYPE_CHECKING:
    from gnomon.serve.service import Job, Service
    from gnomon.serve.writers import Chunk, Writer

STATUS_OF_FAILURE = {
    "time_limit": 504,
    "shutting_down": 503,
    "request": 400,
    "model": 500,
    "internal": 500,
}
_SECONDS_TO_SEND = 5.0  # what is left to send after the time limit
_HEADERS = [(b"content-type", b"text/event-stream; charset=utf-8"), (b"cache-control", b"no-store")]


class JobResponse(Response):
    """What comes of a job."""

    def __init__(
        self, service: Service, job: Job, writer: Writer, *, streams: bool, sends_usage: bool
    ) -> None:
        super().__init__()
        self._service = service
        self._job = job
        self._writer = writer
        self._streams = streams
        self._sends_usage = sends_usage

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        answer = asyncio.create_task(self._send(scope, receive, send))
        gone = asyncio.create_task(_until_gone(receive))
        latest_s = max(work.deadline_s for work in self._job.works) + _SECONDS_TO_SEND
        try:
            await asyncio.wait(
                {answer, gone},
                timeout=max(0.0, latest_s - time.monotonic()),
                return_when=asyncio.FIRST_COMPLETED,
            )
            if answer.done():
                with contextlib.suppress(OSError):  # the client went away in the middle of it
                    answer.result()
        finally:
            self._service.forget(self._job)
            for task in (answer, gone):
                task.cancel()
            await asyncio.gather(answer, gone, return_exceptions=True)

    async def _send(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._streams:
            await self._send_stream(scope, receive, send)
        else:
            await self._send_whole(scope, receive, send)

    async def _send_whole(self, scope: Scope, receive: Receive, send: Send) -> None:
        async for events in self._job.events():
            failure = _failure(events)
            if failure is not None:
                await _failed(failure)(scope, receive, send)
                return
            for number, event in events:
                self._writer.feed(number, event)
        body = self._writer.answer().model_dump_json()
        await Response(body, media_type="application/json")(scope, receive, send)

    async def _send_stream(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_started = False
        async for events in self._job.events():
            failure = _failure(events)
            if failure is not None and not is_started:
                await _failed(failure)(scope, receive, send)
                return
            chunks: list[Chunk] = []
            for number, event in events:
                if not isinstance(event, Failed):
                    chunks += self._writer.feed(number, event)
            if failure is not None:
                error = {
                    "message": failure.message,
                    "type": _type_of(failure),
                    "code": failure.kind,
                }
                chunks.append({"error": {**error, "param": None}})
            if not is_started:
                is_started = True
                start = {"type": "http.response.start", "status": 200, "headers": _HEADERS}
                await send(start)
            if chunks:
                await _send_body(send, _as_events(chunks), more=True)
            if failure is not None:
                await _send_body(send, b"", more=False)
                return
        last = [self._writer.usage_chunk()] if self._sends_usage else []
        await _send_body(send, _as_events(last) + b"data: [DONE]\n\n", more=False)


def _failure(events: Iterable[tuple[int, Event]]) -> Failed | None:
    return next((event for _, event in events if isinstance(event, Failed)), None)


def _failed(failure: Failed) -> Response:
    return error_response(
        STATUS_OF_FAILURE[failure.kind],
        failure.message,
        kind=_type_of(failure),
        code=failure.kind,
    )


def _type_of(failure: Failed) -> str:
    """What OpenAI calls whose fault it is."""
    return "invalid_request_error" if failure.kind == "request" else "server_error"


def _as_events(chunks: Iterable[Chunk]) -> bytes:
    return b"".join(
        b"data: %b\n\n" % json.dumps(chunk, ensure_ascii=False, separators=(",", ":")).encode()
        for chunk in chunks
    )


async def _send_body(send: Send, body: bytes, *, more: bool) -> None:
    await send({"type": "http.response.body", "body": body, "more_body": more})


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
