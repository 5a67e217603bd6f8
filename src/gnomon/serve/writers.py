"""From events to what goes over the wire: whole answers, or the chunks of a stream.

A writer is fed every event of a job. In a stream it gives the chunks to send for it; at the end it
gives the whole answer.
"""

from __future__ import annotations

import base64
import secrets
import time
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from pydantic import BaseModel

from gnomon.detect.page import told
from gnomon.serve.answers import (
    AssistantMessage,
    ChatAnswer,
    ChatChoice,
    ChatLogprobs,
    CompletionAnswer,
    CompletionChoice,
    CompletionLogprobs,
    DetectionAnswer,
    EmbeddingAnswer,
    EmbeddingEntry,
    EmbeddingUsage,
    FunctionCall,
    PromptDetails,
    TokenLogprob,
    ToolCallAnswer,
    TopLogprob,
    Usage,
)
from gnomon.serve.events import Detected, Embedded, Event, Finished, PromptRead, TextAdded
from gnomon.serve.token_scores import TokenScore
from gnomon.serve.tool_forms import CallFinder, ToolCall
from gnomon.serve.wire import ChatRequest, CompletionRequest, DetectRequest, EmbeddingRequest

if TYPE_CHECKING:
    from gnomon.serve.service import Job, Service

Chunk = dict[str, Any]
_UNLIKELY = -9999.0  # JSON has no infinity; OpenAI writes this number


class Writer(ABC):
    """One answer on its way out."""

    def __init__(self, service: Service, job: Job, *, prefix: str) -> None:
        self._service = service
        self._job = job
        self._id = f"{prefix}-{secrets.token_hex(12)}"
        self._created = int(time.time())

    @abstractmethod
    def feed(self, number: int, event: Event) -> list[Chunk]:
        """What `event` of text `number` means, as chunks of a stream."""

    @abstractmethod
    def answer(self) -> BaseModel:
        """All of it, once every text is done."""

    @abstractmethod
    def usage_chunk(self) -> Chunk:
        """The last chunk, for who asked for it."""

    def _usage(self) -> Usage:
        job = self._job
        return Usage(
            prompt_tokens=job.prompt_tokens,
            completion_tokens=job.generated_tokens,
            total_tokens=job.prompt_tokens + job.generated_tokens,
            prompt_tokens_details=PromptDetails(cached_tokens=job.cached_tokens),
        )

    def _token_text(self, token: int) -> str:
        return self._service.token_bytes(token).decode("utf-8", "replace")


class ChatWriter(Writer):
    def __init__(self, service: Service, job: Job, request: ChatRequest) -> None:
        super().__init__(service, job, prefix="chatcmpl")
        has_tools = bool(request.tools) and request.tool_choice != "none"
        self._choices = [
            _ChatChoice(
                CallFinder(service.tool_form) if has_tools else None,
                has_one_call=request.parallel_tool_calls is False,
            )
            for _ in job.works
        ]
        self._has_scores = bool(request.logprobs)
        self._usage_key = {"usage": None} if request.includes_usage else {}

    def feed(self, number: int, event: Event) -> list[Chunk]:
        choice = self._choices[number]
        if isinstance(event, PromptRead):
            return [self._chunk(number, {"role": "assistant", "content": ""})]
        if isinstance(event, TextAdded):
            scores = [self._token(score) for score in event.scores]
            choice.scores += scores
            pieces = choice.add(event.text)
            chunks = [self._chunk(number, delta) for delta in pieces]
            if scores:
                if not chunks:
                    chunks = [self._chunk(number, {"content": ""})]
                chunks[0]["choices"][0]["logprobs"] = ChatLogprobs(content=scores).model_dump()
            return chunks
        if isinstance(event, Finished):
            chunks = [self._chunk(number, delta) for delta in choice.end()]
            choice.reason = "tool_calls" if choice.calls else event.reason
            return [*chunks, self._chunk(number, {}, reason=choice.reason)]
        return []

    def answer(self) -> ChatAnswer:
        return ChatAnswer(
            id=self._id,
            created=self._created,
            model=self._service.model_id,
            choices=[
                ChatChoice(
                    index=index,
                    message=AssistantMessage(
                        content=choice.text or (None if choice.calls else ""),
                        tool_calls=choice.calls or None,
                    ),
                    logprobs=ChatLogprobs(content=choice.scores) if self._has_scores else None,
                    finish_reason=choice.reason,
                )
                for index, choice in enumerate(self._choices)
            ],
            usage=self._usage(),
        )

    def usage_chunk(self) -> Chunk:
        return {**self._head(), "choices": [], "usage": self._usage().model_dump()}

    def _head(self) -> Chunk:
        return {
            "id": self._id,
            "object": "chat.completion.chunk",
            "created": self._created,
            "model": self._service.model_id,
        }

    def _chunk(self, number: int, delta: Chunk, *, reason: str | None = None) -> Chunk:
        choice = {"index": number, "delta": delta, "logprobs": None, "finish_reason": reason}
        return {**self._head(), "choices": [choice], **self._usage_key}

    def _token(self, score: TokenScore) -> TokenLogprob:
        return TokenLogprob(
            **self._logprob(score.token, score.log_probability or 0.0),
            top_logprobs=[TopLogprob(**self._logprob(*entry)) for entry in score.top],
        )

    def _logprob(self, token: int, logprob: float) -> Any:
        data = self._service.token_bytes(token)
        text = data.decode("utf-8", "replace")
        return {"token": text, "logprob": max(logprob, _UNLIKELY), "bytes": list(data)}


class _ChatChoice:
    """One choice so far."""

    def __init__(self, finder: CallFinder | None, *, has_one_call: bool) -> None:
        self._finder = finder
        self._has_one_call = has_one_call  # at most; further ones are left out
        self.text = ""
        self.calls: list[ToolCallAnswer] = []
        self.scores: list[TokenLogprob] = []
        self.reason: Literal["stop", "length", "tool_calls"] = "stop"

    def add(self, text: str) -> list[Chunk]:
        if not text:
            return []
        found: list[str | ToolCall] = [text] if self._finder is None else self._finder.feed(text)
        return [self._add_piece(piece) for piece in found if not self._is_left_out(piece)]

    def end(self) -> list[Chunk]:
        rest = "" if self._finder is None else self._finder.flush()
        if self.calls and not rest.strip():
            return []
        return [self._add_piece(rest)] if rest else []

    def _is_left_out(self, piece: str | ToolCall) -> bool:
        return self._has_one_call and bool(self.calls) and isinstance(piece, ToolCall)

    def _add_piece(self, piece: str | ToolCall) -> Chunk:
        if isinstance(piece, str):
            self.text += piece
            return {"content": piece}
        call = ToolCallAnswer(
            id=f"call_{secrets.token_hex(12)}",
            function=FunctionCall(name=piece.name, arguments=piece.arguments),
        )
        self.calls.append(call)
        return {"tool_calls": [{"index": len(self.calls) - 1, **call.model_dump()}]}


class CompletionWriter(Writer):
    def __init__(self, service: Service, job: Job, request: CompletionRequest) -> None:
        super().__init__(service, job, prefix="cmpl")
        self._echoes = bool(request.echo)
        self._top = request.logprobs
        self._usage_key = {"usage": None} if request.includes_usage else {}
        self._texts = ["" for _ in job.works]
        self._scores: list[CompletionLogprobs] = [_no_scores() for _ in job.works]
        self._reasons: list[Literal["stop", "length"]] = ["stop" for _ in job.works]

    def feed(self, number: int, event: Event) -> list[Chunk]:
        if isinstance(event, PromptRead) and self._echoes:
            prompt = self._job.works[number].prompt.tolist()
            text = self._service.tokenizer.decode(prompt, skip_special=False)
            return [self._add(number, text, event.scores)]
        if isinstance(event, TextAdded):
            return [self._add(number, event.text, event.scores)]
        if isinstance(event, Finished):
            self._reasons[number] = event.reason
            return [self._chunk(number, "", None, reason=event.reason)]
        return []

    def answer(self) -> CompletionAnswer:
        return CompletionAnswer(
            id=self._id,
            created=self._created,
            model=self._service.model_id,
            choices=[
                CompletionChoice(
                    index=index,
                    text=text,
                    logprobs=None if self._top is None else self._scores[index],
                    finish_reason=self._reasons[index],
                )
                for index, text in enumerate(self._texts)
            ],
            usage=self._usage(),
        )

    def usage_chunk(self) -> Chunk:
        return {**self._head(), "choices": [], "usage": self._usage().model_dump()}

    def _add(self, number: int, text: str, scores: tuple[TokenScore, ...]) -> Chunk:
        new = None
        if self._top is not None:
            new = self._scored(scores, offset=len(self._texts[number]))
            kept = self._scores[number]
            kept.tokens += new.tokens
            kept.token_logprobs += new.token_logprobs
            kept.top_logprobs += new.top_logprobs
            kept.text_offset += new.text_offset
        self._texts[number] += text
        return self._chunk(number, text, new)

    def _scored(self, scores: tuple[TokenScore, ...], *, offset: int) -> CompletionLogprobs:
        result = _no_scores()
        for score in scores:
            text = self._token_text(score.token)
            logprob = score.log_probability
            result.tokens.append(text)
            result.text_offset.append(offset)
            offset += len(text)
            if logprob is None:
                result.token_logprobs.append(None)
                result.top_logprobs.append(None)
                continue
            result.token_logprobs.append(max(logprob, _UNLIKELY))
            top = {self._token_text(token): max(value, _UNLIKELY) for token, value in score.top}
            result.top_logprobs.append(top)
        return result

    def _head(self) -> Chunk:
        return {
            "id": self._id,
            "object": "text_completion",
            "created": self._created,
            "model": self._service.model_id,
        }

    def _chunk(
        self,
        number: int,
        text: str,
        logprobs: CompletionLogprobs | None,
        *,
        reason: str | None = None,
    ) -> Chunk:
        choice = {
            "index": number,
            "text": text,
            "logprobs": None if logprobs is None else logprobs.model_dump(),
            "finish_reason": reason,
        }
        return {**self._head(), "choices": [choice], **self._usage_key}


class EmbeddingWriter(Writer):
    def __init__(self, service: Service, job: Job, request: EmbeddingRequest) -> None:
        super().__init__(service, job, prefix="embd")
        self._is_base64 = request.encoding_format == "base64"
        self._dimensions = request.dimensions
        self._vectors: dict[int, np.ndarray] = {}

    def feed(self, number: int, event: Event) -> list[Chunk]:
        if isinstance(event, Embedded):
            self._vectors[number] = _shortened(event.vector, self._dimensions)
        return []

    def answer(self) -> EmbeddingAnswer:
        return EmbeddingAnswer(
            model=self._service.model_id,
            data=[
                EmbeddingEntry(index=number, embedding=self._written(vector))
                for number, vector in sorted(self._vectors.items())
            ],
            usage=EmbeddingUsage(
                prompt_tokens=self._job.prompt_tokens, total_tokens=self._job.prompt_tokens
            ),
        )

    def usage_chunk(self) -> Chunk:
        raise AssertionError("embeddings are not streamed")

    def _written(self, vector: np.ndarray) -> list[float] | str:
        if self._is_base64:
            return base64.b64encode(vector.astype("<f4").tobytes()).decode("ascii")
        return vector.tolist()


class DetectionWriter(Writer):
    def __init__(self, service: Service, job: Job, request: DetectRequest) -> None:
        super().__init__(service, job, prefix="detect")
        self._text = request.text
        self._told: dict[str, Any] = {}

    def feed(self, number: int, event: Event) -> list[Chunk]:
        if isinstance(event, Detected):
            self._told = told(event.found, self._text, reader=self._service.model_id)
        return []

    def answer(self) -> DetectionAnswer:
        return DetectionAnswer(**self._told)

    def usage_chunk(self) -> Chunk:
        raise AssertionError("detections are not streamed")


def _shortened(vector: np.ndarray, dimensions: int | None) -> np.ndarray:
    """The first `dimensions` of a vector of unit length, of unit length again."""
    if dimensions is None or dimensions == vector.size:
        return vector
    kept = vector[:dimensions]
    return kept / (float(np.linalg.norm(kept)) or 1.0)


def _no_scores() -> CompletionLogprobs:
    return CompletionLogprobs(tokens=[], token_logprobs=[], top_logprobs=[], text_offset=[])
