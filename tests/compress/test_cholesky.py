"""Cholesky's method by blocks against numpy's, on sizes that fill no block, some, and a part."""

import numpy as np
import pytest

from gnomon.compress import cholesky


@pytest.fixture(params=[1, 100, cholesky.BLOCK, 2 * cholesky.BLOCK + 37])
def matrix(request):
    """Positive definite, with powers as unequal as those of a layer's inputs."""
    rng = np.random.default_rng(request.param)
    x = rng.standard_normal((2 * request.param, request.param))
    x *= np.exp(rng.standard_normal(request.param))
    return x.T @ x + 0.1 * np.eye(request.param)


TOLERANCES = pytest.mark.parametrize(
    ("dtype", "tolerance"), [(np.float64, 1e-9), (np.float32, 2e-3)]
)


def is_near(found, expected, tolerance):
    return np.linalg.norm(found - expected) < tolerance * np.linalg.norm(expected)


@TOLERANCES
def test_factor(matrix, dtype, tolerance):
    factor = cholesky.factorise(matrix.astype(dtype))
    assert factor.dtype == dtype
    assert not np.triu(factor, 1).any()
    assert is_near(factor, np.linalg.cholesky(matrix), tolerance)


def test_the_upper_triangle_is_not_read(matrix):
    expected = cholesky.factorise(matrix)
    spoilt = np.tril(matrix) + np.triu(np.full_like(matrix, np.nan), 1)
    np.testing.assert_array_equal(cholesky.factorise(spoilt), expected)


@TOLERANCES
def test_solution(matrix, dtype, tolerance):
    factor = np.linalg.cholesky(matrix).astype(dtype)
    right = np.random.default_rng(1).standard_normal((len(matrix), 3)).astype(dtype)
    kept = right.copy()
    solved = cholesky.solve(factor, right)
    assert solved.dtype == dtype
    assert is_near(solved, np.linalg.solve(matrix, kept), tolerance)
    np.testing.assert_array_equal(right, kept)


def test_product(matrix):
    factor = np.linalg.cholesky(matrix).astype(np.float32)
    left = np.random.default_rng(2).standard_normal((5, len(matrix))).astype(np.float32)
    assert is_near(cholesky.times_lower(left, factor), left @ factor, 1e-6)


def test_single_precision_falls_back_on_double():
    """Inputs that are all alike, and a ridge near the rounding of their products."""
    ridge = 4 * np.finfo(np.float32).eps
    matrix = np.ones((300, 300), np.float32) + ridge * np.eye(300, dtype=np.float32)
    factor = cholesky.factorise(matrix)
    assert factor.dtype == np.float32
    assert is_near(factor @ factor.T, matrix, 1e-6)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("at", [0, 300])
def test_what_is_not_positive_definite_is_refused(at, dtype):
    matrix = np.eye(400, dtype=dtype)
    matrix[at, at] = -1e-3
    with pytest.raises(np.linalg.LinAlgError):
        cholesky.factorise(matrix)
