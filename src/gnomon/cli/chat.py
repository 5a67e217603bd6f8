"""`gnomon chat`: talk to a model, turn by turn."""

from __future__ import annotations

import contextlib
import importlib
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from gnomon.cli import options, output
from gnomon.cli.sampling import make_sampler
from gnomon.errors import ContextError, UsageError

if TYPE_CHECKING:
    from gnomon.conversation import Conversation
    from gnomon.engine import Sampler

_HELP = """\
  /reset   forget the conversation and begin anew
  /quit    leave (as does Ctrl-D)
  Ctrl-C   stop the answer that is being written"""


def chat(
    model: options.ModelArgument = None,
    *,
    system: Annotated[
        str | None,
        typer.Option(
            metavar="TEXT", show_default=False, help="What the model is told before the first turn."
        ),
    ] = None,
    context: Annotated[
        int,
        typer.Option(
            metavar="N",
            min=16,
            help="Tokens the conversation may have, at most what the model knows.",
        ),
    ] = 4096,
    max_tokens: options.MaxTokens = 512,
    temperature: options.Temperature = 0.7,
    top_k: options.TopK = 0,
    top_p: options.TopP = 0.95,
    min_p: options.MinP = 0.05,
    repetition_penalty: options.RepetitionPenalty = 1.1,
    seed: options.Seed = None,
    threads: options.Threads = None,
    as_json: options.AsJson = False,
) -> None:
    """Talk to a model. /reset begins anew, /quit leaves, Ctrl-C stops an answer.

    Where stdin is a file or a pipe, every line of it is a turn.

    Example: gnomon chat out/smollm2-2bit --system "You answer in one sentence."
    """
    if sys.stdin is None:
        raise UsageError("chat reads what you say from stdin, which is closed")
    from gnomon.conversation import Conversation
    from gnomon.engine import Engine
    from gnomon.models import open_model, require_tokenizer

    opened = open_model(model)
    sampler, _ = make_sampler(
        temperature=temperature,
        top_k=top_k,
        top_p=top_p,
        min_p=min_p,
        repetition_penalty=repetition_penalty,
        seed=seed,
    )
    conversation = Conversation(
        Engine(opened, threads=threads),
        require_tokenizer(opened),
        capacity=min(context, opened.config.max_context),
        system=system,
    )
    if sys.stdin.isatty():
        print(f"{opened.name}. /help says what there is.", file=sys.stderr)
    for line in _lines():
        match line:
            case "":
                continue
            case "/quit" | "/exit":
                break
            case "/reset":
                conversation.reset()
                print("(forgotten)", file=sys.stderr)
            case "/help":
                print(_HELP, file=sys.stderr)
            case _:
                _answer(conversation, line, sampler, max_tokens=max_tokens, is_silent=as_json)
    if as_json:
        output.print_json({"model": opened.name, "messages": conversation.messages})


def _answer(
    conversation: Conversation, line: str, sampler: Sampler, *, max_tokens: int, is_silent: bool
) -> None:
    pieces = conversation.say(line, max_tokens=max_tokens, sampler=sampler)
    # Closing tells the conversation that the answer ends here, wherever Ctrl-C struck.
    with contextlib.closing(pieces):
        try:
            for piece in pieces:
                if not is_silent:
                    print(piece.text, end="", flush=True)
                if piece.stop_reason == "context":
                    print(" (the context is full; /reset begins anew)", end="", file=sys.stderr)
        except KeyboardInterrupt:
            print(" (stopped)", end="", file=sys.stderr, flush=True)
        except ContextError as error:
            if not sys.stdin.isatty():
                raise
            print(f"gnomon: {error}\n/reset begins a new conversation.", file=sys.stderr)
            return
    if not is_silent:
        print(flush=True)


def _lines() -> Iterator[str]:
    """What is typed, or each line of a pipe, until it ends."""
    if not sys.stdin.isatty():
        for line in sys.stdin:
            yield line.strip()
        return
    with contextlib.suppress(ImportError):
        importlib.import_module("readline")  # input() then has editing and history
    while True:
        try:
            line = input("> " if sys.stdout.isatty() else "")
        except EOFError:
            print(file=sys.stderr)
            return
        except KeyboardInterrupt:
            print("\n(/quit or Ctrl-D leaves)", file=sys.stderr)
            continue
        yield line.strip()
