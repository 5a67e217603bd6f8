"""`render_page`: a detection as one HTML page that needs nothing but itself.

No script, no font and no picture from elsewhere; all text is escaped; it follows light and dark
mode, prints, and fits a telephone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

import numpy as np
from jinja2 import Environment, StrictUndefined

from gnomon.detect.conformal import given_machine
from gnomon.detect.detection import Detection

WIDTH, HEIGHT = 1000.0, 100.0  # of the charts, which the page stretches to fit
_SHADES = 10
_WORDS = 6  # that show a place within a sentence


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """A detection in sentences."""

    answer: str
    interval: str
    probability: str
    word: str | None  # where within a sentence, if that was asked for


def say(found: Detection) -> Said:
    count = len(found.sentences)
    low, high = found.interval
    if found.verdict == "human":
        answer = "No machine text was found."
    elif found.verdict == "machine":
        answer = "All of it reads as a machine's."
    else:
        answer = f"The machine takes over at sentence {found.boundary + 1} of {count}."
    span = (
        f"at sentence {low + 1}" if low == high else f"between sentences {low + 1} and {high + 1}"
    )
    condition = "If a machine did write on, it began" if found.verdict == "human" else "It began"
    return Said(
        answer=answer,
        interval=f"{condition} {span}; such intervals hold the place in {found.coverage:.0%} of "
        "texts like those measured.",
        probability=f"{found.probability:.1%}; from {found.threshold:.1%} on, it is called "
        "machine text.",
        word=None if found.cut is None else _near(found, found.cut.character),
    )


def _near(found: Detection, character: int) -> str:
    """Which sentence the character is in, and some words from there on."""
    number = max(i for i, s in enumerate(found.sentences) if s.begin <= character)
    sentence = found.sentences[number]
    words = sentence.text[character - sentence.begin :].split()
    rest = " …" if len(words) > _WORDS else ""
    return f"sentence {number + 1}, “{' '.join(words[:_WORDS])}{rest}”"


def render_page(found: Detection, *, name: str, reader: str) -> str:
    """The page as text; `name` is what the text is called, `reader` the model that read it."""
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    low, high = found.interval
    count = len(found.sentences)
    conditional = given_machine(found.posterior)
    source = files("gnomon.detect").joinpath("page.html.j2").read_text(encoding="utf-8")
    return environment.from_string(source).render(
        name=name,
        reader=reader,
        said=say(found),
        verdict=found.verdict,
        boundary=found.boundary,
        low=low,
        high=high,
        count=count,
        sentences=[
            {
                "number": i + 1,
                "text": sentence.text,
                "shade": min(int(probability * _SHADES), _SHADES - 1),
                "title": f"sentence {i + 1}: machine with probability {probability:.0%}; "
                f"surprisal {surprisal:.2f}, expected {expected:.2f} nats a token",
            }
            for i, (sentence, probability, surprisal, expected) in enumerate(
                zip(
                    found.sentences,
                    found.probabilities,
                    found.surprisals,
                    found.expected,
                    strict=True,
                )
            )
        ],
        places=_bars(conditional, highest=float(conditional.max()), what="boundary"),
        surprise=_bars(
            found.surprisals,
            highest=float(max(found.surprisals.max(), found.expected.max())),
            what="surprisal",
        ),
        expected=_line(
            found.expected, highest=float(max(found.surprisals.max(), found.expected.max()))
        ),
        kinds=sorted(found.kinds.items(), key=lambda kind: -kind[1]),
        notes=found.notes,
        width=WIDTH,
        height=HEIGHT,
    )


def _bars(
    values: Sequence[float] | np.ndarray, *, highest: float, what: str
) -> list[dict[str, Any]]:
    step = WIDTH / len(values)
    return [
        {
            "x": round(i * step + 0.1 * step, 3),
            "width": round(0.8 * step, 3),
            "y": round(HEIGHT - HEIGHT * float(value) / max(highest, 1e-9), 3),
            "height": round(HEIGHT * float(value) / max(highest, 1e-9), 3),
            "title": f"sentence {i + 1}: {what} {value:.2f}",
        }
        for i, value in enumerate(values)
    ]


def _line(values: np.ndarray, *, highest: float) -> str:
    """The points of a polyline over bars of the same values."""
    step = WIDTH / len(values)
    return " ".join(
        f"{(i + 0.5) * step:.2f},{HEIGHT - HEIGHT * float(v) / max(highest, 1e-9):.2f}"
        for i, v in enumerate(values)
    )
