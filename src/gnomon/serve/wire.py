"""Requests as they come over the wire: what is allowed in them, and how much of it.

They follow the OpenAI API. What is not in a class is refused by name; what is in it under "without
effect here" is taken, so that clients that always send it work, and changes nothing. `NotDone` is
what OpenAI has and we do not: clients that send null for it work, and nothing else is taken.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic_core import PydanticCustomError

MOST_CHOICES = 16
MOST_SCORES = 20
MOST_INPUTS = 256
MOST_TOKENS = 2**20

Text = Annotated[str, Field(max_length=2**20)]
Name = Annotated[str, Field(min_length=1, max_length=256)]
FunctionName = Annotated[str, Field(pattern=r"^[a-zA-Z0-9_.-]{1,64}$")]
StopString = Annotated[str, Field(min_length=1, max_length=128)]
TokenId = Annotated[int, Field(ge=0, lt=2**31)]
TokenIds = Annotated[list[TokenId], Field(min_length=1, max_length=MOST_TOKENS)]
JsonObject = dict[str, Any]


def _refuse(value: object) -> None:
    if value is not None:
        raise PydanticCustomError("not_done", "this server does not do that; leave it out")


NotDone = Annotated[None, BeforeValidator(_refuse)]


class Wire(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)


class StreamOptions(Wire):
    include_usage: bool = False
    include_obfuscation: bool | None = None  # without effect here


class Sampling(Wire):
    """What all requests for text have in common."""

    model: Name | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    top_p: Annotated[float, Field(ge=0, le=1)] | None = None  # 0: the likeliest alone
    top_k: Annotated[int, Field(ge=0, lt=2**31)] | None = None  # 0: all; not OpenAI's
    min_p: Annotated[float, Field(ge=0, le=1)] | None = None  # not OpenAI's
    repetition_penalty: Annotated[float, Field(gt=0, le=10)] | None = None  # not OpenAI's
    frequency_penalty: Annotated[float, Field(ge=-2, le=2)] | None = None
    presence_penalty: Annotated[float, Field(ge=-2, le=2)] | None = None
    logit_bias: (
        Annotated[
            dict[
                Annotated[str, Field(pattern=r"^[0-9]{1,9}$")],
                Annotated[float, Field(ge=-100, le=100)],
            ],
            Field(max_length=1024),
        ]
        | None
    ) = None
    seed: Annotated[int, Field(ge=-(2**63), lt=2**63)] | None = None
    n: Annotated[int, Field(ge=1, le=MOST_CHOICES)] | None = None
    stop: StopString | Annotated[list[StopString], Field(max_length=16)] | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    # Without effect here.
    user: Text | None = None
    service_tier: Text | None = None

    @property
    def stop_strings(self) -> tuple[str, ...]:
        if self.stop is None:
            return ()
        return (self.stop,) if isinstance(self.stop, str) else tuple(self.stop)

    @property
    def includes_usage(self) -> bool:
        return self.stream_options is not None and self.stream_options.include_usage


class TextPart(Wire):
    type: Literal["text"]
    text: Text


Content = Text | Annotated[list[TextPart], Field(max_length=256)]


class CalledFunction(Wire):
    name: FunctionName
    arguments: Text
    parsed_arguments: Any = None  # of clients that sent streams back whole; without effect here


class CallMessage(Wire):
    index: int | None = None  # likewise
    id: Name
    type: Literal["function"] = "function"
    function: CalledFunction


class Message(Wire):
    role: Literal["system", "developer", "user", "assistant", "tool"]
    content: Content | None = None
    name: Name | None = None
    tool_calls: Annotated[list[CallMessage], Field(max_length=128)] | None = None
    tool_call_id: Name | None = None
    # What assistants' messages come with, and clients send back; without effect here.
    refusal: Text | None = None
    annotations: list[JsonObject] | None = None
    parsed: Any = None
    reasoning_content: Text | None = None
    # Older or richer conversations than we can read.
    audio: NotDone = None
    function_call: NotDone = None

    @property
    def text(self) -> str:
        if self.content is None:
            return ""
        if isinstance(self.content, str):
            return self.content
        return "".join(part.text for part in self.content)


class Function(Wire):
    name: FunctionName
    description: Text | None = None
    parameters: JsonObject | None = None  # a JSON schema
    strict: bool | None = None


class Tool(Wire):
    type: Literal["function"]
    function: Function


class NamedFunction(Wire):
    name: FunctionName


class NamedTool(Wire):
    type: Literal["function"]
    function: NamedFunction


class JsonSchema(Wire):
    name: FunctionName
    description: Text | None = None
    schema_: JsonObject | None = Field(default=None, alias="schema")
    strict: bool | None = None


class ResponseFormat(Wire):
    type: Literal["text", "json_object", "json_schema"]
    json_schema: JsonSchema | None = None


class ChatRequest(Sampling):
    messages: Annotated[list[Message], Field(min_length=1, max_length=1024)]
    max_tokens: Annotated[int, Field(ge=1, lt=2**31)] | None = None
    max_completion_tokens: Annotated[int, Field(ge=1, lt=2**31)] | None = None
    logprobs: bool | None = None
    top_logprobs: Annotated[int, Field(ge=0, le=MOST_SCORES)] | None = None
    response_format: ResponseFormat | None = None
    tools: Annotated[list[Tool], Field(max_length=64)] | None = None
    tool_choice: Literal["none", "auto", "required"] | NamedTool | None = None
    parallel_tool_calls: bool | None = None
    modalities: Annotated[list[Literal["text"]], Field(min_length=1, max_length=8)] | None = None
    # Without effect here.
    store: bool | None = None
    metadata: JsonObject | None = None
    reasoning_effort: Text | None = None
    verbosity: Text | None = None
    safety_identifier: Text | None = None
    prompt_cache_key: Text | None = None
    prompt_cache_retention: Text | None = None
    prompt_cache_options: JsonObject | None = None
    prediction: JsonObject | None = None  # only ever about speed
    audio: NotDone = None
    functions: NotDone = None  # what tools were before
    function_call: NotDone = None
    moderation: NotDone = None
    web_search_options: NotDone = None


class CompletionRequest(Sampling):
    prompt: (
        Text
        | TokenIds
        | Annotated[list[Text], Field(min_length=1, max_length=MOST_INPUTS)]
        | Annotated[list[TokenIds], Field(min_length=1, max_length=MOST_INPUTS)]
    )
    max_tokens: Annotated[int, Field(ge=0, lt=2**31)] | None = None
    logprobs: Annotated[int, Field(ge=0, le=MOST_SCORES)] | None = None
    echo: bool | None = None
    # Only what changes nothing is taken of these.
    suffix: Literal[""] | None = None
    best_of: Literal[1] | None = None


class EmbeddingRequest(Wire):
    model: Name | None = None
    input: (
        Text
        | TokenIds
        | Annotated[list[Text], Field(min_length=1, max_length=MOST_INPUTS)]
        | Annotated[list[TokenIds], Field(min_length=1, max_length=MOST_INPUTS)]
    )
    encoding_format: Literal["float", "base64"] | None = None
    dimensions: Annotated[int, Field(ge=1, lt=2**31)] | None = None  # up to the model's width
    # Without effect here.
    user: Text | None = None


class DetectRequest(Wire):
    """Not OpenAI's."""

    model: Name | None = None
    text: Annotated[str, Field(min_length=1, max_length=200_000)]
    threshold: Annotated[float, Field(ge=0, le=1)] | None = None  # of the head, if not given
