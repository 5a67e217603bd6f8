"""Hugging Face's `aqlm` format: AQLM checkpoints (arXiv 2401.06118) as transformers reads them.

`config.json` says how the linear layers are coded, and `<layer>.codes`, `<layer>.codebooks` and
`<layer>.scales` stand in the place of `<layer>.weight` (docs/aq-format.md). The codec `aq` holds
the same tensors, so nothing is converted in either direction.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gnomon.codecs import aq
from gnomon.codecs.encoded import EncodedWeight
from gnomon.errors import ModelError
from gnomon.models.coded_layers import CodedLayer

METHOD = "aqlm"


@dataclass(frozen=True, slots=True, kw_only=True)
class AqlmSettings:
    """What `quantization_config` says, as far as it is needed."""

    num_codebooks: int
    nbits_per_codebook: int


def parse_aqlm_config(quantization: Mapping[str, Any], *, source: str) -> AqlmSettings:
    """Raises ModelError for what is missing, and for groups that are not 8 inputs of one output."""
    defaults = {
        "in_group_size": 8,
        "out_group_size": 1,
        "num_codebooks": 1,
        "nbits_per_codebook": 16,
    }
    values = {key: quantization.get(key, default) for key, default in defaults.items()}
    for key, value in values.items():
        if type(value) is not int or value < 1:
            raise ModelError(
                f"{source}: quantization_config has {key} {value!r}, not a whole number"
            )
    if (values["in_group_size"], values["out_group_size"]) != (aq.GROUP, 1):
        raise ModelError(
            f"{source}: its AQLM groups are {values['in_group_size']} inputs by "
            f"{values['out_group_size']} outputs; {aq.GROUP} by 1 is what is read. "
            "Get the model in another AQLM form, or in F16"
        )
    if values["nbits_per_codebook"] > aq.MOST_CODE_BITS:
        raise ModelError(
            f"{source}: nbits_per_codebook is {values['nbits_per_codebook']}; up to "
            f"{aq.MOST_CODE_BITS} are read"
        )
    return AqlmSettings(
        num_codebooks=values["num_codebooks"], nbits_per_codebook=values["nbits_per_codebook"]
    )


def aqlm_layers(
    quantization: Mapping[str, Any], shapes: Mapping[str, tuple[int, ...]], *, source: str
) -> dict[str, CodedLayer]:
    """The coded weights by name, for the shapes of all tensors in the folder by name.

    Raises ModelError if codes and codebooks are not what `quantization_config` says.
    """
    settings = parse_aqlm_config(quantization, source=source)
    layers = {}
    for name, shape in shapes.items():
        base, _, key = name.rpartition(".")
        if key != "codes":
            continue
        books = (settings.num_codebooks, 1 << settings.nbits_per_codebook, 1, aq.GROUP)
        if len(shape) != 3 or shape[2] != settings.num_codebooks:
            raise ModelError(
                f"{source}: {name} has the shape {list(shape)}, [out, in / {aq.GROUP}, "
                f"{settings.num_codebooks}] was expected: codes or config are another model's"
            )
        given = shapes.get(f"{base}.codebooks")
        if given is not None and given != books:
            raise ModelError(
                f"{source}: {base}.codebooks has the shape {list(given)}, config.json says "
                f"{list(books)}"
            )
        layers[f"{base}.weight"] = CodedLayer(
            codec="aq", shape=(shape[0], shape[1] * aq.GROUP), settings={}
        )
    if not layers:
        raise ModelError(f"{source}: config.json speaks of AQLM, but no tensor is called *.codes")
    return layers


def quantization_config(encoded: Mapping[str, EncodedWeight]) -> dict[str, Any]:
    """What `config.json` of a folder with these coded weights, by name, must hold.

    It is the `aqlm` method, so that transformers loads the folder, if every coded weight is of a
    linear layer in a block and has the codec `aq` with the same number of codebooks; otherwise
    `gnomon`, which only gnomon.json explains.
    """
    forms = {weight.tensors["codebooks"].shape[:2] for weight in encoded.values() if _fits(weight)}
    is_plain_elsewhere = all(
        _fits(weight) and name.startswith("model.layers.") and ".experts." not in name
        for name, weight in encoded.items()
    )
    if len(forms) != 1 or not is_plain_elsewhere:
        return {"quant_method": "gnomon"}
    ((books, entries),) = forms
    return {
        "quant_method": METHOD,
        "in_group_size": aq.GROUP,
        "out_group_size": 1,
        "num_codebooks": books,
        "nbits_per_codebook": entries.bit_length() - 1,
        # The format's own examples have parameter names here; transformers 5 compares names of
        # modules, and would leave the head without weights if only the first were there.
        "linear_weights_not_to_quantize": ["lm_head.weight", "lm_head"],
    }


def _fits(weight: EncodedWeight) -> bool:
    return weight.codec == "aq"
