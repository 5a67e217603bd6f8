"""What is timed: a `Plan` of lengths and batch sizes, and the `Case`s that it comes to.

>>> plan = Plan(prompts=(128,), contexts=(64, 1024), batches=(1, 8), decode=32)
>>> [str(case) for case in plan.cases()]  # doctest: +NORMALIZE_WHITESPACE
['prompt of 128', 'decode 32 after 64', 'decode 32 after 64, 8 together', 'decode 32 after 1024']
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One thing to time. Its speed counts the tokens of all sequences together."""

    kind: Literal["prompt", "decode"]
    tokens: int  # of a prompt, or decoded in each sequence
    context: int = 0  # tokens read before
    batch: int = 1  # sequences together

    def __str__(self) -> str:
        if self.kind == "prompt":
            return f"prompt of {self.tokens}"
        together = f", {self.batch} together" if self.batch > 1 else ""
        return f"decode {self.tokens} after {self.context}{together}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Every prompt; one sequence after every context, and every batch after the shortest."""

    prompts: tuple[int, ...]  # tokens
    contexts: tuple[int, ...]  # tokens before the ones that are timed
    batches: tuple[int, ...]  # sequences together
    decode: int  # tokens to time

    def cases(self) -> list[Case]:
        """In an order in which contexts only grow, so that none is read twice."""
        prompts = [Case(kind="prompt", tokens=tokens) for tokens in sorted(set(self.prompts))]
        contexts = sorted(set(self.contexts))
        pairs = {(context, 1) for context in contexts}
        pairs |= {(context, batch) for context in contexts[:1] for batch in self.batches}
        return prompts + [
            Case(kind="decode", tokens=self.decode, context=context, batch=batch)
            for context, batch in sorted(pairs)
        ]

    def capacities(self) -> list[int]:
        """Of each session that the cases need: the first one takes the longest text."""
        shortest, longest = min(self.contexts), max(self.contexts)
        others = max(self.batches) - 1
        return [
            max(longest + self.decode + 1, *self.prompts),
            *[shortest + self.decode + 1] * others,
        ]
