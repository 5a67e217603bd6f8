"""`run_server`: from a model to a server that listens, and to its orderly end."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import uvicorn

from gnomon.errors import UsageError
from gnomon.serve.app import create_app
from gnomon.serve.connection import connection_class
from gnomon.serve.report import model_report
from gnomon.serve.service import Service
from gnomon.serve.settings import ServeSettings

if TYPE_CHECKING:
    from gnomon.engine import Engine
    from gnomon.models import Model, Tokenizer

_SECONDS_TO_CLOSE = 5.0  # for connections, once every answer has ended
_SECONDS_BETWEEN_LOOKS = 0.05
_SECONDS_BETWEEN_REQUESTS = 30  # that a connection may wait for the next


def listen(host: str, port: int) -> socket.socket:
    """A socket that is bound. Raises UsageError if it cannot be."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, kind, protocol, _, address = found[0]
        listener = socket.socket(family, kind, protocol)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
    except OSError as error:
        raise UsageError(
            f"cannot listen on {host}, port {port}: {error.strerror or error}; choose another one "
            "with --host and --port (0 takes any that is free)"
        ) from error
    return listener


def address_of(listener: socket.socket) -> str:
    """The URL of what is bound.

    >>> with listen("127.0.0.1", 0) as listener:
    ...     address_of(listener).rpartition(":")[0]
    'http://127.0.0.1'
    """
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def run_server(
    model: Model,
    tokenizer: Tokenizer,
    engine: Engine,
    settings: ServeSettings,
    *,
    listener: socket.socket,
    on_ready: Callable[[], None] = lambda: None,
) -> None:
    """Serve until SIGTERM or SIGINT, then finish what is under way and return.

    After the signal nothing new is taken; answers have `drain_s` to come to their end, and what is
    left then ends with an event that says so. A second signal does not wait. Raises GnomonError if
    there is not enough memory.
    """
    service = Service(model, tokenizer, engine, settings)
    app = create_app(service, model_report(model))
    config = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        server_header=False,
        lifespan="off",
        timeout_graceful_shutdown=int(_SECONDS_TO_CLOSE),
        timeout_keep_alive=_SECONDS_BETWEEN_REQUESTS,
        http=connection_class(settings, service.metrics),
        ws="none",
    )
    with asyncio.Runner(loop_factory=config.get_loop_factory()) as runner:
        runner.run(_serve(_Server(config), service, listener, on_ready))


class _Server(uvicorn.Server):
    """Leaves signals to us: uvicorn would raise them again once it is done."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def _serve(
    server: _Server, service: Service, listener: socket.socket, on_ready: Callable[[], None]
) -> None:
    loop = asyncio.get_running_loop()
    told, told_again = asyncio.Event(), asyncio.Event()

    def on_signal() -> None:
        (told_again if told.is_set() else told).set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, on_signal)
    service.start()
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    while not server.started and not serving.done():
        await asyncio.sleep(0.01)
    if not serving.done():
        on_ready()
        stop = asyncio.create_task(told.wait())
        await asyncio.wait({serving, stop}, return_when=asyncio.FIRST_COMPLETED)
        stop.cancel()
    await _drain(service, told_again)
    server.should_exit = True
    await serving


async def _drain(service: Service, told_again: asyncio.Event) -> None:
    service.scheduler.drain()
    latest_s = time.monotonic() + service.settings.drain_s
    while not service.scheduler.is_idle and time.monotonic() < latest_s:
        if told_again.is_set():
            break
        await asyncio.sleep(_SECONDS_BETWEEN_LOOKS)
    service.preparation.stop()
    await asyncio.to_thread(service.scheduler.stop)
