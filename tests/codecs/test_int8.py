"""The codec int8: what is decoded is what the rounder answered, and it is near."""

import numpy as np
import pytest

from gnomon.codecs import CODECS, EncodedWeight, decode
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


def test_an_unknown_codec_is_named():
    encoded = EncodedWeight(codec="zip", shape=(1, 1), tensors={})
    with pytest.raises(ModelError, match="'zip'.*trellis"):
        decode(encoded)
    assert set(CODECS) == {"trellis", "aq", "int8"}
