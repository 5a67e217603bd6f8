"""Tokens a second of a model of SmolLM2-135M's shape: plain f16 and trellis codes.

    python benchmarks/engine_speed.py --threads 2

Prints a table and, last, one JSON line. The weights are random: only the time means anything.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from gnomon import _native
from gnomon.codecs.encoded import EncodedWeight
from gnomon.engine import Engine
from gnomon.models.architectures import linear_groups, parse_config
from gnomon.models.config import ModelConfig
from gnomon.models.model import Model

SMOLLM2_135M = {
    "model_type": "llama",
    "vocab_size": 49152,
    "hidden_size": 576,
    "intermediate_size": 1536,
    "num_hidden_layers": 30,
    "num_attention_heads": 9,
    "num_key_value_heads": 3,
    "max_position_embeddings": 8192,
    "rope_theta": 100000.0,
    "rms_norm_eps": 1e-5,
    "tie_word_embeddings": True,
}


class RandomWeights:
    """Random matrices, plain or coded with `bits` (blocks) and 4 bits (embedding)."""

    def __init__(self, config: ModelConfig, bits: int | None) -> None:
        self._rng = np.random.default_rng(0)
        self._bits = bits
        self._shapes: dict[str, tuple[int, ...]] = {
            "model.embed_tokens.weight": (config.vocab_size, config.hidden_size),
            "model.norm.weight": (config.hidden_size,),
        }
        heads, kv_heads = config.num_heads * config.head_dim, config.num_kv_heads * config.head_dim
        hidden, intermediate = config.hidden_size, config.intermediate_size
        of_layer = {
            "q": (heads, hidden),
            "k": (kv_heads, hidden),
            "v": (kv_heads, hidden),
            "o": (hidden, heads),
            "gate": (intermediate, hidden),
            "up": (intermediate, hidden),
            "down": (hidden, intermediate),
        }
        for layer in range(config.num_layers):
            for group in linear_groups(config, layer):
                for name in group.names:
                    kind = name.split(".")[-2].removesuffix("_proj")
                    self._shapes[name] = of_layer[kind]
            for norm in ("input_layernorm", "post_attention_layernorm"):
                self._shapes[f"model.layers.{layer}.{norm}.weight"] = (hidden,)

    def names(self) -> list[str]:
        return list(self._shapes)

    def shape(self, name: str) -> tuple[int, ...]:
        return self._shapes[name]

    def storage(self, name: str) -> str:
        return "F16"

    def size_bytes(self, name: str) -> int:
        return 2 * int(np.prod(self._shapes[name]))

    def load(self, name: str) -> np.ndarray:
        shape = self._shapes[name]
        if len(shape) == 1:
            return np.ones(shape, np.float32)
        return self._rng.standard_normal(shape, dtype=np.float32) / np.float32(np.sqrt(shape[1]))

    def encoded(self, name: str) -> EncodedWeight | None:
        shape = self._shapes[name]
        if self._bits is None or len(shape) == 1:
            return None
        is_embedding = "embed" in name
        bits = 4 if is_embedding else self._bits
        tiles = ((shape[0] + 15) // 16, (shape[1] + 15) // 16, 32 * bits)
        scale = 1 / (40 * np.sqrt(shape[1]))
        return EncodedWeight(
            codec="trellis",
            shape=(shape[0], shape[1]),
            tensors={
                "codes": self._rng.integers(0, 256, tiles, dtype=np.uint8),
                "table": np.clip(self._rng.standard_normal(256) * 40, -127, 127).astype(np.int8),
                "scales": np.array([scale], np.float32),
            },
            settings={
                "bits": bits,
                "input_seed": 1,
                "output_seed": None if is_embedding else 2,
            },
        )


def measure(hf_config: Mapping, bits: int | None, threads: int, context: int) -> dict:
    config = parse_config(hf_config)
    weights = RandomWeights(config, bits)
    model = Model(
        name="random",
        source=Path("random"),
        config=config,
        hf_config=hf_config,
        weights=weights,
        tokenizer=None,
        size_bytes=0,
    )
    engine = Engine(model, threads=threads)
    session = engine.session(1024)
    prompt = np.random.default_rng(1).integers(0, config.vocab_size, 512).astype(np.int32)
    prompt_rates, decode_rates = [], []
    for _ in range(5):
        session.truncate(0)
        began = time.perf_counter()
        session.forward(prompt)
        prompt_rates.append(prompt.size / (time.perf_counter() - began))
        session.truncate(context)
        began = time.perf_counter()
        for i in range(64):
            session.forward(prompt[i : i + 1])
        decode_rates.append(64 / (time.perf_counter() - began))
    return {
        "weights": "f16" if bits is None else f"trellis-{bits}",
        "threads": threads,
        "decode_tokens_per_s": round(max(decode_rates), 1),
        "prompt_tokens_per_s": round(max(prompt_rates), 1),
        "weight_mb": round(engine.weight_bytes / 1e6, 1),
        "decode_gb_per_s": round(max(decode_rates) * engine.weight_bytes / 1e9, 2),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=_native.usable_cores())
    parser.add_argument("--context", type=int, default=64, help="tokens before the decoded ones")
    options = parser.parse_args()
    rows = [
        measure(SMOLLM2_135M, bits, options.threads, options.context) for bits in (None, 2, 3, 4)
    ]
    print(f"{'weights':<12}{'decode tok/s':>14}{'prompt tok/s':>14}{'MB':>8}{'GB/s':>8}")
    for row in rows:
        print(
            f"{row['weights']:<12}{row['decode_tokens_per_s']:>14}{row['prompt_tokens_per_s']:>14}"
            f"{row['weight_mb']:>8}{row['decode_gb_per_s']:>8}"
        )
    print(json.dumps({"benchmark": "engine_speed", "isa": _native.chosen_isa(), "rows": rows}))


if __name__ == "__main__":
    main()
