"""The table of verbs, and `main`, which turns every ending into a message and an exit code."""

from __future__ import annotations

import contextlib
import os
import sys
import traceback
from collections.abc import Sequence
from typing import Annotated

import typer

import gnomon
from gnomon.cli import chat, compress, demo, eval, generate, info
from gnomon.errors import GnomonError

EXIT_BUG = 70  # EX_SOFTWARE of sysexits.h
EXIT_CODES = {
    0: "done",
    1: "failed for another reason (the reader of our output went away, no memory)",
    2: "the request contradicts itself or asks for what does not exist",
    3: "a model's files are missing, damaged, or of an unknown kind",
    4: "a text or data file is empty, too short, or not what it says it is",
    5: "the result cannot be written",
    6: "the prompt does not fit the model's context",
    EXIT_BUG: "a bug in gnomon: set GNOMON_TRACEBACK=1 to see where",
    130: "interrupted (Ctrl-C)",
}

_EPILOG = "\n\n".join(
    [
        "Results go to stdout, everything else to stderr. Start with: gnomon demo",
        "Exit codes: " + "; ".join(f"{code} {meaning}" for code, meaning in EXIT_CODES.items()),
    ]
)

app = typer.Typer(
    name="gnomon",
    help="Two-bit language models on an ordinary CPU: compress one, measure it, talk to it.",
    epilog=_EPILOG,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)

# Every verb, in the order in which a newcomer meets them.
app.command("demo")(demo.demo)
app.command("info")(info.info)
app.command("compress")(compress.compress)
app.command("eval")(eval.eval)
app.command("generate")(generate.generate)
app.command("chat")(chat.chat)


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"gnomon {gnomon.__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version and stop."
        ),
    ] = False,
) -> None: ...


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code. Never shows a traceback unasked."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    try:
        app(args=given or ["--help"], prog_name="gnomon")
    except SystemExit as ending:
        return _flush(ending.code if isinstance(ending.code, int) else 0)
    except GnomonError as error:
        return _report(error, f"gnomon: {error}", error.exit_code)
    except MemoryError as error:
        return _report(error, "gnomon: not enough memory for this model", 1)
    except Exception as error:
        return _report(
            error,
            f"gnomon: unexpected {type(error).__name__}: {error}\n"
            "This is a bug in gnomon. Set GNOMON_TRACEBACK=1 and run again to see where it is.",
            EXIT_BUG,
        )
    return _flush(0)


def _report(error: BaseException, message: str, exit_code: int) -> int:
    with contextlib.suppress(BrokenPipeError):
        if os.environ.get("GNOMON_TRACEBACK"):
            traceback.print_exception(error)
        print(message, file=sys.stderr)
    _flush(exit_code)
    return exit_code


def _flush(exit_code: int) -> int:
    """Flush here, where a closed pipe can be met quietly, and not at the interpreter's exit."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return exit_code or 1
    return exit_code
