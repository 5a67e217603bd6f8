"""Read a Hugging Face folder, plain or AQLM, or one of our own compressed folders.

>>> checkpoint = read_folder(Path("Qwen2.5-1.5B"))                           # doctest: +SKIP
>>> checkpoint.weights.storage("model.norm.weight")                          # doctest: +SKIP
'BF16'
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from gnomon.codecs.encoded import EncodedWeight
from gnomon.codecs.layout import require_layout
from gnomon.errors import ModelError
from gnomon.models.aqlm_format import METHOD, aqlm_layers
from gnomon.models.checkpoint import Checkpoint
from gnomon.models.coded_layers import FILE_NAME, CodedLayer, decode_layer, read_gnomon_json
from gnomon.models.finite import require_finite
from gnomon.models.hf_names import named_parts
from gnomon.models.json_file import read_json_object
from gnomon.models.mapped_file import map_file
from gnomon.models.safetensors_header import StoredTensor, read_safetensors_header
from gnomon.models.stored_dtypes import as_array, to_float32
from gnomon.models.tokenizer_files import read_tokenizer

SINGLE, INDEX = "model.safetensors", "model.safetensors.index.json"


class FolderWeights:
    """`Weights` of a folder: its files mapped, tensors converted or decoded when asked for."""

    def __init__(
        self,
        tensors: Mapping[str, tuple[np.ndarray, StoredTensor]],
        layers: Mapping[str, CodedLayer],
        *,
        source: str,
    ) -> None:
        """`tensors`: name → (bytes of its file, place in it). `layers`: the coded weights."""
        self._source = source
        self._layers = layers
        self._plain = dict(tensors)
        self._codes: dict[str, dict[str, tuple[np.ndarray, StoredTensor]]] = {
            name: {} for name in layers
        }
        for tensor_name in tensors:
            base, _, key = tensor_name.rpartition(".")
            if f"{base}.weight" in layers and key != "bias":
                self._codes[f"{base}.weight"][key] = self._plain.pop(tensor_name)
        for name, codes in self._codes.items():
            if not codes or "weight" in codes:
                raise ModelError(
                    f"{source}: {name} should be coded, but the folder holds "
                    + ("it plainly" if codes else "no codes for it")
                )
            encoded = self.encoded(name)
            assert encoded is not None
            require_layout(encoded, name=name, source=source)

    def names(self) -> list[str]:
        return [*self._plain, *self._layers]

    def shape(self, name: str) -> tuple[int, ...]:
        layer = self._layers.get(name)
        return self._entry(name)[1].shape if layer is None else layer.shape

    def storage(self, name: str) -> str:
        layer = self._layers.get(name)
        return self._entry(name)[1].dtype if layer is None else layer.codec

    def size_bytes(self, name: str) -> int:
        if name in self._layers:
            return sum(tensor.size_bytes for _, tensor in self._codes[name].values())
        return self._entry(name)[1].size_bytes

    def load(self, name: str) -> np.ndarray:
        encoded = self.encoded(name)
        if encoded is not None:
            values = decode_layer(encoded, name=name, source=self._source)
        else:
            data, tensor = self._entry(name)
            values = to_float32(data, tensor, name=name, source=self._source)
        return np.ascontiguousarray(require_finite(values, name=name, source=self._source))

    def encoded(self, name: str) -> EncodedWeight | None:
        layer = self._layers.get(name)
        if layer is None:
            self._entry(name)
            return None
        tensors = {
            key: as_array(data, tensor, name=name, source=self._source)
            for key, (data, tensor) in self._codes[name].items()
        }
        return EncodedWeight(
            codec=layer.codec, shape=layer.shape, tensors=tensors, settings=layer.settings
        )

    def _entry(self, name: str) -> tuple[np.ndarray, StoredTensor]:
        entry = self._plain.get(name)
        if entry is None:
            raise ModelError(f"{self._source}: there is no tensor named {name}")
        return entry


def read_folder(folder: Path) -> Checkpoint:
    """The model in a folder, AQLM ones too. Raises ModelError if files are missing, damaged or
    quantised by a method that is not read.
    """
    source = str(folder)
    hf_config = _read_config(folder)
    layers, provenance = read_gnomon_json(folder)
    quantization = hf_config.get("quantization_config")
    if provenance:
        quantization = None  # gnomon.json says it all
    aqlm = quantization if isinstance(quantization, dict) else {}
    is_aqlm = aqlm.get("quant_method") == METHOD
    if not is_aqlm:
        _require_unquantised(quantization, source=source)
    tensors: dict[str, tuple[np.ndarray, StoredTensor]] = {}
    size_bytes = 0
    for path, wanted in _weight_files(folder).items():
        data = map_file(path)
        size_bytes += data.nbytes
        stored = read_safetensors_header(data, source=str(path))
        for stored_name in stored if wanted is None else wanted:
            if stored_name not in stored:
                raise ModelError(f"{path}: lacks {stored_name}, which {INDEX} says is there")
            for part in named_parts(stored_name, stored[stored_name].shape):
                if part.name in tensors:
                    raise ModelError(f"{path}: {part.name} is there twice")
                place = stored[stored_name].part(first=part.first, shape=part.shape)
                tensors[part.name] = (data, place)
    if is_aqlm:
        shapes = {name: tensor.shape for name, (_, tensor) in tensors.items()}
        layers = aqlm_layers(aqlm, shapes, source=source)
    return Checkpoint(
        name=folder.resolve().name,
        source=folder,
        hf_config=hf_config,
        weights=FolderWeights(tensors, layers, source=source),
        tokenizer=read_tokenizer(folder, hf_config=hf_config),
        size_bytes=size_bytes,
        provenance=provenance,
    )


def _read_config(folder: Path) -> dict[str, Any]:
    if not (folder / "config.json").exists():
        inside = sorted(entry.name for entry in folder.iterdir())[:8]
        hint = next((name for name in inside if name.endswith(".gguf")), None)
        raise ModelError(
            f"{folder}: no config.json in it, so it is no Hugging Face folder; "
            + (f"did you mean {folder / hint}?" if hint else f"it holds {inside or 'nothing'}")
        )
    return read_json_object(folder / "config.json")


def _require_unquantised(settings: Any, *, source: str) -> None:
    method = settings.get("quant_method") if isinstance(settings, dict) else settings
    if method == "gnomon":
        raise ModelError(f"{source}: its {FILE_NAME} is missing; copy the whole folder")
    if settings:
        raise ModelError(
            f"{source}: its weights are quantised with {method!r}, which is not read; get the "
            "model in F16 or BF16, as AQLM, or as a GGUF file"
        )


def _weight_files(folder: Path) -> dict[Path, list[str] | None]:
    """The files with weights → the tensors to take from each (None: all)."""
    if (folder / SINGLE).exists():
        return {folder / SINGLE: None}
    index_path = folder / INDEX
    if not index_path.exists():
        others = sorted(path.name for path in folder.glob("*.bin"))[:3]
        raise ModelError(
            f"{folder}: neither {SINGLE} nor {INDEX} in it; "
            + (f"only {', '.join(others)}: save it as safetensors" if others else "fetch it again")
        )
    weight_map = read_json_object(index_path).get("weight_map")
    if not isinstance(weight_map, dict) or not weight_map:
        raise ModelError(f"{index_path}: has no object `weight_map`")
    files: dict[Path, list[str] | None] = {}
    for tensor, shard in weight_map.items():
        is_name = isinstance(shard, str) and shard not in ("", ".", "..")
        if not is_name or Path(shard).name != shard or "\\" in shard or "\0" in shard:
            raise ModelError(f"{index_path}: {tensor} is in {shard!r}, which is no file name")
        names = files.setdefault(folder / shard, [])
        assert names is not None
        names.append(tensor)
    missing = [path.name for path in files if not path.exists()]
    if missing:
        raise ModelError(
            f"{folder}: {len(missing)} of its {len(files)} shards are missing: "
            f"{', '.join(missing[:4])}; fetch the folder again"
        )
    return files
