"""`gnomon serve`: a model for the clients that people have."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import Annotated

import typer

from gnomon.cli import options, output
from gnomon.errors import UsageError
from gnomon.extras import how_to_install

_LIMITS = "Limits"
_SAFETY = "Safety"


def serve(
    model: options.ModelArgument = None,
    *,
    host: Annotated[
        str, typer.Option(metavar="ADDRESS", help="Where to listen; other machines need a key.")
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(metavar="N", min=0, max=65535, help="0 takes any that is free.")
    ] = 8080,
    alias: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            show_default=False,
            help="A further name that the model answers to, for clients with a fixed one; may be "
            "given again.",
        ),
    ] = None,
    api_key: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KEY",
            envvar="GNOMON_API_KEY",
            show_default=False,
            show_envvar=False,
            rich_help_panel=_SAFETY,
            help="What clients must send; may be given again. The environment's GNOMON_API_KEY "
            "(several with blanks between) does not show in the list of processes.",
        ),
    ] = None,
    allow_origin: Annotated[
        list[str] | None,
        typer.Option(
            metavar="ORIGIN",
            show_default=False,
            rich_help_panel=_SAFETY,
            help="A web page's origin (https://example.org) that may ask from a browser; may be "
            "given again.",
        ),
    ] = None,
    slots: Annotated[
        int,
        typer.Option(
            metavar="N", min=1, max=256, rich_help_panel=_LIMITS, help="Texts worked on at once."
        ),
    ] = 8,
    context: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=2,
            show_default="the model's, up to 4096",
            rich_help_panel=_LIMITS,
            help="Tokens of a prompt and its answer together.",
        ),
    ] = None,
    max_tokens: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=1,
            show_default="what the context holds",
            rich_help_panel=_LIMITS,
            help="Tokens of any one answer.",
        ),
    ] = None,
    queue: Annotated[
        int,
        typer.Option(
            metavar="N",
            min=1,
            rich_help_panel=_LIMITS,
            help="Texts that may wait; further ones are told when to come again.",
        ),
    ] = 64,
    time_limit: Annotated[
        float,
        typer.Option(
            metavar="SECONDS", min=0.1, rich_help_panel=_LIMITS, help="For any one request."
        ),
    ] = 600.0,
    receive_time: Annotated[
        float,
        typer.Option(
            metavar="SECONDS",
            min=0.1,
            rich_help_panel=_LIMITS,
            help="From a request's first byte to its last.",
        ),
    ] = 30.0,
    drain: Annotated[
        float,
        typer.Option(
            metavar="SECONDS",
            min=0.0,
            rich_help_panel=_LIMITS,
            help="For answers under way once the server is told to stop.",
        ),
    ] = 30.0,
    max_body: Annotated[
        int,
        typer.Option(
            metavar="BYTES", min=1024, rich_help_panel=_LIMITS, help="Of any one request."
        ),
    ] = 2 * 2**20,
    threads: options.Threads = None,
    as_json: options.AsJson = False,
) -> None:
    """Serve a model through the OpenAI API, and a page to chat at, until Ctrl-C or SIGTERM.

    Example: gnomon serve out/smollm2-2bit --port 8080
    """
    try:
        from gnomon.serve import ServeSettings, run_server
        from gnomon.serve.server import address_of, listen
    except ModuleNotFoundError as error:
        raise UsageError(
            f"serving needs {error.name}, which is not installed; {how_to_install('serve')}"
        ) from error
    from gnomon.engine import DEFAULT_CAPACITY, Engine
    from gnomon.models import open_model, require_tokenizer
    from gnomon.models.open_model import EMBEDDED

    keys = tuple(key for given in api_key or [] for key in given.split())
    # What can be refused without reading a model is refused first.
    settings = ServeSettings(
        host=host,
        port=port,
        api_keys=keys,
        allowed_origins=tuple(allow_origin or ()),
        aliases=tuple(alias or ()),
        slots=slots,
        context=context or DEFAULT_CAPACITY,
        max_waiting=queue,
        max_tokens=max_tokens,
        time_limit_s=time_limit,
        receive_time_s=receive_time,
        drain_s=drain,
        max_body_bytes=max_body,
    )
    with listen(host, port) as listener:
        opened = open_model(model)
        if context is None:
            settings = replace(settings, context=min(DEFAULT_CAPACITY, opened.config.max_context))
        if model in (None, EMBEDDED):
            settings = replace(settings, aliases=(EMBEDDED, *settings.aliases))
        tokenizer = require_tokenizer(opened)
        engine = Engine(opened, threads=threads)
        address = address_of(listener)

        def on_ready() -> None:
            if as_json:
                output.print_json({"address": address, "model": opened.name, "slots": slots})
                sys.stdout.flush()
            else:
                print(f"{opened.name} is served at {address}", file=sys.stderr, flush=True)

        run_server(opened, tokenizer, engine, settings, listener=listener, on_ready=on_ready)
