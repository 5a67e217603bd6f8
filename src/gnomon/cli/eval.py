"""`gnomon eval`: how well a model predicts a text."""

from __future__ import annotations

import time
from typing import Annotated

import typer

from gnomon.cli.options import AsJson, ModelArgument, Quiet, Stride, Threads, Window
from gnomon.cli.output import print_facts, print_json
from gnomon.cli.progress import ProgressDisplay
from gnomon.cli.text_input import read_text
from gnomon.data import evaluation_text
from gnomon.errors import DataError, UsageError
from gnomon.progress import within


def eval(
    model: ModelArgument = None,
    *,
    text: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            show_default="the bundled WikiText-2 slice",
            help="A text file; '-' reads stdin.",
        ),
    ] = None,
    window: Window = 512,
    stride: Stride = None,
    max_windows: Annotated[
        int | None,
        typer.Option(
            metavar="N", min=1, show_default="all of them", help="Stop after this many windows."
        ),
    ] = None,
    threads: Threads = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Measure a model's perplexity on a text. Lower is better.

    Perplexity depends on how the text is cut: compare only figures with the same text, window
    and stride.

    Example: gnomon eval out/smollm2-2bit --text novel.txt --window 1024 --stride 512
    """
    stride = window if stride is None else stride
    if stride > window:
        raise UsageError(
            f"--stride {stride} is more than --window {window}: the tokens between two windows "
            "would not be measured; give a stride of at most the window"
        )
    # The text first: reading a model to learn that a file is empty would be time wasted.
    content = evaluation_text() if text is None else read_text(text)
    from gnomon.engine import Engine, perplexity
    from gnomon.models import open_model, require_tokenizer

    opened = open_model(model)
    token_ids = require_tokenizer(opened).encode(content)
    if len(token_ids) < 2:
        raise DataError(
            f"the text has {len(token_ids)} token(s); two are needed, for one to predict the other"
        )
    engine = Engine(opened, threads=threads)
    with ProgressDisplay(quiet=quiet) as show:
        start_s = time.perf_counter()
        result = perplexity(
            engine,
            token_ids,
            window=window,
            stride=stride,
            max_windows=max_windows,
            on_progress=within("measuring perplexity", show),
        )
        seconds = time.perf_counter() - start_s

    if as_json:
        print_json(
            {
                "model": opened.name,
                "text": text or "bundled:wikitext2",
                "perplexity": result.perplexity,
                "mean_nll": result.mean_nll,
                "tokens": result.tokens,
                "windows": result.windows,
                "window": result.window,
                "stride": result.stride,
                "seconds": seconds,
                "tokens_per_second": result.tokens / seconds,
                "threads": engine.threads,
            }
        )
        return
    print_facts(
        {
            "model": opened.name,
            "text": text or "the bundled WikiText-2 slice (test part)",
            "perplexity": f"{result.perplexity:.3f}  ({result.mean_nll:.4f} nats a token)",
            "measured on": f"{result.tokens} tokens in {result.windows} windows of "
            f"{result.window}, stride {result.stride}",
            "time": f"{seconds:.1f} s, {result.tokens / seconds:.0f} tokens/s "
            f"on {engine.threads} threads",
        }
    )
