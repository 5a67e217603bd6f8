from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from running_servers import Server, serving, tiny_model_file


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_model_file(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="session")
def tiny_server(tiny: Path) -> Iterator[Server]:
    options = ("--slots", 4, "--queue", 8, "--context", 65_536)
    with serving(tiny, "--threads", 1, *options) as server:
        yield server


@pytest.fixture(scope="session")
def smollm() -> Iterator[Server]:
    """The embedded model, which knows English, for clients that look at what it says."""
    with serving("--context", 1024, "--alias", "local") as server:
        yield server
