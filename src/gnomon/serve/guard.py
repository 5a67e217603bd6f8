"""`Guard`: what every request has to pass before anything looks at it, and what every answer has.

Keys, the names that we are called by, web pages that may ask, the size of bodies and the time that
they take to arrive; and the headers that keep a browser from doing with our pages what they are not
for. No answer goes out without them, nor uncounted.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import traceback
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gnomon.serve.errors import error_response
from gnomon.serve.metrics import Metrics
from gnomon.serve.settings import LOCAL_NAMES, ServeSettings, is_loopback

PROTECTED = ("/v1/", "/metrics", "/report", "/detect")
SAFE_HEADERS = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}


class Guard:
    """ASGI middleware, the outermost one."""

    def __init__(self, app: ASGIApp, *, settings: ServeSettings, metrics: Metrics) -> None:
        self._app = app
        self._settings = settings
        self._metrics = metrics
        # Digests have one length, so that comparing them tells nothing of a key's.
        self._keys = [_digest(key) for key in settings.api_keys]
        self._size_message = f"a request may have {settings.max_body_bytes} bytes, not more"
        self._time_message = (
            f"the request did not arrive whole within {settings.receive_time_s:g} s"
        )
        self._names = None
        if is_loopback(settings.host):
            self._names = {*LOCAL_NAMES, settings.host}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        origin = headers.get("origin")
        is_foreign = origin is not None and not _is_same_origin(origin, headers.get("host", ""))

        has_begun = False

        async def send_on(message: Message) -> None:
            nonlocal has_begun
            has_begun = True
            if message["type"] == "http.response.start":
                outgoing = MutableHeaders(scope=message)
                for name, value in SAFE_HEADERS.items():
                    outgoing[name] = value
                if is_foreign and origin in self._settings.allowed_origins:
                    outgoing["access-control-allow-origin"] = origin
                    outgoing["vary"] = "origin"
                    outgoing["cross-origin-resource-policy"] = "cross-origin"
                self._metrics.request(route=_route(scope), status=message["status"])
            await send(message)

        refusal = self._refusal(scope, headers, origin if is_foreign else None)
        if refusal is not None:
            await refusal(scope, receive, send_on)
            return
        try:
            await self._app(scope, self._limited(receive), send_on)
        except ClientDisconnect:
            pass  # in the middle of its request; nobody's bug
        except Exception:
            if has_begun:
                raise  # the connection is broken off, which tells the client
            traceback.print_exc()
            failed = error_response(
                500, "the server failed; its log says why", kind="server_error", code="internal"
            )
            await failed(scope, receive, send_on)

    def _refusal(self, scope: Scope, headers: Headers, origin: str | None) -> Response | None:
        """The answer to a request that goes no further, or None."""
        host = headers.get("host", "")
        if self._names is not None and _name(host) not in self._names:
            return error_response(
                403, f"this server is not called {host!r}; use localhost", code="wrong_host"
            )
        if origin is not None:
            if origin not in self._settings.allowed_origins:
                return error_response(
                    403,
                    f"pages of {origin!r} may not ask here; --allow-origin lets them",
                    code="wrong_origin",
                )
            if scope["method"] == "OPTIONS":
                return _preflight()
        if scope["path"].startswith(PROTECTED) and not self._is_known(headers):
            return error_response(
                401,
                "the API key is missing or wrong; send it as Authorization: Bearer KEY",
                code="invalid_api_key",
                headers={"www-authenticate": "Bearer"},
            )
        length = headers.get("content-length", "0")
        if length.isdecimal() and int(length) > self._settings.max_body_bytes:
            return error_response(
                413, self._size_message, code="body_too_large", headers={"connection": "close"}
            )
        return None

    def _is_known(self, headers: Headers) -> bool:
        if not self._keys:
            return True
        scheme, _, key = headers.get("authorization", "").partition(" ")
        digest = _digest(key.strip())
        # All of them are compared, whichever fits.
        fits = [hmac.compare_digest(digest, known) for known in self._keys]
        return scheme.lower() == "bearer" and any(fits)

    def _limited(self, receive: Receive) -> Receive:
        read = 0
        is_whole = False
        latest_s = asyncio.get_running_loop().time() + self._settings.receive_time_s

        async def receive_on() -> Message:
            nonlocal read, is_whole
            if is_whole:  # what comes now is that the client goes away
                return await receive()
            try:
                async with asyncio.timeout_at(latest_s):
                    message = await receive()
            except TimeoutError:
                raise HTTPException(408, self._time_message, {"connection": "close"}) from None
            is_whole = not message.get("more_body", False)
            read += len(message.get("body", b""))
            if read > self._settings.max_body_bytes:
                raise HTTPException(413, self._size_message, {"connection": "close"})
            return message

        return receive_on


def _preflight() -> Response:
    """The answer to a browser that asks whether its page may ask."""
    return Response(
        status_code=204,
        headers={
            "access-control-allow-methods": "GET, POST, OPTIONS",
            "access-control-allow-headers": "authorization, content-type",
            "access-control-max-age": "600",
        },
    )


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).digest()


def _name(host: str) -> str:
    """A Host header without its port.

    >>> _name("localhost:8080"), _name("[::1]:8080"), _name("::1")
    ('localhost', '::1', '::1')
    """
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host if host.count(":") > 1 else host.partition(":")[0].lower()


def _is_same_origin(origin: str, host: str) -> bool:
    try:
        parts = urlsplit(origin)
    except ValueError:  # brackets that hold no address
        return False
    return parts.scheme in ("http", "https") and parts.netloc.lower() == host.lower()


def _route(scope: Scope) -> str:
    """The route's pattern: what clients make up shall not become names of metrics."""
    return getattr(scope.get("route"), "path", "none")
