"""Connections that take their time, and the headers and the count of every answer."""

from __future__ import annotations

import asyncio
import json
import time

import httpx
import pytest
import uvicorn
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from uvicorn.server import ServerState

from gnomon.serve import ServeSettings
from gnomon.serve.connection import connection_class
from gnomon.serve.errors import error_response
from gnomon.serve.guard import SAFE_HEADERS, Guard
from gnomon.serve.metrics import Metrics

HEAD = b"POST /echo HTTP/1.1\r\nhost: localhost\r\ncontent-length: 20\r\n\r\n"


async def echo(scope, receive, send):
    """Answers with the body; what is wrong with it, as the real application says it."""
    request = Request(scope, receive)
    try:
        answer = PlainTextResponse(await request.body())
    except HTTPException as error:
        answer = error_response(error.status_code, error.detail, headers=error.headers)
    await answer(scope, receive, send)


def exchange(client, *, receive_time_s=0.3, keep_s=0.3):
    """What `client(reader, writer)` finds of a server that waits for so long, and the metrics."""
    settings = ServeSettings(receive_time_s=receive_time_s)
    metrics = Metrics()

    async def main():
        app = Guard(echo, settings=settings, metrics=metrics)
        config = uvicorn.Config(app, timeout_keep_alive=keep_s, ws="none", lifespan="off")
        kind = connection_class(settings, metrics)
        state = ServerState()
        server = await asyncio.get_running_loop().create_server(
            lambda: kind(config=config, server_state=state, app_state={}), "127.0.0.1", 0
        )
        async with server:
            port = server.sockets[0].getsockname()[1]
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            try:
                async with asyncio.timeout(20):
                    return await client(reader, writer)
            finally:
                writer.close()

    return asyncio.run(main()), metrics.text()


async def trickle(reader, writer, data=b"x" * 1000):
    """Send a byte now and then, until the server has had enough; what it said."""

    async def send():
        for index in range(len(data)):
            writer.write(data[index : index + 1])
            await asyncio.sleep(0.05)

    sending = asyncio.create_task(send())
    said = b""
    try:
        while more := await reader.read(65536):
            said += more
    except ConnectionResetError:  # it was closed while we were still sending
        pass
    finally:
        sending.cancel()
    return said


def require_refused(said, status):
    head, _, body = said.partition(b"\r\n\r\n")
    lines = head.decode().lower().split("\r\n")
    assert lines[0].startswith(f"http/1.1 {status}")
    for name, value in SAFE_HEADERS.items():
        assert f"{name}: {value}" in lines
    assert "connection: close" in lines
    assert set(json.loads(body)["error"]) == {"message", "type", "param", "code"}


def test_a_body_a_byte_at_a_time():
    async def client(reader, writer):
        writer.write(HEAD)
        return await trickle(reader, writer, b"x" * 15)

    said, metrics = exchange(client)
    require_refused(said, 408)
    assert b"within 0.3 s" in said
    assert 'status="408"} 1.0' in metrics


def test_a_head_a_byte_at_a_time():
    said, metrics = exchange(lambda reader, writer: trickle(reader, writer, HEAD[:-2]))
    require_refused(said, 408)
    assert 'gnomon_requests_total{route="none",status="408"} 1.0' in metrics


@pytest.mark.parametrize("sends", [b"", b"\r\n" * 500], ids=["silence", "empty lines"])
def test_a_connection_that_asks_for_nothing(sends):
    start_s = time.monotonic()
    said, _ = exchange(lambda reader, writer: trickle(reader, writer, sends))
    assert said == b""
    assert time.monotonic() - start_s < 5


def test_a_connection_after_its_answer():
    async def client(reader, writer):
        writer.write(HEAD + b"a" * 20)
        said = await reader.readuntil(b"a" * 20)
        await asyncio.sleep(0.1)
        writer.write(HEAD + b"b" * 20)  # in time: it is answered
        said += await reader.readuntil(b"b" * 20)
        return said, await trickle(reader, writer, b"\r\n" * 500)

    (said, after), _ = exchange(client)
    assert said.count(b"200 OK") == 2
    assert after == b""


def test_a_slow_body_in_time_is_answered():
    async def client(reader, writer):
        writer.write(HEAD)
        for _ in range(20):
            writer.write(b"y")
            await asyncio.sleep(0.03)
        return await reader.readuntil(b"y" * 20)

    said, _ = exchange(client, receive_time_s=10)
    assert b"200 OK" in said


def test_what_is_not_http():
    async def client(reader, writer):
        writer.write(b"\x16\x03\x01\x02\x00 hello\r\n\r\n")
        return await reader.read()

    said, metrics = exchange(client)
    require_refused(said, 400)
    assert 'status="400"} 1.0' in metrics


def test_a_bug_is_an_answer_too(capsys):
    async def broken(scope, receive, send):
        raise RuntimeError("a secret of ours")

    metrics = Metrics()
    guard = Guard(broken, settings=ServeSettings(), metrics=metrics)

    async def ask():
        transport = httpx.ASGITransport(guard)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            return await client.get("/anything")

    answer = asyncio.run(ask())
    assert answer.status_code == 500
    assert answer.json()["error"]["code"] == "internal"
    assert "secret" not in answer.text
    assert SAFE_HEADERS.items() <= dict(answer.headers).items()
    assert 'gnomon_requests_total{route="none",status="500"} 1.0' in metrics.text()
    assert "a secret of ours" in capsys.readouterr().err
