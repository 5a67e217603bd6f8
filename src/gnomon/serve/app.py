"""The routes: what is asked for under which address."""

from __future__ import annotations

import time
from importlib.resources import files
from typing import Any, get_type_hints

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.exceptions import HTTPException

import gnomon
from gnomon.errors import ContextError, GnomonError
from gnomon.serve.answers import (
    ChatAnswer,
    CompletionAnswer,
    DetectionAnswer,
    EmbeddingAnswer,
    ErrorAnswer,
    Health,
    ModelEntry,
    ModelList,
)
from gnomon.serve.documentation import documentation_page
from gnomon.serve.errors import error_response
from gnomon.serve.guard import Guard
from gnomon.serve.preparation import TimeLimitError
from gnomon.serve.responses import JobResponse
from gnomon.serve.scheduler import DrainingError, QueueFullError
from gnomon.serve.service import Asker, ModelNotFoundError, Service
from gnomon.serve.validation import first_trouble
from gnomon.serve.wire import ChatRequest, CompletionRequest, DetectRequest, EmbeddingRequest
from gnomon.serve.writers import ChatWriter, CompletionWriter, DetectionWriter, EmbeddingWriter

_ERRORS: dict[int | str, dict[str, Any]] = {
    status: {"model": ErrorAnswer, "description": what}
    for status, what in {
        400: "The request is not understood or contradicts itself.",
        401: "The API key is missing or wrong.",
        403: "Asked under a foreign name, or from a foreign page.",
        404: "There is no such model.",
        408: "The request took too long to arrive.",
        413: "The request is too large.",
        429: "Too many requests wait; Retry-After says when to come again.",
        500: "The model computed what is no number, or the server has a bug.",
        503: "The server is shutting down.",
        504: "The request took longer than the server allows.",
    }.items()
}
_GUARDED: dict[int | str, dict[str, Any]] = {status: _ERRORS[status] for status in (401, 403)}
_MEDIA_TYPES = {
    "html": "text/html; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}


def create_app(service: Service, report: dict[str, Any]) -> FastAPI:
    """The application. `report` is what `/report` answers."""
    app = FastAPI(
        title="gnomon",
        summary="A language model on this computer, through the OpenAI API.",
        version=gnomon.__version__,
        docs_url=None,
        redoc_url=None,
        openapi_url="/openapi.json",
        redirect_slashes=False,
    )
    app.add_middleware(Guard, settings=service.settings, metrics=service.metrics)
    _add_errors(app)
    _add_models(app, service)
    _add_generation(app, service)
    _add_watching(app, service)
    _add_page(app, report)
    _leave_out_422(app)
    return app


def _add_generation(app: FastAPI, service: Service) -> None:
    def asker(request: Request) -> Asker:
        peer = request.client.host if request.client else ""
        return Asker(
            client=f"{peer} {request.headers.get('authorization', '')}",
            deadline_s=time.monotonic() + service.settings.time_limit_s,
        )

    @app.post(
        "/v1/chat/completions",
        tags=["text"],
        response_model=ChatAnswer,
        responses=_ERRORS | _stream_of("chat.completion.chunk"),
    )
    async def chat(body: ChatRequest, request: Request) -> Response:
        """Answer a conversation; with `stream`, token by token as server-sent events."""
        job = await service.chat(body, asker(request))
        return JobResponse(
            service,
            job,
            ChatWriter(service, job, body),
            streams=bool(body.stream),
            sends_usage=body.includes_usage,
        )

    @app.post(
        "/v1/completions",
        tags=["text"],
        response_model=CompletionAnswer,
        responses=_ERRORS | _stream_of("text_completion"),
    )
    async def complete(body: CompletionRequest, request: Request) -> Response:
        """Continue a text, or score it (`echo` with `logprobs`)."""
        job = await service.complete(body, asker(request))
        return JobResponse(
            service,
            job,
            CompletionWriter(service, job, body),
            streams=bool(body.stream),
            sends_usage=body.includes_usage,
        )

    @app.post("/v1/embeddings", tags=["text"], response_model=EmbeddingAnswer, responses=_ERRORS)
    async def embed(body: EmbeddingRequest, request: Request) -> Response:
        """The mean of the model's last hidden states, of unit length, for each text."""
        job = await service.embed(body, asker(request))
        return JobResponse(
            service, job, EmbeddingWriter(service, job, body), streams=False, sends_usage=False
        )

    @app.post("/detect", tags=["text"], response_model=DetectionAnswer, responses=_ERRORS)
    async def detect(body: DetectRequest, request: Request) -> Response:
        """Where in a text a machine took over, if anywhere; docs/detect.md says how sure that is,
        and what it must not be used for.
        """
        job = await service.detect(body, asker(request))
        return JobResponse(
            service, job, DetectionWriter(service, job, body), streams=False, sends_usage=False
        )


def _add_models(app: FastAPI, service: Service) -> None:
    def entry(name: str) -> ModelEntry:
        return ModelEntry(
            id=name,
            created=service.created,
            owned_by="gnomon",
            context_length=service.settings.context,
        )

    @app.get("/v1/models", tags=["models"], responses=_GUARDED)
    async def models() -> ModelList:
        """The model, under each of its names."""
        return ModelList(data=[entry(name) for name in service.names])

    @app.get("/v1/models/{model:path}", tags=["models"], responses=_GUARDED | {404: _ERRORS[404]})
    async def model(model: str) -> ModelEntry:
        """The model under one of its names."""
        service.require_model(model)
        return entry(model)


def _add_watching(app: FastAPI, service: Service) -> None:
    @app.get("/health", tags=["watching"], responses={503: {"model": Health}, 403: _ERRORS[403]})
    async def health() -> Health:
        """Whether requests are taken, and how many are under way. Asks for no key."""
        running, waiting = service.scheduler.load
        is_draining = service.scheduler.is_draining
        answer = Health(
            status="draining" if is_draining else "ok",
            model=service.model_id,
            running=running,
            waiting=waiting,
        )
        if is_draining:
            return JSONResponse(answer.model_dump(), status_code=503)  # type: ignore[return-value]
        return answer

    @app.get("/metrics", tags=["watching"], response_class=PlainTextResponse, responses=_GUARDED)
    async def metrics() -> Response:
        """What the server does, in Prometheus' text form."""
        return PlainTextResponse(
            service.metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8"
        )


def _add_page(app: FastAPI, report: dict[str, Any]) -> None:
    page = _page_files()

    @app.get("/report", tags=["watching"], responses=_GUARDED)
    async def model_report() -> dict[str, Any]:
        """What the model is made of: sizes, and bits and error of each layer."""
        return report

    @app.get("/docs", include_in_schema=False)
    async def documentation() -> HTMLResponse:
        return HTMLResponse(documentation_page(app.openapi()))

    @app.get("/", include_in_schema=False)
    @app.get("/page/{name:path}", include_in_schema=False)
    async def page_file(name: str = "index.html") -> Response:
        """The page at `/`, and what it loads. Only names that are in the package are known."""
        if name not in page:
            raise HTTPException(404)
        media_type = _MEDIA_TYPES[name.rpartition(".")[2]]
        return Response(page[name], media_type=media_type, headers={"cache-control": "no-cache"})


def _page_files() -> dict[str, bytes]:
    """Our own, and what the detector's report is drawn with."""
    folders = (files("gnomon.serve").joinpath("page"), files("gnomon.detect"))
    return {
        entry.name: entry.read_bytes()
        for folder in folders
        for entry in folder.iterdir()
        if entry.name.rpartition(".")[2] in _MEDIA_TYPES
    }


def _stream_of(what: str) -> dict[int | str, dict[str, Any]]:
    description = f"The whole answer; with `stream`, events with a `{what}` each, then `[DONE]`."
    schema = {"type": "string", "description": "Server-sent events"}
    return {200: {"description": description, "content": {"text/event-stream": {"schema": schema}}}}


def _add_errors(app: FastAPI) -> None:
    @app.exception_handler(GnomonError)
    async def gnomon_error(request: Request, error: GnomonError) -> Response:
        if isinstance(error, ModelNotFoundError):
            return error_response(404, str(error), code="model_not_found", param="model")
        code = "context_length_exceeded" if isinstance(error, ContextError) else None
        return error_response(400, str(error), code=code)

    @app.exception_handler(QueueFullError)
    async def queue_full(request: Request, error: QueueFullError) -> Response:
        return error_response(
            429,
            str(error),
            kind="rate_limit_error",
            code="queue_full",
            headers={"retry-after": str(error.retry_after_s)},
        )

    @app.exception_handler(DrainingError)
    async def draining(request: Request, error: DrainingError) -> Response:
        return error_response(
            503,
            str(error),
            kind="server_error",
            code="shutting_down",
            headers={"retry-after": "10"},
        )

    @app.exception_handler(TimeLimitError)
    async def time_is_up(request: Request, error: TimeLimitError) -> Response:
        return error_response(504, str(error), kind="server_error", code="time_limit")

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> Response:
        where, message = first_trouble(error, get_type_hints(request.scope["endpoint"])["body"])
        return error_response(400, message, param=where or None)

    @app.exception_handler(HTTPException)
    async def http_error(request: Request, error: HTTPException) -> Response:
        return error_response(error.status_code, str(error.detail), headers=error.headers)


def _leave_out_422(app: FastAPI) -> None:
    """We answer 400 where FastAPI's own description says 422."""
    description = app.openapi()
    for route in description["paths"].values():
        for operation in route.values():
            operation["responses"].pop("422", None)
    for name in ("HTTPValidationError", "ValidationError"):
        description["components"]["schemas"].pop(name, None)
