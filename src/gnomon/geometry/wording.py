"""How mathematicians say it: statements, constructions and reasons in plain English.

Points are capital letters. Angles are directed, modulo 180°: ∠ABC turns BA to BC.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from gnomon.geometry.language import Clause, Step
from gnomon.geometry.predicates import Statement
from gnomon.geometry.proof import ProofStep

# The rules by their usual names. The keys are those of cpp/geometry/state.cpp.
RULES = {
    "given": "given",
    "directions": "angle chase",
    "ratios": "multiplying ratios",
    "lengths": "adding lengths",
    "same line": "two points determine a line",
    "same circle": "three points determine a circle",
    "centre": "equal distances from the centre",
    "two chords": "the perpendicular bisectors of two chords meet in the centre",
    "isosceles": "equal sides, equal angles",
    "isosceles back": "equal angles, equal sides",
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

# Reasons of steps that a reader takes for granted.
ROUTINE = frozenset(
    {
        "given",
        "by construction",
        "the midpoint is on the segment",
        "the midpoint halves the segment",
        "radii of one circle",
        "equal to the same length",
        *(RULES[rule] for rule in ("same line", "same circle", "between", "midpoint", "circle")),
    }
)

# Constructions: {a} is the point or number bound to the parameter a of its signature.
_PHRASES = {
    "free": "{a} is a point",
    "segment": "{a}{b} is a segment",
    "between": "{c} is between {a} and {b}",
    "triangle": "{a}{b}{c} is a triangle",
    "iso_triangle": "{a}{b}{c} is a triangle with {a}{b} = {a}{c}",
    "r_triangle": "{a}{b}{c} is a triangle with a right angle at {a}",
    "risos": "{a}{b}{c} is a triangle with {a}{b} = {a}{c} and a right angle at {a}",
    "ieq_triangle": "{a}{b}{c} is an equilateral triangle",
    "isquare": "{a}{b}{c}{d} is a square",
    "rectangle": "{a}{b}{c}{d} is a rectangle",
    "trapezoid": "{a}{b}{c}{d} is a trapezoid with {a}{b} ∥ {c}{d}",
    "r_trapezoid": "{a}{b}{c}{d} is a trapezoid with {a}{b} ∥ {c}{d} and a right angle at {a}",
    "eq_trapezoid": "{a}{b}{c}{d} is a trapezoid with {a}{b} ∥ {c}{d} and {a}{d} = {b}{c}",
    "quadrangle": "{a}{b}{c}{d} is a quadrilateral",
    "eq_quadrangle": "{a}{b}{c}{d} is a quadrilateral with {a}{d} = {b}{c}",
    "eqdia_quadrangle": "{a}{b}{c}{d} is a quadrilateral with {a}{c} = {b}{d}",
    "pentagon": "{a}{b}{c}{d}{e} is a pentagon",
    "on_line": "{x} is on {a}{b}",
    "between_bound": "{x} is between {a} and {b}",
    "on_opline": "{x} is on {a}{b}, beyond {a}",
    "on_pline": "{x}{a} is parallel to {b}{c}",
    "on_tline": "{x}{a} is perpendicular to {b}{c}",
    "on_bline": "{x} is on the perpendicular bisector of {a}{b}",
    "angle_bisector": "{x} is on the bisector of the angle {a}{b}{c}",
    "angle_mirror": "{b}{x} is {b}{a} reflected in {b}{c}",
    "lc_tangent": "{x}{a} touches the circle around {o} at {a}",
    "on_circle": "{x} is on the circle around {o} through {a}",
    "on_circum": "{x} is on the circle {a}{b}{c}",
    "on_dia": "{x} is on the circle with diameter {a}{b}",
    "eqdistance": "{x}{a} is as long as {b}{c}",
    "circle": "{x} is the centre of the circle {a}{b}{c}",
    "circumcenter": "{x} is the circumcentre of {a}{b}{c}",
    "midpoint": "{x} is the midpoint of {a}{b}",
    "mirror": "{x} is {a} reflected in {b}",
    "foot": "{x} is the foot of the perpendicular from {a} to {b}{c}",
    "reflect": "{x} is {a} reflected in {b}{c}",
    "orthocenter": "{x} is the orthocentre of {a}{b}{c}",
    "incenter": "{x} is the incentre of {a}{b}{c}",
    "excenter": "{x} is the excentre of {a}{b}{c} opposite {a}",
    "parallelogram": "{a}{b}{c}{x} is a parallelogram",
    "nsquare": "{x}{a} is {a}{b} turned by a right angle",
    "psquare": "{x}{a} is {a}{b} turned by a right angle",
    "eq_triangle": "{x}{b}{c} is an equilateral triangle",
    "intersection_cc": "the circles around {o} and {w} through {a} meet again at {x}",
    "intersection_lc": "{x} is where {a}{b} meets the circle around {o} through {b} again",
    "intersection_ll": "{x} is where {a}{b} and {c}{d} meet",
    "intersection_lp": "{x} is on {a}{b}, and {c}{x} ∥ {m}{n}",
    "intersection_lt": "{x} is on {a}{b}, and {c}{x} ⊥ {d}{e}",
    "square": "{a}{b}{x}{y} is a square",
    "incenter2": "{i} is the incentre of {a}{b}{c}; its circle touches {b}{c}, {c}{a}, {a}{b} at "
    "{x}, {y}, {z}",
    "excenter2": "{i} is the excentre of {a}{b}{c} opposite {a}; its circle touches {b}{c}, "
    "{c}{a}, {a}{b} at {x}, {y}, {z}",
    "centroid": "{i} is the centroid of {a}{b}{c}; {x}, {y}, {z} are the midpoints of "
    "{b}{c}, {c}{a}, {a}{b}",
    "ninepoints": "{i} is the centre of the nine-point circle of {a}{b}{c}; {x}, {y}, {z} are the "
    "midpoints of {b}{c}, {c}{a}, {a}{b}",
    "tangent": "{a}{x} and {a}{y} touch the circle around {o} through {b} at {x} and {y}",
    "trisegment": "{x} and {y} cut {a}{b} into three equal parts",
    "trisect": "{b}{x} and {b}{y} cut the angle {a}{b}{c} into three equal parts",
}


def label(point: str) -> str:
    """The point's name in a text: a1 is A₁."""
    match = re.fullmatch(r"([A-Za-z]+)_?(\d*)('*)", point)
    if match is None:
        return point.upper()
    digits = match.group(2).translate(str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉"))
    return match.group(1).upper() + digits + match.group(3)


def say_step(step: Step) -> str:
    """One construction."""
    phrase = _PHRASES.get(step.construction.name)
    if phrase is None:
        return " and ".join(say(fact) for fact in step.facts())
    words = {
        name: label(bound) if isinstance(bound, str) else str(bound)
        for name, bound in step.binding.items()
    }
    return phrase.format(**words)


def say_clause(clause: Clause) -> str:
    """New points and what they satisfy."""
    subject = f"{label(clause.points[0])} is " if len(clause.points) == 1 else ""
    text = ""
    for said in map(say_step, clause.steps):
        is_one_sentence = text.startswith(subject) and "," not in text and said.startswith(subject)
        if not text:
            text = said
        elif subject and is_one_sentence:
            text += f" and {said.removeprefix(subject)}"
        else:
            text += f", and {said}"
    return text


def say(fact: Statement) -> str:
    """A statement: `AB ∥ CD`."""
    p = [label(point) for point in fact.points]
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
            return f"{_angle(p[:4])} = {_angle(p[4:])}"
        case "eqratio":
            return f"{pairs[0]} : {pairs[1]} = {pairs[2]} : {pairs[3]}"
        case "aconst":
            return f"{_angle(p)} = {number}°"
        case "s_angle":
            return f"∠{p[0]}{p[1]}{p[2]} = {number}°"
        case "rconst":
            return f"{pairs[0]} : {pairs[1]} = {number}"
        case "lconst":
            return f"{pairs[0]} = {number}"
        case "r2const":
            return f"{pairs[0]}² : {pairs[1]}² = {number}"
        case "l2const":
            return f"{pairs[0]}² = {number}"
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
        case "diff":
            return f"{p[0]} and {p[1]} are different points"
        case "ncoll":
            return f"{', '.join(p)} are not on one line"
        case "npara":
            return f"{pairs[0]} and {pairs[1]} are not parallel"
        case "nperp":
            return f"{pairs[0]} and {pairs[1]} are not perpendicular"
        case "obtuse_angle":
            return f"the angle {''.join(p)} is greater than 90°"
        case "sameclock":
            return f"{''.join(p[:3])} and {''.join(p[3:])} turn the same way round"
        case "sameside" | "nsameside":
            both = f"the angles {p[1]}{p[0]}{p[2]} and {p[4]}{p[3]}{p[5]} are"
            return f"{both}{' not' * (fact.predicate == 'nsameside')} of one kind (acute or obtuse)"
        case _:
            return str(fact)


def _angle(p: Sequence[str]) -> str:
    """∠BAC where the two lines are named from a common point."""
    for i in (0, 1):
        for j in (2, 3):
            if p[i] == p[j]:
                return f"∠{p[1 - i]}{p[i]}{p[5 - j]}"
    return f"∠({p[0]}{p[1]}, {p[2]}{p[3]})"


def reason(step: ProofStep, premises: Sequence[Statement]) -> str:
    """The usual name of what a step does."""
    kinds = {premise.predicate for premise in premises}
    similar = {"simtri", "simtrir", "contri", "contrir"}
    conclusion = step.conclusion.predicate
    if step.rule == "directions":
        if conclusion == "coll" and kinds <= {"midp"}:
            return "the midpoint is on the segment"
        if conclusion == "coll" and kinds <= {"midp", "coll"}:
            return RULES["same line"]
        if conclusion == "coll":
            return "parallel lines with a common point"
        if conclusion == "cyclic":
            return "converse of the inscribed angle theorem"
        if len(premises) == 1 and kinds <= similar:
            return "corresponding angles"
        if "cyclic" in kinds and conclusion == "eqangle" and kinds <= {"cyclic", "coll"}:
            return "inscribed angles"
        if "cyclic" in kinds:
            return "angle chase with inscribed angles"
        if kinds <= {"perp", "para", "coll"} and conclusion in ("para", "perp"):
            return "parallels and perpendiculars"
    if step.rule in ("ratios", "lengths"):
        if len(premises) == 1 and kinds <= similar:
            return "corresponding sides"
        if len(premises) == 1 and kinds == {"midp"}:
            return "the midpoint halves the segment"
        if kinds == {"circle"} and conclusion == "cong":
            return "radii of one circle"
        if kinds == {"cong"} and conclusion == "cong":
            return "equal to the same length"
    return RULES[step.rule]
