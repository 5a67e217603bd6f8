"""The trellis codec: the fast encoder against the plain one, the format, and its error."""

import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gnomon import _native
from gnomon.codecs import EncodedWeight, decode, trellis

SHANNON = {2: 4.0**-2, 3: 4.0**-3, 4: 4.0**-4}
REACHED = {2: 0.0805, 3: 0.0209, 4: 0.0054}  # the tables in the package do a little better


def table_of(bits):
    table, unit = trellis.gaussian_table(bits)
    return table.astype(np.float32) * np.float32(unit)


@pytest.mark.parametrize("bits", trellis.BITS)
def test_encoder_finds_what_the_reference_finds(bits):
    """But for its whole numbers, which may decide between cycles that are nearly as good."""
    numbers = np.random.default_rng(bits).standard_normal((70, 32)).astype(np.float32)
    symbols, values = trellis.encode(numbers, table_of(bits), bits=bits)
    few = slice(None, None, 10 if bits == 2 else 30)
    expected = [trellis.encode_reference(row, table_of(bits), bits=bits) for row in numbers[few]]
    assert np.mean(symbols[few] == np.stack(expected)) > 0.6
    errors = [
        np.sum((trellis.values_of(found, table_of(bits)) - numbers[few]) ** 2, axis=1)
        for found in (symbols[few], np.stack(expected))
    ]
    assert np.allclose(*errors, rtol=0.04)
    assert np.allclose(values, trellis.values_of(symbols, table_of(bits)), atol=1e-6)


@pytest.mark.parametrize("bits", trellis.BITS)
def test_error_on_a_gaussian(bits):
    numbers = np.random.default_rng(123).standard_normal((8192, 32)).astype(np.float32)
    _, values = trellis.encode(numbers, table_of(bits), bits=bits)
    assert SHANNON[bits] < np.mean((numbers - values) ** 2) < REACHED[bits]


@pytest.mark.parametrize(("bits", "factor"), [(3, 2.5), (4, 2.0)])
def test_costs_at_their_limits_do_not_wrap_around(bits, factor):
    """A table and numbers far wider than those that the whole numbers are scaled for."""
    numbers = 3 * np.random.default_rng(5).standard_normal((512, 32)).astype(np.float32)
    table = table_of(bits) * np.float32(factor)
    _, values = trellis.encode(numbers, table, bits=bits)
    assert np.mean((numbers - values) ** 2) < 3


def test_cycle_is_nearly_the_best_of_all():
    """The seam is guessed from its surroundings; to try every other one helps by a percent."""
    table = table_of(2)
    found = best = 0.0
    for number in np.random.default_rng(7).standard_normal((6, 32)).astype(np.float32):
        search = trellis._Search(number, table)
        found += search.error(trellis.encode_reference(number, table, bits=2))
        cycles = (search.best_path(range(16), seam=seam)[:16] for seam in np.ndindex(16, 16))
        best += min(map(search.error, cycles))
    assert best <= found <= 1.05 * best


@given(
    bits=st.sampled_from(trellis.BITS),
    rows=st.integers(1, 140),
    blocks=st.integers(1, 3),
    seed=st.integers(0, 2**32 - 1),
)
def test_unpack_is_the_inverse_of_pack(bits, rows, blocks, seed):
    form = trellis.FORMS[bits]
    shape = (rows, blocks, form.symbols)
    symbols = np.random.default_rng(seed).integers(0, 1 << form.symbol_bits, shape, dtype=np.uint8)
    codes = trellis.pack(symbols, bits=bits)
    assert codes.shape == (-(-rows // 64), blocks, 4 * bits, 64)
    assert np.array_equal(trellis.unpack(codes, bits=bits)[:rows], symbols)


@pytest.mark.parametrize("bits", trellis.BITS)
def test_tables_fit(bits):
    """Every weight lies in ±127, so that kernels may add in eight bits."""
    table, _ = trellis.gaussian_table(bits)
    assert table.shape == trellis.FORMS[bits].table_shape
    assert np.abs(table.astype(int)).max(axis=1).sum(axis=0).max() <= 127


def test_golden_block():
    """Files written today must decode to these numbers in every later version."""
    codes = np.zeros((1, 1, 8, 64), np.uint8)
    codes[0, 0, :, 0] = [0x21, 0x43, 0x65, 0x87, 0xA9, 0xCB, 0xED, 0x0F]  # row 0: 1, 2, … 15, 0
    table = np.zeros((3, 16, 2), np.int8)
    table[0, :, 0], table[1, :, 0], table[2, :, 1] = range(16), range(0, 32, 2), range(0, -16, -1)
    encoded = EncodedWeight(
        codec="trellis",
        shape=(2, 31),
        tensors={"codes": codes, "table": table, "scales": np.array([0.5], dtype=np.float32)},
        settings={"bits": 2, "input_seed": None, "output_seed": None},
    )
    # Weight 2k is symbol k and twice symbol k + 1, weight 2k + 1 minus symbol k + 2.
    decoded = decode(encoded)
    assert decoded[0, :6].tolist() == [2.5, -1.5, 4.0, -2.0, 5.5, -2.5]
    assert decoded[0, 26:].tolist() == [22.0, 0.0, 7.5, -0.5, 1.0]
    assert not decoded[1].any()


def test_three_bits_are_planes():
    symbols = np.zeros((1, 1, 32), np.uint8)
    symbols[0, 0, [0, 5, 31]] = [5, 6, 7]
    codes = trellis.pack(symbols, bits=3)[0, 0, :, 0]
    low = [codes[k // 4] >> (2 * (k % 4)) & 3 for k in range(32)]
    high = [codes[8 + k // 8] >> (k % 8) & 1 for k in range(32)]
    assert [int(a | b << 2) for a, b in zip(low, high, strict=True)] == symbols[0, 0].tolist()


@pytest.mark.parametrize("isa", ["scalar", "avx2"])
def test_codes_do_not_depend_on_the_instruction_set(isa, tmp_path):
    if isa not in _native.available_isas():
        pytest.skip(f"this CPU has no {isa}")
    program = (
        "import sys, numpy as np; from gnomon.codecs import trellis\n"
        "x = np.random.default_rng(3).standard_normal((137, 32)).astype(np.float32)\n"
        "t, u = trellis.gaussian_table(2)\n"
        "c, _ = trellis.encode(x, t * np.float32(u), bits=2, threads=int(sys.argv[2]))\n"
        "np.save(sys.argv[1], c)\n"
    )
    for name, environment, threads in (("one", {}, "1"), ("other", {"GNOMON_ISA": isa}, "3")):
        subprocess.run(
            [sys.executable, "-c", program, str(tmp_path / name), threads],
            check=True,
            env={**os.environ, **environment},
        )
    assert np.array_equal(np.load(tmp_path / "one.npy"), np.load(tmp_path / "other.npy"))


def test_rounder_pads_odd_shapes():
    rng = np.random.default_rng(4)
    matrix = rng.standard_normal((21, 37)).astype(np.float32)
    rounder = trellis.TrellisRounder(shape=matrix.shape, bits=3, scales=np.ones(1, np.float32))
    values = np.concatenate(
        [rounder.round(matrix[:, i : i + 32], start=i) for i in (0, 32)], axis=1
    )
    encoded = EncodedWeight(
        codec="trellis",
        shape=matrix.shape,
        tensors={
            "codes": rounder.packed(),
            "table": rounder.table,
            "scales": np.array([rounder.unit], dtype=np.float32),
        },
        settings={"bits": 3, "input_seed": None, "output_seed": None},
    )
    assert np.allclose(decode(encoded), values, atol=1e-6)
    assert np.mean((values - matrix) ** 2) < 0.03


def test_native_encoder_refuses_what_it_would_misread():
    numbers = np.zeros((2, 32), dtype=np.float32)
    symbols, values = np.empty((2, 16), np.uint8), np.empty((2, 32), np.float32)
    table = np.zeros((3, 16, 2), dtype=np.float32)
    with pytest.raises(TypeError):
        _native.trellis_encode(numbers.astype(np.float64), table, 2, symbols, values)
    with pytest.raises(TypeError):
        _native.trellis_encode(numbers, table, 2, symbols, values[:, ::2])
    with pytest.raises(ValueError, match="table must be"):
        _native.trellis_encode(numbers, table, 3, symbols, values)
    with pytest.raises(ValueError, match="symbols must be"):
        _native.trellis_encode(numbers, np.zeros((3, 16, 1), np.float32), 4, symbols, values)
    with pytest.raises(ValueError, match="bits must be"):
        _native.trellis_encode(numbers, table, 5, symbols, values)
