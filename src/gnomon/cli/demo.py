"""`gnomon demo`: the whole way on the embedded model, with something to read at its end."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from gnomon.cli import options
from gnomon.cli.output import print_json, print_table
from gnomon.cli.progress import ProgressDisplay


def demo(
    output: Annotated[
        Path,
        typer.Option(
            "--output", "-o", metavar="DIR", help="The folder for the model and the report."
        ),
    ] = Path("out"),
    prompt: Annotated[
        str | None,
        typer.Option(
            "--prompt",
            "-p",
            metavar="TEXT",
            show_default="Why is the sky blue?",
            help="What the compressed model is asked at the end.",
        ),
    ] = None,
    windows: Annotated[
        int,
        typer.Option(metavar="N", min=1, help="Windows of 512 tokens to measure perplexity on."),
    ] = 24,
    threads: options.Threads = None,
    as_json: options.AsJson = False,
    quiet: options.Quiet = False,
) -> None:
    """Compress SmolLM2-135M to two bits a weight, compare it with the original, and let it answer.

    Leaves the compressed model, report.html and demo.json in the output folder. A second run
    replaces them, and nothing else; an interrupted one is gone on with.
    """
    try:
        with ProgressDisplay(quiet=quiet) as show:
            from gnomon.conversation import Conversation
            from gnomon.demo import (
                DEFAULT_PROMPT,
                MODEL_FOLDER,
                REPORT_NAME,
                run_demo,
                write_results,
            )
            from gnomon.engine import Sampler, SamplingOptions
            from gnomon.models import open_model, require_tokenizer
            from gnomon.report import comparison

            done = run_demo(
                open_model(), output, windows=windows, threads=threads, on_progress=show
            )
    except KeyboardInterrupt:
        print(
            "gnomon: interrupted; the same command goes on from the last finished block",
            file=sys.stderr,
        )
        raise

    if not as_json:
        table = comparison(done.original, done.compressed)
        print_table(table.columns, table.rows)
    question = prompt or DEFAULT_PROMPT
    conversation = Conversation(done.engine, require_tokenizer(done.model), capacity=1024)
    if not as_json:
        print(f"> {question}")
    answer = []
    # Greedy, so that it is the same every time; a small model left alone would repeat itself.
    sampler = Sampler(SamplingOptions(repetition_penalty=1.1))
    for piece in conversation.say(question, max_tokens=160, sampler=sampler):
        answer.append(piece.text)
        if not as_json:
            print(piece.text, end="", flush=True)
    result = write_results(done, output, prompt=question, answer="".join(answer))
    if as_json:
        print_json(result)
        return
    print(f"\n\nmodel   {output / MODEL_FOLDER}\nreport  {output / REPORT_NAME}")
    print(f'more    gnomon chat "{output / MODEL_FOLDER}"')
