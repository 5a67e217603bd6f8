"""How far a rounded model's predictions are from the original's.

The measure is KL(p ‖ q) of the next token, p the original's distribution and q the rounded model's.
The original itself is not in memory: its hidden states before the final norm are given, and its
logits are computed from them for a few tokens at a time. Blocks are computed again on the way back
instead of being remembered.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from gnomon.compress.student import Student
from gnomon.compress.torch_forward import as_tensor, rms_norm, run_block, softcap
from gnomon.models.config import ModelConfig

EMBEDDING = "model.embed_tokens.weight"
FINAL_NORM = "model.norm.weight"
HEAD = "lm_head.weight"
CHUNK_NUMBERS = 1 << 23  # logits that are in memory at a time


@dataclass(frozen=True, slots=True, kw_only=True)
class Teacher:
    """The original: its hidden states on the tokens, and how it predicts from them."""

    hidden: np.ndarray  # float16 or float32 [sequences, time, hidden_size], before the final norm
    norm: np.ndarray  # [hidden_size]
    head: np.ndarray  # [vocab, hidden_size]


def final_hidden(config: ModelConfig, student: Student, tokens: Tensor) -> Tensor:
    """The residual stream after the last block, [sequences, time, hidden_size]."""
    hidden = student.rows(EMBEDDING, tokens) * config.embedding_scale
    for layer in range(config.num_layers):
        if torch.is_grad_enabled():
            hidden = checkpoint(run_block, config, layer, student, hidden, use_reentrant=False)
        else:
            hidden = run_block(config, layer, student, hidden)
        assert isinstance(hidden, Tensor)
    return hidden


class Target:
    """The original's predictions, and how far a student's are from them."""

    def __init__(self, config: ModelConfig, teacher: Teacher):
        self.config, self.hidden = config, teacher.hidden
        self.norm, self.head = as_tensor(teacher.norm), as_tensor(teacher.head)
        self.head_name = EMBEDDING if config.is_head_tied else HEAD
        self.chunk = max(1, CHUNK_NUMBERS // len(teacher.head))  # tokens

    def divergence(self, student: Student, hidden: Tensor, sequences: np.ndarray) -> Tensor:
        """The mean KL(p ‖ q) over the tokens of `sequences`; `hidden` are the student's states."""
        ours = rms_norm(hidden, student.vector(FINAL_NORM), self.config).flatten(0, 1)
        theirs = torch.from_numpy(self.hidden[sequences]).flatten(0, 1)
        total = ours.new_zeros(())
        for start in range(0, len(ours), self.chunk):
            pair = ours[start : start + self.chunk], theirs[start : start + self.chunk]
            if torch.is_grad_enabled():
                part = checkpoint(self._sum, student, *pair, use_reentrant=False)
            else:
                part = self._sum(student, *pair)
            assert isinstance(part, Tensor)
            total = total + part
        return total / len(ours)

    def _sum(self, student: Student, ours: Tensor, theirs: Tensor) -> Tensor:
        cap = self.config.logit_softcap
        with torch.no_grad():
            wanted = F.linear(rms_norm(theirs.float(), self.norm, self.config), self.head)
            wanted = F.log_softmax(softcap(wanted, cap), -1)
        given = F.log_softmax(softcap(student.linear(self.head_name, ours), cap), -1)
        return F.kl_div(given, wanted, reduction="sum", log_target=True)
