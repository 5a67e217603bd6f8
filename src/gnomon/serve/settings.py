"""`ServeSettings`: what a server allows, decided once when it starts."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass

from gnomon.errors import UsageError

_ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://([a-z0-9._-]+|\[[0-9a-f:.]+\])(:[0-9]{1,5})?")
LOCAL_NAMES = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True, slots=True, kw_only=True)
class ServeSettings:
    """Limits that keep one request, or one client, from being everybody's problem."""

    host: str = "127.0.0.1"
    port: int = 8080  # 0: any free one
    api_keys: tuple[str, ...] = ()  # none: everybody may ask
    allowed_origins: tuple[str, ...] = ()  # of web pages besides our own
    aliases: tuple[str, ...] = ()  # further names that the model answers to
    slots: int = 8  # texts that are worked on at once
    context: int = 4096  # tokens of prompt and answer together
    max_waiting: int = 64  # texts that wait for a slot; more are told to come again
    max_tokens: int | None = None  # of any one answer; None: up to the context
    time_limit_s: float = 600.0  # for one request, its waiting counted
    receive_time_s: float = 30.0  # from a request's first byte to its last
    drain_s: float = 30.0  # for requests under way, once the server is told to stop
    max_body_bytes: int = 2 * 2**20

    def __post_init__(self) -> None:
        for name in (
            "slots",
            "context",
            "max_waiting",
            "time_limit_s",
            "receive_time_s",
            "max_body_bytes",
        ):
            if getattr(self, name) <= 0:
                raise UsageError(f"{name} is {getattr(self, name)}; expected more than 0.")
        if any(not key or not key.isascii() or not key.isprintable() for key in self.api_keys):
            raise UsageError("An API key is empty or not printable ASCII; choose another one.")
        for origin in self.allowed_origins:
            if not _ORIGIN.fullmatch(origin):
                raise UsageError(
                    f"--allow-origin {origin!r} is no origin as browsers send it; expected a "
                    "scheme and a name in lower case, with a port if it is not the scheme's, and "
                    "nothing behind: https://example.org or http://localhost:3000."
                )
        if not is_loopback(self.host) and not self.api_keys:
            raise UsageError(
                f"{self.host} can be reached from other machines, and no key is asked for: give "
                "one with --api-key or GNOMON_API_KEY, or serve this machine alone (--host "
                "127.0.0.1)."
            )


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach an address.

    >>> is_loopback("127.0.0.1"), is_loopback("localhost"), is_loopback("0.0.0.0")
    (True, True, False)
    """
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
