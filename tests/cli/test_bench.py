"""`gnomon bench` on a true model, a very small one, and on a llama-bench that is made up."""

from __future__ import annotations

import json
import stat
import sys

import pytest
from small_checkpoints import write_folder, write_gguf

from gnomon import _native
from gnomon.bench import Case, Plan, measure

QUICK = ("--prompt", "8", "--context", "4", "--batch", "3", "--decode", "2", "--rounds", "2")

FAKE_TOOL = """#!{python}
import json, sys
given = dict(zip(sys.argv[1::2], sys.argv[2::2]))
with open({log!r}, "a") as log:
    print(json.dumps(given), file=log)
print(json.dumps([{{"avg_ts": 2000.0 if given["-p"] != "0" else 50.0}}]))
"""


@pytest.fixture
def model(tmp_path):
    write_folder(tmp_path / "tiny", "llama")
    return str(tmp_path / "tiny")


@pytest.fixture
def tool(tmp_path):
    """A llama-bench that reads prompts at 2000 tokens a second, decodes 50, and writes a log."""
    path = tmp_path / "llama-bench"
    path.write_text(FAKE_TOOL.format(python=sys.executable, log=str(tmp_path / "log")))
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


@pytest.fixture(autouse=True)
def _bandwidth(monkeypatch):
    """The true measurement has a test of its own and takes a while."""
    monkeypatch.setattr(_native, "read_bandwidth", lambda threads, size_bytes, passes: 1e10)


def test_every_case_has_its_figure(gnomon, model):
    result = gnomon("bench", model, *QUICK, "--threads", "1", "--json").json
    [ours] = result["models"]
    assert [speed["case"] for speed in ours["speeds"]] == [
        "prompt of 8",
        "decode 2 after 4",
        "decode 2 after 4, 3 together",
    ]
    _, alone, together = ours["speeds"]
    assert alone["weight_bytes_per_token"] == ours["weight_bytes"]
    assert together["weight_bytes_per_token"] == pytest.approx(ours["weight_bytes"] / 3)
    rate = alone["weight_bytes_per_token"] * alone["tokens_per_second"]
    assert alone["bandwidth_share"] == pytest.approx(rate / 1e10)
    assert alone["slowest"] <= alone["tokens_per_second"] <= alone["fastest"]
    assert (result["threads"], result["rounds"], result["peers"]) == (1, 2, [])
    assert ours["first_token_s"] > 0


def test_people_get_a_table(gnomon, model):
    run = gnomon("bench", model, *QUICK, "--cache", "int8")
    assert run.exit_code == 0, run.stderr
    assert "memory is read at  10.0 GB/s" in run.stdout
    assert "decode 2 after 4, 3 together" in run.stdout
    assert "bench 3/3" in run.stderr


def test_a_peer_takes_turns_with_ours(gnomon, model, tool, tmp_path):
    write_gguf(tmp_path / "peer.gguf", "llama")
    arguments = ["bench", model, *QUICK, "--threads", "1", "--against", "llama.cpp"]
    arguments += ["--gguf", str(tmp_path / "peer.gguf"), "--llama-bench", str(tool)]
    result = gnomon(*arguments, "--json").json
    [peer] = result["peers"]
    assert [speed["tokens_per_second"] for speed in peer["speeds"]] == [2000.0, 50.0]
    calls = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]
    assert [(call["-p"], call["-n"], call.get("-d")) for call in calls] == [
        *[("8", "0", None)] * 2,
        *[("0", "2", "4")] * 2,
    ]
    prompt, decode = result["ratios"]
    speeds = result["models"][0]["speeds"]
    assert prompt["ratio"] == pytest.approx(speeds[0]["tokens_per_second"] / 2000)
    assert decode["ratio"] == pytest.approx(speeds[1]["tokens_per_second"] / 50)
    assert "times as fast" in gnomon(*arguments).stdout


@pytest.mark.parametrize(
    ("script", "message"),
    [("echo no such option >&2; exit 3", "exit code 3:\nno such option"), ("echo []", "no one")],
)
def test_a_peer_that_fails_is_quoted(gnomon, model, tmp_path, script, message):
    tool = tmp_path / "broken"
    tool.write_text(f"#!/bin/sh\n{script}\n")
    tool.chmod(0o755)
    write_gguf(tmp_path / "peer.gguf", "llama")
    peer = ("--against", "llama.cpp", "--gguf", str(tmp_path / "peer.gguf"))
    run = gnomon("bench", model, *QUICK, *peer, "--llama-bench", str(tool))
    assert run.exit_code == 1
    assert message in run.stderr


@pytest.mark.parametrize(
    ("arguments", "exit_code", "message"),
    [
        (["--threads", "1000"], 2, "--threads 1000 on"),
        (["--prompt", "129"], 6, "the context of tiny is 128"),
        (["--context", "127", "--decode", "2"], 6, "reads up to 130 tokens"),
        (["--gguf", "x.gguf"], 2, "add --against"),
        (["--against", "llama.cpp"], 2, "needs a file that it can run"),
        (["--against", "llama.cpp", "--gguf", "none.gguf"], 2, "there is no such file"),
        (["--against", "ollama"], 2, "llama.cpp"),
        (["--rounds", "0"], 2, "rounds"),
    ],
)
def test_what_cannot_be_measured_is_said_at_once(gnomon, model, arguments, exit_code, message):
    run = gnomon("bench", model, "--context", "4", "--prompt", "8", *arguments)
    assert run.exit_code == exit_code
    assert message in run.stderr
    assert run.stdout == ""


def test_a_tool_that_is_nowhere(gnomon, model, tmp_path):
    write_gguf(tmp_path / "peer.gguf", "llama")
    peer = ("--against", "llama.cpp", "--gguf", str(tmp_path / "peer.gguf"))
    run = gnomon("bench", model, *peer, "--llama-bench", "/no/where")
    assert run.exit_code == 2
    assert "benchmarks/llama_cpp.py" in run.stderr


def test_sessions_that_do_not_fit_are_not_made(gnomon, model, monkeypatch):
    sizes = iter([10**9, 1000])  # enough for the weights, too little for the sessions
    monkeypatch.setattr("gnomon.engine.memory.available_bytes", lambda: next(sizes))
    run = gnomon("bench", model, *QUICK)
    assert run.exit_code == 1
    assert "The sessions of 3 sequences needs" in run.stderr
    assert "are free" in run.stderr


def test_a_plan_reads_no_context_twice():
    plan = Plan(prompts=(9, 5, 9), contexts=(30, 4), batches=(1, 2, 8), decode=3)
    cases = plan.cases()
    assert [case.tokens for case in cases if case.kind == "prompt"] == [5, 9]
    decode = [(case.context, case.batch) for case in cases if case.kind == "decode"]
    assert decode == [(4, 1), (4, 2), (4, 8), (30, 1)]
    assert plan.capacities() == [34, *[8] * 7]


def test_rounds_are_taken_in_turns_and_the_median_counts():
    turns = []

    class Contender:
        def __init__(self, name, speeds):
            self.name, self._speeds = name, iter(speeds)

        def takes(self, case):
            return self.name == "a" or case.batch == 1

        def speed(self, case):
            turns.append(self.name)
            return next(self._speeds)

    contenders = [Contender("a", [1.0, 9.0, 2.0, 5.0, 5.0, 5.0]), Contender("b", [4.0, 3.0, 8.0])]
    cases = [Case(kind="decode", tokens=1, batch=batch) for batch in (1, 2)]
    first, second = measure(contenders, cases, rounds=3)
    assert turns == ["a", "b"] * 3 + ["a"] * 3
    assert [(speed.slowest, speed.tokens_per_second, speed.fastest) for speed in first] == [
        (1.0, 2.0, 9.0),
        (5.0, 5.0, 5.0),
    ]
    assert [speed.tokens_per_second for speed in second] == [4.0]


def test_bandwidth_is_that_of_some_machine(monkeypatch):
    monkeypatch.undo()
    assert 1e8 < _native.read_bandwidth(2, 2**22, 2) < 1e13
    with pytest.raises(ValueError, match="at least one pass"):
        _native.read_bandwidth(1, 2**20, 0)
