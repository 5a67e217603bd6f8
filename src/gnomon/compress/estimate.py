"""How long a compression will take on this machine, before it starts.

The work is counted in floating-point operations, nearly all of them matrix products, and this
machine's speed at a product is measured for a moment. `SLOWDOWN` is what a real run took against
that count: the rest of the forward pass, the search for codes, the disk.
"""

from __future__ import annotations

import math
import time

import numpy as np

from gnomon.compress.importance import TOKENS as IMPORTANCE_TOKENS
from gnomon.compress.options import EFFORTS, CompressOptions
from gnomon.models import Model
from gnomon.models.architectures import linear_groups
from gnomon.models.config import ModelConfig

SLOWDOWN = 1.35
TUNED_TOKENS = 32_768  # forward and backward, and half as many forward; see `tuning`
MOVED_TOKENS = 196_608  # what `moving` costs in all, as so many tokens taught
CODING_FLOPS = 20_000  # the search for the codes of one weight, counted as products


def expected_seconds(model: Model, options: CompressOptions, *, tokens: int) -> float:
    """For `tokens` of calibration, on this machine as busy as it is now."""
    flops = rounding_flops(model, tokens=tokens)
    if EFFORTS[options.effort].is_tuned:
        flops += tuning_flops(model, tokens=tokens)
    if options.distillation_tokens:
        taught = 2 * min(tokens, options.distillation_tokens)
        flops += distillation_flops(model, tokens=taught + min(tokens, MOVED_TOKENS))
    if options.target is not None:
        flops += importance_flops(model, tokens=min(tokens, IMPORTANCE_TOKENS))
    return SLOWDOWN * flops / measured_flops_per_second()


def in_words(seconds: float) -> str:
    """A duration as one says it.

    >>> in_words(40), in_words(400), in_words(9000)
    ('less than a minute', 'about 7 minutes', 'about 2.5 hours')
    """
    if seconds < 55:
        return "less than a minute"
    minutes = round(seconds / 60)
    if minutes < 90:
        return f"about {minutes} minute{'s' if minutes > 1 else ''}"
    return f"about {seconds / 3600:.1f} hours"


def rounding_flops(model: Model, *, tokens: int) -> float:
    """Two forward passes, the statistics, the equations, the feedback, and the codes."""
    config = model.config
    total = 0.0
    for layer in range(config.num_layers):
        for group in linear_groups(config, layer):
            shapes = [model.weights.shape(name) for name in group.names]
            total += _group_flops(config, shapes, tokens=tokens, expert=group.expert is not None)
        total += 2 * 2 * tokens * 512 * config.num_heads * config.head_dim  # attention, both
    head = math.prod(model.weights.shape("model.embed_tokens.weight"))
    return total + CODING_FLOPS * head


def tuning_flops(model: Model, *, tokens: int) -> float:
    """The training of every block, and the rounded model's pass after it."""
    return 2 * _used_weights(model) * (3 * TUNED_TOKENS + tokens)


def distillation_flops(model: Model, *, tokens: int) -> float:
    """The original's pass; then, for every token, the model forward, again, and backward."""
    head = math.prod(model.weights.shape("model.embed_tokens.weight"))
    return 2 * tokens * (4 * _used_weights(model) + 5 * head)


def importance_flops(model: Model, *, tokens: int) -> float:
    """The original forward, its blocks again, and backward."""
    head = math.prod(model.weights.shape("model.embed_tokens.weight"))
    return 2 * tokens * (3 * _used_weights(model) + 2 * head)


def _used_weights(model: Model) -> float:
    """Of the blocks, for one token."""
    config = model.config
    return sum(
        math.prod(model.weights.shape(name))
        * (config.num_experts_per_token / config.num_experts if group.expert is not None else 1)
        for layer in range(config.num_layers)
        for group in linear_groups(config, layer)
        for name in group.names
    )


def _group_flops(
    config: ModelConfig, shapes: list[tuple[int, ...]], *, tokens: int, expert: bool
) -> float:
    share = config.num_experts_per_token / config.num_experts if expert else 1.0
    seen, size = share * tokens, shapes[0][1]
    weights = sum(math.prod(shape) for shape in shapes)
    outputs = weights // size
    products = 2 * 2 * seen * weights  # the layer itself, in both models
    statistics = 3 * seen * size * size if len(shapes) > 1 else seen * size * (size + 4 * outputs)
    equations = 4 * size**3
    feedback = 6 * outputs * size * size
    return products + statistics + equations + feedback + CODING_FLOPS * weights


def measured_flops_per_second(*, seconds: float = 0.3) -> float:
    """Of float32 matrix products, all threads."""
    rng = np.random.default_rng(0)
    a = rng.standard_normal((1024, 1024), dtype=np.float32)
    np.matmul(a, a)
    start, count = time.perf_counter(), 0
    while time.perf_counter() - start < seconds:
        np.matmul(a, a)
        count += 1
    return count * 2 * 1024**3 / (time.perf_counter() - start)
