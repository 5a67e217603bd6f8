"""`gnomon detect`: where in a text a machine took over."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from gnomon.cli.options import AsJson, Quiet, Threads
from gnomon.cli.output import print_facts, print_json, print_table
from gnomon.cli.progress import ProgressDisplay
from gnomon.cli.text_input import read_text
from gnomon.errors import DataError, UsageError
from gnomon.whole_file import whole_file

if TYPE_CHECKING:
    from gnomon.detect.detection import Detection
    from gnomon.detect.evaluation import Figures, WriterFigures

_DEFAULT_VERB = "text"


class _WithDefault(TyperGroup):
    """`gnomon detect FILE` is `gnomon detect text FILE`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if args and args[0] not in self.commands and args[0] not in ("-h", "--help"):
            args = [_DEFAULT_VERB, *args]
        return super().parse_args(ctx, args)


app = typer.Typer(
    cls=_WithDefault,
    help="Where in a text a machine took over: gnomon detect FILE. "
    "For its options see gnomon detect text --help.",
    no_args_is_help=True,
)

_Model = Annotated[
    str | None,
    typer.Option(
        "--model",
        metavar="MODEL",
        show_default="the embedded SmolLM2-135M-Instruct",
        help="The model that reads. A head knows the model that it learned with; another of the "
        "same shape works too, and the difference is said.",
    ),
]
_Head = Annotated[
    Path | None,
    typer.Option(
        "--head", metavar="FILE", show_default="gnomon's own", help="What detect train wrote."
    ),
]
_Limit = Annotated[
    int | None,
    typer.Option(metavar="N", min=1, show_default="all", help="Only N of the texts."),
]
_Cache = Annotated[
    Path | None,
    typer.Option(
        metavar="DIR", show_default="none", help="Keeps what was read, so that a later run goes on."
    ),
]
_Data = Annotated[
    Path,
    typer.Argument(
        metavar="DATA",
        help='One JSON object a line: {"sentences": [...], "boundary": 3}, or {"text": "...", '
        '"label": 57} with the first word that is a machine\'s (SemEval-2024 task 8C), or a whole '
        'text, {"text": "...", "model": "human"} or another name (8A, 8B).',
    ),
]


@app.command("text")
def text(
    file: Annotated[str, typer.Argument(metavar="FILE", help="A text file; - reads stdin.")],
    *,
    model: _Model = None,
    head: _Head = None,
    threshold: Annotated[
        float | None,
        typer.Option(
            metavar="P",
            min=0.0,
            max=1.0,
            show_default="the head's own",
            help="The probability of any machine text below which a text is called human. "
            "Lower finds more, and accuses more people.",
        ),
    ] = None,
    words: Annotated[
        bool,
        typer.Option(
            "--words",
            help="Name the word, too: the boundary may lie within a sentence.",
        ),
    ] = False,
    html: Annotated[
        Path | None,
        typer.Option(metavar="FILE", show_default=False, help="Write a page that shows it, too."),
    ] = None,
    threads: Threads = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Say where in FILE a machine took over, if anywhere; `gnomon detect FILE` is the same.

    The answer is the likeliest boundary between two sentences, an interval that holds the true one
    with a stated frequency, and for every sentence the probability that it is a machine's. "All
    human" and "all machine" are possible answers. Nothing leaves this machine. It is no proof:
    docs/detect.md says what was measured, on which texts, and what it must not be used for.

    Example: gnomon detect essay.txt --html essay.html
    """
    content = read_text(file)
    if "\0" in content:
        raise DataError(f"{file} holds null characters: it is no text")
    from gnomon.detect.detection import Detector
    from gnomon.detect.head import load_head
    from gnomon.detect.page import render_page, told
    from gnomon.models import open_model

    with ProgressDisplay(quiet=quiet) as show:
        detector = Detector(open_model(model), load_head(head) if head else None, threads=threads)
        found = detector.detect(content, threshold=threshold, words=words, on_progress=show)
    if as_json:
        print_json(told(found, content, reader=detector.model.name))
    else:
        _print(found, content)
    if html is not None:
        page = render_page(found, content, name=_called(file), reader=detector.model.name)
        with whole_file(html) as output:
            output.write(page.encode())


@app.command("train")
def train(
    data: _Data,
    *,
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FILE", help="Where the head is written.")
    ],
    models: Annotated[
        list[str] | None,
        typer.Option(
            "--model",
            metavar="MODEL",
            show_default="the embedded SmolLM2-135M-Instruct",
            help="A model that reads; given more than once, the head learns from what each of them "
            "made of the texts, and suits them all. They have to be of one shape.",
        ),
    ] = None,
    cache: _Cache = None,
    limit: _Limit = None,
    seed: Annotated[int, typer.Option(metavar="N", min=0, help="Another seed, another head.")] = 0,
    threads: Threads = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Train a head on texts whose boundaries are known, and print what it is worth.

    Texts with the same first sentence stay together: 60 % of these openings are learned from, 15 %
    choose interval and threshold, and the figures are of the remaining 25 %.

    Example: gnomon detect train texts.jsonl.gz -o head.npz --model out/smollm2-2bit --cache read
    """
    from gnomon.detect.corpus import read_corpus, sample
    from gnomon.detect.evaluation import measure, measure_writers
    from gnomon.detect.reader import Reader
    from gnomon.detect.text_model import require_scikit_learn
    from gnomon.detect.training import (
        TrainOptions,
        join,
        layers_of,
        read_corpus_with,
        require_one_shape,
        train_head,
    )
    from gnomon.models import open_model

    require_scikit_learn()  # before hours of reading
    if output.is_dir():
        raise UsageError(f"{output} is a folder; a file was expected: {output / 'head.npz'}")
    texts = sample(read_corpus(data), limit, seed=0)
    opened = [open_model(model) for model in models or [None]]
    require_one_shape(opened)
    with ProgressDisplay(quiet=quiet) as show:
        corpora = []
        for each in opened:
            reader = Reader(each, layers=layers_of(each), threads=threads)
            corpora.append(read_corpus_with(reader, texts, folder=cache, on_progress=show))
        corpus = join(corpora)
        facts = {"data": data.name, "texts": len(texts)}
        learned = train_head(corpus, options=TrainOptions(seed=seed), facts=facts, on_progress=show)
    learned.save(output)
    test = corpus.of_part("test")
    figures = [measure(learned, test, name="unseen openings")]
    _print_figures(figures, measure_writers(learned, test), as_json)


@app.command("evaluate")
def evaluate(
    data: _Data,
    *,
    model: _Model = None,
    head: _Head = None,
    cache: _Cache = None,
    limit: _Limit = None,
    every: Annotated[
        bool,
        typer.Option(
            "--every-text",
            help="Measure on all texts, not on the 25 % of openings that training leaves out; for "
            "texts that the head has not learned from.",
        ),
    ] = False,
    threads: Threads = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Measure a head on texts whose boundaries are known, by domain, generator and p.

    Example: gnomon detect evaluate texts.jsonl.gz --model out/smollm2-2bit
    """
    from gnomon.detect.corpus import read_corpus, sample
    from gnomon.detect.evaluation import measure_by_kind, measure_writers
    from gnomon.detect.head import load_head
    from gnomon.detect.reader import Reader
    from gnomon.detect.training import read_corpus_with
    from gnomon.models import open_model

    texts = read_corpus(data)
    if not every:
        texts = [text for text in texts if text.part == "test"]
        if not texts:
            raise UsageError("no text belongs to the test part; give --every-text to use them all")
    texts = sample(texts, limit, seed=0)
    learned = load_head(head) if head else load_head()
    opened = open_model(model)
    learned.require_fit(opened)
    with ProgressDisplay(quiet=quiet) as show:
        reader = Reader(opened, layers=learned.probes.layers, threads=threads)
        corpus = read_corpus_with(reader, texts, folder=cache, on_progress=show)
    _print_figures(measure_by_kind(learned, corpus), measure_writers(learned, corpus), as_json)


def _print(found: Detection, text: str) -> None:
    from gnomon.detect.page import say

    print_table(
        ["sentence", "p(machine)", "surprisal", "expected"],
        [
            [f"{i + 1}. {_short(s.text)}", f"{p:.2f}", f"{x:.2f}", f"{e:.2f}"]
            for i, (s, p, x, e) in enumerate(
                zip(
                    found.sentences,
                    found.probabilities,
                    found.surprisals,
                    found.expected,
                    strict=True,
                )
            )
        ],
    )
    said = say(found)
    facts = {"answer": said.answer, "where": said.interval, "any machine text": said.probability}
    if said.word is not None:
        facts["word"] = f"{said.word}; {found.word(text)} words before it"
    if found.kinds:
        facts["the whole text"] = ", ".join(
            f"{name} {p:.0%}" for name, p in sorted(found.kinds.items(), key=lambda kind: -kind[1])
        )
    facts |= {f"note {i + 1}": note for i, note in enumerate(found.notes)}
    facts["caution"] = said.caution
    print_facts(facts)


def _called(file: str) -> str:
    """`file` for people, whose name need not be UTF-8."""
    name = "standard input" if file == "-" else Path(file).name
    return name.encode(errors="replace").decode()


def _print_figures(figures: list[Figures], writers: list[WriterFigures], as_json: bool) -> None:
    rows, whole = ([asdict(each) for each in part] for part in (figures, writers))
    if as_json:
        print_json({"figures": rows, "whole_texts": whole})
        return
    for part in (rows, whole) if whole else (rows,):
        print_table(list(part[0]), [[_cell(value) for value in row.values()] for row in part])


def _cell(value: Any) -> str:
    if value is None:
        return "–"
    return f"{value:.3f}" if isinstance(value, float) else str(value)


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 90 else line[:89] + "…"
