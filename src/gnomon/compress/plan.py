"""Bits where they matter: how many each weight gets, for a mean width or for a size of the file.

plan = plan_bits(model, importance, Target(mean_bits=2.3))
plan.bits["model.layers.0.mlp.down_proj.weight"]                         # 3
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from gnomon.compress.budget import Form, choose_forms, smallest_bytes
from gnomon.compress.forms import (
    StoredForm,
    block_forms,
    header_bytes,
    plain_form,
    vocabulary_forms,
)
from gnomon.compress.importance import EMBEDDING, HEAD, Importance
from gnomon.errors import UsageError
from gnomon.models.architectures import linear_groups
from gnomon.models.model import Model

VOCABULARY = (EMBEDDING, HEAD)


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What is asked for: a mean width or a size, and what else the sizes depend on."""

    mean_bits: float | None = None  # everything stored in the blocks' linear layers, a weight
    size_bytes: int | None = None  # of model.safetensors
    head_bits: int | None = 4  # of embedding and head; None, only with a size: chosen too
    is_asked: bool = True  # else what is possible and nearest will do

    def __post_init__(self) -> None:
        assert (self.mean_bits is None) != (self.size_bytes is None)
        assert self.head_bits is not None or self.size_bytes is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The bits of every matrix that may be coded, by name; 16 leaves it as it is."""

    bits: Mapping[str, int]
    size_bytes: int  # of model.safetensors, at most
    mean_bits: float  # a weight of the blocks' linear layers, tables and scales counted
    predicted_loss: float  # nats a token above the original


def plan_bits(model: Model, importance: Importance, target: Target) -> Plan:
    """The bits with the least predicted loss; raises UsageError as `require_possible` does."""
    require_possible(model, target)
    stored = stored_forms(model, target)
    forms = {
        name: [_with_loss(form, importance.sensitivity[name]) for form in some]
        for name, some in stored.items()
    }
    blocks = {name: some for name, some in forms.items() if name not in VOCABULARY}
    weights = weights_of(model, blocks)
    beside = bytes_beside(model, stored)
    if target.mean_bits is not None:
        room = math.floor(target.mean_bits * weights / 8 + 1e-6)
        chosen = choose_forms(blocks, max(room, smallest_bytes(blocks)))
        chosen |= {name: some[0] for name, some in forms.items() if name in VOCABULARY}
    else:
        assert target.size_bytes is not None
        chosen = choose_forms(forms, target.size_bytes - beside)
    return Plan(
        bits={name: chosen[name].bits for name in forms},
        size_bytes=beside + sum(form.size_bytes for form in chosen.values()),
        mean_bits=8 * sum(chosen[name].size_bytes for name in blocks) / weights,
        predicted_loss=math.fsum(form.loss for form in chosen.values()),
    )


def require_possible(model: Model, target: Target) -> None:
    """Raises UsageError, with the smallest and the largest possible, if the target is neither."""
    stored = stored_forms(model, target)
    if target.mean_bits is not None:
        blocks = {name: some for name, some in stored.items() if name not in VOCABULARY}
        weights = weights_of(model, blocks)
        smallest, largest = (8 * size / weights for size in _range_of(blocks))
        if target.is_asked and not smallest <= target.mean_bits <= largest:
            raise UsageError(
                f"{target.mean_bits:g} bits a weight were asked for; with tables and scales "
                f"counted, this model's linear layers can have from "
                f"{math.ceil(1000 * smallest) / 1000:g} to {math.floor(1000 * largest) / 1000:g}. "
                "A whole number counts the codes alone and gives every layer as many."
            )
    else:
        assert target.size_bytes is not None
        beside = bytes_beside(model, stored)
        smallest, largest = (beside + size for size in _range_of(stored))
        if not smallest <= target.size_bytes <= min(largest, model.size_bytes):
            raise UsageError(
                f"A size of {target.size_bytes:,} bytes was asked for; this model can have from "
                f"{smallest:,} to {min(largest, model.size_bytes):,} bytes. "
                f"(The original has {model.size_bytes:,}.)"
            )


def _range_of(stored: Mapping[str, Sequence[StoredForm]]) -> tuple[int, int]:
    """The bytes of the smallest and of the largest choice."""
    sizes = [[form.size_bytes for form in some] for some in stored.values()]
    return sum(map(min, sizes)), sum(map(max, sizes))


def weights_of(model: Model, names: Iterable[str]) -> int:
    return sum(math.prod(model.weights.shape(name)) for name in names)


def stored_forms(model: Model, target: Target) -> dict[str, list[StoredForm]]:
    """The forms that every matrix may take; a head that is the embedding is not counted twice."""
    forms: dict[str, list[StoredForm]] = {}
    for layer in range(model.config.num_layers):
        for group in linear_groups(model.config, layer):
            for name in group.names:
                forms[name] = block_forms(name, _sides(model, name))
    for name in (EMBEDDING,) if model.config.is_head_tied else VOCABULARY:
        some = vocabulary_forms(name, _sides(model, name))
        forms[name] = [form for form in some if target.head_bits in (None, form.bits)]
    return forms


def _sides(model: Model, name: str) -> tuple[int, int]:
    rows, columns = model.weights.shape(name)
    return rows, columns


def bytes_beside(model: Model, stored: Mapping[str, Sequence[StoredForm]]) -> int:
    """What model.safetensors spends on all else: its header, norms, biases, routers."""
    rest = [
        plain_form(name, model.weights.shape(name))
        for name in model.weights.names()
        if name not in stored and not (name == HEAD and model.config.is_head_tied)
    ]
    size = sum(tensor.size_bytes for tensor in rest)
    end = size + sum(max(form.size_bytes for form in some) for some in stored.values())
    parts = [max(some, key=lambda form: len(form.tensors)).tensors for some in stored.values()]
    tensors = [*rest, *itertools.chain.from_iterable(parts)]
    return size + header_bytes(tensors, end=end, metadata={"format": "gnomon"})


def _with_loss(form: StoredForm, sensitivity: float) -> Form:
    return Form(
        codec=form.codec,
        bits=form.bits,
        size_bytes=form.size_bytes,
        loss=sensitivity * form.error,
    )
