"""Answers as they go over the wire, in the OpenAI API's form."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel


class PromptDetails(BaseModel):
    cached_tokens: int


class Usage(BaseModel):
    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    prompt_tokens_details: PromptDetails


class TopLogprob(BaseModel):
    token: str
    logprob: float
    bytes: list[int]


class TokenLogprob(TopLogprob):
    top_logprobs: list[TopLogprob]


class ChatLogprobs(BaseModel):
    content: list[TokenLogprob]
    refusal: None = None


class FunctionCall(BaseModel):
    name: str
    arguments: str


class ToolCallAnswer(BaseModel):
    id: str
    type: Literal["function"] = "function"
    function: FunctionCall


class AssistantMessage(BaseModel):
    role: Literal["assistant"] = "assistant"
    content: str | None
    refusal: None = None
    tool_calls: list[ToolCallAnswer] | None = None


class ChatChoice(BaseModel):
    index: int
    message: AssistantMessage
    logprobs: ChatLogprobs | None = None
    finish_reason: Literal["stop", "length", "tool_calls"]


class ChatAnswer(BaseModel):
    id: str
    object: Literal["chat.completion"] = "chat.completion"
    created: int
    model: str
    choices: list[ChatChoice]
    usage: Usage


class CompletionLogprobs(BaseModel):
    tokens: list[str]
    token_logprobs: list[float | None]
    top_logprobs: list[dict[str, float] | None]
    text_offset: list[int]


class CompletionChoice(BaseModel):
    index: int
    text: str
    logprobs: CompletionLogprobs | None = None
    finish_reason: Literal["stop", "length"]


class CompletionAnswer(BaseModel):
    id: str
    object: Literal["text_completion"] = "text_completion"
    created: int
    model: str
    choices: list[CompletionChoice]
    usage: Usage


class EmbeddingUsage(BaseModel):
    prompt_tokens: int
    total_tokens: int


class EmbeddingEntry(BaseModel):
    object: Literal["embedding"] = "embedding"
    index: int
    embedding: list[float] | str  # base64 of little-endian float32


class EmbeddingAnswer(BaseModel):
    object: Literal["list"] = "list"
    model: str
    data: list[EmbeddingEntry]
    usage: EmbeddingUsage


class DetectedSentence(BaseModel):
    begin: int  # characters of the text
    end: int
    text: str
    probability: float  # that it is a machine's
    surprisal: float  # nats a token
    expected: float  # what a text of the model's own would have


class Said(BaseModel):
    answer: str
    interval: str
    probability: str
    word: str | None  # null: a server is not asked for it
    caution: str


class DetectionAnswer(BaseModel):
    """A boundary counts the sentences before it, from 0: 0 is all machine, the number of sentences
    that none was found.
    """

    model: str  # that read
    said: Said
    verdict: Literal["human", "mixed", "machine"]
    boundary: int
    character: int | None  # of the text, where the machine begins
    word: int | None  # the number of words before it
    word_probability: float | None  # null: a server is not asked for a word
    interval: list[int]  # of boundaries, both ends included
    coverage: float  # of such intervals
    probability: float  # that there is any machine text
    threshold: float  # that it had to reach
    posterior: list[float]  # of each boundary
    machine: float | None  # that it wrote the whole; null where that is not said
    kinds: dict[str, float]  # who wrote the whole; empty where that is not said
    notes: list[str]  # in what the text is outside what was measured
    sentences: list[DetectedSentence]


class ModelEntry(BaseModel):
    id: str
    object: Literal["model"] = "model"
    created: int
    owned_by: str
    context_length: int


class ModelList(BaseModel):
    object: Literal["list"] = "list"
    data: list[ModelEntry]


class Health(BaseModel):
    status: Literal["ok", "draining"]
    model: str
    running: int
    waiting: int


class ErrorBody(BaseModel):
    message: str
    type: str
    param: str | None = None
    code: str | None = None


class ErrorAnswer(BaseModel):
    error: ErrorBody
