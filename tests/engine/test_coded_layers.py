"""Native layers against numpy's plain arithmetic, on every instruction set this CPU has."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gnomon import _native
from gnomon.codecs.rotation import signs

SETS = ["scalar", "avx2", "avx512"]
SETS = SETS[: SETS.index(_native.detected_isa()) + 1]


def hadamard_hartley(width: int) -> np.ndarray:
    """The matrix H of docs/trellis-format.md."""
    power = width & -width
    odd = width // power
    index = np.arange(odd)
    angle = 2 * np.pi * np.outer(index, index) / odd
    hartley = (np.cos(angle) + np.sin(angle)) / np.sqrt(odd)
    sylvester = np.ones((1, 1))
    while sylvester.shape[0] < power:
        sylvester = np.block([[sylvester, sylvester], [sylvester, -sylvester]])
    return np.kron(hartley, sylvester / np.sqrt(power))


def decode_tiles(codes: np.ndarray, table: np.ndarray, out: int, in_: int) -> np.ndarray:
    """table[state] of every weight, float64 [out, in], bit by bit as the format says."""
    bits = codes.shape[2] // 32
    strings = np.unpackbits(codes, axis=2, bitorder="little")  # [strips, tiles, 256·bits]
    at = (bits * np.arange(256)[:, None] + np.arange(8)) % (256 * bits)
    states = (strings[:, :, at] << np.arange(8)).sum(axis=3)  # [strips, tiles, 256]
    tiles = table[states].reshape(*codes.shape[:2], 16, 16).swapaxes(1, 2)
    return tiles.reshape(16 * codes.shape[0], 16 * codes.shape[1])[:out, :in_].astype(np.float64)


def relative_error(ours: np.ndarray, reference: np.ndarray) -> float:
    return float(np.linalg.norm(ours - reference) / np.linalg.norm(reference))


@pytest.mark.parametrize("isa", SETS)
@pytest.mark.parametrize("width", [1, 6, 16, 17, 40, 576])
def test_rotate_is_the_matrix_of_the_format(width, isa):
    rng = np.random.default_rng(width)
    x = rng.standard_normal((5, width)).astype(np.float32)
    diagonal = signs(7, width)
    expected = (x * diagonal) @ hadamard_hartley(width).T
    rotated = x.copy()
    _native.rotate(rotated, diagonal, threads=2, isa=isa)
    np.testing.assert_allclose(rotated, expected, atol=1e-5)
    _native.rotate(rotated, diagonal, inverse=True, isa=isa)
    np.testing.assert_allclose(rotated, x, atol=1e-5)


@settings(deadline=None, max_examples=30)
@given(
    out=st.integers(1, 70),
    in_=st.integers(1, 100),
    bits=st.sampled_from([2, 3, 4]),
    tokens=st.sampled_from([1, 2, 5, 33]),
    threads=st.integers(1, 3),
    isa=st.sampled_from(SETS),
    is_rotated=st.booleans(),
)
def test_trellis_layer_is_its_definition(out, in_, bits, tokens, threads, isa, is_rotated):
    rng = np.random.default_rng([out, in_, bits])
    tiles = ((out + 15) // 16, (in_ + 15) // 16, 32 * bits)
    codes = rng.integers(0, 256, tiles, dtype=np.uint8)
    table = rng.integers(-128, 128, 256).astype(np.int8)
    scales = rng.uniform(0.5, 2, out).astype(np.float32)
    bias = rng.standard_normal(out).astype(np.float32)
    weights = decode_tiles(codes, table, out, in_) * scales[:, None]
    rotations = [None, None]
    if is_rotated:
        s_in, s_out = signs(3, in_), signs(4, out)
        weights = s_out[:, None] * (hadamard_hartley(out) @ weights @ hadamard_hartley(in_)) * s_in
        rotations = [_native.Rotation(in_, s_in), _native.Rotation(out, s_out)]
    layer = _native.trellis_linear(codes, table, scales, out, in_, *rotations, bias)
    x = rng.standard_normal((tokens, in_)).astype(np.float32)
    y = layer.multiply(x, threads=threads, isa=isa)
    # Inputs are rounded to eight bits; nothing else is lost.
    size = np.linalg.norm(weights, axis=1) * np.linalg.norm(x, axis=1)[:, None]
    assert np.abs(y - (x @ weights.T + bias)).max() < 0.03 * size.max()


@pytest.mark.parametrize("isa", SETS)
def test_trellis_rows_are_the_weights(isa):
    rng = np.random.default_rng(1)
    codes = rng.integers(0, 256, (3, 3, 96), dtype=np.uint8)
    table = rng.integers(-128, 128, 256).astype(np.int8)
    scales = rng.uniform(0.5, 2, 40).astype(np.float32)
    layer = _native.trellis_linear(
        codes, table, scales, 40, 36, input_rotation=_native.Rotation(36, signs(3, 36))
    )
    weights = decode_tiles(codes, table, 40, 36) * scales[:, None] @ hadamard_hartley(36)
    weights *= signs(3, 36)
    for row in (0, 15, 16, 39):
        np.testing.assert_allclose(layer.read_row(row, isa), weights[row], rtol=1e-4, atol=1e-2)


@pytest.mark.parametrize("isa", SETS)
@pytest.mark.parametrize("books", [1, 2, 3])
@pytest.mark.parametrize("bits", [3, 8, 12, 16])
@pytest.mark.parametrize("tokens", [1, 2, 33])
def test_additive_layer_is_a_sum_of_entries(books, bits, tokens, isa):
    rng = np.random.default_rng(books)
    dtype = np.uint8 if bits <= 8 else np.uint16
    codes = rng.integers(0, 1 << bits, (19, 5, books)).astype(dtype)
    codebooks = rng.standard_normal((books, 1 << bits, 8)).astype(np.float32)
    scales = rng.uniform(0.5, 2, 19).astype(np.float32)
    groups = sum(codebooks[k][codes[:, :, k]] for k in range(books))
    weights = groups.reshape(19, 40) * scales[:, None]
    layer = _native.additive_linear(codes, codebooks, scales)
    x = rng.standard_normal((tokens, 40)).astype(np.float32)
    assert relative_error(layer.multiply(x, threads=2, isa=isa), x @ weights.T) < 1e-5
    np.testing.assert_allclose(layer.read_row(18, isa), weights[18], rtol=1e-5)


@pytest.mark.parametrize("isa", SETS)
@pytest.mark.parametrize("dtype", ["float32", "float16", "int8", "bfloat16"])
@pytest.mark.parametrize("shape", [(19, 17), (40, 576), (576, 40)])
def test_dense_layers(shape, dtype, isa):
    rng = np.random.default_rng(2)
    scales = None
    if dtype == "int8":
        stored = rng.integers(-127, 128, shape).astype(np.int8)
        scales = rng.uniform(0.5, 2, shape[0]).astype(np.float32)
        weights = stored * scales[:, None]
    elif dtype == "bfloat16":
        stored = (rng.standard_normal(shape).astype(np.float32).view(np.uint32) >> 16).astype(
            np.uint16
        )
        weights = (stored.astype(np.uint32) << 16).view(np.float32)
    else:
        stored = rng.standard_normal(shape).astype(dtype)
        weights = stored.astype(np.float32)
    bias = rng.standard_normal(shape[0]).astype(np.float32)
    layer = _native.dense_linear(stored, scales=scales, bias=bias)
    for tokens in (1, 2, 5, 33):
        x = rng.standard_normal((tokens, shape[1])).astype(np.float32)
        y = layer.multiply(x, threads=3, isa=isa)
        assert relative_error(y, x @ weights.T + bias) < 1e-5
    np.testing.assert_array_equal(layer.read_row(3, isa), weights[3])


def test_what_does_not_fit_is_refused():
    good = {
        "codes": np.zeros((1, 1, 64), np.uint8),
        "table": np.zeros(256, np.int8),
        "scales": np.ones(16, np.float32),
        "out": 16,
        "in_": 16,
    }
    _native.trellis_linear(**good)
    for change in (
        {"codes": np.zeros((1, 1, 63), np.uint8)},
        {"codes": np.zeros((1, 1, 160), np.uint8)},
        {"codes": np.zeros((2, 1, 64), np.uint8)},
        {"table": np.zeros(255, np.int8)},
        {"scales": np.ones(15, np.float32)},
        {"out": 0, "codes": np.zeros((0, 1, 64), np.uint8)},
        {"input_rotation": _native.Rotation(8)},
        {"bias": np.zeros(3, np.float32)},
    ):
        with pytest.raises(ValueError, match=r"[Tt]rellis|rotation|bias"):
            _native.trellis_linear(**{**good, **change})
    with pytest.raises(TypeError):
        _native.trellis_linear(**{**good, "codes": np.zeros((1, 1, 64), np.int8)})
    with pytest.raises(TypeError):  # a copy would be changed instead
        _native.rotate(np.zeros((4, 4), np.float32).T[::2])
    with pytest.raises(TypeError):
        _native.rotate(np.zeros((4, 4)))
    with pytest.raises(ValueError, match="odd part"):
        _native.Rotation(32003)
