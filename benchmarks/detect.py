"""Where the machine took over, on RoFT: every figure beside a surface-only baseline.

    python benchmarks/detect.py --data DIR --models out/smollm2-2bit smollm2 --cache read [--keep]

`DIR` holds roft/roft.jsonl.gz. Reading is what takes time (all 8,643 texts of the gpt2_xl part
are 2 million tokens); `--cache` keeps it, and an interrupted run goes on. `--limit N` takes N
of the texts: the first N of one fixed order. Openings are split once: 60 % to learn from, 15 % to
calibrate, 25 % for the figures. What `--save` writes is the head that the figures are of. It learns
from what all the `--models` made of the texts, and there are figures for each as reader.

`--speed` times the head that comes along, on a machine that has nothing else to do.

Texts with a boundary within a sentence are made: a person's sentence is cut after some of its words
and the machine's next one is joined to it. Nothing learns from them.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from gnomon.detect.corpus import LabelledText, read_corpus, sample
from gnomon.detect.detection import Detector
from gnomon.detect.evaluation import compare, measure, measure_writers, word_errors
from gnomon.detect.fitting import fit_boundary_model
from gnomon.detect.head import Head
from gnomon.detect.normal_form import bare_form
from gnomon.detect.reader import Reader
from gnomon.detect.surface import surface_features
from gnomon.detect.training import (
    ReadCorpus,
    TrainOptions,
    join,
    layers_of,
    learn,
    read_corpus_with,
    require_one_shape,
    train_head,
)
from gnomon.models import open_model
from gnomon.progress import Progress
from record import print_table, publish

Row = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Readings:
    """What one model made of the texts of every kind."""

    xl: ReadCorpus
    small: ReadCorpus
    spliced: ReadCorpus  # two people's, with no machine's part
    machine: ReadCorpus  # with no person's part


def show(step: Progress) -> None:
    if step.total and step.done % 500 == 0:
        print(f"{step.stage} {step.done}/{step.total}", flush=True)


def figures_of(corpus: ReadCorpus, posteriors: Sequence[np.ndarray], what: str) -> Row:
    found = compare(posteriors, [text.boundary for text in corpus.texts])
    return {
        "what": what,
        "texts": len(corpus.texts),
        "accuracy %": 100 * found.accuracy,
        "within one %": 100 * found.within_one,
        "squared error": found.squared_error,
    }


def surface_only(train: ReadCorpus, options: TrainOptions) -> Callable[[ReadCorpus], list]:
    """The same model on what can be said of sentences without reading them."""
    model = fit_boundary_model(
        [surface_features(text.sentences) for text in train.texts],
        [text.boundary for text in train.texts],
        options=options.fit,
        seed=options.seed,
    )
    return lambda corpus: [model.posterior(surface_features(t.sentences)) for t in corpus.texts]


def ours(head: Head) -> Callable[[ReadCorpus], list]:
    return lambda corpus: [head.boundary.posterior(x) for x in corpus.features(head.probes)]


def without_states(corpus: ReadCorpus) -> ReadCorpus:
    return replace(corpus, states=tuple(s[:, :0] for s in corpus.states), layers=())


def mixed(corpus: ReadCorpus) -> ReadCorpus:
    return corpus.where([text.is_mixed for text in corpus.texts])


def chosen(corpus: ReadCorpus, is_wanted: Callable[[LabelledText], bool]) -> ReadCorpus:
    return corpus.where([is_wanted(text) for text in corpus.texts])


def by_kind(test: ReadCorpus, head: Head, baseline: Callable) -> list[Row]:
    """All of the test part, then by domain and by p, each with its baseline."""
    parts = [("gpt2_xl", lambda text: True)]
    for domain in sorted({text.domain for text in test.texts}):
        parts.append((domain, lambda text, domain=domain: text.domain == domain))
    for p in sorted({text.p for text in test.texts if text.p is not None}):
        parts.append((f"p = {p:g}", lambda text, p=p: text.p == p))
    rows = []
    for name, is_wanted in parts:
        part = chosen(test, is_wanted)
        rows.append(figures_of(part, ours(head)(part), name))
        rows.append(figures_of(part, baseline(part), f"{name}, surface only"))
    return rows


def leave_one_out(readings: Mapping[str, Readings], options: TrainOptions) -> list[Row]:
    """Each domain by heads that saw only the other two."""
    everything = join([each.xl for each in readings.values()])
    rows = []
    for domain in sorted({text.domain for text in everything.texts}):
        rest = chosen(everything, lambda text, domain=domain: text.domain != domain)
        # No opening is in two domains, and nothing is calibrated: all texts can be used.
        learned = learn(rest, options=options)
        baseline = surface_only(mixed(rest), options)
        for name, each in readings.items():
            unseen = mixed(chosen(each.xl, lambda text, domain=domain: text.domain == domain))
            found = [learned.boundary.posterior(x) for x in unseen.features(learned.probes)]
            rows.append(figures_of(unseen, found, f"{domain} unseen, {name}"))
        rows.append(figures_of(unseen, baseline(unseen), f"{domain} unseen, surface only"))
    return rows


def with_one_head(head: Head, readings: Mapping[str, ReadCorpus]) -> list[Row]:
    """The same texts read in several ways, which `head` is given."""
    tests = {name: mixed(corpus.of_part("test")) for name, corpus in readings.items()}
    return [
        figures_of(test, ours(head)(test), f"{name}, this head") for name, test in tests.items()
    ]


def with_own_heads(readings: Mapping[str, ReadCorpus], options: TrainOptions) -> list[Row]:
    """The same texts read in several ways, each with a head that learned from texts read so."""
    rows = []
    for name, corpus in readings.items():
        test = mixed(corpus.of_part("test"))
        own = learn(corpus.of_part("train"), options=options)
        found = [own.boundary.posterior(x) for x in test.features(own.probes)]
        rows.append(figures_of(test, found, f"{name}, a head of its own"))
    return rows


def whole_texts(head: Head, corpus: ReadCorpus) -> list[Row]:
    return [
        {"what": each.name, "texts": each.texts, "right %": 100 * each.right}
        for each in measure_writers(head, corpus)
    ]


def cut_inside(text: LabelledText, rng: np.random.Generator) -> LabelledText:
    """The machine takes over within the last human sentence, after at least one of its words."""
    b = text.boundary
    words = text.sentences[b - 1].split()
    kept = words[: int(rng.integers(1, max(len(words), 2)))]
    joined = " ".join([*kept, text.sentences[b]])
    before = sum(len(s.split()) for s in text.sentences[: b - 1])
    return replace(
        text,
        sentences=(*text.sentences[: b - 1], joined, *text.sentences[b + 1 :]),
        boundary=b - 1,
        word=before + len(kept),
    )


def within_sentences(
    head: Head, reader: Reader, read: Callable, texts: Sequence[LabelledText]
) -> list[Row]:
    """Mean distance in words from the true first word of the machine's, in made texts whose
    boundary is within a sentence, and in the texts as they are.
    """
    rng = np.random.default_rng(0)
    made = [cut_inside(text, rng) for text in texts if text.boundary > 1]
    rows = []
    for name, corpus in (("within a sentence", read(made)), ("between sentences", read(texts))):
        errors = word_errors(head, reader, corpus)
        rows.append(
            {
                "what": f"boundary {name}",
                "texts": len(corpus.texts),
                "words off, first of the best sentence": errors.of_sentence,
                "words off, the word that is found": errors.of_word,
            }
        )
    return rows


def reading_speed(detector: Detector, texts: Sequence[LabelledText]) -> list[Row]:
    """Seconds from text to answer, the model being loaded; medians of seven."""
    ten = " ".join(next(t for t in texts if len(t.sentences) == 10).sentences)
    words = " ".join(s for t in texts for s in t.sentences).split()[:1000]
    rows = []
    for name, text in (("ten sentences", ten), ("1,000 words", " ".join(words))):
        seconds = []
        for _ in range(7):
            start = time.perf_counter()
            detector.detect(text)
            seconds.append(time.perf_counter() - start)
        rows.append({"what": name, "words": len(text.split()), "s": float(np.median(seconds))})
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=os.environ.get("GNOMON_DATA"))
    parser.add_argument("--models", nargs="+", default=["smollm2"], help="that read the texts")
    parser.add_argument("--cache", type=Path, default=None)
    parser.add_argument("--limit", type=int, default=None, help="texts of the gpt2_xl part")
    parser.add_argument("--others", type=int, default=800, help="texts of each other kind")
    parser.add_argument("--bare", type=int, default=0, help="texts that are read stripped, too")
    parser.add_argument("--words", type=int, default=0, help="texts with a cut within a sentence")
    parser.add_argument(
        "--unspliced", action="store_true", help="take the head that saw no spliced texts"
    )
    parser.add_argument("--threads", type=int, default=None)
    parser.add_argument("--speed", action="store_true", help="time two texts, and nothing else")
    parser.add_argument("--save", type=Path, default=None, help="where the head is written")
    parser.add_argument("--keep", action="store_true", help="write benchmarks/results/")
    options = parser.parse_args()
    path = Path(options.data or ".") / "roft" / "roft.jsonl.gz"
    if not path.exists():
        parser.error(f"{path} is not there: --data (or GNOMON_DATA) names the folder that holds it")
    everything = read_corpus(path)
    learning = TrainOptions()

    models = [open_model(model) for model in options.models]
    if options.speed:
        texts = sample([t for t in everything if t.generator == "gpt2_xl"], None, seed=0)
        rows = [
            {"reader": model.name, **row}
            for model in models
            for row in reading_speed(Detector(model, threads=options.threads), texts)
        ]
        print_table(rows)
        publish("detect-speed", {"threads": options.threads, "rows": rows}, is_kept=options.keep)
        return
    require_one_shape(models)
    readers = {
        model.name: Reader(model, layers=layers_of(model), threads=options.threads)
        for model in models
    }

    def of(generator: str, limit: int | None) -> list[LabelledText]:
        return sample([t for t in everything if t.generator == generator], limit, seed=0)

    def read(texts: Sequence[LabelledText], reader: Reader, **more) -> ReadCorpus:
        clock, processor = time.perf_counter(), time.process_time()
        found = read_corpus_with(reader, texts, folder=options.cache, on_progress=show, **more)
        clock, processor = time.perf_counter() - clock, time.process_time() - processor
        print(
            f"{len(texts)} texts, cached ones included: {len(texts) / clock:.2f} texts/s, "
            f"{processor / len(texts):.2f} s of processor time for each",
            flush=True,
        )
        return found

    spliced = [replace(t, boundary=len(t.sentences)) for t in of("human-splice", options.others)]
    machine = [t.machine_part() for t in of("gpt2_xl", None) if t.boundary <= 5]
    readings = {
        name: Readings(
            xl=read(of("gpt2_xl", options.limit), reader),
            small=read(of("gpt2", options.others), reader),
            spliced=read(spliced, reader),
            machine=read(machine[: options.others], reader),
        )
        for name, reader in readers.items()
    }
    every = list(readings.values())
    without_splices = join([part for r in every for part in (r.xl, r.machine, r.small)])
    corpus = join([without_splices, *(r.spliced for r in every)])
    first = every[0]
    facts = {
        "data": "RoFT",
        "gpt2_xl": len(first.xl.texts),
        "gpt2": len(first.small.texts),
        "human-splice": len(first.spliced.texts),
    }
    head = warned = train_head(corpus, options=learning, facts=facts)
    unwarned = train_head(without_splices, options=learning, facts=facts | {"human-splice": 0})
    if options.unspliced:
        head = unwarned
    baseline = surface_only(mixed(first.xl.of_part("train")), learning)
    stateless = train_head(without_states(corpus), options=learning)
    result: dict[str, Any] = {"readers": list(readings), "texts": facts}

    def report(name: str, rows: list[Row]) -> None:
        print(f"\n{name}", flush=True)
        print_table(rows)
        result[name] = rows

    heads = (("", warned), (", a head that saw no spliced texts", unwarned))
    for name, each in readings.items():
        test, others = mixed(each.xl.of_part("test")), mixed(each.small.of_part("test"))
        rows = by_kind(test, head, baseline)
        rows.append(figures_of(others, ours(head)(others), "gpt2"))
        rows.append(figures_of(others, baseline(others), "gpt2, surface only"))
        plain = without_states(test)
        rows.append(figures_of(plain, ours(stateless)(plain), "gpt2_xl, without hidden states"))
        rows.append(figures_of(test, ours(unwarned)(test), f"gpt2_xl{heads[1][0]}"))
        report(f"unseen openings, {name}", rows)
        human, two = join([each.xl, each.small]).of_part("test"), each.spliced.of_part("test")
        rates = []
        for suffix, which in heads:
            rates.append(asdict(measure(which, human, name=f"human parts{suffix}")))
            rates.append(asdict(measure(which, two, name=f"two people's texts{suffix}")))
        report(f"false alarms, recall and coverage, {name}", rates)
        threshold = head.calibration(name).threshold
        found = [1 - p[-1] >= threshold for p in ours(head)(each.machine.of_part("test"))]
        result[f"all machine, found, {name}"] = float(np.mean(found)) if found else None
        whole = join([each.xl, each.machine, each.small]).of_part("test")
        report(f"whole texts, {name}", whole_texts(head, whole))
    report("leave one domain out", leave_one_out(readings, learning))
    corpora = {name: each.xl for name, each in readings.items()}
    if len(readers) > 1:
        report(
            "readers compared", [*with_one_head(head, corpora), *with_own_heads(corpora, learning)]
        )
    reader = next(iter(readers.values()))
    if options.bare:
        full = first.xl.where([i < options.bare for i in range(len(first.xl.texts))])
        both = {"in full": full, "stripped": read(full.texts, reader, form=bare_form)}
        report(
            "lower case, no punctuation",
            [*with_one_head(head, both), *with_own_heads(both, learning)],
        )
    if options.words:
        texts = mixed(first.xl.of_part("test")).texts[: options.words]
        report("words", within_sentences(head, reader, partial(read, reader=reader), texts))
    result["head bytes"] = None
    if options.save:
        head.save(options.save)
        result["head bytes"] = options.save.stat().st_size
    publish("detect-roft", result, is_kept=options.keep)


if __name__ == "__main__":
    main()
