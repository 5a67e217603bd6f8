"""Models with a real one's shapes and weights of no meaning, in our form and in llama.cpp's.

How fast a model runs does not depend on what its weights say. Some blocks show it as well as all
do, as long as both sides have the same ones and they are larger than the processor's caches.

    python benchmarks/random_model.py build/models --shapes llama-2-7b --blocks 4
"""

from __future__ import annotations

import argparse
import json
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from gguf import GGML_QUANT_SIZES, GGMLQuantizationType, GGUFWriter
from safetensors.numpy import save_file

from gnomon.codecs.trellis import BLOCK, FORMS, STRIP, gaussian_table
from gnomon.models.coded_layers import VERSION

HEAD_BITS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Shapes:
    hidden: int
    inner: int
    heads: int
    kv_heads: int
    head_dim: int
    vocabulary: int

    def matrices(self) -> dict[str, tuple[int, int]]:
        """[out, in] of a block's matrices, by their names in Hugging Face's checkpoints."""
        wide, narrow = self.heads * self.head_dim, self.kv_heads * self.head_dim
        return {
            "self_attn.q_proj": (wide, self.hidden),
            "self_attn.k_proj": (narrow, self.hidden),
            "self_attn.v_proj": (narrow, self.hidden),
            "self_attn.o_proj": (self.hidden, wide),
            "mlp.gate_proj": (self.inner, self.hidden),
            "mlp.up_proj": (self.inner, self.hidden),
            "mlp.down_proj": (self.hidden, self.inner),
        }


SHAPES = {
    "llama-2-7b": Shapes(
        hidden=4096, inner=11008, heads=32, kv_heads=32, head_dim=128, vocabulary=32000
    ),
    "qwen2.5-1.5b": Shapes(
        hidden=1536, inner=8960, heads=12, kv_heads=2, head_dim=128, vocabulary=151936
    ),
    "smollm2-135m": Shapes(
        hidden=576, inner=1536, heads=9, kv_heads=3, head_dim=64, vocabulary=49152
    ),
}
CONTEXT = 8192
NORM_EPS = 1e-5
# Where the float16 scales of llama.cpp's blocks stand; all other bytes may be anything.
SCALES_AT = {"IQ2_XXS": (0,), "Q2_K": (80, 82), "Q4_0": (0,), "Q6_K": (208,)}
GGUF_NAMES = {
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}


def write_ours(folder: Path, shapes: Shapes, *, blocks: int, bits: int = 2) -> Path:
    """A folder as `gnomon compress` writes it, without a tokenizer; kept if it is there."""
    if (folder / "gnomon.json").exists():
        return folder
    rng = np.random.default_rng(0)
    tensors, layers = {}, {}

    def add(name: str, shape: tuple[int, int], bits: int, seed: int | None) -> None:
        out, in_ = shape
        size = (-(-out // STRIP), -(-in_ // BLOCK), 4 * bits, STRIP)
        tensors[f"{name}.codes"] = np.frombuffer(rng.bytes(int(np.prod(size))), np.uint8).reshape(
            size
        )
        table, unit = gaussian_table(bits)
        tensors[f"{name}.table"] = table.reshape(FORMS[bits].table_shape)
        tensors[f"{name}.scales"] = np.array([unit / np.sqrt(in_)], np.float32)
        settings = {"bits": bits, "input_seed": shape[1], "output_seed": seed}
        layers[f"{name}.weight"] = {"codec": "trellis", "shape": list(shape), "settings": settings}

    for block in range(blocks):
        for name, shape in shapes.matrices().items():
            add(f"model.layers.{block}.{name}", shape, bits, 1)
        for norm in ("input_layernorm", "post_attention_layernorm"):
            tensors[f"model.layers.{block}.{norm}.weight"] = np.ones(shapes.hidden, np.float32)
    tensors["model.norm.weight"] = np.ones(shapes.hidden, np.float32)
    add("model.embed_tokens", (shapes.vocabulary, shapes.hidden), HEAD_BITS, None)
    config = {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "vocab_size": shapes.vocabulary,
        "hidden_size": shapes.hidden,
        "intermediate_size": shapes.inner,
        "num_hidden_layers": blocks,
        "num_attention_heads": shapes.heads,
        "num_key_value_heads": shapes.kv_heads,
        "head_dim": shapes.head_dim,
        "max_position_embeddings": CONTEXT,
        "rms_norm_eps": NORM_EPS,
        "rope_theta": 10000.0,
        "tie_word_embeddings": True,
    }
    part = folder.with_name(f"part-{folder.name}")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    save_file(tensors, part / "model.safetensors")
    (part / "config.json").write_text(json.dumps(config))
    gnomon_json = {"format": "gnomon", "version": VERSION, "layers": layers}
    (part / "gnomon.json").write_text(json.dumps(gnomon_json))
    part.rename(folder)
    return folder


def write_gguf(path: Path, shapes: Shapes, kind: str, *, blocks: int, head: str = "Q6_K") -> Path:
    """llama.cpp's form: every matrix of the blocks in `kind`, the embedding, which is the head
    too, in `head`; kept if it is there. llama-quantize would give some matrices more bits.
    """
    if path.exists():
        return path
    rng = np.random.default_rng(0)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"part-{path.name}")
    writer = GGUFWriter(part, "llama")
    writer.add_block_count(blocks)
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(shapes.hidden)
    writer.add_feed_forward_length(shapes.inner)
    writer.add_head_count(shapes.heads)
    writer.add_head_count_kv(shapes.kv_heads)
    writer.add_key_length(shapes.head_dim)
    writer.add_value_length(shapes.head_dim)
    writer.add_layer_norm_rms_eps(NORM_EPS)
    writer.add_rope_dimension_count(shapes.head_dim)
    writer.add_vocab_size(shapes.vocabulary)
    writer.add_tokenizer_model("no_vocab")

    def add(name: str, shape: tuple[int, int], kind: str) -> None:
        out, in_ = shape
        dtype = GGMLQuantizationType[kind]
        numbers, size = GGML_QUANT_SIZES[dtype]
        content = np.frombuffer(rng.bytes(out * in_ // numbers * size), np.uint8)
        content = content.reshape(-1, size).copy()
        for at in SCALES_AT[kind]:
            content[:, at : at + 2] = np.array([0.01], np.float16).view(np.uint8)
        writer.add_tensor(f"{name}.weight", content.reshape(out, -1), raw_dtype=dtype)

    ones = np.ones(shapes.hidden, np.float32)
    add("token_embd", (shapes.vocabulary, shapes.hidden), head)
    writer.add_tensor("output_norm.weight", ones)
    for block in range(blocks):
        for name, shape in shapes.matrices().items():
            add(f"blk.{block}.{GGUF_NAMES[name]}", shape, kind)
        for norm in ("attn_norm", "ffn_norm"):
            writer.add_tensor(f"blk.{block}.{norm}.weight", ones)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    part.rename(path)
    return path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--shapes", choices=SHAPES, default="llama-2-7b")
    parser.add_argument("--blocks", type=int, default=4)
    parser.add_argument("--bits", type=int, default=2)
    parser.add_argument("--gguf", nargs="*", choices=SCALES_AT, default=[])
    options = parser.parse_args()
    name, shapes = f"random-{options.shapes}-{options.blocks}", SHAPES[options.shapes]
    target = options.folder / f"{name}-{options.bits}bit"
    print(write_ours(target, shapes, blocks=options.blocks, bits=options.bits))
    for kind in options.gguf:
        path = options.folder / f"{name}-{kind}.gguf"
        print(write_gguf(path, shapes, kind, blocks=options.blocks))


if __name__ == "__main__":
    main()
