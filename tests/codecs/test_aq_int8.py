"""The codecs aq and int8: what is decoded is what the rounder answered, and it is near."""

import numpy as np
import pytest

from gnomon.codecs import CODECS, EncodedWeight, aq, decode
from gnomon.codecs.aq import AqRounder
from gnomon.codecs.int8 import Int8Rounder
from gnomon.errors import ModelError


def rounded_by(rounder, matrix):
    width = rounder.columns
    return np.concatenate(
        [
            rounder.round(matrix[:, start : start + width], start=start)
            for start in range(0, matrix.shape[1], width)
        ],
        axis=1,
    )


@pytest.mark.parametrize("shape", [(48, 64), (17, 37)])
def test_int8_is_within_half_a_step(shape):
    matrix = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    matrix[3] = 0
    rounder = Int8Rounder(matrix)
    values = rounded_by(rounder, matrix)
    encoded = EncodedWeight(
        codec="int8",
        shape=shape,
        tensors={"codes": rounder.codes, "scales": rounder.scales},
    )
    assert np.array_equal(decode(encoded), values)
    assert np.all(np.abs(values - matrix) <= rounder.scales[:, None] * 0.5001)


@pytest.mark.parametrize(("codebooks", "error"), [(1, 0.45), (2, 0.16), (3, 0.06)])
def test_aq_on_a_gaussian(codebooks, error):
    rng = np.random.default_rng(1)
    matrix = rng.standard_normal((128, 264)).astype(np.float32)
    rounder = AqRounder(matrix, codebooks=codebooks, rng=rng)
    values = rounded_by(rounder, matrix)
    encoded = EncodedWeight(
        codec="aq",
        shape=matrix.shape,
        tensors={
            "codes": rounder.codes,
            "codebooks": rounder.codebooks,
            "scales": rounder.scales,
        },
        settings={"codebooks": codebooks},
    )
    assert np.allclose(decode(encoded), values, atol=1e-5)
    assert np.mean((values - matrix) ** 2) < error


def test_aq_beam_is_no_worse_than_greedy():
    rng = np.random.default_rng(2)
    vectors = rng.standard_normal((500, 8)).astype(np.float32)
    codebooks = aq.learn_codebooks(vectors, codebooks=2, rng=rng)

    def error(beam):
        codes = aq.beam_search(vectors, codebooks, beam=beam)
        return np.sum((vectors - aq.sum_codewords(codes, codebooks)) ** 2)

    best = sum(
        np.min(np.sum((vector - (codebooks[0][:, None] + codebooks[1][None])) ** 2, axis=-1))
        for vector in vectors
    )
    assert 0.999 * best <= error(8) < error(1)
    assert error(8) < 1.1 * best


def test_aq_columns_that_are_no_multiple_of_eight():
    rng = np.random.default_rng(3)
    matrix = rng.standard_normal((40, 21)).astype(np.float32)
    rounder = AqRounder(matrix, codebooks=2, rng=rng)
    assert rounded_by(rounder, matrix).shape == matrix.shape


def test_an_unknown_codec_is_named():
    encoded = EncodedWeight(codec="zip", shape=(1, 1), tensors={})
    with pytest.raises(ModelError, match="'zip'.*trellis"):
        decode(encoded)
    assert set(CODECS) == {"trellis", "aq", "int8"}
