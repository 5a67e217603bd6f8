"""Files that are there whole, or not at all."""

import errno
import os

import pytest

from gnomon.errors import OutputError
from gnomon.whole_file import whole_file


def fail(path, error):
    with whole_file(path) as file:
        file.write(b"a part")
        raise error


def test_all_of_it_or_what_was_there(tmp_path):
    path = tmp_path / "folder" / "file"
    with whole_file(path) as file:
        file.write(b"first")
    with pytest.raises(OutputError, match="file: cannot be written: No space left"):
        fail(path, OSError(errno.ENOSPC, "No space left on device"))
    with pytest.raises(KeyboardInterrupt):
        fail(path, KeyboardInterrupt())
    assert path.read_bytes() == b"first"
    assert list(path.parent.iterdir()) == [path]


def test_what_is_no_file_stays(tmp_path):
    path = tmp_path / "pipe"
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    with whole_file(path) as file:
        file.write(b"all of it")
    assert os.read(reader, 100) == b"all of it"
    os.close(reader)
    assert path.is_fifo()
    with pytest.raises(OutputError, match="directory"), whole_file(tmp_path):
        pass
    with pytest.raises(OutputError, match="cannot be written"), whole_file(path / "below"):
        pass
