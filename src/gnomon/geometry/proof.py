"""Proofs as numbered steps, and how a person reads them."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from gnomon.geometry.predicates import Statement

FORMAT = "gnomon geometry proof 1"

# The rules by their usual names. The keys are those of cpp/geometry/state.cpp.
RULES = {
    "given": "given",
    "directions": "angle chase",
    "ratios": "multiplying ratios",
    "lengths": "adding lengths",
    "same line": "two points determine a line",
    "same circle": "three points determine a circle",
    "centre": "equal distances from the centre",
    "AA": "similar triangles, AA",
    "SAS": "similar triangles, SAS",
    "SSS": "similar triangles, SSS",
    "SSA": "similar triangles, SSA (the figure shows which of the two)",
    "parallels": "intercept theorem",
    "line ratios": "one ratio on a line determines the others",
    "parallels back": "converse of the intercept theorem",
    "bisector": "angle bisector theorem",
    "bisector back": "converse of the angle bisector theorem",
    "right angle": "the middle of a hypotenuse is equally far from all corners",
    "equal chords": "parallel lines cut equal chords from a circle",
    "parallel chords": "the ends of equal chords are joined by parallels",
    "trapezoid": "a trapezoid with equal legs is cyclic",
    "arc middle": "a bisector meets the circle halfway along the arc",
    "between": "a point between two others divides the segment",
    "midpoint": "definition of the midpoint",
    "circle": "definition of the circle",
    "congruent": "similar triangles with one pair of equal sides",
}
_SPECIAL = {
    ("directions", "coll"): "parallel lines with a common point",
    ("directions", "cyclic"): "converse of the inscribed angle theorem",
}


@dataclass(frozen=True, slots=True)
class Term:
    """A premise: an earlier step. In an algebraic step, `coefficient` times its equation number
    `equation`; elsewhere the coefficient is None and the whole step counts.
    """

    step: int
    equation: int
    coefficient: Fraction | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProofStep:
    """One conclusion and why it holds."""

    conclusion: Statement
    rule: str
    premises: tuple[Term, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """Steps that use earlier ones only; the last one is the goal. Numbers count from 0."""

    steps: tuple[ProofStep, ...]

    def to_dict(self) -> dict[str, Any]:
        """As plain data, for JSON."""
        return {
            "format": FORMAT,
            "steps": [
                {
                    "conclusion": str(step.conclusion),
                    "rule": step.rule,
                    "premises": [
                        {"step": term.step}
                        if term.coefficient is None
                        else {
                            "step": term.step,
                            "equation": term.equation,
                            "coefficient": str(term.coefficient),
                        }
                        for term in step.premises
                    ],
                }
                for step in self.steps
            ],
        }

    def __str__(self) -> str:
        """Numbered lines, those that use nothing first."""
        return "\n".join(_line(number, step) for number, step in enumerate(self.steps, start=1))


def _line(number: int, step: ProofStep) -> str:
    used = sorted({term.step + 1 for term in step.premises})
    reason = _SPECIAL.get((step.rule, step.conclusion.predicate), RULES[step.rule])
    sources = f" from {', '.join(map(str, used))}" if used else ""
    return f"{number:3}. {describe(step.conclusion)}  [{reason}{sources}]"


def describe(fact: Statement) -> str:
    """A statement as mathematicians write it: `AB ∥ CD`."""
    p = [point.upper() for point in fact.points]
    number = str(fact.numbers[0]) if fact.numbers else ""
    pairs = ["".join(p[i : i + 2]) for i in range(0, len(p), 2)]
    match fact.predicate:
        case "coll":
            return f"{', '.join(p)} are collinear"
        case "cyclic":
            return f"{', '.join(p)} are concyclic"
        case "para":
            return f"{pairs[0]} ∥ {pairs[1]}"
        case "perp":
            return f"{pairs[0]} ⊥ {pairs[1]}"
        case "cong":
            return f"{pairs[0]} = {pairs[1]}"
        case "eqangle":
            return f"∠({pairs[0]}, {pairs[1]}) = ∠({pairs[2]}, {pairs[3]})"
        case "eqratio":
            return f"{pairs[0]} : {pairs[1]} = {pairs[2]} : {pairs[3]}"
        case "aconst":
            return f"∠({pairs[0]}, {pairs[1]}) = {number}°"
        case "rconst":
            return f"{pairs[0]} : {pairs[1]} = {number}"
        case "lconst":
            return f"{pairs[0]} = {number}"
        case "sum":
            return f"{p[0]}{p[1]} + {p[1]}{p[2]} = {p[0]}{p[2]}"
        case "midp":
            return f"{p[0]} is the midpoint of {p[1]}{p[2]}"
        case "circle":
            return f"{p[0]} is the centre of the circle {p[1]}{p[2]}{p[3]}"
        case "simtri" | "simtrir":
            return f"the triangles {''.join(p[:3])} and {''.join(p[3:])} are similar"
        case "contri" | "contrir":
            return f"the triangles {''.join(p[:3])} and {''.join(p[3:])} are congruent"
        case _:
            return str(fact)
