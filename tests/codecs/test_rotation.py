"""Rotations: orthogonal, for every width, and the same for ever."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gnomon.codecs.rotation import (
    hadamard,
    hadamard_columns,
    hartley,
    rotate,
    rotate_gram,
    rotate_weight,
    signs,
    unrotate,
    unrotate_weight,
)


@given(width=st.integers(1, 200), seed=st.integers(0, 2**32 - 1))
def test_unrotate_is_the_inverse(width, seed):
    x = np.random.default_rng(0).standard_normal((3, width)).astype(np.float32)
    assert np.allclose(unrotate(rotate(x, seed=seed), seed=seed), x, atol=1e-5)


@pytest.mark.parametrize("width", [1, 2, 3, 12, 48, 576, 192, 35])
def test_hadamard_is_symmetric_and_orthogonal(width):
    matrix = hadamard(np.eye(width, dtype=np.float32))
    assert np.allclose(matrix, matrix.T, atol=1e-6)
    assert np.allclose(matrix @ matrix, np.eye(width), atol=1e-5)


@pytest.mark.parametrize("width", [1, 7, 12, 512, 1536])
def test_columns_are_rotated_as_rows_are(width):
    x = np.random.default_rng(1).standard_normal((width, 3)).astype(np.float32)
    assert np.allclose(hadamard_columns(x), hadamard(x.T).T, atol=1e-5)


def test_hadamard_is_the_stated_kronecker_product():
    sylvester = np.array([[1]])
    for _ in range(2):
        sylvester = np.block([[sylvester, sylvester], [sylvester, -sylvester]])
    expected = np.kron(hartley(3), sylvester / 2)
    assert np.allclose(hadamard(np.eye(12, dtype=np.float32)), expected, atol=1e-6)


def test_signs_are_golden():
    # From the published SplitMix64 recurrence; files written today depend on these bits.
    assert signs(0, 16).tolist() == [-1, 1, 1, -1, 1, 1, 1, -1, 1, -1, 1, -1, -1, -1, -1, -1]
    assert signs(2**32 - 1, 8).tolist() == [1, 1, -1, 1, -1, -1, 1, -1]


def split_mix(seed, count):
    """The reference recurrence in unbounded integers."""
    mask = 2**64 - 1
    for i in range(count):
        z = (seed + (i + 1) * 0x9E3779B97F4A7C15) & mask
        z = ((z ^ z >> 30) * 0xBF58476D1CE4E5B9) & mask
        z = ((z ^ z >> 27) * 0x94D049BB133111EB) & mask
        yield z ^ z >> 31


@given(seed=st.integers(0, 2**32 - 1), width=st.integers(1, 64))
def test_signs_follow_split_mix(seed, width):
    assert signs(seed, width).tolist() == [-1.0 if z >> 63 else 1.0 for z in split_mix(seed, width)]


def test_rotated_weight_times_rotated_input_is_the_output():
    rng = np.random.default_rng(1)
    weight = rng.standard_normal((24, 40)).astype(np.float32)
    x = rng.standard_normal((5, 40)).astype(np.float32)
    rotated = rotate_weight(weight, input_seed=3, output_seed=4)
    assert np.allclose(unrotate(rotate(x, seed=3) @ rotated.T, seed=4), x @ weight.T, atol=1e-4)
    assert np.allclose(unrotate_weight(rotated, input_seed=3, output_seed=4), weight, atol=1e-5)


def test_rotated_gram_is_that_of_rotated_inputs():
    x = np.random.default_rng(2).standard_normal((50, 36)).astype(np.float32)
    rotated = rotate(x, seed=9)
    assert np.allclose(rotate_gram(x.T @ x, seed=9), rotated.T @ rotated, atol=1e-3)


def test_rotation_flattens_outliers():
    x = np.zeros((1, 576), dtype=np.float32)
    x[0, 17] = 100
    assert np.abs(rotate(x, seed=5)).max() < 7  # 100 · √2 / √576 at the most
