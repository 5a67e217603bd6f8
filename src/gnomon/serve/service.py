"""`Service`: a model, its scheduler, and the way from a request to texts that are worked on.

What takes long in preparing a request (templates, tokens, grammars) is done by `Preparation`, so
that the event loop goes on.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from gnomon.engine import SamplingOptions
from gnomon.errors import ContextError, UsageError
from gnomon.serve.detection import TextDetector
from gnomon.serve.events import (
    Detected,
    Embedded,
    End,
    Event,
    Failed,
    Finished,
    PromptRead,
    TextAdded,
)
from gnomon.serve.generation import GenerationOptions, GenerationWork
from gnomon.serve.grammar import GrammarMaker, Matcher
from gnomon.serve.mailbox import Mailbox
from gnomon.serve.metrics import Metrics
from gnomon.serve.preparation import Preparation
from gnomon.serve.prompts import chat_prompt
from gnomon.serve.scheduler import Scheduler
from gnomon.serve.schema_limits import require_small
from gnomon.serve.settings import ServeSettings
from gnomon.serve.tool_forms import ToolForm, allow_calls, form_of, require_call
from gnomon.serve.wire import (
    ChatRequest,
    CompletionRequest,
    DetectRequest,
    EmbeddingRequest,
    JsonObject,
    NamedTool,
    Sampling,
    Tool,
)
from gnomon.serve.work import EmbeddingWork, Work
from gnomon.token_ids import as_token_ids

if TYPE_CHECKING:
    from gnomon.engine import Engine
    from gnomon.models import Model, Tokenizer

DEFAULT_COMPLETION_TOKENS = 16  # OpenAI's


class ModelNotFoundError(UsageError):
    """A request for a model that is not the one here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asker:
    """Who asks, and until when it may take."""

    client: str
    deadline_s: float  # time.monotonic


class Job:
    """The texts of one request, numbered in their order, and what becomes of them."""

    def __init__(self, works: Sequence[Work], scheduler: Scheduler, metrics: Metrics) -> None:
        self.works = list(works)
        self._scheduler = scheduler
        self._metrics = metrics
        self._mailbox: Mailbox[tuple[int, Event]] = Mailbox()
        self._numbers = {work: number for number, work in enumerate(self.works)}
        self._open = set(self.works)  # whose end nobody has taken out of the mailbox yet
        self._unended = set(self.works)  # whose end has not come
        self._start_s = time.perf_counter()
        self._has_text = False
        self.prompt_tokens = 0
        self.cached_tokens = 0
        self.generated_tokens = 0

    def put(self, work: Work, event: Event) -> None:
        """An event has come; in the event loop's thread."""
        if isinstance(event, End):
            self._unended.discard(work)
        self._count(work, event)
        self._mailbox.put((self._numbers[work], event))

    async def events(self) -> AsyncIterator[list[tuple[int, Event]]]:
        """All that happens, as it comes, until every text is done. Whoever leaves early should
        `cancel`.
        """
        while self._open:
            events = await self._mailbox.take()
            for number, event in events:
                if isinstance(event, End):
                    self._open.discard(self.works[number])
            yield events

    def cancel(self) -> None:
        """Stop working on what is not done."""
        for _ in self._unended:
            self._metrics.end("cancelled", seconds=time.perf_counter() - self._start_s)
        self._scheduler.cancel(list(self._unended))
        self._unended.clear()
        self._open.clear()

    def _count(self, work: Work, event: Event) -> None:
        seconds = time.perf_counter() - self._start_s
        if isinstance(event, PromptRead):
            if work.after is None:
                self.prompt_tokens += work.prompt.size
                self.cached_tokens += event.cached_tokens
            self._metrics.prompt(tokens=work.prompt.size, cached=event.cached_tokens)
        elif isinstance(event, TextAdded):
            if not self._has_text:
                self._has_text = True
                self._metrics.first_text(seconds)
        elif isinstance(event, Finished):
            self.generated_tokens += event.generated_tokens
            self._metrics.generated(event.generated_tokens)
            self._metrics.end(event.reason, seconds=seconds)
        elif isinstance(event, (Embedded, Detected)):
            self.prompt_tokens += work.prompt.size
            self._metrics.prompt(tokens=work.prompt.size, cached=0)
            how = "embedded" if isinstance(event, Embedded) else "detected"
            self._metrics.end(how, seconds=seconds)
        elif isinstance(event, Failed):
            self._metrics.end(event.kind, seconds=seconds)


class Service:
    """One model for many clients."""

    def __init__(
        self, model: Model, tokenizer: Tokenizer, engine: Engine, settings: ServeSettings
    ) -> None:
        """Raises GnomonError if the sessions do not fit into memory, ContextError if the model's
        context is shorter than what is asked for.
        """
        self.model = model
        self.tokenizer = tokenizer
        self.settings = settings
        self.metrics = Metrics()
        self.metrics.set_slots(settings.slots)
        self.scheduler = Scheduler(
            engine,
            slots=settings.slots,
            context=settings.context,
            max_waiting=settings.max_waiting,
            metrics=self.metrics,
        )
        self.preparation = Preparation(self.scheduler)
        self.created = int(time.time())
        self._vocab_size = engine.config.vocab_size
        self._grammars = GrammarMaker(tokenizer, vocab_size=self._vocab_size)
        self._detector = TextDetector(model, tokenizer, context=settings.context)
        self._tool_form = form_of(tokenizer.chat_template)
        self._jobs: dict[Work, Job] = {}

    @property
    def model_id(self) -> str:
        """The model's name, with nothing of where it lies."""
        return self.model.name

    @property
    def names(self) -> tuple[str, ...]:
        """All that the model answers to, its own name first."""
        return tuple(dict.fromkeys((self.model_id, *self.settings.aliases)))

    @property
    def tool_form(self) -> ToolForm:
        return self._tool_form

    def token_bytes(self, token: int) -> bytes:
        return self._grammars.token_bytes(token)

    def start(self) -> None:
        """Begin to work; in the event loop's thread."""
        self.scheduler.start(asyncio.get_running_loop(), self._deliver)

    def require_model(self, name: str | None) -> None:
        """Raise ModelNotFoundError if `name` is another model's."""
        if name is not None and name not in self.names:
            known = " or ".join(map(repr, self.names))
            raise ModelNotFoundError(f"there is no model {name!r} here; there is {known}")

    async def chat(self, request: ChatRequest, asker: Asker) -> Job:
        """Raises GnomonError for what cannot be answered; QueueFullError, DrainingError and
        TimeLimitError for what cannot be answered now. So do the next three.
        """
        return await self._begin(lambda: self._prepare_chat(request, asker), asker)

    async def complete(self, request: CompletionRequest, asker: Asker) -> Job:
        return await self._begin(lambda: self._prepare_completion(request, asker), asker)

    async def embed(self, request: EmbeddingRequest, asker: Asker) -> Job:
        return await self._begin(lambda: self._prepare_embedding(request, asker), asker)

    async def detect(self, request: DetectRequest, asker: Asker) -> Job:
        return await self._begin(lambda: self._prepare_detection(request, asker), asker)

    async def _begin(self, prepare: Callable[[], list[Work]], asker: Asker) -> Job:
        works = await self.preparation.run(prepare, deadline_s=asker.deadline_s)
        job = Job(works, self.scheduler, self.metrics)
        self.scheduler.submit(works)
        self._jobs.update(dict.fromkeys(works, job))
        return job

    def _deliver(self, work: Work, event: Event) -> None:
        job = self._jobs.get(work)
        if job is not None:
            job.put(work, event)

    def forget(self, job: Job) -> None:
        """`job` is over, one way or the other."""
        job.cancel()
        for work in job.works:
            self._jobs.pop(work, None)

    # ------------------------------------------------------------------------- in a thread

    def _prepare_chat(self, request: ChatRequest, asker: Asker) -> list[Work]:
        self.require_model(request.model)
        tools = [] if request.tool_choice == "none" else list(request.tools or [])
        require_small(_schemas(request, tools))
        prompt = chat_prompt(self.tokenizer, request.messages, tools=tools, form=self._tool_form)
        if request.top_logprobs and not request.logprobs:
            raise UsageError("top_logprobs needs logprobs: true")
        options = self._options(
            request,
            prompt,
            max_tokens=request.max_completion_tokens or request.max_tokens,
            top_scores=(request.top_logprobs or 0) if request.logprobs else None,
        )
        return self._generations(
            prompt, options, asker, count=request.n or 1, matcher=self._matcher(request, tools)
        )

    def _prepare_completion(self, request: CompletionRequest, asker: Asker) -> list[Work]:
        self.require_model(request.model)
        works: list[Work] = []
        for prompt in self._prompts(request.prompt):
            options = self._options(
                request,
                prompt,
                max_tokens=DEFAULT_COMPLETION_TOKENS
                if request.max_tokens is None
                else request.max_tokens,
                top_scores=request.logprobs,
            )
            scores_prompt = bool(request.echo) and request.logprobs is not None
            options = replace(options, scores_prompt=scores_prompt)
            works += self._generations(prompt, options, asker, count=request.n or 1)
        self._require_few(works)
        return works

    def _prepare_embedding(self, request: EmbeddingRequest, asker: Asker) -> list[Work]:
        self.require_model(request.model)
        width = self.model.config.hidden_size
        if request.dimensions is not None and request.dimensions > width:
            raise UsageError(
                f"dimensions is {request.dimensions}; this model's embeddings have {width}"
            )
        works: list[Work] = []
        for prompt in self._prompts(request.input):
            self._require_fit(prompt, limit=self.settings.context)
            works.append(
                EmbeddingWork(
                    as_token_ids(prompt), client=asker.client, deadline_s=asker.deadline_s
                )
            )
        self._require_few(works)
        return works

    def _prepare_detection(self, request: DetectRequest, asker: Asker) -> list[Work]:
        self.require_model(request.model)
        return [
            self._detector.work(
                request.text,
                threshold=request.threshold,
                client=asker.client,
                deadline_s=asker.deadline_s,
            )
        ]

    def _prompts(self, given: str | list[Any]) -> list[list[int]]:
        """Token ids of each prompt."""
        if isinstance(given, str) or isinstance(given[0], int):
            given = [given]
        return [self.tokenizer.encode(each) if isinstance(each, str) else each for each in given]

    def _generations(
        self,
        prompt: list[int],
        options: GenerationOptions,
        asker: Asker,
        *,
        count: int,
        matcher: Matcher | None = None,
    ) -> list[Work]:
        works: list[Work] = []
        for number in range(count):
            sampling = replace(options.sampling, seed=(options.sampling.seed or 0) + number)
            works.append(
                GenerationWork(
                    as_token_ids(prompt),
                    replace(options, sampling=sampling),
                    tokenizer=self.tokenizer,
                    client=asker.client,
                    deadline_s=asker.deadline_s,
                    matcher=None if matcher is None else matcher.copy(),
                    after=works[0] if works else None,
                )
            )
        self._require_few(works)
        return works

    def _options(
        self,
        request: Sampling,
        prompt: list[int],
        *,
        max_tokens: int | None,
        top_scores: int | None,
    ) -> GenerationOptions:
        self._require_fit(prompt, limit=self.settings.context)
        # The last token is chosen and not read.
        limits = [self.settings.context + 1 - len(prompt)]
        limits += [limit for limit in (max_tokens, self.settings.max_tokens) if limit is not None]
        bias = {int(token): amount for token, amount in (request.logit_bias or {}).items()}
        if any(token >= self._vocab_size for token in bias):
            raise UsageError(f"logit_bias: tokens go from 0 to {self._vocab_size - 1}")
        return GenerationOptions(
            max_tokens=min(limits),
            sampling=_sampling(request),
            stop=request.stop_strings,
            top_scores=top_scores,
            frequency_penalty=request.frequency_penalty or 0.0,
            presence_penalty=request.presence_penalty or 0.0,
            logit_bias=bias,
        )

    def _matcher(self, request: ChatRequest, tools: Sequence[Any]) -> Matcher | None:
        functions = [tool.function.model_dump(exclude_none=True) for tool in tools]
        choice = request.tool_choice
        wanted = request.response_format
        if isinstance(choice, NamedTool):
            functions = [each for each in functions if each["name"] == choice.function.name]
            if not functions:
                raise UsageError(f"tool_choice names no tool: {choice.function.name!r}")
        if choice == "required" or isinstance(choice, NamedTool):
            if not functions:
                raise UsageError("tool_choice asks for a call, but there are no tools")
            return require_call(functions, self._tool_form, self._grammars)
        if wanted is not None and wanted.type != "text":
            if functions:
                raise UsageError("response_format and tools do not go together here")
            schema: Any = {"type": "object"}
            if wanted.type == "json_schema":
                if wanted.json_schema is None or wanted.json_schema.schema_ is None:
                    raise UsageError("response_format: json_schema.schema is missing")
                schema = wanted.json_schema.schema_
            return self._grammars.json(schema)
        return allow_calls(functions, self._tool_form, self._grammars) if functions else None

    def _require_fit(self, prompt: list[int], *, limit: int) -> None:
        if not prompt:
            raise UsageError("the prompt is empty; expected at least one token")
        if max(prompt) >= self._vocab_size:
            raise UsageError(
                f"the prompt has token {max(prompt)}; the model's go up to {self._vocab_size - 1}"
            )
        if len(prompt) > limit:
            raise ContextError(f"the prompt has {len(prompt)} tokens; the context holds {limit}")

    def _require_few(self, works: Sequence[Work]) -> None:
        most = self.settings.max_waiting
        if len(works) > most:
            raise UsageError(f"the request asks for {len(works)} texts; at most {most} are taken")


def _schemas(request: ChatRequest, tools: Sequence[Tool]) -> list[JsonObject]:
    """All JSON schemas of a request."""
    form = request.response_format
    answer = None if form is None or form.json_schema is None else form.json_schema.schema_
    given = [answer, *(tool.function.parameters for tool in tools)]
    return [schema for schema in given if schema is not None]


def _sampling(request: Sampling) -> SamplingOptions:
    """Nothing said means what it means to OpenAI: the model's probabilities as they are."""
    seed = secrets.randbits(48) if request.seed is None else request.seed % 2**64
    temperature = 1.0 if request.temperature is None else request.temperature
    return SamplingOptions(
        # The smallest set with any probability holds the likeliest token alone.
        temperature=0.0 if request.top_p == 0 else temperature,
        top_k=request.top_k or None,
        top_p=None if request.top_p in (None, 0, 1) else request.top_p,
        min_p=request.min_p or None,
        repetition_penalty=request.repetition_penalty or 1.0,
        seed=seed,
    )
