"""The table of verbs."""

from __future__ import annotations

import os
from typing import Annotated

import typer

import gnomon
from gnomon.cli import bench, chat, compress, demo, detect, eval, generate, geometry, info, serve
from gnomon.cli.endings import EXIT_CODES
from gnomon.cli.verbs import reflow_help
from gnomon.errors import UsageError

_EPILOG = "\n\n".join(
    [
        "Results go to stdout, everything else to stderr. Start with: gnomon demo",
        "Exit codes: " + "; ".join(f"{code} {meaning}" for code, meaning in EXIT_CODES.items()),
    ]
)

app = typer.Typer(
    name="gnomon",
    help="Two-bit language models on an ordinary CPU: compress one, measure it, talk to it, "
    "serve it; detect where in a text a machine took over; prove theorems of plane geometry.",
    epilog=_EPILOG,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)

# Every verb, in the order in which a newcomer meets them.
app.command("demo")(demo.demo)
app.command("info")(info.info)
app.command("compress")(compress.compress)
app.command("eval")(eval.eval)
app.command("generate")(generate.generate)
app.command("chat")(chat.chat)
app.command("serve")(serve.serve)
app.command("bench")(bench.bench)
app.add_typer(detect.app, name="detect")
app.add_typer(geometry.app, name="geometry")
reflow_help(app)


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"gnomon {gnomon.__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version and stop."
        ),
    ] = False,
) -> None:
    _require_instruction_set()


def _require_instruction_set() -> None:
    """The native core reads GNOMON_ISA; a name that it does not know is said before any work."""
    if os.environ.get("GNOMON_ISA"):
        from gnomon import _native

        try:
            _native.chosen_isa()
        except ValueError as error:
            raise UsageError(str(error)) from error
