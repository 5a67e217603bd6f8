"""`OurModel`: a model in gnomon's engine, timed case by case.

>>> ours = OurModel(open_model(), plan=plan, threads=2)                     # doctest: +SKIP
>>> ours.speed(Case(kind="prompt", tokens=512))                              # doctest: +SKIP
1234.5
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from gnomon.bench.cases import Case, Plan
from gnomon.engine import Engine, Session
from gnomon.engine.engine import Cache
from gnomon.engine.memory import require_memory
from gnomon.errors import ContextError
from gnomon.models.model import Model


class OurModel:
    """An engine and the sessions that a plan needs.

    Raises ContextError, before the weights are loaded, if the plan goes past the model's context;
    GnomonError if weights or sessions do not fit into memory, before they are taken.
    """

    def __init__(
        self,
        open_it: Callable[[], Model],
        *,
        plan: Plan,
        threads: int | None = None,
        cache: Cache = "auto",
    ) -> None:
        before_bytes, start_s = resident_bytes(), time.perf_counter()
        model = open_it()
        capacities = plan.capacities()
        if max(capacities) > model.config.max_context:
            raise ContextError(
                f"The bench reads up to {max(capacities)} tokens; the context of {model.name} is "
                f"{model.config.max_context}. Ask for shorter prompts or contexts."
            )
        self.engine = Engine(model, threads=threads)
        needed_bytes = sum(self.engine.session_bytes(each, cache=cache) for each in capacities)
        require_memory(needed_bytes, f"The sessions of {len(capacities)} sequences")
        self._sessions = [self.engine.session(each, cache=cache) for each in capacities]
        rng = np.random.default_rng(0)
        self._text = rng.integers(0, model.config.vocab_size, max(capacities)).astype(np.int32)
        self._sessions[0].forward(self._text[:1])
        self.name = model.name
        self.first_token_s = time.perf_counter() - start_s  # from nothing
        self.memory_bytes = resident_bytes() - before_bytes  # the mapped weights among it

    def takes(self, case: Case) -> bool:
        return True

    def speed(self, case: Case) -> float:
        """Tokens a second, of all sequences together."""
        timed = self._prompt_s if case.kind == "prompt" else self._decode_s
        return case.batch * case.tokens / timed(case)

    def _prompt_s(self, case: Case) -> float:
        session = self._sessions[0]
        session.truncate(0)
        start_s = time.perf_counter()
        session.forward(self._text[: case.tokens])
        return time.perf_counter() - start_s

    def _decode_s(self, case: Case) -> float:
        sessions = self._sessions[: case.batch]
        for session in sessions:
            self._read_to(session, case.context)
        step = [(session, self._text[:1]) for session in sessions]
        self.engine.forward_together(step)  # wakes the threads
        start_s = time.perf_counter()
        for _ in range(case.tokens):
            self.engine.forward_together(step)
        return time.perf_counter() - start_s

    def _read_to(self, session: Session, length: int) -> None:
        session.truncate(min(length, session.length))
        if session.length < length:
            session.forward(self._text[session.length : length])


def resident_bytes() -> int:
    """Memory that this process holds at the moment; 0 where the system does not say."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return 0
    found = [int(line.split()[1]) * 1024 for line in lines if line.startswith("VmRSS:")]
    return sum(found)
