"""Codes whose tensors or settings cannot be: found when a model is opened, not when it runs."""

import numpy as np
import pytest

from gnomon.codecs.encoded import EncodedWeight
from gnomon.codecs.layout import require_layout
from gnomon.errors import ModelError

TRELLIS = {
    "codes": np.zeros((1, 2, 8, 64), np.uint8),
    "table": np.zeros((3, 16, 2), np.int8),
    "scales": np.ones(20, np.float32),
}
SETTINGS = {"bits": 2, "input_seed": None, "output_seed": (1 << 64) - 1}
AQ = {
    "codes": np.zeros((20, 5, 2), np.int8),
    "codebooks": np.zeros((2, 256, 1, 8), np.float16),
    "scales": np.ones((20, 1, 1, 1), np.float16),
}
INT8 = {"codes": np.zeros((20, 40), np.int8), "scales": np.ones(1, np.float32)}


def check(codec, tensors, settings):
    encoded = EncodedWeight(codec=codec, shape=(20, 40), tensors=tensors, settings=settings)
    require_layout(encoded, name="q.weight", source="folder")


@pytest.mark.parametrize(
    ("codec", "good"), [("trellis", TRELLIS), ("aq", AQ), ("int8", INT8)], ids=lambda p: str(p)[:7]
)
def test_every_tensor_must_be_there_and_fit(codec, good):
    check(codec, good, SETTINGS)
    for key, tensor in good.items():
        rest = {name: other for name, other in good.items() if name != key}
        with pytest.raises(ModelError, match=rf"q\.weight.*its {key} are missing"):
            check(codec, rest, SETTINGS)
        with pytest.raises(ModelError, match=rf"{key} have the shape \[.* was expected"):
            check(codec, rest | {key: np.zeros((7, *tensor.shape), tensor.dtype)}, SETTINGS)
        with pytest.raises(ModelError, match=f"{key} are int64"):
            check(codec, rest | {key: tensor.astype(np.int64)}, SETTINGS)


def test_scales_that_are_no_longer_read_are_refused():
    with pytest.raises(ModelError, match="compress it again"):
        check("trellis", TRELLIS | {"output_scales": np.ones(20, np.float16)}, SETTINGS)


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        *(({"bits": bits}, f"bits is {bits!r}") for bits in (7, 0, "2", None, True, 2.0)),
        ({"bits": 3}, r"codes have the shape \[1, 2, 8, 64\], \[1, 2, 12, 64\] was expected"),
        *(
            ({"input_seed": seed}, "input_seed is .*whole number from 0")
            for seed in (-1, 1 << 64, float("inf"), "12", 1.5, True)
        ),
    ],
)
def test_settings_that_cannot_be(setting, message):
    with pytest.raises(ModelError, match=message):
        check("trellis", TRELLIS, SETTINGS | setting)


@pytest.mark.parametrize("key", ["bits", "input_seed", "output_seed"])
def test_settings_that_are_missing(key):
    with pytest.raises(ModelError, match=key):
        check("trellis", TRELLIS, {k: v for k, v in SETTINGS.items() if k != key})
