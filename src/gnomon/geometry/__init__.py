"""Plane geometry: problems in AlphaGeometry's language, a deduction engine, checked proofs."""

from gnomon.geometry.language import Problem, ProblemError, parse_problems
from gnomon.geometry.proof import Proof
from gnomon.geometry.reading import read_problem
from gnomon.geometry.solver import Solution, Status, solve

__all__ = [
    "Problem",
    "ProblemError",
    "Proof",
    "Solution",
    "Status",
    "parse_problems",
    "read_problem",
    "solve",
]
