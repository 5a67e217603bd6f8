"""llama.cpp as a peer: its tools built from source, its quantiser, its perplexity.

The sources are those that `llama-cpp-python`'s source package carries, so that nothing but pip is
needed. They are built once, into build/peers/ (about eight CPU minutes).

>>> tools = build_tools()                                             # doctest: +SKIP
>>> tools.perplexity(Path("model.gguf"), Path("text.txt"), windows=20)  # doctest: +SKIP
14.43
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

PEERS = Path(__file__).parent.parent / "build" / "peers"
PACKAGE = "llama-cpp-python==0.3.36"
NO_REPACK = "--no-repack"  # its products with AMX crash on quantised weights
TARGETS = ("llama-quantize", "llama-imatrix", "llama-perplexity", "llama-bench", "llama-server")
_SETTINGS = (
    "-DCMAKE_BUILD_TYPE=Release",
    "-DGGML_NATIVE=ON",
    "-DBUILD_SHARED_LIBS=OFF",
    "-DLLAMA_CURL=OFF",
    "-DLLAMA_BUILD_TESTS=OFF",
    "-DLLAMA_BUILD_SERVER=ON",
    "-DLLAMA_BUILD_EXAMPLES=OFF",
)


class ToolError(RuntimeError):
    """A tool failed: its command, exit code, and the end of what it said."""

    def __init__(self, command: list[str], exit_code: int, said: str) -> None:
        tail = "\n".join(said.strip().splitlines()[-15:])
        super().__init__(f"{shlex.join(command)}\nended with exit code {exit_code}:\n{tail}")


@dataclass(frozen=True, slots=True, kw_only=True)
class LlamaCpp:
    """The built tools. Every method raises ToolError if its tool fails."""

    folder: Path  # with the executables
    threads: int

    def imatrix(
        self,
        model: Path,
        text: Path,
        output: Path,
        *,
        window: int = 512,
        windows: int | None = None,
    ) -> float:
        """Write the importance matrix of `model` on `text`; seconds taken."""
        command = [self._tool("llama-imatrix"), "-m", str(model), "-f", str(text)]
        command += ["-c", str(window), "-b", str(window), "-t", str(self.threads)]
        command += ["--no-ppl", "--no-escape", NO_REPACK]
        if windows is not None:
            command += ["--chunks", str(windows)]
        return self._write(output, [*command, "-o"])

    def quantize(
        self, model: Path, kind: str, output: Path, *, imatrix: Path | None = None
    ) -> float:
        """Write `model` in llama.cpp's type `kind` (`Q2_K`, `IQ2_M`, …); seconds taken.

        What is quantised already is decoded and quantised anew.
        """
        command = [self._tool("llama-quantize"), "--allow-requantize"]
        if imatrix is not None:
            command += ["--imatrix", str(imatrix)]
        return self._write(output, [*command, str(model)], [kind, str(self.threads)])

    def perplexity(self, model: Path, text: Path, *, windows: int, window: int = 512) -> float:
        """Of the first `windows` windows of `text`, the second half of each counted."""
        command = [self._tool("llama-perplexity"), "-m", str(model), "-f", str(text)]
        command += ["-c", str(window), "-b", str(window), "--chunks", str(windows)]
        command += ["-t", str(self.threads), "--no-escape", NO_REPACK]
        said = _run(command)
        found = re.search(r"Final estimate: PPL = ([\d.]+|nan|inf)", said)
        if found is None:
            raise ToolError(command, 0, "no perplexity in this:\n" + said)
        return float(found[1])

    def _tool(self, name: str) -> str:
        return str(self.folder / name)

    def _write(self, output: Path, command: list[str], rest: list[str] | None = None) -> float:
        """Run a command that writes a file; the file appears when it is whole."""
        output.parent.mkdir(parents=True, exist_ok=True)
        part = output.with_name(f"part-{output.name}")  # the tools look at how the name ends
        start_s = time.perf_counter()
        try:
            _run([*command, str(part), *(rest or [])])
            os.replace(part, output)
        finally:
            part.unlink(missing_ok=True)
        return time.perf_counter() - start_s


def build_tools(folder: Path = PEERS, *, threads: int | None = None) -> LlamaCpp:
    """The tools, built below `folder` unless they are there. `threads`: all cores by default."""
    threads = threads or len(os.sched_getaffinity(0))
    build = folder / "llama.cpp" / "build"
    if not all((build / "bin" / name).is_file() for name in TARGETS):
        source = folder / "llama.cpp"
        if not (source / "CMakeLists.txt").is_file():
            _fetch_sources(source)
        generator = ["-G", "Ninja"] if shutil.which("ninja") else []
        _run(["cmake", "-S", str(source), "-B", str(build), *generator, *_SETTINGS])
        command = ["cmake", "--build", str(build), "--parallel", str(threads), "--target"]
        _run(["nice", "-n", "10", *command, *TARGETS])
    return LlamaCpp(folder=build / "bin", threads=threads)


def _fetch_sources(target: Path) -> None:
    """llama.cpp's sources out of the Python package's, at `target`."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
        name = PACKAGE.partition("==")[0]
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
        _run([*command, "--no-binary", name, "--dest", scratch, PACKAGE])
        [archive] = Path(scratch).glob("*.tar.gz")
        with tarfile.open(archive) as content:
            content.extractall(scratch, filter="data")
        [source] = Path(scratch).glob("*/vendor/llama.cpp")
        for path in source.rglob("*"):
            if path.is_file():
                path.touch()  # the archive dates them all alike, years back
        source.rename(target)


def _run(command: list[str]) -> str:
    """What the command says, stdout and stderr together."""
    try:
        run = subprocess.run(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            env=os.environ | {"OMP_WAIT_POLICY": "passive"},  # do not spin on a busy machine
        )
    except OSError as error:
        raise ToolError(command, 127, str(error)) from error
    if run.returncode:
        raise ToolError(command, run.returncode, run.stdout)
    return run.stdout
