"""Learns a `BoundaryModel` from texts whose boundaries are known: Adam on −log p(boundary).

Numpy alone: a head has some ten thousand numbers, and sees a text in microseconds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gnomon.detect.boundary_model import (
    BoundaryModel,
    Parameters,
    Texts,
    loss_and_gradient,
    new_parameters,
)
from gnomon.progress import OnProgress, Progress

_BATCH = 16  # texts


@dataclass(frozen=True, slots=True, kw_only=True)
class FitOptions:
    """How long and how freely a head learns."""

    hidden: int = 16  # units in each of a member's networks
    members: int = 3  # their probabilities are averaged
    epochs: int = 20
    learning_rate: float = 3e-3
    weight_decay: float = 0.1  # decoupled (Loshchilov and Hutter, arXiv 1711.05101)
    dropout: float = 0.1  # share of features that are their mean, drawn anew for each batch


def fit_boundary_model(
    features: Sequence[np.ndarray],
    boundaries: Sequence[int] | np.ndarray,
    *,
    options: FitOptions,
    seed: int,
    on_progress: OnProgress = lambda progress: None,
) -> BoundaryModel:
    """A model for features f32 [pieces, features] of each text, whose boundaries are 0 … pieces."""
    everything = np.concatenate(features)
    mean = everything.mean(axis=0, dtype=np.float64).astype(np.float32)
    scale = np.maximum(everything.std(axis=0, dtype=np.float64), 1e-6).astype(np.float32)
    standard = [(x - mean) / scale for x in features]
    targets = np.asarray(boundaries, np.int64)
    members = []
    for number in range(options.members):
        rng = np.random.default_rng([seed, number])
        parameters = new_parameters(everything.shape[1], hidden=options.hidden, rng=rng)
        for epoch in range(options.epochs):
            done = number * options.epochs + epoch
            on_progress(
                Progress(stage="fitting", done=done, total=options.members * options.epochs)
            )
            _epoch(parameters, standard, targets, epoch=epoch, options=options, rng=rng)
        members.append({k: v for k, v in parameters.items() if not k.startswith("adam_")})
    return BoundaryModel(mean=mean, scale=scale, members=tuple(members))


def _epoch(
    parameters: Parameters,
    features: Sequence[np.ndarray],
    targets: np.ndarray,
    *,
    epoch: int,
    options: FitOptions,
    rng: np.random.Generator,
) -> None:
    order = rng.permutation(len(features))
    batches = [order[i : i + _BATCH] for i in range(0, len(order), _BATCH)]
    for index, batch in enumerate(batches):
        kept = rng.random(features[0].shape[1]) >= options.dropout
        texts = Texts([features[i] * kept for i in batch])
        _, gradient = loss_and_gradient(parameters, texts, targets[batch])
        progress = (epoch + index / len(batches)) / options.epochs
        rate = options.learning_rate * 0.5 * (1 + np.cos(np.pi * progress))
        _adam(parameters, gradient, rate=rate, options=options)


def _adam(
    parameters: Parameters, gradient: Parameters, *, rate: float, options: FitOptions
) -> None:
    """One step, in place; the moments are kept beside the parameters under `adam_` names."""
    step = parameters["adam_step"] = parameters.get("adam_step", np.zeros(1)) + 1
    for name, slope in gradient.items():
        first = parameters.get(f"adam_first_{name}", 0.0) * 0.9 + 0.1 * slope
        second = parameters.get(f"adam_second_{name}", 0.0) * 0.99 + 0.01 * slope**2
        parameters[f"adam_first_{name}"], parameters[f"adam_second_{name}"] = first, second
        move = first / (1 - 0.9**step) / (np.sqrt(second / (1 - 0.99**step)) + 1e-8)
        if name.endswith(("_w", "_v", "_u")):
            move = move + options.weight_decay * parameters[name]
        parameters[name] = (parameters[name] - rate * move).astype(np.float32)
