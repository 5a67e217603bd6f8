"""`LlamaBench`: llama.cpp's own benchmark tool, one case at a time.

>>> peer = LlamaBench(find_tool(None), Path("model-Q2_K.gguf"), threads=2)   # doctest: +SKIP
>>> peer.speed(Case(kind="prompt", tokens=512))                              # doctest: +SKIP
130.2
"""

from __future__ import annotations

import json
import shlex
import shutil
import subprocess
from pathlib import Path

from gnomon.bench.cases import Case
from gnomon.errors import GnomonError, UsageError


class LlamaBench:
    """A GGUF file in llama.cpp. Every case is a process of its own, whose loading is not timed."""

    def __init__(self, tool: str, model: Path, *, threads: int) -> None:
        self.name = f"llama.cpp {model.stem}"
        self._tool = tool
        self._model = model
        self._threads = threads

    def takes(self, case: Case) -> bool:
        """The tool runs one sequence."""
        return case.batch == 1

    def speed(self, case: Case) -> float:
        """Tokens a second. Raises GnomonError if the tool fails or says no figure."""
        is_prompt = case.kind == "prompt"
        prompt, decoded = (case.tokens, 0) if is_prompt else (0, case.tokens)
        command = [self._tool, "-m", str(self._model), "-t", str(self._threads), "-r", "1"]
        command += ["-p", str(prompt), "-n", str(decoded), "-o", "json"]
        if case.context:
            command += ["-d", str(case.context)]
        try:
            run = subprocess.run(command, capture_output=True, text=True, errors="replace")
        except OSError as error:
            raise UsageError(f"{self._tool} cannot be run: {error.strerror or error}") from error
        if run.returncode:
            raise _failure(command, f"ended with exit code {run.returncode}", run.stderr)
        try:
            [entry] = json.loads(run.stdout)
            return float(entry["avg_ts"])
        except (ValueError, KeyError, TypeError) as error:
            raise _failure(command, "gave no one figure", run.stdout + run.stderr) from error


def find_tool(given: str | None) -> str:
    """Where llama-bench is: as given, or on PATH. Raises UsageError if it is nowhere."""
    tool = shutil.which(given or "llama-bench")
    if tool is None:
        where = f"at {given}" if given else "on PATH"
        raise UsageError(
            f"There is no llama-bench that can be run {where}. Name it with --llama-bench PATH; "
            "benchmarks/llama_cpp.py builds it from source."
        )
    return tool


def _failure(command: list[str], what: str, said: str) -> GnomonError:
    tail = "\n".join(said.strip().splitlines()[-8:])
    return GnomonError(f"{shlex.join(command)}\n{what}:\n{tail}")
