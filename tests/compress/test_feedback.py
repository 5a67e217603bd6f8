"""Rounding with feedback, against its definition and against rounding without."""

import numpy as np
import pytest

from gnomon.compress import cholesky
from gnomon.compress.feedback import InputStatistics, round_with_feedback
from gnomon.compress.rounding import WeightRounder


class Nearest:
    """Rounds to multiples of `step`, and remembers in which order the columns came."""

    def __init__(self, columns, step=0.5):
        self.columns, self.step, self.starts = columns, step, []

    def round(self, block, *, start):
        self.starts.append(start)
        return np.round(block / self.step).astype(np.float32) * np.float32(self.step)


def correlated_inputs(width, *, count=400, seed=0):
    rng = np.random.default_rng(seed)
    return (rng.standard_normal((count, width)) @ rng.standard_normal((width, width))).astype(
        np.float32
    )


def plainly(weight, gram, step, columns):
    """The same by the definition: H = L D Lᵀ by blocks, every target summed in full."""
    size = len(gram)
    factor = np.linalg.cholesky(gram.astype(np.float64))
    lower = np.zeros_like(factor)
    for start in range(0, size, columns):
        block = slice(start, start + columns)
        lower[:, block] = factor[:, block] @ np.linalg.inv(factor[block, block])
    rounded = np.zeros(weight.shape)
    for start in reversed(range(0, size, columns)):
        block, after = slice(start, start + columns), slice(start + columns, size)
        target = weight[:, block] + (weight - rounded)[:, after] @ lower[after, block]
        rounded[:, block] = np.round(target / step) * step
    return rounded


@pytest.mark.parametrize(("width", "columns"), [(32, 16), (40, 16), (200, 16), (264, 8), (13, 16)])
def test_feedback_is_the_block_ldl_recursion(width, columns):
    x = correlated_inputs(width)
    weight = np.random.default_rng(1).standard_normal((6, width)).astype(np.float32)
    statistics = InputStatistics.from_gram(x.T @ x)
    rounder = Nearest(columns)
    rounded = round_with_feedback(weight, statistics, rounder)
    expected = plainly(weight, statistics.gram, rounder.step, columns)
    assert np.mean(rounded != expected) < 0.02  # a tie may fall either way in float32
    assert sorted(rounder.starts) == list(range(0, width, columns))


def test_feedback_lowers_the_error_of_the_outputs():
    x = correlated_inputs(96)
    weight = np.random.default_rng(2).standard_normal((64, 96)).astype(np.float32)
    statistics = InputStatistics.from_gram(x.T @ x)
    nearest = Nearest(16).round(weight, start=0)
    rounded = round_with_feedback(weight, statistics, Nearest(16))
    assert statistics.error(weight - rounded) < 0.7 * statistics.error(weight - nearest)


def test_error_is_that_of_the_outputs():
    x = correlated_inputs(24)
    difference = np.random.default_rng(3).standard_normal((5, 24)).astype(np.float32)
    statistics = InputStatistics.from_gram(x.T @ x, damping=0)
    assert statistics.error(difference) == pytest.approx(np.sum((x @ difference.T) ** 2), rel=1e-3)


@pytest.mark.parametrize("large", [4096, 1])  # the latter: in single precision
@pytest.mark.parametrize("rank", [0, 1, 7])
def test_inputs_that_span_little_are_damped(rank, large, monkeypatch):
    monkeypatch.setattr(cholesky, "LARGE", large)
    x = correlated_inputs(16)[:rank]
    statistics = InputStatistics.from_gram((x.T @ x).astype(np.float32))
    assert np.allclose(statistics.factor @ statistics.factor.T, statistics.gram, rtol=1e-3)


@pytest.mark.parametrize(
    ("codec", "bits", "limit"),
    [("trellis", 2, 0.09), ("trellis", 4, 0.007), ("aq", 2, 0.14), ("int8", 8, 1e-4)],
)
def test_reported_error_is_measured_on_what_decodes(codec, bits, limit):
    from gnomon.codecs import decode

    x = correlated_inputs(96, seed=5)
    weight = np.random.default_rng(4).standard_normal((112, 96)).astype(np.float32)
    rounder = WeightRounder(x.T @ x, codec=codec, bits=bits, input_seed=11)
    result = rounder.encode(weight, output_seed=12, seed=13)
    decoded = decode(result.encoded)
    measured = np.sum((x @ (decoded - weight).T) ** 2) / np.sum((x @ weight.T) ** 2)
    assert 0 < measured < limit
    assert result.relative_error == pytest.approx(measured, rel=0.25)  # damping is 1 %


def test_an_all_zero_matrix_is_coded():
    x = correlated_inputs(32)
    rounder = WeightRounder(x.T @ x, codec="trellis", bits=2, input_seed=1)
    result = rounder.encode(np.zeros((16, 32), np.float32), output_seed=2, seed=3)
    assert np.isfinite(result.relative_error)
