"""Small random models, of transformers and of ours, that share their weights."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
import transformers

from gnomon.codecs.encoded import EncodedWeight
from gnomon.models.architectures import parse_config
from gnomon.models.model import Model

VOCABULARY = 199


class MemoryWeights:
    """Weights in memory: float32 arrays and coded matrices by name."""

    def __init__(
        self,
        tensors: Mapping[str, np.ndarray],
        coded: Mapping[str, EncodedWeight] | None = None,
        storage: str = "F32",
    ) -> None:
        self._tensors = dict(tensors)
        self._coded = dict(coded or {})
        self._storage = storage

    def names(self) -> list[str]:
        return [*self._tensors, *(name for name in self._coded if name not in self._tensors)]

    def shape(self, name: str) -> tuple[int, ...]:
        return self._coded[name].shape if name in self._coded else self._tensors[name].shape

    def storage(self, name: str) -> str:
        return self._coded[name].codec if name in self._coded else self._storage

    def size_bytes(self, name: str) -> int:
        return self._tensors[name].nbytes

    def load(self, name: str) -> np.ndarray:
        return self._tensors[name]

    def encoded(self, name: str) -> EncodedWeight | None:
        return self._coded.get(name)


BASE = {
    "vocab_size": VOCABULARY,
    "hidden_size": 48,
    "intermediate_size": 72,
    "num_hidden_layers": 3,
    "num_attention_heads": 6,
    "num_key_value_heads": 2,
    "max_position_embeddings": 256,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "tie_word_embeddings": False,
}
LLAMA3 = {
    "rope_type": "llama3",
    "rope_theta": 10000.0,
    "factor": 4.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 64,
}
YARN = {
    "rope_type": "yarn",
    "rope_theta": 10000.0,
    "factor": 4.0,
    "original_max_position_embeddings": 64,
}
LINEAR = {"rope_type": "linear", "rope_theta": 10000.0, "factor": 2.0}

# name -> (transformers' configuration class, what differs from BASE)
CASES: dict[str, tuple[str, dict]] = {
    "llama": ("LlamaConfig", {}),
    "llama_tied": ("LlamaConfig", {"tie_word_embeddings": True, "num_key_value_heads": 6}),
    "llama_biased_llama3": (
        "LlamaConfig",
        {"attention_bias": True, "mlp_bias": True, "rope_parameters": LLAMA3, "head_dim": 16},
    ),
    "llama_linear": ("LlamaConfig", {"rope_parameters": LINEAR, "num_key_value_heads": 1}),
    "mistral_windowed": ("MistralConfig", {"sliding_window": 7}),
    "qwen2_yarn": ("Qwen2Config", {"rope_parameters": YARN}),
    "qwen2_windowed": (
        "Qwen2Config",
        {"use_sliding_window": True, "sliding_window": 5, "max_window_layers": 1},
    ),
    "qwen3": ("Qwen3Config", {"head_dim": 12, "tie_word_embeddings": True}),
    "gemma3": (
        "Gemma3TextConfig",
        {
            "head_dim": 16,
            "num_hidden_layers": 4,
            "sliding_window": 6,
            "sliding_window_pattern": 2,
            "query_pre_attn_scalar": 24,
            "tie_word_embeddings": True,
            "final_logit_softcapping": 20.0,
            "hidden_activation": "gelu_pytorch_tanh",
            "rope_parameters": {
                "full_attention": dict(LINEAR, rope_theta=1e6),
                "sliding_attention": {"rope_type": "default", "rope_theta": 1e4},
            },
        },
    ),
    "mixtral": ("MixtralConfig", {"num_local_experts": 4, "num_experts_per_tok": 2}),
}


def transformers_model(case: str) -> transformers.PreTrainedModel:
    class_name, changes = CASES[case]
    config = getattr(transformers, class_name)(**{**BASE, **changes})
    config._attn_implementation = "eager"
    torch.manual_seed(11)
    model = transformers.AutoModelForCausalLM.from_config(config, dtype=torch.float32)
    generator = torch.Generator().manual_seed(12)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            spread = torch.randn(parameter.shape, generator=generator)
            is_norm = "norm" in name
            parameter.copy_(
                (0.2 * spread + (0 if "gemma" in case else 1)) if is_norm else 0.2 * spread
            )
    return model.eval()


def checkpoint_tensors(model: transformers.PreTrainedModel) -> dict[str, np.ndarray]:
    """The model's tensors by the names they have in a published checkpoint."""
    tensors: dict[str, np.ndarray] = {}
    for name, tensor in model.state_dict().items():
        values = tensor.detach().numpy()
        if ".mlp.experts." in name or name.endswith("mlp.gate.weight"):
            block = name.split(".mlp.")[0] + ".block_sparse_moe"
            if name.endswith("gate.weight"):
                tensors[f"{block}.gate.weight"] = values
            for expert in range(values.shape[0] if ".experts." in name else 0):
                at = f"{block}.experts.{expert}"
                if name.endswith("gate_up_proj"):
                    gate, up = np.split(values[expert], 2)
                    tensors[f"{at}.w1.weight"], tensors[f"{at}.w3.weight"] = gate.copy(), up.copy()
                else:
                    tensors[f"{at}.w2.weight"] = values[expert].copy()
        elif not (name == "lm_head.weight" and model.config.tie_word_embeddings):
            tensors[name] = values
    return tensors


def our_model(hf_config: Mapping, weights: MemoryWeights) -> Model:
    return Model(
        name="tiny",
        source=Path("tiny"),
        config=parse_config(hf_config),
        hf_config=hf_config,
        weights=weights,
        tokenizer=None,
        size_bytes=0,
    )


def our_copy(model: transformers.PreTrainedModel, storage: str = "F32") -> Model:
    weights = MemoryWeights(checkpoint_tensors(model), storage=storage)
    return our_model(model.config.to_dict(), weights)
