"""An unfinished compression on disk: what to go on from when it was interrupted.

The folder `<output>.partial` beside the output holds `job.json` (what is being done to what) and
two files for every finished part: `<part>.safetensors` with the codes and `<part>.json` with the
settings, the errors and a checksum of both. A part that is not whole is simply done again.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from gnomon.compress.part import Part
from gnomon.errors import OutputError, UsageError

JOB = "job.json"


class Job:
    """The parts finished so far. Made by `open_job`."""

    def __init__(self, folder: Path):
        self.folder = folder

    def has(self, name: str) -> bool:
        """Whether the part was finished once; only `load` knows whether it is whole."""
        return (self.folder / f"{name}.json").exists()

    def load(self, name: str) -> Part | None:
        """The part of that name; None if it is not finished, or damaged since."""
        try:
            content = json.loads((self.folder / f"{name}.json").read_text(encoding="utf-8"))
            file = self.folder / f"{name}.safetensors"
            if content["sha256"] != _checksum(file, content["record"]):
                return None
            return Part.from_tensors(load_file(file), content["record"])
        except (OSError, ValueError, KeyError, TypeError, SafetensorError):
            return None

    def save(self, name: str, part: Part) -> None:
        record = part.record()
        with writing(self.folder):
            file = self.folder / f"{name}.safetensors"
            temporary = self.folder / "part.tmp"
            save_file(part.tensors(), temporary)
            replace_durably(temporary, file)
            content = {"sha256": _checksum(file, record), "record": record}
            write_json(self.folder / f"{name}.json", content)

    def load_state(self, name: str) -> dict[str, np.ndarray] | None:
        """The state that a part was last left in; None if there is none, or it is damaged."""
        try:
            return load_file(self.folder / f"{name}.state")
        except (OSError, SafetensorError):
            return None

    def save_state(self, name: str, state: Mapping[str, np.ndarray]) -> None:
        """How far a part has come that is not finished."""
        with writing(self.folder):
            temporary = self.folder / "state.tmp"
            save_file(
                {key: np.asarray(array, order="C") for key, array in state.items()}, temporary
            )
            replace_durably(temporary, self.folder / f"{name}.state")

    def scratch(self, name: str) -> Path:
        """An empty folder for what a resumed run does not need."""
        folder = self.folder / name
        with writing(folder):
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
        return folder

    def remove(self) -> None:
        """The job is done: nothing of it is needed any more."""
        shutil.rmtree(self.folder)


@contextmanager
def open_job(
    output: Path, description: Mapping[str, Any], *, resume: bool, overwrite: bool
) -> Iterator[Job]:
    """The job that leads to `output`, new or resumed, locked against a second process.

    `description` says what is being done; a resumed job must have the same, or UsageError names
    the difference. With both `resume` and `overwrite`, a job that cannot be resumed starts again.
    """
    folder = partial_folder(output)
    with writing(folder):
        is_ours = not folder.exists() or {JOB, f"{JOB}.tmp"} & set(os.listdir(folder))
        if not is_ours and any(folder.iterdir()):
            raise OutputError(f"{folder} is in the way and was not made by gnomon. Move it first.")
        folder.mkdir(parents=True, exist_ok=True)
        lock = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise OutputError(f"Another gnomon is writing {output}. Wait for it.") from error
    else:
        with writing(folder):
            if not _is_continued(folder, description, resume=resume, overwrite=overwrite):
                for path in folder.iterdir():
                    shutil.rmtree(path) if path.is_dir() else path.unlink()
                write_json(folder / JOB, description)
        yield Job(folder)
    finally:
        os.close(lock)


def partial_folder(output: Path) -> Path:
    """Where the unfinished form of `output` is kept."""
    return output.with_name(output.name + ".partial")


def _is_continued(
    folder: Path, description: Mapping[str, Any], *, resume: bool, overwrite: bool
) -> bool:
    """Whether what is in the folder is gone on with; errors if it may be neither that nor lost."""
    if not (folder / JOB).exists():
        return False
    if not resume and not overwrite:
        raise OutputError(
            f"{folder} holds an interrupted run. Add --resume to go on with it, or --overwrite to "
            "start again."
        )
    if not resume:
        return False
    try:
        _require_same(json.loads((folder / JOB).read_text(encoding="utf-8")), description, folder)
    except (ValueError, AttributeError) as error:
        if overwrite:
            return False
        raise OutputError(f"{folder / JOB} is damaged. Add --overwrite to start again.") from error
    except UsageError:
        if overwrite:
            return False
        raise
    return True


def _require_same(before: Mapping[str, Any], now: Mapping[str, Any], folder: Path) -> None:
    was, wanted = dict(_flat(before)), dict(_flat(now))
    differences = [
        f"{key} was {was.get(key)!r} and is {wanted.get(key)!r}"
        for key in sorted({*was, *wanted})
        if was.get(key) != wanted.get(key)
    ]
    if differences:
        raise UsageError(
            f"{folder} cannot be resumed: {'; '.join(differences)}. Give the same options as "
            "before, or --overwrite to start again."
        )


def _flat(nested: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in nested.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def write_json(path: Path, content: Any) -> None:
    """Written beside its place and renamed, so that it is there whole or not at all."""
    temporary = path.with_name(path.name + ".tmp")
    temporary.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    replace_durably(temporary, path)


def replace_durably(temporary: Path, path: Path) -> None:
    """Renames a written file into place, its content on the disk first."""
    with open(temporary, "rb") as file:
        os.fsync(file.fileno())
    os.replace(temporary, path)


def _checksum(file: Path, record: Mapping[str, Any]) -> str:
    with open(file, "rb") as opened:
        digest = hashlib.file_digest(opened, "sha256")
    digest.update(json.dumps(record, sort_keys=True).encode())
    return digest.hexdigest()


NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@contextmanager
def writing(folder: Path) -> Iterator[None]:
    """Turns the operating system's refusals into an OutputError that says what to do."""
    try:
        yield
    except OutputError:
        raise
    except (OSError, SafetensorError) as error:
        # safetensors tells of a full disk in an error of its own, with the number in its text.
        is_full = getattr(error, "errno", None) in NO_ROOM or any(
            f"os error {number}" in str(error) for number in NO_ROOM
        )
        reason = getattr(error, "strerror", None) or str(error)
        advice = (
            "Make room and run the same command with --resume; what was finished is kept."
            if is_full
            else "Check the path and its permissions, or choose another folder for -o."
        )
        raise OutputError(f"Cannot write to {folder}: {reason}. {advice}") from error
