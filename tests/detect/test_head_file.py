"""What is in a head's file, and files that are none."""

from __future__ import annotations

import io
import json
import zipfile

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gnomon.detect.archive import read_arrays
from gnomon.detect.head import DEFAULT_HEAD, load_head
from gnomon.errors import DataError


@pytest.fixture(scope="session")
def saved(head, tmp_path_factory):
    path = tmp_path_factory.mktemp("head") / "head.npz"
    head.save(path)
    return path


@pytest.fixture(scope="session")
def contents(saved):
    with np.load(saved) as file:
        arrays = {name: file[name] for name in file.files}
    return json.loads(str(arrays.pop("head"))), arrays


def written(path, about, arrays):
    with path.open("wb") as file:
        np.savez(file, head=np.array(json.dumps(about)), **arrays)
    return path


def test_what_it_says_of_itself(head, contents):
    about, arrays = contents
    assert about["format"] == "gnomon detect head 3"
    assert about["calibrations"].keys() == set(head.readers)
    assert all(array.dtype == np.float32 for array in arrays.values())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": "gnomon detect head 2"}, "another version"),
        ({"features": []}, "another version"),
        ({"layers": [-1, 1]}, "layers"),
        ({"layers": [1, 1]}, "layers"),
        ({"layers": [True]}, "layers"),
        ({"layers": 3}, "layers"),
        ({"layers": [0]}, "shape"),
        ({"calibrations": {}}, "at least one reader"),
        ({"calibrations": ["a"]}, "at least one reader"),
        ({"calibrations": {"a": 0.5}}, "for a is 0.5"),
        ({"calibrations": {"a": {"level": 0.5}}}, "no entry 'threshold'"),
        ({"calibrations": {"a": {"level": -0.1, "threshold": 0.5}}}, "level for a"),
        ({"calibrations": {"a": {"level": 0.5, "threshold": 0}}}, "threshold for a"),
        ({"calibrations": {"a": {"level": 0.5, "threshold": 1.1}}}, "threshold for a"),
        ({"calibrations": {"a": {"level": float("nan"), "threshold": 0.9}}}, "level for a"),
        ({"calibrations": {"a": {"level": "0.5", "threshold": 0.9}}}, "level for a"),
        ({"calibrations": {"a": {"level": True, "threshold": 0.9}}}, "level for a"),
        ({"coverage": 10**400}, "coverage"),
        ({"coverage": 0}, "coverage"),
        ({"kinds": ["human"]}, "two names"),
        ({"kinds": ["human", "human"]}, "two names"),
        ({"kinds": ["human", 3]}, "two names"),
        ({"kinds": ["human", "a", "b"]}, "kinds_w"),
        ({"kinds": None}, "no head has: kinds_c"),
        ({"facts": 3}, "facts"),
    ],
)
def test_claims_that_cannot_be(contents, tmp_path, change, message):
    about, arrays = contents
    with pytest.raises(DataError, match=r"head\.npz") as raised:
        load_head(written(tmp_path / "head.npz", about | change, arrays))
    assert message in str(raised.value)


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("mean", lambda x: x[:-1], "shape"),
        ("mean", lambda x: x.astype(np.float64), "no array of float32"),
        ("mean", lambda x: x.astype(str), "float32"),
        ("mean", lambda x: x.astype(object), "no array of float32"),
        ("mean", lambda x: x.astype(np.int32), "no array of float32"),
        ("scale", lambda x: x * np.float32(np.inf), "not finite"),
        ("scale", lambda x: x * 0, "too small"),
        ("member_score_w", lambda x: x + np.float32(np.nan), "not finite"),
        ("member_score_w", lambda x: x[:, :, :0], "does not have the bytes"),
        ("member_score_w", lambda x: x[0], "shape"),
        ("member_contrast_w", lambda x: x[:, 1:], "shape"),
        ("member_prior", lambda x: x[:, :2], "shape"),
        ("member_prior", lambda x: x + np.float32(1e30), "too large"),
        ("probes_mean", lambda x: x[0, 0], "shape"),
        ("probes_directions", lambda x: x[:, 1:], "shape"),
        ("kinds_w", lambda x: x[:, :1], "shape"),
        ("kinds_c", lambda x: x[:0], "does not have the bytes"),
        ("more", None, "no head has: more"),
    ],
)
def test_numbers_that_cannot_be(contents, tmp_path, name, change, message):
    about, arrays = contents
    changed = change(arrays[name]) if change else np.zeros(3, np.float32)
    path = written(tmp_path / "head.npz", about, arrays | {name: changed})
    with pytest.raises(DataError, match=r"head\.npz") as raised:
        load_head(path)
    assert message in str(raised.value)


def test_all_entries_are_needed(contents, tmp_path):
    about, arrays = contents
    for name in arrays:
        rest = {key: array for key, array in arrays.items() if key != name}
        with pytest.raises(DataError, match=f"no entry '{name}'"):
            load_head(written(tmp_path / "head.npz", about, rest))
    for name in about:
        rest = {key: value for key, value in about.items() if key != name}
        with pytest.raises(DataError, match=f"no entry '{name}'|another version"):
            load_head(written(tmp_path / "head.npz", rest, arrays))


def archive_of(path, parts, compression=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, data in parts:
            archive.writestr(name, data)
    return path


def header(shape, dtype="<f4"):
    file = io.BytesIO()
    about = {"descr": dtype, "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, about)
    return file.getvalue()


def as_text(text):
    file = io.BytesIO()
    np.lib.format.write_array(file, np.array(text))
    return file.getvalue()


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ([("a.npy", bytes(70_000_000))], "more than 64 MB"),
        ([(f"{number}.npy", b"") for number in range(101)], "too many entries"),
        ([("a.npy", b"no array")], "a.npy is no array"),
        ([("a.npy", header((10**7, 10**7)))], "does not have the bytes"),
        ([("a.npy", header((-1, -4)) + bytes(16))], "no array of float32"),
        ([("a.npy", header((10**30, 0)))], "no array of float32"),
        ([("a.npy", header((), "|O") + b"cos\nsystem\n")], "no array of float32"),
        ([("a.npy", header((), [("x", "<f4")]) + bytes(4))], "no array of float32"),
        ([("head.npy", as_text("["))], "head.npz"),
        ([("head.npy", as_text("[" * 100_000))], "nested too deeply"),
        ([("head.npy", as_text("[]"))], "no JSON object"),
        ([("head.npy", as_text(["{}", "{}"]))], "not one text"),
        ([("head.npy", header((), "<U1") + b"\xff" * 4)], "head.npz"),
        ([("other.npy", as_text("{}"))], "no entry 'head'"),
        ([], "no entry 'head'"),
    ],
)
def test_archives_of_something_else(tmp_path, parts, message):
    with pytest.raises(DataError, match=r"head\.npz") as raised:
        load_head(archive_of(tmp_path / "head.npz", parts))
    assert message in str(raised.value)


def test_archives_that_unpack_at_once_are_refused(tmp_path):
    path = archive_of(tmp_path / "head.npz", [("a.npy", bytes(9))], zipfile.ZIP_LZMA)
    with pytest.raises(DataError, match="packed in another way"):
        load_head(path)


def test_files_that_are_no_archives(tmp_path):
    path = tmp_path / "head.npz"
    misplaced = bytearray(DEFAULT_HEAD.read_bytes())
    misplaced[-6] = 0xFF  # where its directory begins
    for content in (b"", b"no head", b"PK\x03\x04" + bytes(100), misplaced):
        path.write_bytes(content)
        with pytest.raises(DataError, match="no archive"):
            load_head(path)
    with path.open("wb") as file:
        file.truncate(65_000_000)
    with pytest.raises(DataError, match="larger than 64 MB"):
        load_head(path)
    with pytest.raises(DataError, match=r"^cannot read .*: Is a directory$"):
        load_head(tmp_path)
    with pytest.raises(DataError, match=r"^cannot read .*none\.npz: No such file"):
        load_head(tmp_path / "none.npz")


def test_fortran_order_is_read(tmp_path):
    table = np.asfortranarray(np.arange(6, dtype=np.float32).reshape(2, 3))
    np.savez(tmp_path / "a.npz", table=table)
    np.testing.assert_array_equal(read_arrays(tmp_path / "a.npz")["table"], table)


@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(data=st.data())
def test_damaged_files_are_refused_or_make_sense(saved, tmp_path, data):
    """Bytes of an entry, or of the archive itself, that are not what they were."""
    path = tmp_path / "head.npz"

    def damaged(content):
        changed = bytearray(content)
        for _ in range(data.draw(st.integers(1, 3))):
            changed[data.draw(st.integers(0, len(changed) - 1))] = data.draw(st.integers(0, 255))
        return bytes(changed[: data.draw(st.sampled_from([len(changed), len(changed) // 2, 1]))])

    if data.draw(st.booleans(), label="an entry"):
        with zipfile.ZipFile(saved) as archive:
            parts = {name: archive.read(name) for name in archive.namelist()}
        name = data.draw(st.sampled_from(sorted(parts)))
        archive_of(path, (parts | {name: damaged(parts[name])}).items())
    else:
        path.write_bytes(damaged(saved.read_bytes()))
    try:
        found = load_head(path)
    except DataError:
        return
    features = np.ones((3, found.boundary.mean.size), np.float32)
    assert found.boundary.posterior(features).sum() == pytest.approx(1.0)
