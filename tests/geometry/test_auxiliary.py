"""Proposals, warm starts, shorter proofs, random theorems."""

from __future__ import annotations

import itertools
import json

import pytest

from gnomon.errors import DataError
from gnomon.geometry import Problem, Status, solve
from gnomon.geometry.auxiliary import (
    Figure,
    HeuristicProposer,
    PointVerifier,
    clause_of,
    facts_of,
    forms,
)
from gnomon.geometry.certificate import verify
from gnomon.geometry.coincidences import coincidences
from gnomon.geometry.diagram import draw
from gnomon.geometry.generate import generate, read_records
from gnomon.geometry.native import make_state, to_native
from gnomon.geometry.predicates import Statement, holds
from gnomon.search import Extended

TEXT = "a b c = triangle a b c; o = circle o a b c; h = orthocenter h a b c ? cong a b a c"


@pytest.fixture(scope="module")
def figure():
    problem = Problem.parse(TEXT)
    pictures = tuple(draw(problem, seed=seed) for seed in (1, 2))
    state = make_state(problem, pictures)
    state.saturate(1.0)
    assert problem.goal is not None
    return problem, pictures, Figure(state), to_native(problem.goal, problem.points)


def test_every_proposal_is_where_its_construction_says(figure):
    """The places of the native proposer satisfy the facts of the language's constructions."""
    problem, pictures, state, goal = figure
    points = HeuristicProposer(goal).rank(state)
    assert len({point.form for point in points}) >= 10
    assert max(point.form for point in points) < len(forms())
    for point in points:
        longer = problem.extended(clause_of(point, "x", problem.points))
        for at, place in zip(pictures, point.places, strict=True):
            for step in longer.clauses[-1].steps:
                for fact in step.facts():
                    assert holds(fact, {**at, "x": place}, tolerance=1e-5), str(step)


def test_the_ranking_is_the_same_every_time(figure):
    *_, state, goal = figure
    one, other = (HeuristicProposer(goal, seed=3).propose(state) for _ in range(2))
    assert [p.step.points for p in itertools.islice(one, 40)] == [
        p.step.points for p in itertools.islice(other, 40)
    ]
    costs = [p.cost for p in itertools.islice(one, 40)]
    assert costs == sorted(costs)


def test_a_warm_start_knows_what_a_cold_one_knows(figure):
    """Adding a point to a saturated copy gives what saturating all of it from the start gives."""
    problem, pictures, state, goal = figure
    verifier = PointVerifier(goal, lambda _: None)
    steps = HeuristicProposer(goal).propose(state)
    for number in (0, 1, 2, 4, 5, 6, 8, 9, 10, 12):
        (point,) = steps[number].step.points
        verdict = verifier.verify(state, steps[number].step)
        assert isinstance(verdict, Extended)
        warm = verdict.state.state
        longer = problem.extended(clause_of(point, "x", problem.points))
        places = [{**at, "x": p} for at, p in zip(pictures, point.places, strict=True)]
        cold = make_state(longer, places)
        cold.saturate(1.0)
        for said in cold.conclusions():
            assert warm.knows(said), (str(longer.clauses[-1]), said)
        for said in warm.conclusions():
            assert cold.knows(said), (str(longer.clauses[-1]), said)


def test_facts_of_a_form_are_those_of_its_clause(figure):
    problem, _, state, goal = figure
    for point in HeuristicProposer(goal).rank(state)[:50]:
        longer = problem.extended(clause_of(point, "x", problem.points))
        given = [fact for step in longer.clauses[-1].steps for fact in step.facts()]
        assert facts_of(point, len(problem.points)) == [
            to_native(fact, longer.points) for fact in given
        ]


def test_a_theorem_that_needs_points():
    text = "a b c d = quadrangle a b c d; e = midpoint e b a; f = foot f a c d; g = foot g b c d "
    problem = Problem.parse(f"{text} ? cong e f e g")
    alone = solve(problem, points="none")
    assert alone.status is Status.NOT_FOUND
    for seed, threads in ((0, 1), (1, 2)):
        solution = solve(problem, time_s=20, seed=seed, threads=threads, minimise_s=0.2)
        assert solution.status is Status.PROVED
        assert solution.added
        assert solution.proof is not None
        assert verify(solution.proof, solution.problem, seed=9) >= 3


def test_a_proof_becomes_shorter_and_stays_one():
    text = "a b c = triangle a b c; h = orthocenter h a b c; d = midpoint d b c; o = circle o a b c"
    problem = Problem.parse(f"{text}; e = mirror e h d ? cong o e o a")
    long = solve(problem, minimise_s=0, time_s=10)
    short = solve(problem, minimise_s=0.5, time_s=10)
    assert long.proof is not None
    assert short.proof is not None
    assert short.proof.length <= long.proof.length
    assert verify(short.proof, short.problem, seed=3) >= 3


def test_random_theorems_are_the_same_for_any_number_of_processes():
    one = list(generate(6, seed=4))
    assert one == list(generate(6, seed=4, processes=2))
    assert one != list(generate(6, seed=5))
    for record in one:
        problem = Problem.parse(record["problem"])
        assert problem.goal is not None
        for text in record["points"]:
            problem = problem.extended(text)
        solution = solve(problem, points="none", minimise_s=0)
        assert solution.status in (Status.PROVED, Status.PROVED_IN_PART)


def test_coincidences_are_those_of_the_predicates():
    """In a square with its centre: nothing false, and of each kind as many as there are."""
    problem = Problem.parse("a b c d = isquare a b c d; o = midpoint o a c; x = free x")
    pictures = [draw(problem, seed=seed) for seed in (1, 2)]
    found = list(coincidences(list(zip(*(at.values() for at in pictures), strict=True))))
    counts = dict.fromkeys(("coll", "para", "perp", "cong", "cyclic"), 0)
    for kind, places, _, _ in found:
        counts[kind] += 1
        fact = Statement(kind, tuple(problem.points[place] for place in places))
        assert all(holds(fact, at) for at in pictures), str(fact)
    # Lengths: four sides, two diagonals, four halves. Right angles: 4 of sides, 3 × 3 of diagonals.
    assert counts == {"coll": 2, "para": 2, "perp": 13, "cong": 6 + 1 + 6, "cyclic": 1}


def test_an_interrupted_generation_goes_on():
    whole = list(generate(8, seed=4))
    for stop in (1, 5, 8):
        before = read_records([json.dumps(record) for record in whole[:stop]], seed=4)
        assert [*before, *generate(8, seed=4, before=before)] == whole
    for line, message in (('{"figure": "5/1"', "no record"), ("[]", "no record")):
        with pytest.raises(DataError, match=message):
            read_records([line], seed=4)
    with pytest.raises(DataError, match="made with seed 4, not 5"):
        read_records([json.dumps(whole[0])], seed=5)


def test_auxiliary_points_are_needed():
    """What a record gives as auxiliary is proved with it, and not without."""
    records = list(generate(6, seed=1, only_auxiliary=True))
    for record in records:
        problem = Problem.parse(record["problem"])
        assert solve(problem, points="none", minimise_s=0).status is Status.NOT_FOUND
        longer = problem.extended("; ".join(record["points"]))
        solution = solve(longer, points="none", minimise_s=0)
        assert solution.status in (Status.PROVED, Status.PROVED_IN_PART)


def test_a_goal_that_is_given_needs_nothing():
    solution = solve(Problem.parse("a b = segment a b; c = on_bline c a b ? cong c a c b"))
    assert solution.proof is not None
    assert solution.proof.steps[-1].conclusion == Statement("cong", ("c", "a", "c", "b"))
    assert solution.proof.length == 0
