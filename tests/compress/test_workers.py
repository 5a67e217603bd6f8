"""Tasks: in order, with what was kept, and the same sums however many threads there are."""

import gc
import time

import numpy as np
import pytest

from gnomon.compress.workers import LocalWorkers


@pytest.fixture(params=["memory", "disk"])
def folder(request, tmp_path):
    return tmp_path if request.param == "disk" else None


@pytest.mark.parametrize("threads", [1, 3])
def test_results_come_in_the_order_of_the_tasks(threads):
    def slow_first(number):
        time.sleep(0.05 if number == 0 else 0)
        return number * 10

    workers = LocalWorkers(threads=threads)
    assert list(workers.map(slow_first, [(n,) for n in range(7)])) == [n * 10 for n in range(7)]


def test_kept_results_are_what_tasks_get(folder):
    workers = LocalWorkers(threads=2, folder=folder)
    kept = workers.map_kept(np.arange, [(3,), (5,)])
    shared = workers.keep(np.float32(2))
    assert list(workers.map(lambda a, b: float((a * b).sum()), [(k, shared) for k in kept])) == [
        6.0,
        20.0,
    ]
    assert workers.fetch(kept[1]).tolist() == [0, 1, 2, 3, 4]


def test_what_is_on_disk_goes_with_its_last_use(tmp_path):
    workers = LocalWorkers(folder=tmp_path)
    kept = workers.map_kept(np.zeros, [(1000,), (1000,)])
    assert len(list(tmp_path.iterdir())) == 2
    del kept
    gc.collect()
    assert not list(tmp_path.iterdir())


def test_sums_do_not_depend_on_the_threads():
    x = np.random.default_rng(0).standard_normal((3, 700, 300)).astype(np.float32)

    def gram(part):
        return part.T @ part

    one, two = (
        list(LocalWorkers(threads=threads).map(gram, [(part,) for part in x])) for threads in (1, 3)
    )
    assert all((a == b).all() for a, b in zip(one, two, strict=True))


def test_an_error_of_a_task_is_the_callers():
    def fail(number):
        if number == 2:
            raise ValueError("task 2")
        return number

    with pytest.raises(ValueError, match="task 2"):
        list(LocalWorkers(threads=2).map(fail, [(n,) for n in range(9)]))
