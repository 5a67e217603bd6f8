"""What every training here has in common: its steps, its batches, what is kept aside.

Adam (arXiv 1412.6980) with a warm-up and a cosine's fall, for a given number of steps.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import numpy as np
import torch
from torch import Tensor, nn

WARM_UP = 0.3  # of the steps: the first gradients are noise, and Adam would follow it in full
BETAS = (0.9, 0.99)  # over how many gradients mean and square are taken


class Descent:
    """Moves a module's parameters; its whole state is arrays, so that it can be stored."""

    def __init__(self, module: nn.Module, *, steps: int, learning_rate: float):
        self.parameters = [each for each in module.parameters() if each.requires_grad]
        self.steps, self.learning_rate, self.done = steps, learning_rate, 0
        self.adam = torch.optim.Adam(self.parameters, lr=learning_rate, betas=BETAS)

    def step(self, losses: Iterable[Callable[[], Tensor]]) -> float:
        """One step down the sum of what `losses` compute, one after another; that sum before it.

        Only one of them is in memory at a time. Nothing moves where the sum or its gradient is not
        finite.
        """
        self.adam.zero_grad(set_to_none=True)
        value = 0.0
        for loss_of in losses:
            loss = loss_of()
            value += float(loss.detach())
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

    def copy(self) -> list[Tensor]:
        """The parameters as they are now."""
        return [parameter.detach().clone() for parameter in self.parameters]

    def restore(self, parameters: Sequence[Tensor]) -> None:
        """Back to what `copy` gave."""
        with torch.no_grad():
            for parameter, before in zip(self.parameters, parameters, strict=True):
                parameter.copy_(before)

    def state(self) -> dict[str, np.ndarray]:
        """Everything that `load` needs to go on as if nothing had happened."""
        state = {"done": np.array(self.done)}
        for index, parameter in enumerate(self.parameters):
            state[f"parameter.{index}"] = parameter.detach().numpy().copy()
            for key, value in self.adam.state.get(parameter, {}).items():
                state[f"{key}.{index}"] = value.numpy().copy()
        return state

    def load(self, state: Mapping[str, np.ndarray]) -> None:
        """Raises KeyError or RuntimeError if the state is another module's."""
        self.done = int(state["done"])
        with torch.no_grad():
            for index, parameter in enumerate(self.parameters):
                parameter.copy_(torch.from_numpy(state[f"parameter.{index}"]))
                if self.done:
                    self.adam.state[parameter] = {
                        key: torch.from_numpy(state[f"{key}.{index}"].copy())
                        for key in ("step", "exp_avg", "exp_avg_sq")
                    }


def schedule(step: int, steps: int) -> float:
    """The share of the learning rate: up in a straight line, then down half a cosine."""
    warm_up = max(1, round(WARM_UP * steps))
    if step < warm_up:
        return (step + 1) / warm_up
    return 0.5 * (1 + math.cos(math.pi * (step - warm_up + 1) / max(1, steps - warm_up + 1)))


def split(count: int, share: float, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Which sequences are kept aside, at least one, and which, if any, are trained on."""
    order = rng.permutation(count)
    kept = max(1, round(share * count))
    return np.sort(order[:kept]), np.sort(order[kept:])


def batches(sequences: np.ndarray, size: int, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """Batches of `size` without end, every sequence once before any comes again."""
    while len(sequences):
        order = rng.permutation(sequences)
        yield from (order[start : start + size] for start in range(0, len(order), size))
