"""However a command ends: the exit code is the documented one, and no traceback is shown."""

import io
import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from fake_house import ANSWER

from gnomon.cli import main
from gnomon.cli.help_pages import render_help_pages
from gnomon.errors import (
    ContextError,
    DataError,
    GnomonError,
    ModelError,
    OutputError,
    UsageError,
)

VERBS = ("demo", "info", "compress", "eval", "generate", "chat", "bench")


def test_nothing_given_is_a_call_for_help(gnomon):
    run = gnomon()
    assert run.exit_code == 0
    for verb in VERBS:
        assert verb in run.stdout
    assert "130 interrupted" in " ".join(run.stdout.split())


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_explains_itself(gnomon, verb):
    run = gnomon(verb, "--help")
    assert run.exit_code == 0
    assert "--json" in run.stdout


def test_version(gnomon):
    assert gnomon("--version").stdout.startswith("gnomon ")


def test_help_pages_are_current():
    page = Path(__file__).parents[2] / "docs" / "cli.md"
    assert page.read_text(encoding="utf-8") == render_help_pages(), "run `make docs`"


@pytest.mark.parametrize(
    ("arguments", "suggestion"),
    [(["comprss"], "'compress'"), (["eval", "--windw", "9"], "--window")],
)
def test_a_misspelt_word_gets_a_suggestion(gnomon, arguments, suggestion):
    run = gnomon(*arguments)
    assert run.exit_code == 2
    assert suggestion in run.stderr
    assert run.stdout == ""


@pytest.mark.parametrize(
    ("error", "exit_code"),
    [
        (GnomonError("it is so"), 1),
        (UsageError("it is so"), 2),
        (ModelError("it is so"), 3),
        (DataError("it is so"), 4),
        (OutputError("it is so"), 5),
        (ContextError("it is so"), 6),
    ],
)
def test_a_users_mistake_is_one_line_and_a_code(gnomon, house, error, exit_code):
    house.error = error
    run = gnomon("info", "model.gguf")
    assert run.exit_code == exit_code
    assert run.stderr == "gnomon: it is so\n"
    assert run.stdout == ""


def test_our_mistake_says_how_to_see_more(gnomon, house, monkeypatch):
    house.error = ZeroDivisionError("ours")
    run = gnomon("info")
    assert run.exit_code == 70
    assert "Traceback" not in run.stderr
    assert "GNOMON_TRACEBACK=1" in run.stderr
    monkeypatch.setenv("GNOMON_TRACEBACK", "1")
    assert "Traceback" in gnomon("info").stderr


def test_no_memory_is_not_our_bug(gnomon, house):
    house.error = MemoryError()
    assert gnomon("info").exit_code == 1


def test_interrupting_a_compression_tells_how_to_go_on(gnomon, house, tmp_path):
    house.interrupt_after = 0
    run = gnomon("compress", "-o", str(tmp_path / "m"))
    assert run.exit_code == 130
    assert "--resume" in run.stderr
    assert "Traceback" not in run.stderr


# A long output meets the closed pipe while it is written, a short one when it is flushed.
@pytest.mark.parametrize("option", ["--help", "--version"])
def test_a_reader_that_goes_away_is_met_quietly(option):
    program = f"import sys; from gnomon.cli import main; sys.exit(main(['{option}']))"
    buffered = {key: value for key, value in os.environ.items() if key != "PYTHONUNBUFFERED"}
    with subprocess.Popen(
        [sys.executable, "-c", program],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=buffered,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 1


@pytest.mark.parametrize(
    ("line", "exit_code", "message"),
    [
        ("--version > /dev/full", 1, "the output cannot be written: No space left"),
        ("--help > /dev/full", 1, "the output cannot be written: No space left"),
        ("--version >&-", 0, ""),
        ("--version 2>&-", 0, ""),
        ("generate --prompt - <&-", 2, "stdin, which is closed"),
        ("eval --text - <&-", 2, "stdin, which is closed"),
        ("chat <&-", 2, "stdin, which is closed"),
    ],
)
def test_streams_that_are_closed_or_full(line, exit_code, message):
    command = f"exec {shlex.quote(sys.executable)} -m gnomon {line}"
    run = subprocess.run(["sh", "-c", command], capture_output=True, text=True, timeout=60)
    assert run.returncode == exit_code
    assert message in run.stderr
    assert len(run.stderr.splitlines()) == bool(message)


def test_progress_never_takes_the_place_of_the_result(gnomon, house, monkeypatch):
    monkeypatch.setattr(sys, "stderr", None)  # as Python has it where it was closed
    run = gnomon("eval", "--json")
    sys.stderr.close()
    assert run.json["windows"] == 2


@pytest.mark.parametrize("errors", ["strict", "surrogateescape"])
def test_a_narrow_stdout_takes_every_character(house, monkeypatch, errors):
    def output_of(*arguments: str) -> str:
        written = io.BytesIO()
        stdout = io.TextIOWrapper(written, encoding="ascii", errors=errors)
        monkeypatch.setattr(sys, "stdout", stdout)
        assert main(arguments) == 0
        return written.getvalue().decode("ascii")

    assert r"\u2014 scattering" in output_of("generate", "--prompt", "Why?")
    result = json.loads(output_of("generate", "--prompt", "\N{GRINNING FACE}", "--json"))
    assert (result["text"], result["prompt"]) == (ANSWER, "\N{GRINNING FACE}")


def test_an_unknown_instruction_set(gnomon, house, monkeypatch):
    monkeypatch.setenv("GNOMON_ISA", "foo")
    run = gnomon("info")
    assert run.exit_code == 2
    assert "GNOMON_ISA: 'foo' is no instruction set" in run.stderr
    assert house.opened == []


def test_ctrl_c_during_the_imports(gnomon, monkeypatch):
    class Interrupts:
        def find_spec(self, name, path=None, target=None):
            if name == "gnomon.cli.app":
                raise KeyboardInterrupt

    monkeypatch.delitem(sys.modules, "gnomon.cli.app")
    monkeypatch.setattr(sys, "meta_path", [Interrupts(), *sys.meta_path])
    run = gnomon("info")
    assert (run.exit_code, run.stdout, run.stderr) == (130, "", "")
