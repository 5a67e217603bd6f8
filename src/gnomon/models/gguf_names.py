"""ggml's tensor names and conventions, turned into those of Hugging Face checkpoints.

Three things differ from file to file besides the name:
llama-architecture converters reorder the rows of `q_proj` and `k_proj` (interleaved RoPE), gemma
converters add 1 to every norm, and mixture-of-experts files stack the experts in one tensor.
A `Source` says, for one Hugging Face tensor, where it lies and which of these to undo.

>>> hugging_face_name("blk.3.attn_q.weight", architecture="llama")
'model.layers.3.self_attn.q_proj.weight'
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from gnomon.errors import ModelError
from gnomon.models.gguf_header import GgufTensor

GLOBAL_NAMES = {
    "token_embd": "model.embed_tokens",
    "output_norm": "model.norm",
    "output": "lm_head",
}
LAYER_NAMES = {
    "attn_norm": "input_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "attn_q_norm": "self_attn.q_norm",
    "attn_k_norm": "self_attn.k_norm",
    "ffn_norm": "post_attention_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
    "ffn_gate_inp": "block_sparse_moe.gate",
}
GEMMA_LAYER_NAMES = LAYER_NAMES | {
    "post_attention_norm": "post_attention_layernorm",
    "ffn_norm": "pre_feedforward_layernorm",
    "post_ffw_norm": "post_feedforward_layernorm",
}
EXPERT_NAMES = {"ffn_gate": "w1", "ffn_down": "w2", "ffn_up": "w3"}
ROPE_FACTORS = "rope_freqs.weight"  # read by gguf_config, no weight of the model
IGNORED = re.compile(r"rope_freqs\.weight|blk\.\d+\.attn_rot_embd\.weight")

LAYER = re.compile(r"blk\.(\d{1,6})\.(\w+)\.(weight|bias)")
ONE_EXPERT = re.compile(r"blk\.(\d{1,6})\.(ffn_(?:gate|down|up))\.(\d{1,6})\.weight")
ALL_EXPERTS = re.compile(r"blk\.(\d{1,6})\.(ffn_(?:gate|down|up))_exps\.weight")

Undo = Literal["nothing", "row order", "norm offset"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where one Hugging Face tensor comes from."""

    tensor: GgufTensor
    expert: int | None = None  # its place along the first axis of a stacked tensor
    undo: Undo = "nothing"

    @property
    def shape(self) -> tuple[int, ...]:
        return self.tensor.shape if self.expert is None else self.tensor.shape[1:]


def hugging_face_name(name: str, *, architecture: str) -> str | None:
    """The Hugging Face name of a tensor that stands for exactly one, or None if unknown."""
    names = GEMMA_LAYER_NAMES if architecture == "gemma3" else LAYER_NAMES
    if match := LAYER.fullmatch(name):
        layer, part, kind = match.groups()
        return f"model.layers.{int(layer)}.{names[part]}.{kind}" if part in names else None
    if match := ONE_EXPERT.fullmatch(name):
        layer, part, expert = match.groups()
        return _expert_name(layer, int(expert), part)
    stem, _, kind = name.rpartition(".")
    return f"{GLOBAL_NAMES[stem]}.{kind}" if stem in GLOBAL_NAMES and kind == "weight" else None


def hugging_face_sources(
    tensors: Mapping[str, GgufTensor], *, architecture: str, source: str
) -> dict[str, Source]:
    """Every weight of the file under its Hugging Face name, in the file's order.

    Raises ModelError where a tensor is none that this architecture has: computing without it
    would be computing another model.
    """
    found: dict[str, Source] = {}
    for name, tensor in tensors.items():
        if IGNORED.fullmatch(name):
            continue
        if match := ALL_EXPERTS.fullmatch(name):
            layer, part = match.groups()
            if len(tensor.shape) != 3:
                raise ModelError(f"{source}: {name} has {len(tensor.shape)} dimensions, not 3")
            new = {
                _expert_name(layer, expert, part): Source(tensor=tensor, expert=expert)
                for expert in range(tensor.shape[0])
            }
        else:
            hf_name = hugging_face_name(name, architecture=architecture)
            if hf_name is None:
                raise ModelError(
                    f"{source}: the tensor {name} is not part of the {architecture} architecture "
                    "as we know it; the file needs a newer version or is damaged"
                )
            new = {hf_name: Source(tensor=tensor, undo=_undo(hf_name, architecture))}
        for hf_name in new.keys() & found.keys():
            raise ModelError(f"{source}: {hf_name} is there twice")
        found.update(new)
    return found


def _expert_name(layer: str, expert: int, part: str) -> str:
    base = f"model.layers.{int(layer)}.block_sparse_moe.experts"
    return f"{base}.{expert}.{EXPERT_NAMES[part]}.weight"


def _undo(hf_name: str, architecture: str) -> Undo:
    if architecture == "llama" and re.search(r"\.[qk]_proj\.", hf_name):
        return "row order"
    if architecture == "gemma3" and hf_name.endswith("norm.weight"):
        return "norm offset"
    return "nothing"
