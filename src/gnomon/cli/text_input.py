"""Text that a verb is given: from a file, or from stdin where the name is `-`."""

from __future__ import annotations

import sys
from pathlib import Path

from gnomon.errors import DataError, UsageError


def read_bytes(name: str) -> bytes:
    """What is in the file `name`, or in stdin for `-`. Raises DataError if it cannot be read."""
    if name == "-" and sys.stdin is None:
        raise UsageError("'-' reads stdin, which is closed; give a file, or a pipe to read from")
    try:
        return sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
    except OSError as error:
        where = "stdin" if name == "-" else name
        raise DataError(f"cannot read {where}: {error.strerror or error}") from error


def read_text(name: str) -> str:
    """The text of the file `name`, or of stdin for `-`. Raises DataError if there is none."""
    where = "stdin" if name == "-" else name
    raw = read_bytes(name)
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(
            f"{where} is not UTF-8 text (byte {error.start} is {error.object[error.start]:#04x}); "
            "convert it first, for example with iconv"
        ) from error
    if not text.strip():
        raise DataError(f"{where} is empty; some text was expected")
    return text
