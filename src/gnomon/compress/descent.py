"""Adam (arXiv 1412.6980) with a warm-up and a cosine's fall, for a given number of steps."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

WARM_UP = 0.1  # of the steps


class Descent:
    """Moves a module's parameters; its whole state is arrays, so that it can be stored."""

    def __init__(self, module: nn.Module, *, steps: int, learning_rate: float):
        self.parameters = [each for each in module.parameters() if each.requires_grad]
        self.steps, self.learning_rate, self.done = steps, learning_rate, 0
        self.adam = torch.optim.Adam(self.parameters, lr=learning_rate, betas=(0.9, 0.95))

    def step(self, loss_of: Callable[[], Tensor]) -> float:
        """One step down the loss that `loss_of` computes; the loss before it.

        Nothing moves where the loss or its gradient is not finite.
        """
        self.adam.zero_grad(set_to_none=True)
        loss = loss_of()
        value = float(loss.detach())
        if not math.isfinite(value):
            return value
        loss.backward()
        norm = nn.utils.get_total_norm([p.grad for p in self.parameters if p.grad is not None])
        if not math.isfinite(float(norm)):
            return math.nan
        for group in self.adam.param_groups:
            group["lr"] = self.learning_rate * schedule(self.done, self.steps)
        self.adam.step()
        self.done += 1
        return value


def schedule(step: int, steps: int) -> float:
    """The share of the learning rate: up in a straight line, then down half a cosine."""
    warm_up = max(1, round(WARM_UP * steps))
    if step < warm_up:
        return (step + 1) / warm_up
    return 0.5 * (1 + math.cos(math.pi * (step - warm_up + 1) / max(1, steps - warm_up + 1)))
