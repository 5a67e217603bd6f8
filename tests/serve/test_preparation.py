"""Requests that are prepared: few at once, within their time, counted while they are."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest

from gnomon.engine import Engine
from gnomon.models import open_model
from gnomon.serve.metrics import Metrics
from gnomon.serve.preparation import THREADS, Preparation, TimeLimitError
from gnomon.serve.scheduler import DrainingError, QueueFullError, Scheduler


@pytest.fixture
def scheduler(tiny):
    engine = Engine(open_model(tiny), threads=1)
    return Scheduler(engine, slots=1, context=64, max_waiting=4, metrics=Metrics())


class Gate:
    """Work that takes until `open` is set."""

    def __init__(self):
        self.open = threading.Event()
        self.begun = 0

    def __call__(self):
        self.begun += 1
        assert self.open.wait(30)
        return "prepared"


async def until(condition):
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.sleep(0.005)


def soon():
    return time.monotonic() + 0.05


def later():
    return time.monotonic() + 30


def test_few_at_once_and_no_more_than_may_wait(scheduler):
    async def main():
        preparation, gate = Preparation(scheduler), Gate()
        tasks = [asyncio.create_task(preparation.run(gate, deadline_s=later())) for _ in range(4)]
        await until(lambda: gate.begun == THREADS)
        assert scheduler.load == (0, 4)
        with pytest.raises(QueueFullError):
            await preparation.run(gate, deadline_s=later())
        gate.open.set()
        assert await asyncio.gather(*tasks) == ["prepared"] * 4
        assert gate.begun == 4
        await until(lambda: scheduler.load == (0, 0))

    asyncio.run(main())


def test_time_runs_out_but_who_has_begun_keeps_its_place(scheduler):
    async def main():
        preparation, gate = Preparation(scheduler), Gate()
        runs = [preparation.run(gate, deadline_s=soon()) for _ in range(4)]
        ends = await asyncio.gather(*runs, return_exceptions=True)
        assert [type(end) for end in ends] == [TimeLimitError] * 4
        # Those that never began have left; the others still take time of the processor.
        assert scheduler.load == (0, THREADS)
        gate.open.set()
        await until(lambda: scheduler.load == (0, 0))
        assert gate.begun == THREADS

    asyncio.run(main())


def test_trouble_is_told_and_leaves_the_place(scheduler):
    async def main():
        with pytest.raises(ZeroDivisionError):
            await Preparation(scheduler).run(lambda: 1 / 0, deadline_s=later())
        assert scheduler.load == (0, 0)

    asyncio.run(main())


def test_an_end_is_told_to_who_has_not_begun(scheduler):
    async def main():
        preparation, gate = Preparation(scheduler), Gate()
        tasks = [asyncio.create_task(preparation.run(gate, deadline_s=later())) for _ in range(3)]
        await until(lambda: gate.begun == THREADS)
        scheduler.drain()
        preparation.stop()
        gate.open.set()
        ends = await asyncio.gather(*tasks, return_exceptions=True)
        assert ends[:2] == ["prepared"] * 2
        assert isinstance(ends[2], DrainingError)
        with pytest.raises(DrainingError):
            await preparation.run(gate, deadline_s=later())

    asyncio.run(main())
