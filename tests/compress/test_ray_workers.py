"""A Ray cluster of two nodes on this machine does the work, and parts of it die meanwhile."""

import importlib
import itertools
import os
import signal
import socket
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest

import gnomon
from gnomon.cli import main
from gnomon.compress import compressor
from gnomon.errors import ModelError, UsageError

ray = pytest.importorskip("ray", reason="Ray has no wheel for this Python or machine")
from gnomon.compress.ray_workers import RayWorkers  # noqa: E402

# Of a machine that wants its cores for other things too, processes take long to start.
pytestmark = pytest.mark.timeout(900)

NODE = {"num_cpus": 1, "object_store_memory": 80 << 20, "include_log_monitor": False}


@pytest.fixture(scope="module")
def cluster():
    """Two nodes of one core each; the last test takes the second away."""
    from ray import cloudpickle
    from ray.cluster_utils import Cluster

    cloudpickle.register_pickle_by_value(sys.modules[__name__])  # workers cannot import tests
    soon_missed = {"health_check_period_ms": 500, "health_check_failure_threshold": 2}
    head = {"include_dashboard": False, "no_monitor": True, "_system_config": soon_missed}
    with (
        pytest.MonkeyPatch.context() as patch,
        # A socket's path has at most 107 bytes, too few for one below pytest's folders.
        tempfile.TemporaryDirectory(prefix="ray", ignore_cleanup_errors=True) as folder,
    ):
        patch.setenv("RAY_TMPDIR", folder)
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        cluster = Cluster()
        try:
            started(cluster, **NODE, **head)
            cluster.second = started(cluster, **NODE)
            yield cluster
        finally:
            cluster.shutdown()


def started(cluster, **node):
    """Another node. Ray gives it 30 s, which may be too few where others want the cores too."""
    for is_last in (False, False, True):
        try:
            return cluster.add_node(**node)
        except Exception as error:
            if is_last or "timed out" not in str(error).lower():
                raise
    raise AssertionError


@pytest.fixture(scope="module")
def workers(cluster):
    with RayWorkers(cluster.address) as workers:
        yield workers
    assert not ray.is_initialized()


@pytest.fixture(autouse=True)
def several_shards(monkeypatch):
    monkeypatch.setattr(compressor, "SHARD_TOKENS", 512)


def workers_of(node) -> list[int]:
    """The processes that do the tasks of a node: its raylet's, under their titles."""
    [raylet] = node.all_processes["raylet"]
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            title = (folder / "cmdline").read_bytes()
        except OSError:  # it has ended
            continue
        if parent == raylet.process.pid and title.startswith((b"ray::IDLE", b"ray::_run")):
            found.append(int(folder.name))
    return found


def where(number):
    import time

    time.sleep(0.2)
    return number, ray.get_runtime_context().get_node_id()


def test_both_nodes_work_and_results_are_in_order(workers):
    results = list(workers.map(where, [(number,) for number in range(12)]))
    kept = workers.map_kept(np.arange, [(3,), (5,)])
    shared = workers.keep(np.float32(2))
    sums = list(workers.map(np.multiply, [(each, shared) for each in kept]))
    assert workers.fetch(kept[1]).tolist() == [0, 1, 2, 3, 4]
    assert [number for number, _ in results] == list(range(12))
    assert len({node for _, node in results}) >= 2
    assert [each.tolist() for each in sums] == [[0, 2, 4], [0, 2, 4, 6, 8]]


def test_an_error_of_a_task_is_the_callers(workers):
    def fail(number):
        if number == 2:
            raise ModelError("task 2")
        return number

    with pytest.raises(ModelError, match="^task 2$"):
        list(workers.map(fail, [(number,) for number in range(5)]))


def test_another_version_is_refused(cluster, workers, monkeypatch):
    monkeypatch.setattr(gnomon, "__version__", "0.0.1")
    with pytest.raises(UsageError, match=r"has gnomon .*; this one has gnomon 0\.0\.1"):
        RayWorkers(cluster.address)
    assert ray.is_initialized()  # as it was before


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("127.0.0.1:{closed}", "No Ray cluster answers at 127.0.0.1"),
        ("somewhere", 'neither "auto" nor HOST:PORT'),
        ("ray://127.0.0.1:10001", 'neither "auto" nor HOST:PORT'),
    ],
)
def test_an_address_without_a_cluster_is_told(address, message, tmp_path, capfd):
    with socket.socket() as closed:  # bound, and nobody listens
        closed.bind(("127.0.0.1", 0))
        address = address.format(closed=closed.getsockname()[1])
        ending = main(["compress", "-o", str(tmp_path / "out"), "--ray", address])
    assert ending == UsageError.exit_code
    assert message in capfd.readouterr().err
    assert not list(tmp_path.iterdir())


def test_without_ray_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    monkeypatch.delitem(sys.modules, "gnomon.compress.ray_workers")
    with pytest.raises(UsageError, match=r"pip install -e '.\[ray\]'"):
        importlib.import_module("gnomon.compress.ray_workers")


def test_workers_and_a_node_die_and_the_bytes_are_the_local_ones(
    cluster, workers, tiny, text, tmp_path, monkeypatch
):
    def kill_workers():
        killed = [*workers_of(cluster.head_node), *workers_of(cluster.second)]
        assert killed
        for process in killed:
            os.kill(process, signal.SIGKILL)

    def remove_node():
        cluster.remove_node(cluster.second, allow_graceful=False)

    accidents = {30: kill_workers, 70: remove_node}
    undisturbed, results = RayWorkers.map, itertools.count(1)

    def map_with_accidents(*arguments):
        for result in undisturbed(*arguments):
            accidents.pop(next(results), bool)()
            yield result

    def weights(name, *options):
        output = tmp_path / name
        calibration = ("--calibration", str(text), "--calibration-tokens", "2048")
        assert main(["compress", str(tiny.source), "-o", str(output), *calibration, *options]) == 0
        return (output / "model.safetensors").read_bytes()

    monkeypatch.setattr(RayWorkers, "map", map_with_accidents)
    assert weights("ray", "--ray", "auto") == weights("local")
    assert not accidents
