"""Read a GGUF file as if it were a Hugging Face checkpoint.

>>> checkpoint = read_gguf(Path("model.gguf"))                               # doctest: +SKIP
>>> checkpoint.weights.load("model.layers.0.self_attn.q_proj.weight").shape  # doctest: +SKIP
(576, 576)
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from gguf import GGMLQuantizationType
from gguf.constants import GGML_QUANT_SIZES
from gguf.quants import dequantize

from gnomon.codecs.encoded import EncodedWeight
from gnomon.errors import ModelError
from gnomon.models.checkpoint import Checkpoint
from gnomon.models.finite import require_finite
from gnomon.models.gguf_config import gguf_architecture, gguf_to_hf_config
from gnomon.models.gguf_header import GgufTensor, read_gguf_header
from gnomon.models.gguf_metadata import Metadata
from gnomon.models.gguf_names import ROPE_FACTORS, Source, hugging_face_sources
from gnomon.models.gguf_tokenizer import gguf_tokenizer
from gnomon.models.mapped_file import map_file

PLAIN_DTYPES = {
    GGMLQuantizationType.F16: np.dtype("<f2"),
    GGMLQuantizationType.F32: np.dtype("<f4"),
    GGMLQuantizationType.F64: np.dtype("<f8"),
}


class GgufWeights:
    """`Weights` of a GGUF file: mapped, decoded to float32 and undone when asked for."""

    def __init__(
        self,
        data: np.ndarray,
        sources: Mapping[str, Source],
        *,
        source: str,
        num_heads: int,
        num_kv_heads: int,
    ) -> None:
        """`data` is the whole file, uint8; `sources` come from `hugging_face_sources`."""
        self._data = data
        self._sources = sources
        self._source = source
        self._num_heads = num_heads
        self._num_kv_heads = num_kv_heads
        for ggml_type in {entry.tensor.ggml_type for entry in sources.values()}:
            _require_decodable(ggml_type, source=source)

    def names(self) -> list[str]:
        return list(self._sources)

    def shape(self, name: str) -> tuple[int, ...]:
        return self._entry(name).shape

    def storage(self, name: str) -> str:
        return self._entry(name).tensor.ggml_type.name

    def size_bytes(self, name: str) -> int:
        entry = self._entry(name)
        parts = 1 if entry.expert is None else entry.tensor.shape[0]
        return entry.tensor.size_bytes // parts

    def encoded(self, name: str) -> EncodedWeight | None:
        self._entry(name)
        return None

    def load(self, name: str) -> np.ndarray:
        entry = self._entry(name)
        values = decode_tensor(self._data, entry.tensor, expert=entry.expert)
        require_finite(values, name=name, source=self._source)
        if entry.undo == "norm offset":
            values = values - np.float32(1)
        elif entry.undo == "row order":
            heads = self._num_heads if ".q_proj." in name else self._num_kv_heads
            values = self._row_order(values, heads=heads, name=name)
        return np.ascontiguousarray(values)

    def _row_order(self, values: np.ndarray, *, heads: int, name: str) -> np.ndarray:
        """Undo llama.cpp's order of the rows: (pairs, 2) back to (2, pairs) within each head."""
        if len(values) % (2 * heads):
            raise ModelError(
                f"{self._source}: {name} has {len(values)} rows, which {heads} heads cannot share"
            )
        split = values.reshape(heads, len(values) // heads // 2, 2, *values.shape[1:])
        return split.swapaxes(1, 2).reshape(values.shape)

    def _entry(self, name: str) -> Source:
        entry = self._sources.get(name)
        if entry is None:
            raise ModelError(f"{self._source}: there is no tensor named {name}")
        return entry


def decode_tensor(data: np.ndarray, tensor: GgufTensor, *, expert: int | None) -> np.ndarray:
    """float32 values of a tensor, or of one slice along its first axis. `data` is the file."""
    shape, size, start = tensor.shape, tensor.size_bytes, tensor.offset
    if expert is not None:
        shape, size = shape[1:], size // shape[0]
        start += expert * size
    raw = data[start : start + size]
    with np.errstate(all="ignore"):  # what overflows is caught by require_finite
        if (plain := PLAIN_DTYPES.get(tensor.ggml_type)) is not None:
            return raw.view(plain).astype(np.float32).reshape(shape)
        block_size, block_bytes = GGML_QUANT_SIZES[tensor.ggml_type]
        rows = raw.reshape(-1, shape[-1] // block_size * block_bytes)
        return dequantize(rows, tensor.ggml_type).reshape(shape)


def read_gguf(path: Path) -> Checkpoint:
    """The model in a GGUF file. Raises ModelError if the file is not a whole one that we know."""
    source = str(path)
    data = map_file(path)
    header = read_gguf_header(data, source=source)
    metadata = Metadata(header.metadata, source=source)
    architecture = gguf_architecture(metadata)
    sources = hugging_face_sources(header.tensors, architecture=architecture, source=source)
    factors = header.tensors.get(ROPE_FACTORS)
    if factors is not None:
        _require_decodable(factors.ggml_type, source=source)
    embedding = sources.get("model.embed_tokens.weight")
    hf_config: dict[str, Any] = gguf_to_hf_config(
        metadata,
        tensor_names=sources,
        vocab_size=0 if embedding is None else embedding.shape[0],
        rope_factors=None if factors is None else decode_tensor(data, factors, expert=None),
    )
    weights = GgufWeights(
        data,
        sources,
        source=source,
        num_heads=hf_config["num_attention_heads"],
        num_kv_heads=hf_config["num_key_value_heads"],
    )
    return Checkpoint(
        name=metadata.text("general.name") or path.stem,
        source=path,
        hf_config=hf_config,
        weights=weights,
        tokenizer=gguf_tokenizer(metadata),
        size_bytes=data.nbytes,
    )


def _require_decodable(ggml_type: GGMLQuantizationType, *, source: str) -> None:
    """Raise ModelError unless a block of this type can be turned into float32."""
    if ggml_type in PLAIN_DTYPES:
        return
    try:
        with np.errstate(all="ignore"):
            dequantize(np.zeros((1, GGML_QUANT_SIZES[ggml_type][1]), np.uint8), ggml_type)
    except NotImplementedError as error:
        raise ModelError(
            f"{source}: weights of the ggml type {ggml_type.name} cannot be read; get the model in "
            "F16, Q8_0, a k-quant or an i-quant"
        ) from error
