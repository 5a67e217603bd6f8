"""Small models whose linear layers are those of the `aqlm` package, and the folders they make."""

from __future__ import annotations

import json
import os
from pathlib import Path

os.environ["AQ_USE_JIT"] = "0"  # of the package: torch.jit.script is deprecated, and warns

import torch
import transformers
from aqlm import QuantizedLinear
from aqlm.utils import _dequantize_weight, pack_int_data, unpack_int_data
from safetensors.torch import save_file
from tiny_models import BASE
from transformers.quantizers.quantizer_aqlm import replace_with_aqlm_linear

# Like published folders: the list names a parameter.
NOT_QUANTIZED = ["model.embed_tokens.weight", "lm_head.weight"]


def dequantize_forward(layer: QuantizedLinear, x: torch.Tensor) -> torch.Tensor:
    """The package's own decoding and a plain product.

    Its compiled kernel for processors is left out: with more than one thread it adds to the same
    outputs from several of them, and answers something else every time.
    """
    codes = unpack_int_data(layer.codes, layer.nbits_per_codebook)
    weight = _dequantize_weight(codes, layer.codebooks.float(), layer.scales.float())
    return torch.nn.functional.linear(x, weight, layer.bias)


def quantized_model(
    *, books: int, code_bits: int, is_tied: bool = False, has_bias: bool = False
) -> transformers.PreTrainedModel:
    """A random llama with AQLM layers, head and embedding plain."""
    config = transformers.LlamaConfig(
        **{**BASE, "tie_word_embeddings": is_tied}, attention_bias=has_bias
    )
    config._attn_implementation = "eager"
    torch.manual_seed(3)
    model = transformers.LlamaForCausalLM(config)
    settings = transformers.AqlmConfig(num_codebooks=books, nbits_per_codebook=code_bits)
    replace_with_aqlm_linear(
        model, modules_to_not_convert=["lm_head"], quantization_config=settings
    )
    model.to_empty(device="cpu")
    model.tie_weights()
    generator = torch.Generator().manual_seed(4)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.endswith(".codes"):
                codes = torch.randint(0, 2**code_bits, parameter.shape, generator=generator)
                parameter.copy_(pack_int_data(codes, code_bits))
            else:
                spread = torch.randn(parameter.shape, generator=generator)
                centre = 1.0 if "norm" in name or name.endswith("scales") else 0.0
                parameter.copy_((centre + 0.2 * spread).half())
    rope = model.model.rotary_emb
    model.model.rotary_emb = type(rope)(config)  # its buffers were emptied too
    return model.eval()


def save_quantized(model: transformers.PreTrainedModel, folder: Path) -> None:
    """As checkpoints are published: float16, codes as they are."""
    layer = next(m for m in model.modules() if isinstance(m, QuantizedLinear))
    tensors = {
        name: (tensor.half() if tensor.is_floating_point() else tensor).contiguous()
        for name, tensor in model.state_dict().items()
        if not (name == "lm_head.weight" and model.config.tie_word_embeddings)
    }
    folder.mkdir(exist_ok=True)
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    config = model.config.to_dict()
    config["quantization_config"] = {
        "quant_method": "aqlm",
        "in_group_size": layer.in_group_size,
        "out_group_size": layer.out_group_size,
        "num_codebooks": layer.num_codebooks,
        "nbits_per_codebook": layer.nbits_per_codebook,
        "linear_weights_not_to_quantize": NOT_QUANTIZED,
    }
    (folder / "config.json").write_text(json.dumps(config))


def logits_of(model: transformers.PreTrainedModel, tokens) -> object:
    """float32 [time, vocabulary], every AQLM layer decoded by its package."""
    with torch.no_grad():
        return model(torch.as_tensor(tokens.astype("int64"))[None]).logits[0].float().numpy()
