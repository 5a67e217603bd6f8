"""Rounding again lowers the error, and the codes stay those of the matrix that is returned."""

from __future__ import annotations

import numpy as np
import pytest

from gnomon.codecs.trellis import TrellisRounder, gaussian_table, values_of
from gnomon.compress.feedback import InputStatistics, round_with_feedback
from gnomon.compress.refinement import refine


@pytest.fixture
def statistics():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((400, 72)) @ (np.eye(72) + 0.5 * rng.standard_normal((72, 72)))
    return InputStatistics.from_gram((x.T @ x).astype(np.float32))


@pytest.fixture
def weight():
    return np.random.default_rng(1).standard_normal((40, 72)).astype(np.float32)


def test_error_falls_pass_by_pass_and_codes_follow(statistics, weight):
    scales = np.ones(1, np.float32)
    rounder = TrellisRounder(shape=weight.shape, bits=2, scales=scales, threads=1)
    rounded = round_with_feedback(weight, statistics, rounder)
    errors = [statistics.error(weight - rounded)]
    for _ in range(3):
        rounded = refine(weight, rounded, statistics, rounder)
        errors.append(statistics.error(weight - rounded))
    assert errors[1] < 0.97 * errors[0]
    assert errors[3] <= errors[2] <= errors[1]
    table, unit = gaussian_table(2)
    decoded = values_of(rounder.codes, table).reshape(len(weight), -1)[:, : weight.shape[1]]
    np.testing.assert_allclose(rounded, decoded * np.float32(unit), atol=1e-6)


def test_what_makes_it_worse_is_put_back(statistics, weight):
    """A codec that gives nonsense the second time changes nothing."""

    class Forgetful(TrellisRounder):
        def round(self, block, *, start):
            return super().round(np.zeros_like(block) if self.is_done else block, start=start)

    rounder = Forgetful(shape=weight.shape, bits=2, scales=np.ones(1, np.float32), threads=1)
    rounder.is_done = False
    rounded = round_with_feedback(weight, statistics, rounder)
    codes = rounder.codes.copy()
    rounder.is_done = True
    assert np.array_equal(refine(weight, rounded, statistics, rounder), rounded)
    assert np.array_equal(rounder.codes, codes)
