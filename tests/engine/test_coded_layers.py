"""Native layers against numpy's plain arithmetic, on every instruction set this CPU has."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gnomon import _native
from gnomon.codecs import trellis
from gnomon.codecs.rotation import signs

SETS = _native.available_isas()


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


def random_codes(rng, out: int, in_: int, *, bits: int) -> tuple[np.ndarray, np.ndarray]:
    """Codes and a table of the format, at random."""
    codes = rng.integers(0, 256, (-(-out // 64), -(-in_ // 32), 4 * bits, 64), dtype=np.uint8)
    shape = trellis.FORMS[bits].table_shape
    most = 127 // shape[0]
    return codes, rng.integers(-most, most + 1, shape).astype(np.int8)


def decode_blocks(codes: np.ndarray, table: np.ndarray, out: int, in_: int) -> np.ndarray:
    """Straight from docs/trellis-format.md."""
    window, values, columns = table.shape
    count = 32 // columns
    weights = np.zeros((out, in_), np.float32)
    for row, block in np.ndindex(out, codes.shape[1]):
        planes = [int(byte) for byte in codes[row // 64, block, :, row % 64]]
        if values == 8:
            low = [planes[k // 4] >> (2 * (k % 4)) & 3 for k in range(count)]
            high = [planes[8 + k // 8] >> (k % 8) & 1 for k in range(count)]
            symbols = [a | b << 2 for a, b in zip(low, high, strict=True)]
        else:
            symbols = [planes[k // 2] >> (4 * (k % 2)) & 15 for k in range(count)]
        for column in range(32 * block, min(32 * block + 32, in_)):
            k, d = divmod(column % 32, columns)
            entries = (table[j, symbols[(k + j) % count], d] for j in range(window))
            weights[row, column] = sum(map(int, entries))
    return weights


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
    codes, table = random_codes(rng, out, in_, bits=bits)
    scales = rng.uniform(0.5, 2, out).astype(np.float32)
    bias = rng.standard_normal(out).astype(np.float32)
    weights = decode_blocks(codes, table, out, in_) * scales[:, None]
    rotations = [None, None]
    if is_rotated:
        s_in, s_out = signs(3, in_), signs(4, out)
        weights = s_out[:, None] * (hadamard_hartley(out) @ weights @ hadamard_hartley(in_)) * s_in
        rotations = [_native.Rotation(in_, s_in), _native.Rotation(out, s_out)]
    layer = _native.trellis_linear(codes, table, scales, out, in_, *rotations, bias)
    x = rng.standard_normal((tokens, in_)).astype(np.float32)
    y = layer.multiply(x, threads=threads, isa=isa)
    # What is looked up is rounded to eight bits.
    size = np.linalg.norm(weights, axis=1) * np.linalg.norm(x, axis=1)[:, None]
    assert np.abs(y - (x @ weights.T + bias)).max() < 0.05 * size.max()


@pytest.mark.parametrize("isa", SETS)
def test_trellis_rows_are_the_weights(isa):
    rng = np.random.default_rng(1)
    codes, table = random_codes(rng, 40, 36, bits=3)
    scales = rng.uniform(0.5, 2, 40).astype(np.float32)
    layer = _native.trellis_linear(
        codes, table, scales, 40, 36, input_rotation=_native.Rotation(36, signs(3, 36))
    )
    weights = decode_blocks(codes, table, 40, 36) * scales[:, None] @ hadamard_hartley(36)
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
    error = relative_error(layer.multiply(x, threads=2, isa=isa), x @ weights.T)
    assert error < (0.02 if bits <= 8 else 1e-5)  # codes of a byte are looked up, rounded to bytes
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
        "codes": np.zeros((1, 1, 8, 64), np.uint8),
        "table": np.zeros((3, 16, 2), np.int8),
        "scales": np.ones(16, np.float32),
        "out": 16,
        "in_": 16,
    }
    _native.trellis_linear(**good)
    for change in (
        {"codes": np.zeros((1, 1, 8, 63), np.uint8)},
        {"codes": np.zeros((1, 1, 20, 64), np.uint8)},
        {"codes": np.zeros((1, 1, 9, 64), np.uint8)},
        {"codes": np.zeros((2, 1, 8, 64), np.uint8)},
        {"table": np.zeros((3, 16, 1), np.int8)},
        {"table": np.full((3, 16, 2), 43, np.int8)},
        {"scales": np.ones(15, np.float32)},
        {"out": 0, "codes": np.zeros((0, 1, 8, 64), np.uint8)},
        {"input_rotation": _native.Rotation(8)},
        {"bias": np.zeros(3, np.float32)},
    ):
        with pytest.raises(ValueError, match=r"[Tt]rellis|rotation|bias"):
            _native.trellis_linear(**{**good, **change})
    with pytest.raises(TypeError):
        _native.trellis_linear(**{**good, "codes": np.zeros((1, 1, 8, 64), np.int8)})
    with pytest.raises(TypeError):  # a copy would be changed instead
        _native.rotate(np.zeros((4, 4), np.float32).T[::2])
    with pytest.raises(TypeError):
        _native.rotate(np.zeros((4, 4)))
    with pytest.raises(ValueError, match="odd part"):
        _native.Rotation(32003)
