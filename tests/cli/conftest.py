from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import fake_house
import pytest
from fake_house import House

from gnomon.cli import main

# They bind names of the fakes when they are imported, so each test imports them anew.
_BOUND = ("gnomon.conversation", "gnomon.demo", "gnomon.evaluation")


@pytest.fixture
def house(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[House]]:
    """The false model, engine and compressor in place of the true ones."""
    kept = {name: sys.modules.pop(name) for name in _BOUND if name in sys.modules}
    for name, module in fake_house.modules().items():
        monkeypatch.setitem(sys.modules, name, module)
    yield House
    for name in _BOUND:
        sys.modules.pop(name, None)
    sys.modules.update(kept)


@dataclass(frozen=True)
class Run:
    exit_code: int
    stdout: str
    stderr: str

    @property
    def json(self) -> dict[str, Any]:
        """Stdout as the one JSON object that it must be."""
        assert self.exit_code == 0, self.stderr
        assert self.stdout.count("\n") == 1
        return json.loads(self.stdout, parse_constant=lambda name: pytest.fail(name))


@pytest.fixture
def gnomon(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Run]:
    """Run the command line here, with `stdin` as its input."""
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.delenv("GNOMON_TRACEBACK", raising=False)

    def run(*arguments: str, stdin: bytes = b"") -> Run:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin), encoding="utf-8"))
        exit_code = main(arguments)
        captured = capsys.readouterr()
        return Run(exit_code, captured.out, captured.err)

    return run
