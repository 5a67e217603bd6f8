"""What the engine's thread reports of a text that it works on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from gnomon.serve.token_scores import TokenScore

if TYPE_CHECKING:
    from gnomon.detect import Detection

FinishReason = Literal["stop", "length"]
FailureKind = Literal["time_limit", "shutting_down", "request", "model", "internal"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptRead:
    """The prompt is read; what comes now is new."""

    cached_tokens: int  # of the prompt, which did not have to be read again
    scores: tuple[TokenScore, ...] = ()  # of all its tokens, where asked for


@dataclass(frozen=True, slots=True, kw_only=True)
class TextAdded:
    """Text that may be shown, and the tokens whose text is complete with it."""

    text: str
    tokens: int = 1  # that were generated for it
    scores: tuple[TokenScore, ...] = ()  # where asked for


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    reason: FinishReason
    generated_tokens: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Embedded:
    vector: np.ndarray  # float32 [hidden], of unit length


@dataclass(frozen=True, slots=True, kw_only=True)
class Detected:
    found: Detection


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """The end of a text that did not come to its own end; `message` is for the client."""

    kind: FailureKind
    message: str


End = Finished | Embedded | Detected | Failed
Event = PromptRead | TextAdded | End
