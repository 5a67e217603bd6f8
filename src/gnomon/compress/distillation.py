"""Distillation: everything continuous in a rounded model learns the original's predictions.

The codes stand still (`gnomon.compress.moving` moves them). What falls is the divergence from the
original (`gnomon.compress.divergence`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import torch
from torch import Tensor

from gnomon.codecs import EncodedWeight
from gnomon.compress.divergence import Target, Teacher, final_hidden
from gnomon.compress.student import Student
from gnomon.compress.training import State, Trained, TrainingOptions, train
from gnomon.models.config import ModelConfig
from gnomon.progress import OnProgress

# Gradients of fewer tokens are mostly noise, which larger steps follow.
OPTIONS = TrainingOptions(batch_tokens=8192, learning_rate=2e-3, checks=4)


def distill(
    config: ModelConfig,
    *,
    encoded: Mapping[str, EncodedWeight],
    plain: Mapping[str, np.ndarray],
    tokens: np.ndarray,
    kept: int,
    teacher: Teacher,
    options: TrainingOptions | None = None,
    seed: int,
    state: State | None = None,
    keep: Callable[[State], None] = lambda state: None,
    on_progress: OnProgress = lambda progress: None,
) -> Trained:
    """Trains the whole rounded model on tokens int [sequences, time]; losses are nats a token.

    The first `kept` sequences are kept aside, to choose the best state by.
    `encoded` are its coded weights by name, `plain` all its other tensors: vectors are trained too,
    matrices (an embedding that is not coded) stay. For `state` and `keep` see `train`.
    """
    target = Target(config, teacher)

    def loss_on(student: Student, sequences: np.ndarray) -> Tensor:
        hidden = final_hidden(config, student, torch.from_numpy(tokens[sequences]))
        return target.divergence(student, hidden, sequences)

    return train(
        encoded,
        plain,
        loss_on,
        shape=(tokens.shape[0], tokens.shape[1]),
        kept=kept,
        options=options or OPTIONS,
        seed=seed,
        stage="distil",
        state=state,
        keep=keep,
        on_progress=on_progress,
    )
