"""Reads many texts once and keeps what was read, so that an interrupted run goes on.

With a folder, every 50 texts make a file there, named by the model's weights, its layers and the
texts; a file that is damaged is made anew. Each thread reads texts of its own: nobody waits for
anybody within a text, and the numbers are the same.
"""

from __future__ import annotations

import hashlib
import json
import queue
import threading
import zipfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np

from gnomon.detect.reader import Reader, Reading
from gnomon.models.fingerprint import fingerprint
from gnomon.progress import OnProgress, Progress
from gnomon.whole_file import whole_file

_SHARD = 50  # texts a file
# What numpy and zipfile raise where bytes of an archive are not what they were.
_DAMAGED = (
    OSError,
    EOFError,
    LookupError,
    RuntimeError,
    TypeError,
    ValueError,
    zipfile.BadZipFile,
)


def read_texts(
    reader: Reader,
    texts: Sequence[Sequence[str]],
    *,
    folder: Path | None = None,
    on_progress: OnProgress = lambda progress: None,
) -> Iterator[Reading]:
    """A `Reading` for each text, whose pieces are given in their normal form; hidden states are
    float16. Raises OutputError if the folder cannot be written.
    """
    shards = [texts[begin : begin + _SHARD] for begin in range(0, len(texts), _SHARD)]
    readers: queue.SimpleQueue[Reader] = queue.SimpleQueue()
    for each in reader.one_a_thread(len(shards)):
        readers.put(each)
    is_over = threading.Event()
    weights = "" if folder is None else fingerprint(reader.model)

    def read(shard: Sequence[Sequence[str]]) -> list[Reading]:
        path = None if folder is None else folder / f"{_key(weights, reader.layers, shard)}.npz"
        found = _load(path) if path is not None and path.exists() else None
        if found is None:
            found, mine = [], readers.get()
            try:
                for pieces in shard:
                    if is_over.is_set():  # nobody waits for it any more
                        return []
                    found.append(_halved(mine.read(pieces)))
            finally:
                readers.put(mine)
            if path is not None:
                _save(path, found)
        return found

    with ThreadPoolExecutor(reader.threads) as pool:
        try:
            done = 0
            for found in pool.map(read, shards):
                on_progress(Progress(stage="reading texts", done=done, total=len(texts)))
                done += len(found)
                yield from found
        finally:
            is_over.set()


def _key(weights: str, layers: Sequence[int], texts: Sequence[Sequence[str]]) -> str:
    content = json.dumps([weights, list(layers), [list(pieces) for pieces in texts]])
    return hashlib.sha256(content.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def _halved(reading: Reading) -> Reading:
    values = {field.name: getattr(reading, field.name) for field in fields(reading)}
    return Reading(**values | {"states": reading.states.astype(np.float16)})


def _save(path: Path, readings: Sequence[Reading]) -> None:
    arrays: dict[str, Any] = {"texts": np.array([reading.pieces for reading in readings])}
    for field in fields(Reading):
        arrays[field.name] = np.concatenate([getattr(r, field.name) for r in readings])
    with whole_file(path) as file:
        np.savez(file, **arrays)


def _load(path: Path) -> list[Reading] | None:
    """What `_save` wrote; None if the file is damaged."""
    try:
        with path.open("rb") as raw, np.load(raw, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        found, piece, start, token = [], 0, 0, 0
        for pieces in arrays.pop("texts"):
            starts = arrays["starts"][start : start + pieces + 1]
            at = slice(token, token + int(starts[-1]))
            values = {
                name: array[at]
                for name, array in arrays.items()
                if name not in ("starts", "states")
            }
            states = arrays["states"][piece : piece + pieces]
            found.append(Reading(starts=starts, states=states, **values))
            piece, start, token = piece + pieces, start + pieces + 1, at.stop
    except _DAMAGED:
        return None
    return found
