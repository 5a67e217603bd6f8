"""`render_page`: a detection as one HTML page that needs nothing but itself.

Nothing comes from elsewhere; all text is escaped; it follows light and dark mode, prints, and fits
a telephone. Text and charts are drawn by detection.js, which the page of
`gnomon serve` uses too; `told` is what it is given, and what programs are told.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from importlib.resources import files
from typing import Any

from jinja2 import Environment, StrictUndefined

from gnomon.detect.detection import Detection, WordCut

CAUTION = (
    "This is a probability and no proof; docs/detect.md has the error rates as they were measured. "
    "It must not be used to judge people: for an accusation, a grade or a dismissal."
)
_WORDS = 6  # that show a place within a sentence


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """A detection in sentences."""

    answer: str
    interval: str
    probability: str
    word: str | None  # where within a sentence, if that was asked for
    caution: str


def say(found: Detection) -> Said:
    count = len(found.sentences)
    low, high = found.interval
    asked = _percent(found.threshold)
    if found.verdict == "human" and found.probability > 0.5:
        answer = (
            f"Machine text? Not sure enough to say so: {_percent(found.probability)} "
            f"({asked} is asked for)"
        )
    elif found.verdict == "human":
        answer = "No machine text was found."
    elif found.verdict == "machine":
        answer = "All of it reads as a machine's."
    else:
        where = "within" if found.is_within else "at"
        answer = f"The machine takes over {where} sentence {found.boundary + 1} of {count}."
    span = (
        f"at sentence {low + 1}" if low == high else f"between sentences {low + 1} and {high + 1}"
    )
    condition = "If a machine did write on, it began" if found.verdict == "human" else "It began"
    return Said(
        answer=answer,
        interval=f"{condition} {span}; such intervals hold the place in "
        f"{100 * found.coverage:.0f} % of texts like those measured.",
        probability=f"{_percent(found.probability)}; from {asked} on, it is called machine text.",
        word=None if found.cut is None else _near(found, found.cut),
        caution=CAUTION,
    )


def _near(found: Detection, cut: WordCut) -> str:
    """The word of the cut, its sentence, and some words from there on."""
    sentence = found.sentences[found.boundary]
    words = sentence.text[cut.character - sentence.begin :].split()
    rest = " …" if len(words) > _WORDS else ""
    return f"“{words[0]}”, in sentence {found.boundary + 1}: “{' '.join(words[:_WORDS])}{rest}”"


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def told(found: Detection, text: str, *, reader: str) -> dict[str, Any]:
    """What was found in `text` as JSON: the answer of `gnomon detect --json` and of `POST /detect`,
    and what detection.js draws. `reader` is the name of the model that read.
    """
    return {
        "model": reader,
        "said": asdict(say(found)),
        "verdict": found.verdict,
        "boundary": found.boundary,
        "character": found.character,
        "word": found.word(text),
        "word_probability": None if found.cut is None else found.cut.probability,
        "interval": list(found.interval),
        "coverage": found.coverage,
        "probability": found.probability,
        "threshold": found.threshold,
        "posterior": found.posterior.tolist(),
        "machine": found.machine,
        "kinds": dict(found.kinds),
        "notes": list(found.notes),
        "sentences": [
            {
                "begin": sentence.begin,
                "end": sentence.end,
                "text": sentence.text,
                "probability": float(probability),
                "surprisal": float(surprisal),
                "expected": float(expected),
            }
            for sentence, probability, surprisal, expected in zip(
                found.sentences, found.probabilities, found.surprisals, found.expected, strict=True
            )
        ],
    }


def render_page(found: Detection, text: str, *, name: str, reader: str) -> str:
    """The page of what was found in `text`; `name` is what the text is called, `reader` the model
    that read it.
    """
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    # Inside a script nothing is escaped but what could end it.
    data = json.dumps(told(found, text, reader=reader)).replace("<", "\\u003c")
    return environment.from_string(_file("page.html.j2")).render(
        name=name,
        reader=reader,
        said=say(found),
        notes=found.notes,
        style=_file("detection.css"),
        script=_file("detection.js"),
        data=data,
    )


def _file(name: str) -> str:
    return files("gnomon.detect").joinpath(name).read_text(encoding="utf-8")
