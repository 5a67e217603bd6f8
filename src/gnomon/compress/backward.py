"""One backward pass of a whole model in the memory of one block.

The forward pass keeps what every block read, and nothing else. Then the blocks are run once more
from the last to the first, each from what it read, and each hands the gradient of its input to the
one before it; only one block's weights are ever loaded.

The loss has no labels. With p the model's own next-token probabilities and r random signs, the
gradient at the logits is set to √p ⊙ r - p (√p · r), whose mean outer product is diag(p) - p pᵀ:
the Fisher information of the logits. So for a small error e of any layer's output, with g the
gradient there, ½ E[(g · e)²] is the Kullback-Leibler divergence from the original that it causes.
Labels drawn from p have the same mean outer product and far heavier tails.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from gnomon.compress.torch_forward import PlainLayers, as_tensor, rms_norm, run_block, softcap
from gnomon.models.config import ModelConfig
from gnomon.models.forward import embed
from gnomon.models.model import Model
from gnomon.progress import OnProgress, Progress

EMBEDDING = "model.embed_tokens.weight"
FINAL_NORM = "model.norm.weight"
HEAD = "lm_head.weight"
LOGIT_VALUES = 4 * 2**20  # so many logits are held at a time


class Observer(Protocol):
    """Who looks on while the gradients pass; all arrays are float32 and only lent."""

    def linear(
        self, name: str, inputs: np.ndarray, outputs: np.ndarray, gradients: np.ndarray
    ) -> None:
        """A linear layer of some block: inputs [rows, in], outputs and their gradients [rows, out].

        The bias is not in the outputs. The method is called for one sequence after another. Rows
        are tokens in order; an expert's are those of the tokens that it was sent.
        """
        ...

    def head(self, inputs: np.ndarray, logits: np.ndarray, variances: np.ndarray) -> None:
        """Some tokens at the head: inputs [rows, hidden], and [rows, vocab] the logits and p(1-p).

        The latter is the mean square of the gradient at each logit, known without any signs.
        """
        ...

    def embedding(self, tokens: np.ndarray, gradients: np.ndarray) -> None:
        """Tokens [sequences, time], gradients of their rows [sequences, time, hidden]."""
        ...


def propagate_back(
    model: Model,
    tokens: np.ndarray,
    observer: Observer,
    *,
    seed: int,
    on_progress: OnProgress = lambda progress: None,
) -> None:
    """Shows `observer` every linear layer of `model` on tokens int64 [sequences, time]."""
    config, total = model.config, 2 * model.config.num_layers + 1
    table = model.weights.load(EMBEDDING)
    hidden = torch.from_numpy(embed(config, table, tokens))
    if not config.is_head_tied:
        del table
    read: list[Tensor] = []
    for layer in range(config.num_layers):
        on_progress(Progress(stage="forward", done=layer, total=total))
        read.append(hidden)
        layers = PlainLayers(block_weights(model, layer))
        with torch.no_grad():
            hidden = torch.cat([run_block(config, layer, layers, each) for each in hidden.split(1)])
    on_progress(Progress(stage="head", done=config.num_layers, total=total))
    head = as_tensor(model.weights.load(EMBEDDING if config.is_head_tied else HEAD))
    norm = as_tensor(model.weights.load(FINAL_NORM))
    gradient = _head_gradient(config, head, norm, hidden, observer, seed=seed)
    del head
    for layer in reversed(range(config.num_layers)):
        done = total - 1 - layer
        on_progress(Progress(stage="backward", done=done, total=total))
        gradient = _block_gradient(model, layer, read.pop(), gradient, observer)
    observer.embedding(tokens, gradient.numpy() * np.float32(config.embedding_scale))


def block_weights(model: Model, layer: int) -> dict[str, np.ndarray]:
    """The tensors of one block by name."""
    prefix = f"model.layers.{layer}."
    names = (name for name in model.weights.names() if name.startswith(prefix))
    return {name: model.weights.load(name) for name in names}


def _head_gradient(
    config: ModelConfig,
    head: Tensor,
    norm: Tensor,
    hidden: Tensor,
    observer: Observer,
    *,
    seed: int,
) -> Tensor:
    """The gradient at the last block's output [sequences, time, hidden]."""
    signs = torch.Generator().manual_seed(seed)
    gradients = []
    for piece in hidden.flatten(0, 1).split(max(1, LOGIT_VALUES // len(head))):
        piece = piece.detach().requires_grad_()
        inputs = rms_norm(piece, norm, config)
        logits = inputs.detach() @ head.T
        capped = softcap(logits, config.logit_softcap)
        slope = 1.0 if config.logit_softcap is None else 1 - (capped / config.logit_softcap) ** 2
        p = capped.softmax(-1)
        observer.head(inputs.detach().numpy(), logits.numpy(), (p * (1 - p) * slope**2).numpy())
        probe = torch.randint(2, p.shape, generator=signs, dtype=torch.int8).mul_(2).sub_(1)
        probe = probe * p.sqrt()
        probe -= p * probe.sum(-1, keepdim=True)
        inputs.backward((probe * slope) @ head)
        assert piece.grad is not None
        gradients.append(piece.grad)
    return torch.cat(gradients).view_as(hidden)


def _block_gradient(
    model: Model, layer: int, read: Tensor, gradient: Tensor, observer: Observer
) -> Tensor:
    """The gradient at the block's input, from that at its output; one sequence at a time."""
    layers = _WatchedLayers(block_weights(model, layer), observer)
    gradients = []
    for each, above in zip(read.split(1), gradient.split(1), strict=True):
        each = each.detach().requires_grad_()
        run_block(model.config, layer, layers, each).backward(above)
        assert each.grad is not None
        gradients.append(each.grad)
    return torch.cat(gradients)


class _WatchedLayers(PlainLayers):
    """Layers that show the observer what they read, and what gradient comes back."""

    def __init__(self, weights: Mapping[str, np.ndarray], observer: Observer):
        super().__init__(weights)
        self.observer = observer

    def linear(self, name: str, x: Tensor) -> Tensor:
        y = F.linear(x, self.weights[name])
        inputs, outputs = _rows(x), _rows(y)  # y itself in its own hook would never be freed

        def show(gradient: Tensor) -> None:
            self.observer.linear(name, inputs, outputs, _rows(gradient))

        y.register_hook(show)
        bias = self.weights.get(name.removesuffix(".weight") + ".bias")
        return y if bias is None else y + bias


def _rows(x: Tensor) -> np.ndarray:
    return x.detach().reshape(-1, x.shape[-1]).numpy()
