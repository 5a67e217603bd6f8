"""Compensation for drift, on drifts whose answer is known."""

import numpy as np
import pytest

from gnomon.compress import cholesky, drift
from gnomon.compress.drift import Drift
from gnomon.compress.statistics import GroupStatistics


def statistics(x, missing, *, is_of_outputs):
    """Of inputs x [rows, in] and what is missing: in the inputs [rows, in], or the outputs."""
    x = x.astype(np.float32)
    return GroupStatistics(
        names=("w",),
        gram=x.T @ x,
        cross=(x.T @ missing).astype(np.float32),
        is_of_outputs=is_of_outputs,
        rows=len(x),
    )


@pytest.fixture
def x():
    return np.random.default_rng(0).standard_normal((300, 12)).astype(np.float32)


@pytest.mark.parametrize("large", [4096, 1])  # the latter: in single precision
def test_a_linear_drift_is_undone(large, x, monkeypatch):
    monkeypatch.setattr(drift, "RIDGE_TOKENS", 1e-3)
    monkeypatch.setattr(cholesky, "LARGE", large)
    mixing = np.eye(12) + 0.1 * np.random.default_rng(1).standard_normal((12, 12))
    weight = np.random.default_rng(2).standard_normal((5, 12)).astype(np.float32)
    drifted = (x @ mixing).astype(np.float32)
    found = Drift(statistics(drifted, x - drifted, is_of_outputs=False))
    assert np.allclose(drifted @ found.compensate(weight).T, x @ weight.T, atol=1e-3)


def test_the_residual_stream_is_pulled_back(x, monkeypatch):
    monkeypatch.setattr(drift, "STREAM_RIDGE_TOKENS", 1e-3)
    weight = np.zeros((3, 12), np.float32)
    lost = (x @ np.random.default_rng(3).standard_normal((12, 3))).astype(np.float32)
    found = Drift(statistics(x, lost, is_of_outputs=True))
    assert np.allclose(x @ found.compensate(weight).T, lost, atol=1e-3)


@pytest.mark.parametrize("is_of_outputs", [False, True])
def test_without_drift_the_weight_is_unchanged(is_of_outputs, x):
    weight = np.random.default_rng(4).standard_normal((5, 12)).astype(np.float32)
    missing = np.zeros((300, 5 if is_of_outputs else 12), np.float32)
    found = Drift(statistics(x, missing, is_of_outputs=is_of_outputs))
    assert np.allclose(found.compensate(weight), weight, atol=1e-6)


def test_outputs_and_inputs_say_the_same(x, monkeypatch):
    """For a layer that adds to nothing, the output that is missing is the input's share."""
    monkeypatch.setattr(drift, "STREAM_RIDGE_TOKENS", drift.RIDGE_TOKENS)
    weight = np.random.default_rng(5).standard_normal((5, 12)).astype(np.float32)
    drifted = x * 0.9 + 0.05 * x[:, ::-1]
    by_inputs = Drift(statistics(drifted, x - drifted, is_of_outputs=False))
    by_outputs = Drift(statistics(drifted, (x - drifted) @ weight.T, is_of_outputs=True))
    assert np.allclose(by_inputs.compensate(weight), by_outputs.compensate(weight), atol=1e-4)


@pytest.mark.parametrize("count", [0, 1])
def test_few_tokens_do_no_harm(x, count):
    weight = np.ones((5, 12), np.float32)
    few = x[:count]
    found = Drift(statistics(few * 0.5, few * 0.5, is_of_outputs=False))
    assert np.isfinite(found.compensate(weight)).all()
