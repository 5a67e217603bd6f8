"""`main`, which turns every ending of the command into a message and an exit code.

Whatever takes time to import is imported inside `main`, where Ctrl-C is met quietly.
"""

from __future__ import annotations

import contextlib
import io
import os
import sys
from collections.abc import Sequence
from typing import TextIO

from gnomon.errors import GnomonError

EXIT_NOT_FOUND = 7
EXIT_FALSE = 8
EXIT_PROVED_IN_PART = 9
EXIT_BUG = 70  # EX_SOFTWARE of sysexits.h
EXIT_INTERRUPTED = 130
EXIT_CODES = {
    0: "done",
    1: "failed for another reason (the output cannot be written or nobody reads it, no memory)",
    2: "the request contradicts itself or asks for what does not exist",
    3: "a model's files are missing, damaged, or of an unknown kind",
    4: "a text or data file is empty, too short, or not what it says it is",
    5: "the result cannot be written",
    6: "the prompt does not fit the model's context",
    EXIT_NOT_FOUND: "no proof was found",
    EXIT_FALSE: "the statement is false",
    EXIT_PROVED_IN_PART: "the statement is proved for some configurations and false in others",
    EXIT_BUG: "a bug in gnomon: set GNOMON_TRACEBACK=1 to see where",
    EXIT_INTERRUPTED: "interrupted (Ctrl-C)",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code. Never shows a traceback unasked."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    try:
        _prepare_streams()
        from gnomon.cli.app import app

        app(args=given or ["--help"], prog_name="gnomon")
    except SystemExit as ending:
        return _flush(ending.code if isinstance(ending.code, int) else 0)
    except KeyboardInterrupt:
        return _flush(EXIT_INTERRUPTED)
    except GnomonError as error:
        return _report(error, f"gnomon: {error}", error.exit_code)
    except MemoryError as error:
        return _report(error, "gnomon: not enough memory for this model", 1)
    except Exception as error:
        # Errors of files have their name; one without is of the streams that we were given.
        if isinstance(error, OSError) and error.errno is not None and error.filename is None:
            return _report(error, _unwritable(error), 1)
        return _report(
            error,
            f"gnomon: unexpected {type(error).__name__}: {error}\n"
            "This is a bug in gnomon. Set GNOMON_TRACEBACK=1 and run again to see where it is.",
            EXIT_BUG,
        )
    return _flush(0)


def _prepare_streams() -> None:
    """Make stdout and stderr exist, and take every character.

    Python has None for a stream that was closed, and `print(file=None)` writes to stdout.
    """
    # Open for as long as the program runs, as the streams that they stand for.
    sys.stdout = _usable(sys.stdout)
    sys.stderr = _usable(sys.stderr)


def _usable(stream: TextIO | None) -> TextIO:
    if stream is None:
        stream = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
    # Python's own defaults would raise; what PYTHONIOENCODING asks for stays.
    if isinstance(stream, io.TextIOWrapper) and stream.errors in ("strict", "surrogateescape"):
        stream.reconfigure(errors="backslashreplace")
    return stream


def _report(error: BaseException, message: str, exit_code: int) -> int:
    with contextlib.suppress(OSError):
        if os.environ.get("GNOMON_TRACEBACK"):
            import traceback

            traceback.print_exception(error)
        print(message, file=sys.stderr)
    _flush(exit_code)
    return exit_code


def _flush(exit_code: int) -> int:
    """Flush here, where a closed pipe or a full disk can be met quietly, and not at the
    interpreter's exit.
    """
    try:
        sys.stdout.flush()
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if exit_code == 0 and not isinstance(error, BrokenPipeError):
            with contextlib.suppress(OSError):
                print(_unwritable(error), file=sys.stderr)
        return exit_code or 1
    return exit_code


def _unwritable(error: OSError) -> str:
    return f"gnomon: the output cannot be written: {error.strerror or error}"
