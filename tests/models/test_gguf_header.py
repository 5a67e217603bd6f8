"""Damaged GGUF files: whatever is wrong, a ModelError says so, and nothing large is allocated."""

from __future__ import annotations

import struct
import tracemalloc
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from small_checkpoints import write_gguf
from small_vocabularies import BYTE_LEVEL, SENTENCEPIECE

from gnomon.errors import ModelError
from gnomon.models.gguf_header import read_gguf_header
from gnomon.models.open_model import open_model

FUZZ = settings(
    deadline=None,
    derandomize=True,
    max_examples=300,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
EMPTY = struct.pack("<4sIQQ", b"GGUF", 3, 0, 0)


def header_of(content: bytes):
    return read_gguf_header(np.frombuffer(content, np.uint8), source="x.gguf")


def text(value: bytes) -> bytes:
    return struct.pack("<Q", len(value)) + value


def file_with(*, tensors: int = 0, keys: int = 0, rest: bytes = b"", version: int = 3) -> bytes:
    return struct.pack("<4sIQQ", b"GGUF", version, tensors, keys) + rest


def tensor_entry(name: bytes, dims: list[int], *, kind: int = 0, offset: int = 0) -> bytes:
    sizes = struct.pack(f"<I{len(dims)}Q", len(dims), *dims)
    return text(name) + sizes + struct.pack("<IQ", kind, offset)


@pytest.fixture(scope="module", params=["byte level", "sentencepiece"])
def whole_file(request, tmp_path_factory) -> bytes:
    path = tmp_path_factory.mktemp("gguf") / "model.gguf"
    if request.param == "byte level":
        write_gguf(path, "qwen2", **BYTE_LEVEL)
    else:
        write_gguf(path, "gemma3_text", **SENTENCEPIECE)
    return path.read_bytes()


def data_start(content: bytes) -> int:
    return min(tensor.offset for tensor in header_of(content).tensors.values())


def open_all(content: bytes, folder) -> None:
    """Open and load everything; only ModelError may come out."""
    path = folder / "damaged.gguf"
    path.write_bytes(content)
    with suppress(ModelError):
        model = open_model(path)
        for name in model.weights.names():
            model.weights.load(name)
        if model.tokenizer is not None:
            model.tokenizer.decode(model.tokenizer.encode("a bc"))


def test_every_truncation_of_the_header(whole_file, tmp_path):
    path = tmp_path / "cut.gguf"
    positions = [*range(0, data_start(whole_file), 3), *range(len(whole_file) - 200, 40, -4999)]
    for position in positions:
        path.write_bytes(whole_file[:position])
        with pytest.raises(ModelError, match=r"cut\.gguf"):
            open_model(path)


@FUZZ
@given(data=st.data())
def test_flipped_bytes(whole_file, tmp_path, data):
    content = bytearray(whole_file)
    end = data_start(whole_file)
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, end - 1))] = data.draw(st.integers(0, 255))
    open_all(bytes(content), tmp_path)


@FUZZ
@given(data=st.data())
def test_flipped_words(whole_file, tmp_path, data):
    """Eight bytes at once make the absurd counts that single bytes seldom do."""
    content = bytearray(whole_file)
    position = data.draw(st.integers(0, data_start(whole_file) - 8))
    word = data.draw(st.sampled_from([0, 1, 2**31, 2**32 - 1, 2**40, 2**62, 2**63, 2**64 - 1]))
    content[position : position + 8] = struct.pack("<Q", word)
    open_all(bytes(content), tmp_path)


@FUZZ
@given(content=st.binary(max_size=400))
def test_random_bytes_after_the_magic(content):
    with suppress(ModelError):
        header_of(b"GGUF\x03\x00\x00\x00" + content)


def test_empty_header_is_a_header():
    assert header_of(EMPTY).tensors == {}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "cut short"),
        (b"GGU", "cut short"),
        (b"PK\x03\x04" + bytes(100), "magic"),
        (EMPTY[:20], "cut short"),
        (struct.pack("<4sIQQ", b"GGUF", 1, 0, 0), "version 1"),
        (struct.pack("<4sIQQ", b"GGUF", 77, 0, 0), "version 77"),
        (struct.pack(">4sIQQ", b"GGUF", 3, 0, 0), "big-endian"),
        (file_with(tensors=2**62), "tensors need"),
        (file_with(keys=2**62), "metadata keys need"),
        (file_with(keys=1, rest=struct.pack("<QIQ", 2**63, 8, 1)), "a metadata key need"),
        (file_with(keys=1, rest=text(b"\xff\xfe") + bytes(20)), "not UTF-8"),
        (file_with(keys=1, rest=text(b"k") + struct.pack("<IQ", 8, 2**40)), "k need"),
        (file_with(keys=1, rest=text(b"k") + struct.pack("<IQ", 13, 0)), "value type 13"),
        (file_with(keys=1, rest=text(b"k") + struct.pack("<IIQ", 9, 8, 2**60)), "strings of k"),
        (file_with(keys=1, rest=text(b"k") + struct.pack("<IIQ", 9, 5, 2**60)), "values of k"),
        (file_with(keys=1, rest=text(b"k") + struct.pack("<IIQ", 9, 9, 1)), "value type 9"),
        (file_with(keys=2, rest=2 * (text(b"k") + struct.pack("<IQ", 10, 5))), "k' is there twice"),
        (file_with(tensors=1, rest=tensor_entry(b"t", []) + bytes(32)), "0 dimensions"),
        (file_with(tensors=1, rest=tensor_entry(b"t", [1] * 5)), "5 dimensions"),
        (file_with(tensors=1, rest=tensor_entry(b"t", [4, 0])), "shape"),
        (file_with(tensors=1, rest=tensor_entry(b"t", [4], kind=4)), "ggml type 4"),
        (file_with(tensors=1, rest=tensor_entry(b"t", [4], kind=999)), "ggml type 999"),
        (file_with(tensors=1, rest=tensor_entry(b"t", [33], kind=2)), "rows of 32"),
        (file_with(tensors=1, rest=tensor_entry(b"t", [2**62, 2**62, 2**62])), "should end at"),
        (file_with(tensors=1, rest=tensor_entry(b"t", [4], offset=2**63)), "should end at"),
        (file_with(tensors=1, rest=tensor_entry(b"t", [4], offset=5) + bytes(99)), "of 32"),
        (
            file_with(tensors=2, rest=2 * tensor_entry(b"t", [4]) + bytes(99)),
            "overlaps|twice",
        ),
        (
            file_with(
                tensors=2, rest=tensor_entry(b"t", [16]) + tensor_entry(b"u", [4], offset=32)
                + bytes(199),
            ),
            "overlaps",
        ),
        (
            file_with(keys=1, rest=text(b"general.alignment") + struct.pack("<II", 4, 24)),
            "alignment is 24",
        ),
        (
            file_with(keys=1, rest=text(b"general.alignment") + struct.pack("<II", 4, 0)),
            "alignment is 0",
        ),
    ],
)  # fmt: skip
def test_absurd_headers(content, message):
    tracemalloc.start()
    with pytest.raises(ModelError, match=message):
        header_of(content)
    peak_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak_bytes < 1_000_000


def test_says_where_a_download_was_cut(whole_file, tmp_path):
    path = tmp_path / "cut.gguf"
    path.write_bytes(whole_file[:-3000])
    with pytest.raises(ModelError, match=r"the download was cut short.*fetch it again"):
        open_model(path)
