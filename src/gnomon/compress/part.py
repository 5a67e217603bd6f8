"""`Part`: what one step of a compression has finished, in memory and as it is kept on disk."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from gnomon.codecs import EncodedWeight, decode
from gnomon.compress.rounding import RoundedWeight


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """The coded weights and the changed plain tensors of a block, or of several."""

    layers: Mapping[str, RoundedWeight] = field(default_factory=dict)  # by the weight's name
    vectors: Mapping[str, np.ndarray] = field(default_factory=dict)  # norms and biases, trained
    notes: Mapping[str, Any] = field(default_factory=dict)  # what gnomon.json tells, JSON types

    def __or__(self, other: Part) -> Part:
        return Part(
            layers={**self.layers, **other.layers},
            vectors={**self.vectors, **other.vectors},
            notes={**self.notes, **other.notes},
        )

    def recoded(self, encoded: Mapping[str, EncodedWeight]) -> dict[str, RoundedWeight]:
        """Its layers in another coding; their error stays that of the rounding."""
        return {
            name: replace(weight, encoded=encoded[name]) for name, weight in self.layers.items()
        }

    def decoded(self) -> dict[str, np.ndarray]:
        """All its tensors as a forward pass takes them, float32."""
        weights = {name: decode(weight.encoded) for name, weight in self.layers.items()}
        return {**weights, **self.vectors}

    def tensors(self) -> dict[str, np.ndarray]:
        """What a file holds of it."""
        tensors = dict(self.vectors)
        for name, weight in self.layers.items():
            tensors |= stored_tensors(name, weight.encoded)
        return tensors

    def record(self) -> dict[str, Any]:
        """What `from_tensors` needs beside the tensors."""
        return {
            "layers": {name: layer_record(weight) for name, weight in self.layers.items()},
            "vectors": sorted(self.vectors),
            "notes": dict(self.notes),
        }

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, np.ndarray], record: Mapping[str, Any]) -> Part:
        """Raises KeyError or TypeError if the two do not belong together."""
        return cls(
            layers={
                name: _rounded(name, entry, tensors) for name, entry in record["layers"].items()
            },
            vectors={name: tensors[name] for name in record["vectors"]},
            notes=record["notes"],
        )


def stored_tensors(name: str, encoded: EncodedWeight) -> dict[str, np.ndarray]:
    """The tensors of a coded weight under the names they have in a file."""
    stem = name.removesuffix(".weight")
    return {
        f"{stem}.{key}": np.ascontiguousarray(tensor) for key, tensor in encoded.tensors.items()
    }


def layer_record(weight: RoundedWeight) -> dict[str, Any]:
    """What gnomon.json says of a coded weight."""
    encoded = weight.encoded
    return {
        "codec": encoded.codec,
        "shape": list(encoded.shape),
        "settings": dict(encoded.settings),
        "bits_per_weight": encoded.bits_per_weight,
        "relative_error": weight.relative_error,
    }


def _rounded(
    name: str, record: Mapping[str, Any], tensors: Mapping[str, np.ndarray]
) -> RoundedWeight:
    stem = name.removesuffix(".weight") + "."
    encoded = EncodedWeight(
        codec=record["codec"],
        shape=(record["shape"][0], record["shape"][1]),
        tensors={
            key.removeprefix(stem): tensor
            for key, tensor in tensors.items()
            if key.startswith(stem)
        },
        settings=record["settings"],
    )
    return RoundedWeight(encoded=encoded, relative_error=record["relative_error"])
