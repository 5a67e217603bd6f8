"""Proofs as steps that use earlier ones, in memory and as JSON."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from gnomon.errors import DataError
from gnomon.geometry.predicates import Statement, statement

FORMAT = "gnomon geometry proof 1"
_NUMBER = re.compile(r"-?\d{1,2000}(/\d{1,2000})?")  # no exponents: 1e999999999 is a number, too


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

    @property
    def is_obvious(self) -> bool:
        """Whether it says that something is equal to itself."""
        return not self.premises and self.rule != "given"


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """Steps that use earlier ones only; the last one is the goal. Numbers count from 0."""

    steps: tuple[ProofStep, ...]

    @property
    def length(self) -> int:
        """How many steps there are to read: not what is given, nor ∠ABC = ∠ABC."""
        return sum(not step.is_obvious and step.rule != "given" for step in self.steps)

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

    @classmethod
    def from_dict(cls, data: Any) -> Proof:
        """The inverse of `to_dict`. Raises DataError."""
        try:
            if data["format"] != FORMAT:
                raise DataError(f"the format is '{data['format']}', and '{FORMAT}' was expected")
            steps = []
            for entry in data["steps"]:
                terms = []
                for term in entry["premises"]:
                    coefficient = term.get("coefficient")
                    terms.append(
                        Term(
                            _to_index(term["step"]),
                            _to_index(term.get("equation", 0)),
                            None if coefficient is None else _to_fraction(coefficient),
                        )
                    )
                steps.append(
                    ProofStep(
                        conclusion=_to_statement(entry["conclusion"]),
                        rule=str(entry["rule"]),
                        premises=tuple(terms),
                    )
                )
        except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
            raise DataError(
                f"it is no proof as gnomon writes it ({type(error).__name__}: {error})"
            ) from error
        except ZeroDivisionError as error:
            raise DataError("it is no proof: a coefficient divides by zero") from error
        return cls(steps=tuple(steps))


def _to_index(number: Any) -> int:
    if type(number) is not int:  # nor a bool
        raise ValueError(f"{number!r:.40} is no whole number")
    return number


def _to_fraction(text: str) -> Fraction:
    if not _NUMBER.fullmatch(text):
        raise ValueError(f"'{text[:40]}' is no fraction")
    return Fraction(text)


def _to_statement(text: str) -> Statement:
    for word in text.split():
        if not word[0].isalpha() and word[0] != "_":
            _to_fraction(word)
            if len(word) > 25:
                raise ValueError(f"the number in '{text[:60]}' is too long")
    return statement(text)
