"""A solution as a text to read: what is given, the steps, and the points that are added on the way.

An `Explanation` is what all formats have in common; `text`, `latex` and `html` only set it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gnomon.geometry.check import plain
from gnomon.geometry.language import Clause, Problem
from gnomon.geometry.predicates import Statement
from gnomon.geometry.proof import Proof
from gnomon.geometry.rules import same
from gnomon.geometry.wording import ROUTINE, label, reason, say, say_clause

ANGLES = (
    "Angles are directed, modulo 180°: ∠ABC turns the line BA into the line BC, counter-clockwise."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of the proof. `number` is what later lines call it by: 1, 2, … for steps, a, b, …
    for what is given, and nothing where a point is added.
    """

    number: str
    text: str
    reason: str
    uses: tuple[str, ...]
    statements: tuple[Statement, ...]  # what the figure shows of it
    point: str = ""  # the new one, where one is added


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """A proof in plain English, in order."""

    problem: tuple[str, ...]  # sentences that draw the figure
    goal: str
    lines: tuple[Line, ...]
    unused: tuple[str, ...]  # given, and not needed
    points: tuple[str, ...]  # the added ones
    note: str  # for which configurations, where not for all

    @property
    def steps(self) -> tuple[Line, ...]:
        """The lines that conclude something."""
        return tuple(line for line in self.lines if line.number.isdigit())

    @property
    def key_lines(self) -> tuple[Line, ...]:
        """What one has to find: added points and steps, without routine ones if others are left."""
        lines = [line for line in self.lines if line.point or line.uses]
        return tuple([line for line in lines if line.reason not in ROUTINE] or lines)

    @property
    def has_angles(self) -> bool:
        """Whether a reader has to know what `ANGLES` says."""
        said = (*self.problem, self.goal, *(line.text + line.reason for line in self.lines))
        return any("∠" in text for text in said)


def explain(
    proof: Proof, problem: Problem, added: Sequence[Clause], *, note: str = ""
) -> Explanation:
    """Lines for a proof of `problem`, whose last clauses are `added`."""
    assert problem.goal is not None
    writer = _Writer(proof, problem, added)
    used = {step.conclusion for step in proof.steps if step.rule == "given"}
    clauses = problem.clauses[: len(problem.clauses) - len(added)]
    unused = [
        say(fact)
        for clause in clauses
        for step in clause.steps
        if not any(plain(fact) in used for fact in step.facts())
        for fact in step.facts()
    ]
    return Explanation(
        problem=tuple(
            _sentence(said) for said in (*map(say_clause, clauses), *map(say, problem.conditions))
        ),
        goal=say(problem.goal),
        lines=tuple(writer.lines),
        unused=tuple(dict.fromkeys(unused)),
        points=tuple(point for clause in added for point in clause.points),
        note=note,
    )


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."


class _Writer:
    """Numbers the steps. What is given comes first, in the problem's order; added points, and what
    is given of them, where they are needed.
    """

    def __init__(self, proof: Proof, problem: Problem, added: Sequence[Clause]) -> None:
        self._proof = proof
        self._added = {point: clause for clause in added for point in clause.points}
        self._shown: set[str] = set(problem.points) - set(self._added)
        self._numbers: dict[int, str] = {}
        self._given = self._steps = 0
        self.lines: list[Line] = []
        given = [i for i, step in enumerate(proof.steps) if step.rule == "given"]
        order = {plain(fact): number for number, fact in reversed([*enumerate(problem.facts())])}
        for index in sorted(given, key=lambda i: order.get(proof.steps[i].conclusion, -1)):
            if set(proof.steps[index].conclusion.points) <= self._shown:
                self._give(index)
        for index, step in enumerate(proof.steps):
            if step.rule != "given" and not step.is_obvious:
                self._step(index)

    def _give(self, index: int) -> None:
        self._given += 1
        self._numbers[index] = _letters(self._given)
        fact = self._proof.steps[index].conclusion
        self.lines.append(
            Line(
                number=self._numbers[index],
                text=say(fact),
                reason="by construction" if set(fact.points) & self._added.keys() else "given",
                uses=(),
                statements=(fact,),
            )
        )

    def _introduce(self, index: int) -> None:
        """What is given of an added point, after the point."""
        for point in self._proof.steps[index].conclusion.points:
            self._add(point)
        self._give(index)

    def _step(self, index: int) -> None:
        step = self._proof.steps[index]
        first = step.premises[0].step
        is_goal = index == len(self._proof.steps) - 1
        if not is_goal and same(step.conclusion, self._proof.steps[first].conclusion):
            if first not in self._numbers:
                self._introduce(first)
            self._numbers[index] = self._numbers[first]  # in another order: no step for a reader
            return
        terms = [term for term in step.premises if not self._proof.steps[term.step].is_obvious]
        for term in terms:
            if term.step not in self._numbers:
                self._introduce(term.step)
        for point in step.conclusion.points:
            self._add(point)
        premises = [self._proof.steps[term.step].conclusion for term in terms]
        self._steps += 1
        self._numbers[index] = str(self._steps)
        uses = dict.fromkeys(self._numbers[term.step] for term in terms)
        self.lines.append(
            Line(
                number=self._numbers[index],
                text=say(step.conclusion),
                reason=reason(step, list(dict.fromkeys(premises))),
                uses=tuple(uses),
                statements=(step.conclusion, *dict.fromkeys(premises)),
            )
        )

    def _add(self, point: str) -> None:
        """Says how an added point is drawn, after those that it needs, and why it helps."""
        if point in self._shown:
            return
        clause = self._added[point]
        self._shown.update(clause.points)
        for step in clause.steps:
            for bound in step.binding.values():
                if isinstance(bound, str):
                    self._add(bound)
        self.lines.append(
            Line(
                number="",
                text=f"Add {label(point)}: {say_clause(clause)}.",
                reason=self._help(point),
                uses=(),
                statements=tuple(fact for step in clause.steps for fact in step.facts()),
                point=point,
            )
        )

    def _help(self, point: str) -> str:
        """What follows of the point that leads to something that does not mention it."""
        steps = self._proof.steps
        found: list[Statement] = []
        for step in steps:
            if step.rule == "given" or point in step.conclusion.points:
                continue
            for term in step.premises:
                premise = steps[term.step]
                if premise.rule != "given" and point in premise.conclusion.points:
                    found.append(premise.conclusion)
        # Rather not of points that are added further down.
        bridges = [fact for fact in found if self._shown.issuperset(fact.points)] or found
        if not bridges:
            bridges = [
                step.conclusion
                for step in steps
                if step.rule != "given" and point in step.conclusion.points
            ][-1:]
        said = list(dict.fromkeys(map(say, bridges)))[:2]
        return f"it helps, because then {' and '.join(said)}" if said else "it links what is given"


def _letters(number: int) -> str:
    """a, b, …, z, aa, ab, …"""
    letters = ""
    while number > 0:
        number, rest = divmod(number - 1, 26)
        letters = chr(ord("a") + rest) + letters
    return letters


def to_text(explanation: Explanation) -> str:
    """Numbered lines with their reasons."""
    lines = [*explanation.problem, f"To show: {explanation.goal}."]
    lines += [ANGLES, ""] if explanation.has_angles else [""]
    width = max((len(line.number) for line in explanation.lines), default=1)
    for line in explanation.lines:
        if line.point:
            lines.append(f"{'':>{width + 2}} {line.text} ({line.reason})")
            continue
        number = f"{line.number}." if line.number.isdigit() else f"({line.number})"
        sources = f", from {', '.join(line.uses)}" if line.uses else ""
        lines.append(f"{number:>{width + 2}} {line.text}  [{line.reason}{sources}]")
    if explanation.unused:
        lines += ["", f"Not needed: {'; '.join(explanation.unused)}."]
    if explanation.note:
        lines += ["", explanation.note]
    return "\n".join(lines)
