"""`whole_file`: a file that is there with all that was to be in it, or not at all."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from gnomon.errors import OutputError


@contextlib.contextmanager
def whole_file(path: Path) -> Iterator[BinaryIO]:
    """A file that becomes `path` once all is written, and leaves nothing behind if it cannot be,
    which raises OutputError. Several threads and processes may write the same. What is no file,
    such as /dev/null, is written to and stays.
    """
    temporary = path.with_name(f"{path.name}.{os.getpid()}-{threading.get_ident()}.part")
    try:
        is_device = path.exists() and not path.is_file()
        path.parent.mkdir(parents=True, exist_ok=True)
        with (path if is_device else temporary).open("wb") as file:
            yield file
        if not is_device:
            os.replace(temporary, path)
    except OSError as error:
        raise OutputError(f"{path}: cannot be written: {error.strerror or error}") from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()
