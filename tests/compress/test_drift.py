"""Compensation for drift, on drifts whose answer is known."""

import numpy as np
import pytest

from gnomon.compress import drift
from gnomon.compress.drift import Drift
from gnomon.models.forward import LinearInputs


def inputs_of(x, *, tokens=None, residual=None):
    return LinearInputs(
        names=("w",),
        inputs=x.astype(np.float32),
        tokens=np.arange(len(x)) if tokens is None else np.array(tokens),
        residual=residual,
    )


@pytest.fixture
def x():
    return np.random.default_rng(0).standard_normal((300, 12)).astype(np.float32)


def test_a_linear_drift_is_undone(x, monkeypatch):
    monkeypatch.setattr(drift, "RIDGE", 1e-6)
    mixing = np.eye(12) + 0.1 * np.random.default_rng(1).standard_normal((12, 12))
    weight = np.random.default_rng(2).standard_normal((5, 12)).astype(np.float32)
    drifted = (x @ mixing).astype(np.float32)
    found = Drift.measure(inputs_of(x), inputs_of(drifted), drifted.T @ drifted)
    assert np.allclose(drifted @ found.compensate(weight).T, x @ weight.T, atol=1e-3)


def test_the_residual_stream_is_pulled_back(x, monkeypatch):
    monkeypatch.setattr(drift, "RIDGE", 1e-6)
    weight = np.zeros((3, 12), np.float32)
    lost = (x @ np.random.default_rng(3).standard_normal((12, 3))).astype(np.float32)
    before, after = inputs_of(x, residual=lost), inputs_of(x, residual=np.zeros_like(lost))
    found = Drift.measure(before, after, x.T @ x)
    assert np.allclose(x @ found.compensate(weight).T, lost, atol=1e-3)


def test_without_drift_the_weight_is_unchanged(x):
    weight = np.random.default_rng(4).standard_normal((5, 12)).astype(np.float32)
    found = Drift.measure(inputs_of(x), inputs_of(x), x.T @ x)
    assert np.allclose(found.compensate(weight), weight, atol=1e-6)


def test_only_tokens_that_reach_both_are_compared(x):
    """An expert may be sent other tokens by the rounded router."""
    original, rounded = inputs_of(x[:200], tokens=range(200)), x[100:] * 0.9
    found = Drift.measure(original, inputs_of(rounded, tokens=range(100, 300)), rounded.T @ rounded)
    both = Drift.measure(inputs_of(x[100:200]), inputs_of(x[100:200] * 0.9), rounded.T @ rounded)
    assert np.allclose(found.inputs, both.inputs, atol=1e-6)


@pytest.mark.parametrize("count", [0, 1])
def test_few_tokens_do_no_harm(x, count):
    weight = np.ones((5, 12), np.float32)
    few = x[:count]
    found = Drift.measure(inputs_of(few), inputs_of(few * 0.5), few.T @ few)
    assert np.isfinite(found.compensate(weight)).all()
