"""The beam search of the codec aq: the native form is the plain one, and both lower the loss."""

import os
import subprocess
import sys

import numpy as np
import pytest

from gnomon import _native
from gnomon.codecs.aq import sum_codewords
from gnomon.codecs.aq_search import first_view, search, search_plainly, sweep_view


def problem(*, rows=6, groups=4, books=2, seed=0):
    """W, H, its Cholesky factor and codebooks; inputs are correlated and of different sizes."""
    rng = np.random.default_rng(seed)
    columns = 8 * groups
    mixing = rng.standard_normal((columns, columns)) * rng.uniform(0.2, 2, columns)
    x = rng.standard_normal((3 * columns, columns)) @ mixing
    gram = x.T @ x / len(x)
    weight = rng.standard_normal((rows, columns)).astype(np.float32)
    codebooks = rng.standard_normal((books, 256, 8)).astype(np.float32) * 0.7
    return weight, gram, np.linalg.cholesky(gram), codebooks


def losses(weight, gram, codes, codebooks):
    """e H eᵀ of every row."""
    errors = weight - sum_codewords(codes, codebooks).reshape(weight.shape)
    return np.einsum("oi,ij,oj->o", errors, gram, errors)


@pytest.mark.parametrize(("books", "beam", "width"), [(1, 1, 8), (2, 1, 8), (2, 4, 16), (3, 2, 8)])
def test_native_search_is_the_plain_one(books, beam, width):
    weight, gram, factor, codebooks = problem(rows=3, groups=3, books=books)
    view = first_view(factor)
    codes = search(weight, view, codebooks, beam=beam, width=width)
    plain = search_plainly(weight, view, codebooks, beam=beam, width=width)
    np.testing.assert_array_equal(codes, plain)

    view = sweep_view(gram)
    swept = search(weight, view, codebooks, codes, beam=beam, width=width)
    plain = search_plainly(weight, view, codebooks, codes, beam=beam, width=width)
    np.testing.assert_array_equal(swept, plain)
    assert (swept != codes).any()


def test_one_group_alone_gets_its_best_codes():
    """With one group the search over all 256 · 256 sums can be done by hand."""
    weight, gram, factor, codebooks = problem(rows=5, groups=1)
    sums = (codebooks[0][:, None] + codebooks[1][None]).reshape(-1, 8)
    best = []
    for row in weight:
        errors = row - sums
        best.append(np.min(np.einsum("ni,ij,nj->n", errors, gram, errors)))
    codes = search(weight, first_view(factor), codebooks, beam=1, width=256)
    np.testing.assert_allclose(losses(weight, gram, codes, codebooks), best, rtol=1e-3)


def test_wider_beams_find_less_loss_and_sweeps_never_more():
    weight, gram, factor, codebooks = problem(rows=64, groups=6, seed=3)
    view = sweep_view(gram)
    narrow = search(weight, first_view(factor), codebooks, beam=1, width=8)
    wide = search(weight, first_view(factor), codebooks, beam=8, width=32)
    assert (
        losses(weight, gram, wide, codebooks).sum()
        < 0.95 * losses(weight, gram, narrow, codebooks).sum()
    )
    before, codes = losses(weight, gram, narrow, codebooks), narrow
    for _ in range(3):
        codes = search(weight, view, codebooks, codes, beam=2, width=8)
        after = losses(weight, gram, codes, codebooks)
        assert np.all(after <= before * (1 + 1e-4))
        before = after
    assert before.sum() < 0.9 * losses(weight, gram, narrow, codebooks).sum()


@pytest.mark.parametrize("rows", [1, 15, 17, 200])
def test_threads_do_not_change_the_codes(rows):
    weight, gram, factor, codebooks = problem(rows=rows)
    view = first_view(factor)
    alone = search(weight, view, codebooks, beam=3, width=8, threads=1)
    swept = search(weight, sweep_view(gram), codebooks, alone, beam=3, width=8, threads=1)
    for threads in (2, 3):
        codes = search(weight, view, codebooks, beam=3, width=8, threads=threads)
        np.testing.assert_array_equal(codes, alone)
        codes = search(weight, sweep_view(gram), codebooks, alone, beam=3, width=8, threads=threads)
        np.testing.assert_array_equal(codes, swept)


SCALAR = """
import sys, numpy as np
sys.path.insert(0, sys.argv[1])
from test_aq_search import losses, problem
from gnomon.codecs.aq_search import first_view, search
weight, gram, factor, codebooks = problem(rows=40)
codes = search(weight, first_view(factor), codebooks, beam=3, width=8)
print(repr(losses(weight, gram, codes, codebooks).sum()))
"""


def test_the_scalar_form_is_as_good():
    weight, gram, factor, codebooks = problem(rows=40)
    codes = search(weight, first_view(factor), codebooks, beam=3, width=8)
    environment = {**os.environ, "GNOMON_ISA": "scalar"}
    command = [sys.executable, "-c", SCALAR, os.path.dirname(__file__)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    total = float(done.stdout.removeprefix("np.float64(").rstrip(")\n"))
    assert total == pytest.approx(losses(weight, gram, codes, codebooks).sum(), rel=1e-3)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"beam": 0}, "beam must be 1 to 16"),
        ({"beam": 17}, "beam must be 1 to 16"),
        ({"width": 4}, "width must be"),
        ({"width": 24}, "width must be"),
        ({"threads": -1}, "threads must be"),
        ({"codes": np.zeros((6, 4, 3), np.uint8)}, "codes must be"),
        ({"factors": np.zeros((3, 8, 8), np.float32)}, "factors must be"),
        ({"coupling": np.zeros((32, 31), np.float32)}, "coupling must be"),
        ({"codebooks": np.zeros((2, 255, 8), np.float32)}, "codebooks must be"),
        ({"values": np.zeros((5, 32), np.float32)}, "targets and values"),
    ],
)
def test_what_does_not_fit_is_refused(change, message):
    weight, _, factor, codebooks = problem()
    view = first_view(factor)
    good = {
        "targets": weight,
        "values": weight,
        "coupling": view.coupling,
        "factors": view.factors,
        "codebooks": codebooks,
        "codes": np.zeros((6, 4, 2), np.uint8),
        "is_sweep": False,
        "beam": 1,
        "width": 8,
    }
    _native.beam_search(**good)
    with pytest.raises(ValueError, match=message):
        _native.beam_search(**good | change)
    with pytest.raises(TypeError):  # a copy would be written to instead
        _native.beam_search(**good | {"codes": np.zeros((6, 4, 4), np.uint8)[:, :, ::2]})
