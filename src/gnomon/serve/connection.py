"""`connection_class`: uvicorn's HTTP connection, with an end to waiting.

uvicorn has a time limit for connections that are kept after an answer, which each byte sets back,
and none for those that never asked for anything or that ask a byte at a time. Here a connection
that waits for a request is closed after a while whatever trickles in, and a request's head has to
be there in the time that its body has (`Guard`). The two answers that are given before there is a
request, 400 and 408, have the form, the headers and the count of all others.
"""

from __future__ import annotations

import asyncio
from http import HTTPStatus

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from gnomon.serve.errors import error_response
from gnomon.serve.guard import SAFE_HEADERS
from gnomon.serve.metrics import Metrics
from gnomon.serve.settings import ServeSettings


def connection_class(settings: ServeSettings, metrics: Metrics) -> type[HttpToolsProtocol]:
    """For uvicorn's `http`, which makes one object of it for each connection."""

    class Connection(HttpToolsProtocol):
        _timer: asyncio.TimerHandle | None = None

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            self._wait(self.timeout_keep_alive)

        def connection_lost(self, exc: Exception | None) -> None:
            self._stop_waiting()
            super().connection_lost(exc)

        def on_message_begin(self) -> None:
            super().on_message_begin()
            self._wait(settings.receive_time_s, answers=True)

        def on_headers_complete(self) -> None:
            self._stop_waiting()
            super().on_headers_complete()

        def on_response_complete(self) -> None:
            super().on_response_complete()
            if not self.pipeline and self._timer is None:
                self._wait(self.timeout_keep_alive)

        def send_400_response(self, msg: str) -> None:
            self._refuse(400, "this is not HTTP, or too much of it")

        def _wait(self, seconds: float, *, answers: bool = False) -> None:
            self._stop_waiting()
            self._timer = self.loop.call_later(seconds, self._give_up, answers)

        def _stop_waiting(self) -> None:
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None

        def _give_up(self, answers: bool) -> None:
            self._timer = None
            if self.cycle is not None and not self.cycle.response_complete:
                self.cycle.keep_alive = False  # the answer under way is the last
            elif answers:
                self._refuse(
                    408, f"the request did not arrive whole within {settings.receive_time_s:g} s"
                )
            else:
                self.transport.close()

        def _refuse(self, status: int, message: str) -> None:
            if self.transport.is_closing():
                return
            if self.cycle is None or self.cycle.response_complete:
                answer = error_response(status, message)
                headers = dict(answer.headers) | SAFE_HEADERS | {"connection": "close"}
                lines = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}"]
                lines += [f"{name}: {value}" for name, value in headers.items()]
                head = "\r\n".join(lines) + "\r\n\r\n"
                self.transport.write(head.encode("latin-1") + bytes(answer.body))
                metrics.request(route="none", status=status)
            self.transport.close()

    return Connection
