"""Servers as users start them: the command in a process of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
from small_checkpoints import write_gguf
from small_vocabularies import BYTE_LEVEL

ENDLESS = {"0": -100.0, "2": -100.0}  # a logit_bias with which the tiny model never ends


@dataclass(frozen=True)
class Server:
    address: str
    model: str
    process: subprocess.Popen

    @property
    def client(self) -> httpx.Client:
        return httpx.Client(base_url=self.address, timeout=120)

    def get(self, path: str) -> httpx.Response:
        return httpx.get(self.address + path, timeout=120)

    def metric(self, line: str) -> float:
        text = self.get("/metrics").text
        return float(next(row for row in text.splitlines() if row.startswith(line)).split()[-1])

    def memory_bytes(self) -> int:
        """Resident, without what is only mapped from files."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return 1024 * int(status.split("RssAnon:")[1].split()[0])

    def terminate(self) -> None:
        self.process.send_signal(signal.SIGTERM)


def tiny_model_file(folder: Path) -> Path:
    """A model that says random letters, fast, in a context that takes it seconds."""
    path = folder / "tiny.gguf"
    write_gguf(path, "llama", llama__context_length=65_536, general__name="tiny", **BYTE_LEVEL)
    return path


def quick_start() -> dict[str, str]:
    """Our environment; where compiled modules have a place of their own, they are kept there."""
    environment = dict(os.environ)
    if "PYTHONPYCACHEPREFIX" in environment:
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
    return environment


@contextmanager
def serving(*arguments: object, environment: dict[str, str] | None = None) -> Iterator[Server]:
    """A server of its own, ended with SIGTERM; whatever it says on stderr shows in the test."""
    process = subprocess.Popen(
        [
            sys.executable,
            "-W",
            "error",
            "-m",
            "gnomon",
            "serve",
            *map(str, arguments),
            "--port",
            "0",
            "--json",
        ],
        stdout=subprocess.PIPE,
        env=environment or quick_start(),
    )
    try:
        assert process.stdout is not None
        ready = json.loads(process.stdout.readline())
        yield Server(ready["address"], ready["model"], process)
    finally:
        process.terminate()
        process.wait(timeout=60)
        process.stdout.close()


def events(lines: Iterator[str]) -> Iterator[dict | str]:
    """What server-sent events carry: objects, and the words of the end."""
    for line in lines:
        if line.startswith("data: "):
            data = line.removeprefix("data: ")
            yield data if data == "[DONE]" else json.loads(data)
