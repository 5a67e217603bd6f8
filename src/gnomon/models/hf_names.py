"""One set of tensor names, whatever version of transformers wrote the folder.

Multimodal checkpoints put the language model under a prefix, and transformers 5 can keep Mixtral's
experts stacked. Here they get the names and shapes of a plain text checkpoint.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

LANGUAGE_PREFIX = re.compile(r"^(?:model\.language_model\.|language_model\.model\.)")
NOT_LANGUAGE = re.compile(r"^(?:model\.)?(?:vision_tower|vision_model|multi_modal_projector)\.")
RECOMPUTED = re.compile(r"\.rotary_emb\.inv_freq$")  # old checkpoints stored what RoPE computes
STACKED = re.compile(r"^(model\.layers\.\d+\.)mlp\.experts\.(gate_up_proj|down_proj)$")
ROUTER = re.compile(r"^(model\.layers\.\d+\.)mlp\.gate\.weight$")


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedPart:
    """A contiguous part of a stored tensor and the name it goes by."""

    name: str
    first: int  # number of its first element
    shape: tuple[int, ...]


def named_parts(stored_name: str, shape: tuple[int, ...]) -> list[NamedPart]:
    """What a stored tensor holds for the language model: one part, several, or none.

    >>> named_parts("language_model.model.norm.weight", (8,))
    [NamedPart(name='model.norm.weight', first=0, shape=(8,))]
    """
    if NOT_LANGUAGE.search(stored_name) or RECOMPUTED.search(stored_name):
        return []
    name = LANGUAGE_PREFIX.sub("model.", stored_name).replace("language_model.lm_head", "lm_head")
    name = ROUTER.sub(r"\1block_sparse_moe.gate.weight", name)
    match = STACKED.match(name)
    if match is None or len(shape) != 3:
        return [NamedPart(name=name, first=0, shape=shape)]
    layer, kind = match.groups()
    experts, rows, columns = shape
    halves = ("w1", "w3") if kind == "gate_up_proj" else ("w2",)
    part_shape = (rows // len(halves), columns)
    return [
        NamedPart(
            name=f"{layer}block_sparse_moe.experts.{expert}.{half}.weight",
            first=(expert * len(halves) + index) * math.prod(part_shape),
            shape=part_shape,
        )
        for expert in range(experts)
        for index, half in enumerate(halves)
    ]
