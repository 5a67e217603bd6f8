"""The format of the codec aq: what its tensors mean, bit by bit, and what they cost."""

import numpy as np
import pytest

from gnomon.codecs import EncodedWeight, decode
from gnomon.codecs.aq import encoded_weight
from gnomon.errors import ModelError


def small(code_bits: int, *, books: int = 2, out: int = 5, groups: int = 3, seed: int = 0):
    rng = np.random.default_rng(seed)
    codes = rng.integers(0, 1 << code_bits, (out, groups, books))
    codebooks = rng.standard_normal((books, 1 << code_bits, 8)).astype(np.float16)
    scales = rng.uniform(0.5, 2, out).astype(np.float16)
    return codes, codebooks, scales


@pytest.mark.parametrize("code_bits", [1, 8, 9, 12, 15, 16])
def test_a_group_is_a_sum_of_codewords(code_bits):
    codes, codebooks, scales = small(code_bits)
    encoded = encoded_weight(codes, codebooks, scales, code_bits=code_bits)
    assert encoded.shape == (5, 24)
    values = decode(encoded)
    for row, group in ((0, 0), (4, 2), (2, 1)):
        words = [codebooks[k, codes[row, group, k]].astype(np.float32) for k in (0, 1)]
        expected = np.float32(scales[row]) * (words[0] + words[1])
        np.testing.assert_allclose(values[row, 8 * group : 8 * group + 8], expected, rtol=1e-6)


def test_golden_codes():
    """2^n is taken off the upper half of the codes; one byte up to 8 bits, two above."""
    codes = np.array([[[0, 127], [128, 255]]])
    encoded = encoded_weight(codes, np.zeros((2, 256, 8)), np.ones(1))
    assert encoded.tensors["codes"].tobytes() == b"\x00\x7f\x80\xff"
    encoded = encoded_weight(16 * codes, np.zeros((2, 4096, 8)), np.ones(1), code_bits=12)
    assert encoded.tensors["codes"].astype("<i2").tobytes().hex() == "0000f00700f8f0ff"
    assert {key: tensor.shape for key, tensor in encoded.tensors.items()} == {
        "codes": (1, 2, 2),
        "codebooks": (2, 4096, 1, 8),
        "scales": (1, 1, 1, 1),
    }


def test_bits_count_codebooks_and_scales():
    codes, codebooks, scales = small(8, out=64, groups=8)
    encoded = encoded_weight(codes, codebooks, scales)
    assert encoded.bits_per_weight == 2 + 8 * (2 * 2 * 256 * 8 + 2 * 64) / (64 * 64)


@pytest.mark.parametrize(("code_bits", "wrong"), [(12, 2048), (12, -2049), (15, 16384), (7, 64)])
def test_codes_out_of_range_are_damage(code_bits, wrong):
    encoded = encoded_weight(*small(code_bits), code_bits=code_bits)
    codes = encoded.tensors["codes"].copy()
    codes[3, 1, 0] = wrong
    damaged = EncodedWeight(
        codec="aq", shape=encoded.shape, tensors={**encoded.tensors, "codes": codes}
    )
    with pytest.raises(ModelError, match=f"{wrong}.*{code_bits} bits"):
        decode(damaged)
