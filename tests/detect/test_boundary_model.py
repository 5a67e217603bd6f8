"""The one-boundary model against a slow one; what it learns; the intervals."""

from __future__ import annotations

import numpy as np
import pytest

from gnomon.detect.boundary_model import BoundaryModel, Texts, loss_and_gradient, new_parameters
from gnomon.detect.conformal import calibrate, gathered_before, interval
from gnomon.detect.fitting import FitOptions, fit_boundary_model
from gnomon.errors import DataError

# Not 5: on AVX-512 OpenBLAS (0.3.31) multiplies matrices of five columns by vectors with lanes that
# it has not filled, so numpy at times warns of an invalid value although the product is right.
FEATURES = 6


@pytest.fixture
def rng():
    return np.random.default_rng(3)


@pytest.fixture
def parameters(rng):
    """Numbers of float64, none of them zero."""
    fresh = new_parameters(FEATURES, hidden=3, rng=rng)
    return {name: value + 0.3 * rng.normal(size=value.shape) for name, value in fresh.items()}


def slow_posterior(p, x):
    """Every boundary's energy by itself, as the module's docstring says it."""

    def network(name, row):
        units = np.tanh(row @ p[f"{name}_w"] + p[f"{name}_c"])
        return units @ p[f"{name}_u"] + row @ p[f"{name}_v"]

    n = len(x)
    energies = []
    for b in range(n + 1):
        energy = sum(network("score", x[i]) + p["score_d"][0] for i in range(b, n))
        if 0 < b < n:
            means = x[b:].mean(axis=0) - x[:b].mean(axis=0)
            energy += network("contrast", np.concatenate([means, x[b] - x[b - 1]]))
            energy += p["prior"][1] - np.log(n - 1)
        else:
            energy += p["prior"][0 if b == 0 else 2]
        energies.append(energy)
    weights = np.exp(np.array(energies) - max(energies))
    return weights / weights.sum()


def test_posterior(parameters, rng):
    x = rng.normal(size=(7, FEATURES)).astype(np.float32)
    model = BoundaryModel(
        mean=np.zeros(FEATURES, np.float32),
        scale=np.ones(FEATURES, np.float32),
        members=(parameters,),
    )
    for n in (1, 2, 7):
        posterior = model.posterior(x[:n])
        assert posterior.shape == (n + 1,)
        np.testing.assert_allclose(posterior, slow_posterior(parameters, x[:n]), atol=1e-6)


def test_gradient(parameters, rng):
    texts = Texts([rng.normal(size=(n, FEATURES)) for n in (1, 4, 7, 2)])
    boundaries = np.array([1, 2, 0, 2])
    _, gradient = loss_and_gradient(parameters, texts, boundaries)
    for name, value in parameters.items():
        at = tuple(rng.integers(size) for size in value.shape)
        losses = []
        for step in (1e-5, -1e-5):
            moved = {key: array.copy() for key, array in parameters.items()}
            moved[name][at] += step
            losses.append(loss_and_gradient(moved, texts, boundaries)[0])
        slope = (losses[0] - losses[1]) / 2e-5
        np.testing.assert_allclose(gradient[name][at], slope, atol=1e-5, err_msg=name)


def made_texts(rng, count, shift=1.5):
    """Machine pieces stand out a little in two of the features."""
    features, boundaries = [], []
    for _ in range(count):
        n = int(rng.integers(2, 11))
        boundary = int(rng.integers(0, n + 1))
        x = rng.normal(size=(n, FEATURES)).astype(np.float32)
        x[boundary:, :2] += shift
        features.append(x)
        boundaries.append(boundary)
    return features, np.array(boundaries)


def test_fit_learns_and_repeats(rng):
    options = FitOptions(members=2, epochs=12, hidden=4, learning_rate=1e-2)
    model = fit_boundary_model(*made_texts(rng, 300), options=options, seed=1)
    features, boundaries = made_texts(rng, 300)
    posteriors = [model.posterior(x) for x in features]
    right = np.mean([p.argmax() == b for p, b in zip(posteriors, boundaries, strict=True)])
    assert right > 0.4  # guessing gives 0.15
    mean_truth = np.mean([p[b] for p, b in zip(posteriors, boundaries, strict=True)])
    mean_best = np.mean([p.max() for p in posteriors])
    assert abs(right - mean_best) < 0.1  # as sure as it is right
    assert mean_truth > 0.3
    again = fit_boundary_model(*made_texts(np.random.default_rng(8), 50), options=options, seed=1)
    twice = fit_boundary_model(*made_texts(np.random.default_rng(8), 50), options=options, seed=1)
    np.testing.assert_array_equal(again.posterior(features[0]), twice.posterior(features[0]))


def test_interval_grows_to_the_likelier_side():
    posterior = np.array([0.06, 0.1, 0.5, 0.3, 0.04])
    np.testing.assert_allclose(gathered_before(posterior), [0.9, 0.8, 0.0, 0.5, 0.96])
    assert interval(posterior, 0.0) == (2, 2)
    assert interval(posterior, 0.6) == (2, 3)
    assert interval(posterior, 0.85) == (1, 3)
    assert interval(np.array([1.0]), 0.9) == (0, 0)


def test_coverage(rng):
    """On texts from the same source intervals hold as often as they say, though p is wrong."""
    posteriors = rng.dirichlet(np.full(9, 0.4), size=6000)
    flattened = posteriors**0.5  # a model that is less sure than it should be
    flattened /= flattened.sum(axis=1, keepdims=True)
    truths = np.array([rng.choice(9, p=p) for p in posteriors])
    level = calibrate(flattened[:3000], truths[:3000], coverage=0.9)
    spans = [interval(p, level) for p in flattened[3000:]]
    held = np.mean([low <= b <= high for (low, high), b in zip(spans, truths[3000:], strict=True)])
    assert 0.88 < held < 0.92
    with pytest.raises(DataError, match="at least 9 texts"):
        calibrate(flattened[:5], truths[:5], coverage=0.9)
