"""A proof as one HTML page without outside requests: the figure lights up and can be dragged."""

from __future__ import annotations

import json
import math
from importlib.resources import files
from typing import Any

from jinja2 import Environment, StrictUndefined

from gnomon.geometry.drawing import HEIGHT, WIDTH, Drawing, Marks, marks_of
from gnomon.geometry.explanation import ANGLES, Explanation
from gnomon.geometry.language import Problem
from gnomon.geometry.predicates import Statement
from gnomon.geometry.wording import label


def to_html(explanation: Explanation, drawing: Drawing, problem: Problem) -> str:
    """The page. Its script keeps the facts of `problem` true while a point is dragged."""
    source = files("gnomon.geometry").joinpath("page.html.j2").read_text(encoding="utf-8")
    environment = Environment(autoescape=True, undefined=StrictUndefined)
    data = {
        "points": {name: [at.real, at.imag] for name, at in drawing.points.items()},
        "labels": {
            name: [spot.real - drawing.points[name].real, spot.imag - drawing.points[name].imag]
            for name, spot in drawing.labels.items()
        },
        "names": {name: label(name) for name in drawing.points},
        "segments": drawing.segments,
        "circles": drawing.circles,
        "added": drawing.added,
        "facts": [
            {
                "predicate": fact.predicate,
                "points": fact.points,
                "number": _number(fact, drawing),
            }
            for fact in problem.facts()
        ],
        "lines": [
            {
                "number": line.number,
                "uses": line.uses,
                "marks": _marks([marks_of(fact, drawing.points) for fact in line.statements[:1]])
                if not line.point
                else _marks([marks_of(fact, drawing.points) for fact in line.statements]),
            }
            for line in explanation.lines
        ],
    }
    # "</script>" in a name would end the script; the page's JSON has no "<" at all.
    text = json.dumps(data).replace("<", "\\u003c")
    return environment.from_string(source).render(
        title=problem.name or "Proof",
        explanation=explanation,
        angles=ANGLES if explanation.has_angles else "",
        data=text,
        width=f"{WIDTH:.0f}",
        height=f"{HEIGHT:.0f}",
    )


def _number(fact: Statement, drawing: Drawing) -> float:
    """The number that the page keeps: a length as it is drawn, a ratio, or degrees."""
    if fact.predicate in ("lconst", "l2const"):
        one, other = (drawing.points[point] for point in fact.points)
        return abs(one - other)
    number = float(fact.numbers[0]) if fact.numbers else 0.0
    return math.sqrt(number) if fact.predicate == "r2const" else number


def _marks(all_marks: list[Marks]) -> dict[str, Any]:
    return {
        kind: [entry for marks in all_marks for entry in getattr(marks, kind)]
        for kind in ("segments", "circles", "angles", "triangles")
    }
