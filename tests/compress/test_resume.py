"""Interrupted runs: nothing finished is lost, and what comes of them is what would have come."""

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace

import pytest

from gnomon.compress import compress
from gnomon.compress.job import Job, open_job
from gnomon.compress.part import Part
from gnomon.errors import OutputError, UsageError
from gnomon.models import open_model

PROGRAM = """
import os, resource, signal, sys
from pathlib import Path
from gnomon.cli import main
import gnomon.compress.pipeline as pipeline

source, text, output, end = sys.argv[1:5]
original = pipeline.Compressor.round_block
def round_block(self, layer, *rest):
    if end == "kill" and layer == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    if end == "full disk" and layer == 1:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
    return original(self, layer, *rest)
pipeline.Compressor.round_block = round_block
arguments = ["compress", source, "-o", output, "--calibration", text]
sys.exit(main([*arguments, "--calibration-tokens", "2048", *sys.argv[5:]]))
"""


def run(tiny, text, output, end, *arguments):
    command = [sys.executable, "-c", PROGRAM, str(tiny.source), str(text), str(output), end]
    return subprocess.run([*command, *arguments], capture_output=True, text=True, check=False)


@pytest.fixture
def expected(tiny, tmp_path, options):
    compress(tiny, tmp_path / "expected", options=options)
    return (tmp_path / "expected" / "model.safetensors").read_bytes()


def interrupt_at(layer):
    def on_progress(progress):
        if progress.stage == "block" and progress.done == layer:
            raise KeyboardInterrupt

    return on_progress


def test_resumed_run_gives_the_same_bytes(tiny, tmp_path, options, expected, monkeypatch):
    output = tmp_path / "out"
    with pytest.raises(KeyboardInterrupt):
        compress(tiny, output, options=options, on_progress=interrupt_at(1))
    assert not output.exists()
    saved = []
    save = Job.save
    monkeypatch.setattr(
        Job, "save", lambda job, part, rounded: (saved.append(part), save(job, part, rounded))
    )
    compress(tiny, output, options=options, resume=True)
    assert saved == ["block-0001", "head"]  # the first block was not done again
    assert (output / "model.safetensors").read_bytes() == expected
    assert not (tmp_path / "out.partial").exists()


def test_a_killed_run_is_resumed(tiny, tmp_path, text, expected):
    output = tmp_path / "out"
    killed = run(tiny, text, output, "kill")
    assert killed.returncode == -signal.SIGKILL
    assert not output.exists()
    again = run(tiny, text, output, "none")
    assert again.returncode == OutputError.exit_code
    assert "--resume" in again.stderr
    assert "--overwrite" in again.stderr
    resumed = run(tiny, text, output, "none", "--resume")
    assert resumed.returncode == 0, resumed.stderr
    assert (output / "model.safetensors").read_bytes() == expected


def test_a_full_disk_keeps_what_was_finished(tiny, tmp_path, text, expected):
    output = tmp_path / "out"
    full = run(tiny, text, output, "full disk")
    assert full.returncode == OutputError.exit_code
    assert "Cannot write" in full.stderr
    assert "--resume" in full.stderr
    assert "Traceback" not in full.stderr
    assert not output.exists()
    finished = {path.name for path in (tmp_path / "out.partial").glob("*.json")}
    assert finished == {"job.json", "block-0000.json"}
    resumed = run(tiny, text, output, "none", "--resume")
    assert resumed.returncode == 0, resumed.stderr
    assert (output / "model.safetensors").read_bytes() == expected


def test_resuming_with_other_options_is_refused_and_says_which(tiny, tmp_path, options):
    output = tmp_path / "out"
    with pytest.raises(KeyboardInterrupt):
        compress(tiny, output, options=options, on_progress=interrupt_at(1))
    said = []
    with pytest.raises(UsageError, match=r"options\.bits was 2 and is 3"):
        compress(
            tiny, output, options=replace(options, bits=3), resume=True, on_progress=said.append
        )
    assert not said  # of how long it will take
    with pytest.raises(OutputError, match="interrupted run"):
        compress(tiny, output, options=replace(options, bits=3))
    result = compress(tiny, output, options=replace(options, bits=3), overwrite=True)
    assert result.layers[0].bits_per_weight > 3


def test_two_runs_do_not_share_a_folder(tmp_path):
    with (
        open_job(tmp_path / "out", {"a": 1}, resume=False, overwrite=False),
        pytest.raises(OutputError, match="Another gnomon"),
        open_job(tmp_path / "out", {"a": 1}, resume=True, overwrite=False),
    ):
        pass


def test_a_source_that_changed_meanwhile_is_noticed(tiny, tmp_path, options):
    with pytest.raises(KeyboardInterrupt):
        compress(tiny, tmp_path / "out", options=options, on_progress=interrupt_at(1))
    content = bytearray(tiny.source.read_bytes())
    content[-2] ^= 1
    tiny.source.write_bytes(content)
    with pytest.raises(UsageError, match=r"source\.fingerprint"):
        compress(open_model(tiny.source), tmp_path / "out", options=options, resume=True)


def test_overwrite_does_not_take_a_running_job_away(tmp_path):
    with open_job(tmp_path / "out", {"a": 1}, resume=False, overwrite=False) as job:
        job.save("block-0000", Part())
        with (
            pytest.raises(OutputError, match="Another gnomon"),
            open_job(tmp_path / "out", {"a": 1}, resume=False, overwrite=True),
        ):
            pass
        assert job.load("block-0000") == Part()


def test_a_file_in_the_place_of_the_partial_folder(tmp_path):
    (tmp_path / "out.partial").write_text("a file")
    with (
        pytest.raises(OutputError, match="Cannot write"),
        open_job(tmp_path / "out", {}, resume=True, overwrite=True),
    ):
        pass


def test_a_strange_partial_folder_is_left_alone(tmp_path):
    (tmp_path / "out.partial").mkdir()
    (tmp_path / "out.partial" / "poem.txt").write_text("o")
    with (
        pytest.raises(OutputError, match="not made by gnomon"),
        open_job(tmp_path / "out", {}, resume=True, overwrite=True),
    ):
        pass
    assert os.listdir(tmp_path / "out.partial") == ["poem.txt"]


def test_a_part_without_its_list_is_not_taken_for_finished(tmp_path):
    with open_job(tmp_path / "out", {}, resume=False, overwrite=False) as job:
        job.save("block-0000", Part())
        assert job.load("block-0000") == Part()
        (job.folder / "block-0000.json").write_text('{"sha256": "", "record": {}}')
        assert job.load("block-0000") is None
        (job.folder / "block-0000.json").unlink()
        assert job.load("block-0000") is None


DAMAGES = {
    "cut": lambda content: content[:100],
    "empty": lambda content: b"",
    "other bytes at its end": lambda content: content[:-20] + bytes(20),
    "no object": lambda content: b"[1]",
}


def interrupt_before_writing(progress):
    if progress.stage == "write":
        raise KeyboardInterrupt


def test_what_is_rounded_needs_no_calibration(tiny, tmp_path, options, expected, monkeypatch):
    with pytest.raises(KeyboardInterrupt):
        compress(tiny, tmp_path / "out", options=options, on_progress=interrupt_before_writing)
    monkeypatch.setattr("gnomon.compress.compressor.embed_shard", None)
    compress(tiny, tmp_path / "out", options=options, resume=True)
    assert (tmp_path / "out" / "model.safetensors").read_bytes() == expected


def test_a_part_damaged_when_all_were_finished(tiny, tmp_path, options, expected):
    with pytest.raises(KeyboardInterrupt):
        compress(tiny, tmp_path / "out", options=options, on_progress=interrupt_before_writing)
    (tmp_path / "out.partial" / "block-0001.safetensors").write_bytes(b"")
    compress(tiny, tmp_path / "out", options=options, resume=True)
    assert (tmp_path / "out" / "model.safetensors").read_bytes() == expected


@pytest.mark.parametrize("file", ["block-0000.safetensors", "block-0000.json"])
@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES.keys())
def test_a_part_that_was_damaged_is_done_again(file, damage, tiny, tmp_path, options, expected):
    with pytest.raises(KeyboardInterrupt):
        compress(tiny, tmp_path / "out", options=options, on_progress=interrupt_at(1))
    damaged = tmp_path / "out.partial" / file
    damaged.write_bytes(damage(damaged.read_bytes()))
    compress(tiny, tmp_path / "out", options=options, resume=True)
    assert (tmp_path / "out" / "model.safetensors").read_bytes() == expected


def test_a_damaged_job_says_so(tmp_path):
    (tmp_path / "out.partial").mkdir()
    (tmp_path / "out.partial" / "job.json").write_text("{")
    with (
        pytest.raises(OutputError, match=r"damaged.*--overwrite"),
        open_job(tmp_path / "out", {}, resume=True, overwrite=False),
    ):
        pass
    with open_job(tmp_path / "out", {}, resume=True, overwrite=True) as job:
        assert json.loads((job.folder / "job.json").read_text()) == {}


def test_an_interrupted_replacement_can_be_resumed(tiny, tmp_path, options, expected):
    output = tmp_path / "out"
    compress(tiny, output, options=replace(options, bits=3))
    with pytest.raises(KeyboardInterrupt):
        compress(tiny, output, options=options, overwrite=True, on_progress=interrupt_at(1))
    compress(tiny, output, options=options, resume=True)
    assert (output / "model.safetensors").read_bytes() == expected
