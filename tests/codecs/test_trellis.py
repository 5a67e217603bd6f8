"""The trellis codec: the fast encoder against the plain one, the format, and its error."""

import dataclasses
import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gnomon import _native
from gnomon.codecs import EncodedWeight, decode, trellis
from gnomon.codecs.rotation import signs

SHANNON = {2: 4.0**-2, 3: 4.0**-3, 4: 4.0**-4}
REACHED = {2: 0.0775, 3: 0.0212, 4: 0.0059}  # the tables in the package do a little better


def table_of(bits):
    table, unit = trellis.gaussian_table(bits)
    return table.astype(np.float32) * np.float32(unit)


@pytest.mark.parametrize("bits", trellis.BITS)
def test_encoder_finds_what_the_reference_finds(bits):
    numbers = np.random.default_rng(bits).standard_normal((19, 256)).astype(np.float32)
    codes, values = trellis.encode(numbers, table_of(bits), bits=bits)
    expected = np.stack(
        [trellis.encode_reference(row, table_of(bits), bits=bits) for row in numbers]
    )
    assert np.array_equal(trellis.states_of(codes, bits=bits), expected)
    assert np.array_equal(values, table_of(bits)[expected])


@pytest.mark.parametrize("bits", trellis.BITS)
def test_error_on_a_gaussian(bits):
    numbers = np.random.default_rng(123).standard_normal((2048, 256)).astype(np.float32)
    _, values = trellis.encode(numbers, table_of(bits), bits=bits)
    assert SHANNON[bits] < np.mean((numbers - values) ** 2) < REACHED[bits]


@pytest.mark.parametrize("bits", trellis.BITS)
def test_path_is_nearly_the_best_of_all(bits):
    """The seam is guessed from its surroundings; holding it to every other value barely helps."""
    numbers = np.random.default_rng(7).standard_normal(256).astype(np.float32)
    table = table_of(bits)
    found = np.sum((numbers - table[trellis.encode_reference(numbers, table, bits=bits)]) ** 2)
    best = min(
        np.sum((numbers - table[path]) ** 2)
        for path in (
            trellis.path_through_seam(numbers, table, bits=bits, seam=seam)
            for seam in range(256 >> bits)
        )
    )
    assert best <= found <= 1.01 * best


@given(bits=st.sampled_from(trellis.BITS), seed=st.integers(0, 2**32 - 1))
def test_windows_overlap_cyclically(bits, seed):
    codes = np.random.default_rng(seed).integers(0, 256, size=(2, 32 * bits), dtype=np.uint8)
    states = trellis.states_of(codes, bits=bits)
    follower = np.roll(states, -1, axis=-1)
    assert np.array_equal(follower & ((256 >> bits) - 1), states >> bits)


@given(rows=st.integers(1, 40), columns=st.integers(1, 40))
def test_untile_is_the_inverse(rows, columns):
    matrix = np.arange(rows * columns, dtype=np.float32).reshape(rows, columns)
    assert np.array_equal(trellis.untile(trellis.tiles_of(matrix), shape=matrix.shape), matrix)


def test_golden_tile():
    """Files written today must decode to these numbers in every later version."""
    codes = (np.arange(64, dtype=np.uint8) * 37 + 11).reshape(1, 1, 64)
    encoded = EncodedWeight(
        codec="trellis",
        shape=(16, 16),
        tensors={
            "codes": codes,
            "table": np.arange(-128, 128).astype(np.int8),
            "scales": np.array([0.5], dtype=np.float32),
        },
        settings={"bits": 2, "input_seed": None, "output_seed": None},
    )
    # bytes 11, 48, 85: windows 00001011, 00000010, 00000000, 11000000, then 48 itself
    assert decode(encoded)[0, :5].tolist() == [-58.5, -63.0, -64.0, 32.0, -40.0]
    # the last window takes its high bits from the first byte
    last = (codes[0, 0, -1] >> 6) | ((11 & 63) << 2)
    assert decode(encoded)[15, 15] == (int(last) - 128) / 2


@pytest.mark.parametrize("isa", ["scalar", "avx2"])
def test_codes_do_not_depend_on_the_instruction_set(isa, tmp_path):
    if isa == "avx2" and _native.detected_isa() == "scalar":
        pytest.skip("this CPU has no AVX2")
    program = (
        "import sys, numpy as np; from gnomon.codecs import trellis\n"
        "x = np.random.default_rng(3).standard_normal((37, 256)).astype(np.float32)\n"
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


def test_learned_output_scales_take_the_place_of_signs():
    rng = np.random.default_rng(5)
    tensors = {
        "codes": rng.integers(0, 256, (2, 2, 64), dtype=np.uint8),
        "table": np.arange(-128, 128).astype(np.int8),
        "scales": rng.uniform(0.5, 2, 24).astype(np.float16),
    }
    settings = {"bits": 2, "input_seed": 1, "output_seed": 2}
    plain = EncodedWeight(codec="trellis", shape=(24, 32), tensors=tensors, settings=settings)
    learned = rng.uniform(-2, 2, 24).astype(np.float16)
    tuned = dataclasses.replace(plain, tensors=tensors | {"output_scales": learned})
    factors = learned.astype(np.float32) * signs(2, 24)  # of what the signs give
    np.testing.assert_allclose(decode(tuned), decode(plain) * factors[:, None], rtol=1e-5)


def test_rounder_pads_odd_shapes():
    rng = np.random.default_rng(4)
    matrix = rng.standard_normal((21, 37)).astype(np.float32)
    rounder = trellis.TrellisRounder(shape=matrix.shape, bits=3, scales=np.ones(1, np.float32))
    values = np.concatenate(
        [rounder.round(matrix[:, i : i + 16], start=i) for i in (0, 16, 32)], axis=1
    )
    encoded = EncodedWeight(
        codec="trellis",
        shape=matrix.shape,
        tensors={
            "codes": rounder.codes,
            "table": rounder.table,
            "scales": np.array([rounder.unit], dtype=np.float32),
        },
        settings={"bits": 3, "input_seed": None, "output_seed": None},
    )
    assert np.allclose(decode(encoded), values, atol=1e-6)
    assert np.mean((values - matrix) ** 2) < 0.03


def test_native_encoder_refuses_what_it_would_misread():
    numbers = np.zeros((2, 256), dtype=np.float32)
    codes, values = np.empty((2, 64), np.uint8), np.empty((2, 256), np.float32)
    table = np.zeros(256, dtype=np.float32)
    with pytest.raises(TypeError):
        _native.trellis_encode(numbers.astype(np.float64), table, 2, codes, values)
    with pytest.raises(TypeError):
        _native.trellis_encode(numbers, table, 2, codes, values[:, ::2])
    with pytest.raises(ValueError, match="codes must be"):
        _native.trellis_encode(numbers, table, 3, codes, values)
    with pytest.raises(ValueError, match="bits must be"):
        _native.trellis_encode(numbers, table, 5, codes, values)
