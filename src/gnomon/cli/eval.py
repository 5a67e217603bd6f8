"""`gnomon eval`: how well a model, or several, predict a text and answer questions."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from gnomon.cli.options import AsJson, Quiet, Stride, Threads, Window
from gnomon.cli.output import print_facts, print_json, print_table
from gnomon.cli.progress import ProgressDisplay
from gnomon.cli.text_input import read_text
from gnomon.data import evaluation_text
from gnomon.errors import UsageError
from gnomon.progress import OnProgress, Progress
from gnomon.report.quality import (
    ModelFigures,
    accuracy_ratios,
    parse_figures,
    perplexity_ratio,
    quality_comparison,
    quality_kept,
    read_figures,
    require_comparable,
)

if TYPE_CHECKING:
    from gnomon.evaluation import Evaluation, EvaluationPlan

_TASKS = "Zero-shot tasks"


def eval(
    models: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[MODEL]...",
            show_default=False,
            help="Folders, .gguf files or hub ids, or NAME=MODEL to choose a column's name. "
            "Nothing, or 'smollm2', is the embedded SmolLM2-135M-Instruct. Of several, the first "
            "is the original that the others are compared with.",
        ),
    ] = None,
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
    score_from: Annotated[
        Literal["start", "half"],
        typer.Option(
            help="Which tokens of a window count: all that follow its first one, or those in its "
            "second half, with BOS as its first token where the model has one. 'half' is what "
            "llama.cpp's llama-perplexity measures; it is lower, as every token has context.",
        ),
    ] = "start",
    no_perplexity: Annotated[
        bool, typer.Option("--no-perplexity", help="Only the tasks, no text.")
    ] = False,
    task: Annotated[
        list[str] | None,
        typer.Option(
            metavar="TASK",
            rich_help_panel=_TASKS,
            show_default=False,
            help="lambada, arc-easy or piqa, whose file is in --data, or the path of a file with "
            'one JSON object a line: {"text"} (predict the last word) or {"question", "choices", '
            '"answer"} (the number of the right choice, from 0). Give it again for more tasks.',
        ),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            envvar="GNOMON_DATA",
            rich_help_panel=_TASKS,
            show_default=False,
            help="The folder, or its parent, with lambada_test.jsonl, arc-easy.jsonl and "
            "piqa.jsonl; the parent's other folder is called zeroshot.",
        ),
    ] = None,
    limit: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=1,
            rich_help_panel=_TASKS,
            show_default="all of them",
            help="Only the first N questions of each task.",
        ),
    ] = None,
    peer: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE",
            show_default=False,
            help="Figures measured elsewhere, as --json prints them: more columns of the table.",
        ),
    ] = None,
    threads: Threads = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Measure perplexity on a text (lower is better) and zero-shot accuracy; compare models.

    Perplexity depends on how the text is cut: compare only figures with the same text, window
    and stride. With several models, or --peer, the result is a table of what each kept: accuracy
    by log-likelihood, normalised by characters, and "quality kept", the mean over the tasks of the
    accuracy divided by the first model's. Prompts are lm-evaluation-harness's.

    Example: gnomon eval out/smollm2-2bit --text novel.txt --window 1024 --stride 512

    Example: gnomon eval original=model.gguf ours=out/model --task piqa --data data --limit 200
    """
    stride = window if stride is None else stride
    if stride > window:
        raise UsageError(
            f"--stride {stride} is more than --window {window}: the tokens between two windows "
            "would not be measured; give a stride of at most the window"
        )
    if score_from == "half" and stride != window:
        raise UsageError(
            f"--score-from half and --stride {stride} exclude each other: windows that overlap "
            "give every token its context already; leave one of the two out"
        )
    if no_perplexity and not task:
        raise UsageError("--no-perplexity leaves nothing to measure; give a --task")
    # Files first: reading a model to learn that a file is empty would be time wasted.
    content = None
    if not no_perplexity:
        content = evaluation_text() if text is None else read_text(text)
    peers = [figures for path in peer or [] for figures in read_figures(path)]
    from gnomon.engine import find_task, read_task
    from gnomon.evaluation import EvaluationPlan, evaluate
    from gnomon.models import open_model

    plan = EvaluationPlan(
        text=content,
        text_name=text or "bundled:wikitext2",
        window=window,
        stride=stride,
        max_windows=max_windows,
        score_from=score_from,
        tasks=tuple(
            read_task(find_task(name, data), name=_task_name(name), limit=limit)
            for name in dict.fromkeys(task or [])
        ),
    )
    specs = [_split(spec) for spec in models or []] or [(None, None)]
    found: list[Evaluation] = []
    with ProgressDisplay(quiet=quiet) as show:
        for label, spec in specs:
            found.append(
                evaluate(
                    open_model(spec),
                    plan,
                    label=label,
                    threads=threads,
                    on_progress=show if len(specs) == 1 else _prefixed(label, show),
                )
            )

    if len(found) == 1 and not peers:
        if as_json:
            print_json(found[0].figures)
        else:
            _print_one(found[0], plan)
        return
    columns = [parse_figures(each.figures) for each in found] + peers
    require_comparable(columns)
    if as_json:
        entries = [*(each.figures for each in found), *(_peer_entry(each) for each in peers)]
        comparison = [
            {
                "label": each.label,
                "perplexity_ratio": perplexity_ratio(each, columns[0]),
                "accuracy_ratios": accuracy_ratios(each, columns[0]),
                "quality_kept": quality_kept(each, columns[0]),
            }
            for each in columns
        ]
        print_json({"models": entries, "comparison": comparison})
        return
    table = quality_comparison(columns)
    print_table(table.columns, table.rows)
    if plan.text is not None:
        print_facts({"perplexity": _windows(found[0], plan)})


def _split(spec: str) -> tuple[str | None, str]:
    """The column's name and the model of `NAME=MODEL` or of a model alone."""
    name, sign, model = spec.partition("=")
    if sign and name and model and not Path(spec).exists():
        return name, model
    return Path(spec).name or spec, spec


def _prefixed(label: str | None, on_progress: OnProgress) -> OnProgress:
    """Stages that say which of several models is measured."""

    def report(step: Progress) -> None:
        on_progress(replace(step, stage=f"{label}: {step.stage}"))

    return report


def _task_name(name: str) -> str:
    return Path(name).stem if Path(name).suffix else name


def _peer_entry(figures: ModelFigures) -> dict[str, Any]:
    """A peer's figures as `evaluate` gives them."""
    entry = asdict(figures)
    return {**entry, **(entry.pop("perplexity") or {"perplexity": None})}


def _print_one(found: Evaluation, plan: EvaluationPlan) -> None:
    facts = {"model": found.model}
    if found.perplexity is not None:
        result, seconds = found.perplexity, found.perplexity_s
        bundled = "the bundled WikiText-2 slice (test part)"
        facts |= {
            "text": bundled if plan.text_name.startswith("bundled:") else plan.text_name,
            "perplexity": f"{result.perplexity:.3f}  ({result.mean_nll:.4f} nats a token)",
            "measured on": _windows(found, plan),
            "time": f"{seconds:.1f} s, {result.tokens / seconds:.0f} tokens/s "
            f"on {found.threads} threads",
        }
    print_facts(facts)
    if found.tasks:
        print_table(
            ["task", "questions", "accuracy (%)", "normalised (%)", "perplexity", "time (s)"],
            [
                [
                    result.task,
                    str(len(result.results)),
                    f"{100 * result.accuracy:.2f} ± {100 * result.accuracy_error:.2f}",
                    _optional(result.normalised_accuracy, 100),
                    _optional(result.perplexity, 1),
                    f"{seconds:.1f}",
                ]
                for result, seconds in zip(found.tasks, found.task_s, strict=True)
            ],
        )


def _windows(found: Evaluation, plan: EvaluationPlan) -> str:
    result = found.perplexity
    assert result is not None
    half = ", their second halves" if plan.score_from == "half" else ""
    return (
        f"{result.tokens} tokens in {result.windows} windows of {result.window}, "
        f"stride {result.stride}{half}"
    )


def _optional(value: float | None, scale: float) -> str:
    return "–" if value is None else f"{scale * value:.2f}"
