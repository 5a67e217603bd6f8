"""Workers on the machines of a Ray cluster, with the result of the local run, bit for bit.

A task runs in a process of its own with one thread of BLAS, wherever the cluster has a free core.
What is kept lies in the object store of this machine (which moves to disk what does not fit), so a
worker or a whole other machine may die: its tasks are done again elsewhere and nothing else is
lost. This machine must belong to the cluster, and every machine needs gnomon, installed alike.

The sums of a matrix product depend on the kind of the processor. So the promise of equal bytes is
for machines of one kind.

    ray start --head                           # here; then on every other machine
    ray start --address=192.0.2.1:6379         # what the first command names

    with RayWorkers("auto") as workers:
        compress(model, output, workers=workers)

Arrays from the store are read-only, in tasks as in results.
"""

from __future__ import annotations

import logging
import platform
import signal
import socket
import threading
import warnings
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

import gnomon
from gnomon.errors import GnomonError, UsageError
from gnomon.extras import how_to_install

try:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of Ray's to itself
        import ray
        import ray.exceptions
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy
except ImportError as error:
    raise UsageError(f"Ray is not installed ({error}); {how_to_install('ray')}") from error

RETRIES = 3  # by Ray, of a task whose worker dies
ROUNDS = 3  # of these, as a result too can go with the machine that it lies on
CONNECT_S = 5.0  # to wait for an answer of the address
CHECK_S = 120.0  # to wait for all machines to say what they run
AHEAD = 2  # tasks for each core of the cluster that are on their way

# A machine went, with what it was doing or held; not a mistake of the task.
_LOSSES = (
    ray.exceptions.WorkerCrashedError,
    ray.exceptions.NodeDiedError,
    ray.exceptions.ObjectLostError,
    ray.exceptions.LocalRayletDiedError,
    ray.exceptions.OutOfMemoryError,
    ray.exceptions.RaySystemError,
)


class RayWorkers:
    """Tasks of a Ray cluster. See `gnomon.compress.workers.Workers`.

    `address` is "auto", for the cluster that this machine belongs to, or HOST:PORT. Raises
    UsageError if nobody answers there, or if a machine does not have this version of gnomon.
    A process that was connected to a cluster already stays with it.
    """

    def __init__(self, address: str):
        _require_answer(address)
        self._is_ours = not ray.is_initialized()
        if self._is_ours:
            _connect(address)
        try:
            _require_alike(address)
        except BaseException:
            self.close()
            raise
        self._task = ray.remote(num_cpus=1, max_retries=RETRIES)(_run)

    def __enter__(self) -> RayWorkers:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Leaves the cluster, which goes on."""
        if self._is_ours and ray.is_initialized():
            ray.shutdown()

    def keep(self, value: Any) -> Any:
        return ray.put(value)

    def fetch(self, kept: Any) -> Any:
        return ray.get(kept) if isinstance(kept, ray.ObjectRef) else kept

    def map(self, function: Callable[..., Any], tasks: Sequence[tuple]) -> Iterator[Any]:
        ahead = AHEAD * max(1, int(ray.cluster_resources().get("CPU", 1)))
        running: deque[tuple[Any, tuple]] = deque()
        try:
            for task in tasks:
                running.append((self._task.remote(function, *task), task))
                if len(running) > ahead:
                    yield self._result(function, *running.popleft())
            while running:
                yield self._result(function, *running.popleft())
        finally:
            for reference, _ in running:
                ray.cancel(reference)

    def map_kept(self, function: Callable[..., Any], tasks: Sequence[tuple]) -> list[Any]:
        # What another machine holds would go with it: what is to stay is brought here.
        return [ray.put(value) for value in self.map(function, tasks)]

    def _result(self, function: Callable[..., Any], reference: Any, task: tuple) -> Any:
        for last in reversed(range(ROUNDS)):
            try:
                return ray.get(reference)
            except ray.exceptions.RayTaskError as error:
                if isinstance(error.cause, Exception):
                    raise error.cause from error
                raise
            except _LOSSES as error:
                if last == 0:
                    reason = str(error).splitlines()[0].rstrip(".")
                    raise GnomonError(
                        f"A task was lost with its worker time after time: {reason}. Have the "
                        "machines of the cluster enough memory? What was finished is kept."
                    ) from error
                reference = self._task.remote(function, *task)
        raise AssertionError


def _run(function: Callable[..., Any], *task: Any) -> Any:
    with threadpool_limits(limits=1, user_api="blas"):  # as in LocalWorkers
        return function(*task)


def _connect(address: str) -> None:
    handler = _termination_handler()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ray.init(address, log_to_driver=False, logging_level=logging.CRITICAL)
    except (ConnectionError, RuntimeError, ValueError, OSError) as error:
        if address == "auto" and isinstance(error, ConnectionError):
            raise UsageError(
                "This machine belongs to no Ray cluster. It joins one with `ray start "
                "--address=HOST:PORT`, and starts one with `ray start --head`."
            ) from error
        reason = " ".join(str(error).split()).rstrip(".")
        raise UsageError(
            f"The Ray cluster at {address} cannot be used: {reason}. This machine must belong to "
            "it (ray start --address=HOST:PORT), with the same Ray and Python."
        ) from error
    finally:
        if handler is not None:
            signal.signal(signal.SIGTERM, handler)


def _termination_handler() -> Any:
    """What this process does when it is told to end; Ray would put its own in the place of it."""
    is_main = threading.current_thread() is threading.main_thread()
    return signal.getsignal(signal.SIGTERM) if is_main else None


def _require_answer(address: str) -> None:
    """Ray itself would wait for minutes, and then end the process."""
    if address == "auto":
        return
    host, _, port = address.rpartition(":")
    if not host or "/" in host or not port.isdecimal() or not 0 < int(port) < 65_536:
        raise UsageError(
            f'The Ray address {address!r} is neither "auto" nor HOST:PORT. With "auto" it is the '
            "cluster that this machine has joined (ray start --address=HOST:PORT)."
        )
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=CONNECT_S).close()
    except OSError as error:
        raise UsageError(
            f"No Ray cluster answers at {address} ({error}). On its first machine `ray start "
            "--head` starts one and names the address."
        ) from error


def _require_alike(address: str) -> None:
    """Every machine must run what this one runs."""

    def versions() -> tuple[str, ...]:  # sent as it is, as gnomon may not be there
        import platform

        try:
            import numpy

            import gnomon

            found = gnomon.__version__, numpy.__version__
        except ImportError as error:
            found = f"not importable ({error})", "unknown"
        return *found, platform.python_version(), platform.machine()

    expected = (
        gnomon.__version__,
        np.__version__,
        platform.python_version(),
        platform.machine(),
    )
    ask = ray.remote(num_cpus=0, max_retries=RETRIES)(versions)
    names = {node["NodeID"]: node["NodeName"] for node in ray.nodes() if node["Alive"]}
    answers = {
        node: ask.options(
            scheduling_strategy=NodeAffinitySchedulingStrategy(node_id=node, soft=False)
        ).remote()
        for node in names
    }
    for node, answer in answers.items():
        try:
            found = ray.get(answer, timeout=CHECK_S)
        except (ray.exceptions.RayError, TimeoutError) as error:
            raise UsageError(
                f"The machine {names[node]} of the Ray cluster at {address} does no tasks: {error}"
            ) from error
        if found != expected:
            said, wanted = (
                "gnomon {}, numpy {}, Python {} on {}".format(*versions)
                for versions in (found, expected)
            )
            raise UsageError(
                f"The machine {names[node]} of the Ray cluster has {said}; this one has {wanted}. "
                "Results would differ: install the same everywhere."
            )
