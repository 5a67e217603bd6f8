"""Arguments and options that several verbs share, each declared once."""

from __future__ import annotations

from typing import Annotated

import typer

_SAMPLING = "Sampling"

ModelArgument = Annotated[
    str | None,
    typer.Argument(
        metavar="MODEL",
        show_default=False,
        help="A folder (gnomon's or Hugging Face's), a .gguf file, or a Hugging Face hub id. "
        "Nothing, or 'smollm2', is the embedded SmolLM2-135M-Instruct.",
    ),
]
Threads = Annotated[
    int | None,
    typer.Option(
        "--threads",
        "-t",
        metavar="N",
        min=1,
        show_default="all cores",
        help="Threads to compute with.",
    ),
]
AsJson = Annotated[
    bool, typer.Option("--json", help="Print the result as one JSON object and nothing else.")
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Show no progress.")]
MaxTokens = Annotated[
    int, typer.Option("--max-tokens", "-n", metavar="N", min=1, help="Stop after this many tokens.")
]
Window = Annotated[int, typer.Option(metavar="N", min=2, help="Tokens the model sees at once.")]
Stride = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        min=1,
        show_default="as the window",
        help="Tokens from one window's start to the next one's; less than the window gives "
        "every token more context and takes longer.",
    ),
]

Temperature = Annotated[
    float,
    typer.Option(
        metavar="T",
        min=0.0,
        rich_help_panel=_SAMPLING,
        help="0 always takes the likeliest token; 1 is as is.",
    ),
]
TopK = Annotated[
    int,
    typer.Option(
        metavar="K",
        min=0,
        rich_help_panel=_SAMPLING,
        help="Only the K likeliest tokens; 0 for all of them.",
    ),
]
TopP = Annotated[
    float,
    typer.Option(
        metavar="P",
        min=0.0,
        max=1.0,
        rich_help_panel=_SAMPLING,
        help="Only the likeliest tokens that together have this probability; 1 for all of them.",
    ),
]
MinP = Annotated[
    float,
    typer.Option(
        metavar="P",
        min=0.0,
        max=1.0,
        rich_help_panel=_SAMPLING,
        help="Drop tokens less likely than this fraction of the likeliest; 0 drops none.",
    ),
]
RepetitionPenalty = Annotated[
    float,
    typer.Option(
        metavar="R",
        min=0.01,
        rich_help_panel=_SAMPLING,
        help="Above 1, tokens already seen become less likely; 1 leaves them as they are.",
    ),
]
Seed = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        min=0,
        show_default="a new one each time",
        rich_help_panel=_SAMPLING,
        help="The same seed gives the same text.",
    ),
]
