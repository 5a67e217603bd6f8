"""What the model is made of, for the page: sizes, and bits and error of every layer.

The bars are placed by the same arithmetic as those of the written report. Nothing of where the
model lies is in it.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from gnomon.report.charts import bits_skyline, bits_strips, block_of, colour_of, error_strips

if TYPE_CHECKING:
    from gnomon.models import Model

# Of how a model was made, what is told; none of these can be a path.
_TOLD = ("codec", "bits", "head_bits", "effort", "calibration_tokens", "seed")


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """One matrix of the model; a `LayerRow` of the written report."""

    name: str
    codec: str
    shape: tuple[int, ...]
    bits_per_weight: float
    relative_error: float  # NaN: not known


def model_report(model: Model) -> dict[str, Any]:
    """JSON for `/report`."""
    layers = _layers(model)
    parameters = sum(math.prod(model.weights.shape(name)) for name in model.weights.names())
    options = model.provenance.get("options", {})
    made = {
        name: options[name] for name in _TOLD if isinstance(options.get(name), (str, int, float))
    }
    if "gnomon_version" in model.provenance:
        made["gnomon_version"] = str(model.provenance["gnomon_version"])
    return {
        "model": model.name,
        "architecture": model.config.architecture,
        "blocks": model.config.num_layers,
        "context": model.config.max_context,
        "parameters": parameters,
        "size_bytes": model.size_bytes,
        "bits_per_weight": 8 * model.size_bytes / parameters if parameters else None,
        "made": made,
        "storage": _storage(model),
        "errors": [asdict(strip) for strip in error_strips(layers)],
        "bits": [asdict(strip) for strip in bits_strips(layers)],
        "skyline": asdict(bits_skyline(layers)) if layers else None,
        "legend": _legend(layers),
        "layers": [
            {
                "name": layer.name.removesuffix(".weight"),
                "codec": layer.codec,
                "shape": layer.shape,
                "bits_per_weight": layer.bits_per_weight,
                "relative_error": layer.relative_error
                if math.isfinite(layer.relative_error)
                else None,
            }
            for layer in layers
        ],
    }


def _layers(model: Model) -> list[Layer]:
    """All matrices, with what compressing them told of their error."""
    told = model.provenance.get("layers", {})
    layers = []
    for name in model.weights.names():
        shape = model.weights.shape(name)
        if len(shape) < 2:
            continue
        entry = told.get(name, {})
        stored = 8 * model.weights.size_bytes(name) / math.prod(shape)
        layers.append(
            Layer(
                name=name,
                codec=entry.get("codec", model.weights.storage(name)),
                shape=tuple(shape),
                bits_per_weight=float(entry.get("bits_per_weight", stored)),
                relative_error=float(entry.get("relative_error", math.nan)),
            )
        )
    return layers


def _storage(model: Model) -> list[dict[str, Any]]:
    """How much of the file each form of storage takes, the largest first."""
    weights: Counter[str] = Counter()
    sizes: Counter[str] = Counter()
    for name in model.weights.names():
        kind = model.weights.storage(name)
        weights[kind] += math.prod(model.weights.shape(name))
        sizes[kind] += model.weights.size_bytes(name)
    return [
        {"storage": kind, "weights": weights[kind], "size_bytes": size}
        for kind, size in sizes.most_common()
    ]


def _legend(layers: list[Layer]) -> list[dict[str, str]]:
    names: dict[str, str] = {}
    for layer in layers:
        kind = layer.name.removesuffix(".weight").rsplit(".", 1)[-1]
        is_block = block_of(layer.name) is not None
        names.setdefault(colour_of(layer.name), kind if is_block else "embedding and head")
    return [{"colour": colour, "kind": kind} for colour, kind in names.items()]
