"""`Scheduler`: one thread that runs the engine, for many texts at once.

Texts join and leave between steps. In a step every text that is being answered reads one token, and
prompts that are still to be read share what room is left, so that a long prompt never stops the
answers of others for long. All of it goes through the layers in one run (`forward_together`), and a
text gets the same numbers as if it were alone.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from gnomon.engine.memory import require_memory
from gnomon.errors import GnomonError, UsageError
from gnomon.serve.events import Event, Failed, TextAdded
from gnomon.serve.metrics import Metrics
from gnomon.serve.slots import Slot, Slots
from gnomon.serve.waiting import WaitingLine
from gnomon.serve.work import Work

if TYPE_CHECKING:
    import numpy as np

    from gnomon.engine import Engine

PROMPT_ROWS = 256  # tokens of prompts that a step reads where nobody is being answered
PROMPT_ROWS_BESIDE = 64  # and where somebody is
SECONDS_TO_GATHER = 0.01  # text that may wait for more text, so that both are sent together
Deliver = Callable[[Work, Event], None]

SHUTTING_DOWN = "the server is shutting down; try again later"


class QueueFullError(Exception):
    """Too many texts wait already."""

    def __init__(self, retry_after_s: int) -> None:
        super().__init__(f"too many requests are waiting; try again in {retry_after_s} s")
        self.retry_after_s = retry_after_s


class DrainingError(Exception):
    """The server is about to end and takes nothing new."""


class Scheduler:
    """`submit` and `cancel` belong to the event loop's thread; everything else runs in ours.

    Whoever prepares a text takes a place in the line meanwhile, from any thread.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        slots: int,
        context: int,
        max_waiting: int,
        metrics: Metrics,
    ) -> None:
        """`slots`: texts at once, each of at most `context` tokens. Raises GnomonError if their
        memory is not there.
        """
        require_memory(slots * engine.session_bytes(context), f"Serving {slots} texts at once")
        self._engine = engine
        self._slots = Slots(engine, count=slots, capacity=context)
        self._max_waiting = max_waiting
        self._metrics = metrics
        self._line = WaitingLine()
        self._news = threading.Condition()  # guards all below, and the line
        self._is_draining = False
        self._is_stopping = False
        self._busy = 0  # texts in slots
        self._preparing = 0  # requests that will become texts
        metrics.watch(
            running=lambda: self.load[0],
            waiting=lambda: self.load[1],
            held_tokens=lambda: self._slots.held_tokens,
        )
        self._deliver: Callable[[list[tuple[Work, Event]]], None] = lambda events: None
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)

    def start(self, loop: asyncio.AbstractEventLoop, deliver: Deliver) -> None:
        """Begin. `deliver` is called in `loop`'s thread with each event of each text."""

        def deliver_all(events: list[tuple[Work, Event]]) -> None:
            for work, event in events:
                deliver(work, event)

        def hand_over(events: list[tuple[Work, Event]]) -> None:
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody listens
                loop.call_soon_threadsafe(deliver_all, events)

        self._deliver = hand_over
        self._thread.start()

    def take_place(self) -> None:
        """Keep a place in the line for a request that is still to be prepared. Raises
        QueueFullError and DrainingError.
        """
        with self._news:
            if self._is_draining:
                raise DrainingError(SHUTTING_DOWN)
            waiting = len(self._line) + self._preparing
            if waiting >= self._max_waiting:
                raise QueueFullError(self._metrics.expected_wait_s(waiting))
            self._preparing += 1

    def leave_place(self) -> None:
        """It is prepared, or will never be."""
        with self._news:
            self._preparing -= 1

    def submit(self, works: Sequence[Work]) -> None:
        """Take all of these, or none. Raises QueueFullError and DrainingError."""
        with self._news:
            if self._is_draining:
                raise DrainingError(SHUTTING_DOWN)
            if len(self._line) and len(self._line) + len(works) > self._max_waiting:
                raise QueueFullError(self._metrics.expected_wait_s(len(self._line)))
            for work in works:
                self._line.add(work)
            self._news.notify()

    def cancel(self, works: Sequence[Work]) -> None:
        """Stop working on these; nothing is reported of them any more."""
        with self._news:
            for work in works:
                work.cancel()
            self._news.notify()

    def drain(self) -> None:
        """Take nothing new, and finish what there is."""
        with self._news:
            self._is_draining = True

    @property
    def is_draining(self) -> bool:
        return self._is_draining

    @property
    def is_idle(self) -> bool:
        with self._news:
            return self._busy == 0 and not len(self._line)

    @property
    def load(self) -> tuple[int, int]:
        """Texts that are worked on; and texts that wait, with requests that are prepared."""
        with self._news:
            return self._busy, len(self._line) + self._preparing

    def stop(self) -> None:
        """End whatever is left with an event that says so, and the thread."""
        with self._news:
            self._is_draining = self._is_stopping = True
            self._news.notify()
        if self._thread.is_alive():
            self._thread.join()

    # ---------------------------------------------------------------- in the engine's thread

    def _run(self) -> None:
        is_running = True
        events: list[tuple[Work, Event]] = []
        last_s = 0.0
        while is_running:
            with self._news:
                self._news.wait_for(lambda: self._is_stopping or self._busy or len(self._line))
                is_running = not self._is_stopping
                events += self._dismiss()
            if is_running:
                events += self._admit()
                events += self._step()
            with self._news:
                self._busy = len(self._slots.busy)
            # The event loop's work and ours take turns in Python: it is not woken for each token
            # of a fast model, but at once for what somebody waits for.
            now_s = time.monotonic()
            is_urgent = any(not isinstance(event, TextAdded) for _, event in events)
            if events and (is_urgent or not self._busy or now_s - last_s >= SECONDS_TO_GATHER):
                self._deliver(events)
                events, last_s = [], now_s

    def _dismiss(self) -> list[tuple[Work, Event]]:
        """Part with texts that nobody waits for or that took too long."""
        now_s = time.monotonic()
        events: list[tuple[Work, Event]] = []

        def is_out(work: Work) -> bool:
            if work.is_cancelled or work.is_done:
                work.is_done = True
                return True
            failure = None
            if self._is_stopping:
                failure = Failed(kind="shutting_down", message=SHUTTING_DOWN)
            elif now_s >= work.deadline_s:
                failure = Failed(
                    kind="time_limit", message="the request took longer than the server allows"
                )
            if failure is not None:
                work.is_done = True
                events.append((work, failure))
            return work.is_done

        self._line.remove(is_out)
        for slot in self._slots.busy:
            assert slot.work is not None
            if is_out(slot.work):
                slot.work = None
        return events

    def _admit(self) -> list[tuple[Work, Event]]:
        """Give free slots to those who wait."""
        events: list[tuple[Work, Event]] = []
        while self._slots.has_room:
            with self._news:
                work = self._line.take()
                if work is None:
                    break
                self._busy += 1
            slot, source, kept = self._slots.take(work)
            events += self._guarded(slot, lambda s=slot, f=source, k=kept: s.begin(f, k))
        return events

    def _step(self) -> list[tuple[Work, Event]]:
        """Let every text read on. What a text's own trouble is does not touch the others."""
        start_s = time.perf_counter()
        events: list[tuple[Work, Event]] = []
        together: list[tuple[Slot, np.ndarray]] = []
        plan = self._plan()
        for slot, rows in plan:
            work = slot.work
            assert work is not None
            # Rows of others cost what rows of a guess would, and are never wrong.
            guess = work.guess() if len(plan) == 1 else []
            if guess:
                events += self._guarded(
                    slot, lambda w=work, s=slot, g=guess: w.read_guess(s.session, g)
                )
                continue
            if not work.reads_alone:
                together.append((slot, work.next_tokens(rows)))
                continue
            events += self._guarded(slot, lambda w=work, s=slot, r=rows: w.read_alone(s.session, r))
        if together:
            try:
                logits = self._engine.forward_together(
                    [(slot.session, tokens) for slot, tokens in together]
                )
            except Exception as error:  # a bug; those who wait are told, and we go on
                for slot, _ in together:
                    events += self._guarded(slot, lambda e=error: _raise(e))
                return events
            for (slot, _), row in zip(together, logits, strict=True):
                work = slot.work
                assert work is not None
                events += self._guarded(slot, lambda w=work, r=row: w.take_logits(r))
        self._metrics.step(seconds=time.perf_counter() - start_s, texts=len(self._slots.busy))
        return events

    def _plan(self) -> list[tuple[Slot, int]]:
        """The tokens that each text may read in this step."""
        busy = self._slots.busy
        reading = [slot for slot in busy if slot.work and not slot.work.is_prompt_read]
        if not reading:
            return [(slot, 1) for slot in busy]
        rows = PROMPT_ROWS if len(reading) == len(busy) else PROMPT_ROWS_BESIDE
        share = max(1, rows // len(reading))
        return [(slot, share if slot in reading else 1) for slot in busy]

    def _guarded(
        self, slot: Slot, go_on: Callable[[], Sequence[Event]]
    ) -> list[tuple[Work, Event]]:
        work = slot.work
        assert work is not None
        try:
            events = list(go_on())
        except UsageError as error:  # a grammar that turns out to be too much
            events = [Failed(kind="request", message=str(error))]
        except GnomonError as error:  # logits that are no numbers
            print(f"gnomon serve: {error}", file=sys.stderr)
            events = [Failed(kind="model", message=str(error))]
        except Exception:
            traceback.print_exc()
            events = [Failed(kind="internal", message="the server failed; its log says why")]
        if events and isinstance(events[-1], Failed):
            work.is_done = True
            slot.session.truncate(0)
        if work.is_done:
            slot.work = None
        return [(work, event) for event in events]


def _raise(error: Exception) -> Sequence[Event]:
    raise error
