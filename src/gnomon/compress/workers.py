"""Who does the many equal parts of a compression: the threads of this process, or another machine.

The pipeline only says what is to be done, in pure functions of this package and their arguments;
what a task gives depends on its arguments alone, never on who did it or on how many others there
are. So every kind of worker gives the same result, bit for bit, and a task that was lost with its
worker can be done again.

    workers = LocalWorkers()
    shared = workers.keep(weights)                     # read by many tasks
    states = workers.map_kept(advance, [(shared, state) for state in states])
    for partial in workers.map(measure, [(shared, state) for state in states]): ...
"""

from __future__ import annotations

import pickle
import tempfile
import weakref
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, Protocol

from threadpoolctl import ThreadpoolController

from gnomon import _native


class Workers(Protocol):
    """Runs tasks; an argument that was kept is given to the task as the value that was kept."""

    def keep(self, value: Any) -> Any:
        """Puts a value where tasks can read it; what comes back stands for it in arguments."""
        ...

    def fetch(self, kept: Any) -> Any:
        """The value of what was kept."""
        ...

    def map(self, function: Callable[..., Any], tasks: Sequence[tuple]) -> Iterator[Any]:
        """The results of function(*task), in order; a few are computed ahead."""
        ...

    def map_kept(self, function: Callable[..., Any], tasks: Sequence[tuple]) -> list[Any]:
        """The same, but the results are kept."""
        ...


class LocalWorkers:
    """Threads of this process. Every task has one thread of BLAS, so that it always adds up alike.

    With a `folder` what is kept by `map_kept` is kept there instead of in memory.
    """

    def __init__(self, *, threads: int | None = None, folder: Path | None = None):
        self.threads = threads or _native.usable_cores()
        self._folder = folder
        self._blas = ThreadpoolController().select(user_api="blas")

    def keep(self, value: Any) -> Any:
        return value

    def fetch(self, kept: Any) -> Any:
        return kept.load() if isinstance(kept, _OnDisk) else kept

    def map(self, function: Callable[..., Any], tasks: Sequence[tuple]) -> Iterator[Any]:
        def run(task: tuple) -> Any:
            return function(*map(self.fetch, task))

        running: deque[Future] = deque()
        with self._blas.limit(limits=1), ThreadPoolExecutor(self.threads) as pool:
            try:
                for task in tasks:
                    running.append(pool.submit(run, task))
                    if len(running) > self.threads:
                        yield running.popleft().result()
                while running:
                    yield running.popleft().result()
            finally:
                for task in running:
                    task.cancel()

    def map_kept(self, function: Callable[..., Any], tasks: Sequence[tuple]) -> list[Any]:
        folder = self._folder
        results = self.map(function, tasks)
        return list(results) if folder is None else [_OnDisk(folder, value) for value in results]


class _OnDisk:
    """A value in a file of its own, which goes when nobody has a use for it any more."""

    def __init__(self, folder: Path, value: Any):
        with tempfile.NamedTemporaryFile(dir=folder, suffix=".kept", delete=False) as file:
            self.path = Path(file.name)
            weakref.finalize(self, self.path.unlink, missing_ok=True)
            pickle.dump(value, file, protocol=pickle.HIGHEST_PROTOCOL)

    def load(self) -> Any:
        with open(self.path, "rb") as file:
            return pickle.load(file)
