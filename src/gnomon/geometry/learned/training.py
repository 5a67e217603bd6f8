"""Trains the proposer with PyTorch on the records of `gnomon geometry generate`.

Every auxiliary point of a record is an example: the problem, with the points added before it, asks
for it. Points are renamed at random each time, so that names mean nothing. A tenth of the records
is held out.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random
from typing import Any

import numpy as np

from gnomon.errors import DataError, UsageError
from gnomon.extras import how_to_install
from gnomon.geometry.language import Problem, ProblemError
from gnomon.geometry.learned.model import FORMAT, Shape, places
from gnomon.geometry.learned.tokens import (
    MOST_POINTS,
    encode,
    form_of,
    form_token,
    point_token,
    vocabulary,
)
from gnomon.whole_file import whole_file

_BATCH, _RATE = 16, 2e-3


@dataclass(frozen=True, slots=True)
class Example:
    """The tokens of a problem and those of the proposal that helps."""

    problem: tuple[int, ...]
    proposal: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What a training came to; losses are nats for one proposal."""

    examples: int
    held_out: int
    steps: int
    train_loss: float
    held_out_loss: float
    seconds: float


def read_examples(lines: Iterable[str]) -> list[Example]:
    """The examples in JSON lines. Raises DataError with the line's number."""
    examples = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
            problem = Problem.parse(record["problem"])
            for text in record["points"]:
                longer = problem.extended(text)
                found = form_of(longer.clauses[-1], problem.points)
                if found and len(longer.points) <= MOST_POINTS:
                    form, used = found
                    proposal = (form_token(form), *(point_token(p) for p in used))
                    examples.append(Example(tuple(encode(problem)), proposal))
                problem = longer
        except (ValueError, KeyError, TypeError, ProblemError) as error:
            raise DataError(
                f"line {number} is no record of 'geometry generate': {error}"
            ) from error
    return examples


def train(
    examples: list[Example],
    output: Path,
    *,
    time_s: float,
    most_steps: int = 1_000_000,
    seed: int = 0,
    shape: Shape | None = None,
    on_progress: Callable[[str], None] = lambda _: None,
) -> Report:
    """Train for so long or so many steps, write the weights to `output`, and say what they are
    worth.
    """
    try:
        import torch
    except ModuleNotFoundError as error:
        raise UsageError(
            "training a proposer needs PyTorch, which is not installed; "
            + how_to_install("compress")
        ) from error
    if len(examples) < 10:
        raise DataError(f"{len(examples)} auxiliary points are too few to learn from; 10 at least")
    shape = shape or Shape()
    start = time.perf_counter()
    rng = Random(seed)
    torch.manual_seed(seed)
    torch.set_num_threads(1)  # products this small only wait for one another on more
    shuffled = examples.copy()
    rng.shuffle(shuffled)
    held_out, kept = shuffled[: len(shuffled) // 10 + 1], shuffled[len(shuffled) // 10 + 1 :]
    weights = _initial(shape, torch)
    optimizer = torch.optim.AdamW(weights.values(), lr=_RATE, weight_decay=0.05)
    average, steps = 0.0, 0
    while (elapsed := time.perf_counter() - start) < time_s and steps < most_steps:
        rate = _RATE * min(1.0, (steps + 1) / 100) * max(0.05, 1 - elapsed / time_s)
        for group in optimizer.param_groups:
            group["lr"] = rate
        batch = [_renamed(rng.choice(kept), rng) for _ in range(_BATCH)]
        loss = _loss(batch, weights, shape, torch)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(weights.values(), 1.0)
        optimizer.step()
        steps += 1
        average += (loss.item() - average) / min(steps, 50)
        if steps % 25 == 0:
            on_progress(f"step {steps}: {average:.3f} nats a proposal")
    with torch.no_grad():
        losses = [
            _loss(held_out[i : i + _BATCH], weights, shape, torch).item()
            for i in range(0, len(held_out), _BATCH)
        ]
    _write(output, weights, shape)
    return Report(
        examples=len(kept),
        held_out=len(held_out),
        steps=steps,
        train_loss=average,
        held_out_loss=float(np.mean(losses)),
        seconds=time.perf_counter() - start,
    )


def _renamed(example: Example, rng: Random) -> Example:
    first = point_token(0)
    names = list(range(MOST_POINTS))
    rng.shuffle(names)

    def rename(tokens: tuple[int, ...]) -> tuple[int, ...]:
        return tuple(point_token(names[t - first]) if t >= first else t for t in tokens)

    return Example(rename(example.problem), rename(example.proposal))


def _initial(shape: Shape, torch: Any) -> dict[str, Any]:
    width = shape.width
    sizes: dict[str, tuple[int, ...]] = {
        "embedding": (len(vocabulary()), width),
        "positions": (places(), width),
        "norm": (width,),
    }
    for n in range(shape.layers):
        sizes |= {
            f"{n}.norm1": (width,),
            f"{n}.qkv": (width, 3 * width),
            f"{n}.out": (width, width),
            f"{n}.norm2": (width,),
            f"{n}.up": (width, 4 * width),
            f"{n}.down": (4 * width, width),
        }
    weights = {}
    for name, size in sizes.items():
        value = torch.ones(size) if "norm" in name else torch.randn(size) * (size[0] ** -0.5)
        if name in ("embedding", "positions"):
            value = torch.randn(size) * 0.05
        weights[name] = value.requires_grad_()
    return weights


def _loss(batch: list[Example], weights: dict[str, Any], shape: Shape, torch: Any) -> Any:
    """The mean over a batch of -log(probability) of a proposal. model.py has the same in numpy."""
    functional = torch.nn.functional
    rows = [[*example.problem, *example.proposal] for example in batch]
    longest = max(map(len, rows)) - 1
    words = torch.zeros((len(rows), longest), dtype=torch.long)
    targets = torch.full((len(rows), longest), -100, dtype=torch.long)
    for i, (row, example) in enumerate(zip(rows, batch, strict=True)):
        words[i, : len(row) - 1] = torch.tensor(row[:-1])
        begin = len(example.problem) - 1
        targets[i, begin : len(row) - 1] = torch.tensor(row[begin + 1 :])
    width, heads = shape.width, shape.heads
    x = weights["embedding"][words] + weights["positions"][:longest]
    for n in range(shape.layers):
        qkv = _norm(x, weights[f"{n}.norm1"]) @ weights[f"{n}.qkv"]
        q, k, v = (
            part.view(len(rows), longest, heads, width // heads).transpose(1, 2)
            for part in qkv.chunk(3, dim=-1)
        )
        mixed = functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + mixed.transpose(1, 2).reshape(len(rows), longest, width) @ weights[f"{n}.out"]
        inner = functional.relu(_norm(x, weights[f"{n}.norm2"]) @ weights[f"{n}.up"])
        x = x + inner @ weights[f"{n}.down"]
    wanted = targets >= 0
    logits = _norm(x[wanted], weights["norm"]) @ weights["embedding"].T
    return functional.cross_entropy(logits, targets[wanted], reduction="sum") / len(rows)


def _norm(x: Any, weight: Any) -> Any:
    return x * (x.square().mean(-1, keepdim=True) + 1e-6).rsqrt() * weight


def _write(output: Path, weights: dict[str, Any], shape: Shape) -> None:
    about = {"format": FORMAT, "shape": asdict(shape), "vocabulary": list(vocabulary())}
    arrays = {name: value.detach().numpy().astype(np.float16) for name, value in weights.items()}
    with whole_file(output) as file:
        np.savez_compressed(file, about=np.array(json.dumps(about)), **arrays)
