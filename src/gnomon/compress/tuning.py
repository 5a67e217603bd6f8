"""Block tuning: what stays continuous in a rounded block learns to give the original's output.

The codes stand still. What falls is the error of the block's output on whole sequences. What learns
is what is stored anyway: a scale for every row on either side of a rotation would win another one
or two percent of the error, and the bits that they take win more where codes are wider.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from gnomon.codecs import EncodedWeight
from gnomon.compress.student import Student
from gnomon.compress.torch_forward import run_block
from gnomon.compress.training import Trained, TrainingOptions, train
from gnomon.models.config import ModelConfig
from gnomon.progress import OnProgress

# Most of what can be won is won by 32,768 tokens, and in many blocks it is next to nothing.
OPTIONS = TrainingOptions(
    passes=4.0, tokens=32_768, learning_rate=0.02, checks=4, least_gain=1e-3, patience=1
)


def tune_block(
    config: ModelConfig,
    layer: int,
    *,
    encoded: Mapping[str, EncodedWeight],
    plain: Mapping[str, np.ndarray],
    hidden: np.ndarray,
    target: np.ndarray,
    options: TrainingOptions | None = None,
    seed: int,
    on_progress: OnProgress = lambda progress: None,
) -> Trained:
    """Trains block `layer` to give `target` for `hidden`, both float32 [sequences, time, hidden].

    `encoded` are the block's coded weights by name, `plain` everything else it has: vectors (norms,
    biases) are trained too, matrices stay. A loss is ‖ŷ - y‖² / ‖y‖² of a token, on average.
    """

    def loss_on(student: Student, sequences: np.ndarray) -> Tensor:
        x, y = (torch.from_numpy(array[sequences]) for array in (hidden, target))
        return relative_error(run_block(config, layer, student, x), y)

    return train(
        encoded,
        plain,
        loss_on,
        shape=(hidden.shape[0], hidden.shape[1]),
        options=options or OPTIONS,
        seed=seed,
        stage="tune",
        on_progress=on_progress,
    )


def relative_error(ours: Tensor, target: Tensor) -> Tensor:
    """The mean over tokens of ‖ŷ - y‖² / ‖y‖²: what follows reads every token normalised."""
    return ((ours - target).square().sum(-1) / target.square().sum(-1).clamp_min(1e-12)).mean()
