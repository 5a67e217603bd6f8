"""What a model is: its configuration, its weights, its tokenizer, and how to open one."""

from gnomon.models.config import LayerKind, ModelConfig, Rope
from gnomon.models.model import Model, Weights
from gnomon.models.open_model import open_model, require_tokenizer
from gnomon.models.stream_decoder import StreamDecoder
from gnomon.models.tokenizer import Tokenizer

__all__ = [
    "LayerKind",
    "Model",
    "ModelConfig",
    "Rope",
    "StreamDecoder",
    "Tokenizer",
    "Weights",
    "open_model",
    "require_tokenizer",
]
