"""From named weights to native linear layers, without copying what is already in its final form."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np

from gnomon import _native
from gnomon.codecs import aq
from gnomon.codecs.encoded import EncodedWeight
from gnomon.codecs.layout import require_layout
from gnomon.codecs.rotation import signs
from gnomon.errors import ModelError, UsageError
from gnomon.models.finite import require_finite
from gnomon.models.model import Weights

Dense = Literal["auto", "float32", "float16", "bfloat16"]
DENSE_CHOICES = ("auto", "float32", "float16", "bfloat16")

_LARGEST_HALF = 65504.0


class LayerFactory:
    """Makes the native layer of each weight once; layers with the same seed share a rotation."""

    def __init__(
        self, weights: Weights, *, dense: Dense = "auto", source: str = "the model"
    ) -> None:
        """`source` is what messages call the model."""
        if dense not in DENSE_CHOICES:
            raise UsageError(f"dense={dense!r}; expected one of {', '.join(DENSE_CHOICES)}.")
        self._weights = weights
        self._dense = dense
        self._source = source
        self._names = frozenset(weights.names())
        self._rotations: dict[tuple[int, int], _native.Rotation] = {}

    def has(self, name: str) -> bool:
        return name in self._names

    def memory_bytes(self) -> int:
        """What all layers will take: coded ones as they are, plain matrices in their dense form."""
        total = 0
        for name in self._names:
            encoded = self._weights.encoded(name)
            if encoded is not None:
                total += encoded.size_bytes
            else:
                shape = self._weights.shape(name)
                item = 4 if len(shape) < 2 or self._dense_form(name) == "float32" else 2
                total += int(np.prod(shape, dtype=np.int64)) * item
        return total

    def linear(self, name: str) -> _native.Linear:
        """The layer of `<name>`, a weight's full name; its bias comes along where there is one."""
        self._require(name)
        encoded = self._weights.encoded(name)
        bias = self._bias(name)
        if encoded is None:
            return _native.dense_linear(self._dense_matrix(name), bias=bias)
        make = _CODED_LAYERS.get(encoded.codec)
        if make is None:
            raise ModelError(
                f"{name} is stored with codec {encoded.codec!r}; the engine runs "
                f"{', '.join(_CODED_LAYERS)} and plain weights."
            )
        require_layout(encoded, name=name, source=self._source)
        try:
            return make(self, name, encoded, bias)
        except (TypeError, ValueError) as error:
            raise ModelError(f"{name}: its {encoded.codec} codes are damaged: {error}") from error

    def vector(self, name: str) -> np.ndarray:
        """A norm's weight, float32."""
        self._require(name)
        return self._finite(self._weights.load(name), name)

    def numbers(self, name: str, encoded: EncodedWeight, key: str) -> np.ndarray:
        """The tensor `key` of a coded weight, float32 and finite."""
        return self._finite(encoded.tensors[key], f"{name.removesuffix('.weight')}.{key}")

    def row_scales(self, name: str, encoded: EncodedWeight) -> np.ndarray:
        """One scale for each row, float32 [out]; a file may hold a single one for all of them."""
        scales = self.numbers(name, encoded, "scales").reshape(-1)
        return np.ascontiguousarray(np.broadcast_to(scales, encoded.shape[:1]))

    def rotation(self, seed: int | float | str | None, width: int) -> _native.Rotation | None:
        if seed is None:
            return None
        key = (int(seed), width)
        if key not in self._rotations:
            self._rotations[key] = _native.Rotation(width, signs(key[0], width))
        return self._rotations[key]

    def _require(self, name: str) -> None:
        if name not in self._names:
            raise ModelError(f"The model has no tensor {name}.")

    def _finite(self, values: np.ndarray, name: str) -> np.ndarray:
        numbers = np.ascontiguousarray(values, dtype=np.float32)
        return require_finite(numbers, name=name, source=self._source)

    def _bias(self, name: str) -> np.ndarray | None:
        bias_name = name.removesuffix(".weight") + ".bias"
        return self.vector(bias_name) if bias_name in self._names else None

    def _dense_form(self, name: str) -> str:
        if self._dense != "auto":
            return self._dense
        return {"F32": "float32", "BF16": "bfloat16"}.get(self._weights.storage(name), "float16")

    def _dense_matrix(self, name: str) -> np.ndarray:
        matrix = np.ascontiguousarray(self._weights.load(name), dtype=np.float32)
        form = self._dense_form(name)
        if form == "float32":
            return matrix
        if form == "bfloat16":
            return to_bfloat16(matrix)
        if matrix.size and max(matrix.max(), -matrix.min()) > _LARGEST_HALF:
            raise ModelError(
                f"{name} has values beyond float16's {_LARGEST_HALF:g}; "
                "try dense='bfloat16' or dense='float32'."
            )
        return matrix.astype(np.float16)


def to_bfloat16(values: np.ndarray) -> np.ndarray:
    """float32 rounded to the nearest bfloat16 (ties to even), as the bits in a uint16 array."""
    bits = values.view(np.uint32)
    return ((bits + np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1))) >> 16).astype(
        np.uint16
    )


def _trellis(
    factory: LayerFactory, name: str, encoded: EncodedWeight, bias: np.ndarray | None
) -> _native.Linear:
    out, in_ = encoded.shape
    tensors, settings = encoded.tensors, encoded.settings
    return _native.trellis_linear(
        np.ascontiguousarray(tensors["codes"]),
        np.ascontiguousarray(tensors["table"]),
        factory.row_scales(name, encoded),
        out,
        in_,
        input_rotation=factory.rotation(settings["input_seed"], in_),
        output_rotation=factory.rotation(settings["output_seed"], out),
        bias=bias,
    )


def _additive(
    factory: LayerFactory, name: str, encoded: EncodedWeight, bias: np.ndarray | None
) -> _native.Linear:
    try:
        codes = aq.indices(encoded)
    except ModelError as error:
        raise ModelError(f"{name}: {error}") from error
    return _native.additive_linear(
        np.ascontiguousarray(codes),
        np.ascontiguousarray(factory.numbers(name, encoded, "codebooks")[:, :, 0]),
        factory.row_scales(name, encoded),
        bias=bias,
    )


def _int8(
    factory: LayerFactory, name: str, encoded: EncodedWeight, bias: np.ndarray | None
) -> _native.Linear:
    return _native.dense_linear(
        np.ascontiguousarray(encoded.tensors["codes"]),
        scales=factory.row_scales(name, encoded),
        bias=bias,
    )


_CODED_LAYERS: dict[
    str, Callable[[LayerFactory, str, EncodedWeight, np.ndarray | None], _native.Linear]
] = {"trellis": _trellis, "aq": _additive, "int8": _int8}
