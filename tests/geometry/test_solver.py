from __future__ import annotations

import itertools
from pathlib import Path
from random import Random

import pytest

from gnomon.errors import DataError, UsageError
from gnomon.geometry import Problem, Status, parse_problems, solve
from gnomon.geometry.diagram import DiagramError, draw
from gnomon.geometry.native import make_state, to_native
from gnomon.geometry.predicates import Statement, holds

PROBLEMS = {
    problem.name: problem
    for problem in parse_problems((Path(__file__).parent / "problems.txt").read_text("utf-8"))
}


@pytest.mark.parametrize("name", PROBLEMS)
def test_solves(name: str):
    solution = solve(PROBLEMS[name], points="none", minimise_s=0)
    assert solution.status in (Status.PROVED, Status.PROVED_IN_PART)
    assert (solution.refusal, solution.added) == ("", ())


def test_false_statements_are_never_proved():
    """Goals with one point exchanged for another: most become false, and none is proved."""
    rng = Random(8)
    wrong = 0
    for problem in PROBLEMS.values():
        assert problem.goal is not None
        pictures = [draw(problem, seed=seed) for seed in (21, 22)]
        for _ in range(6):
            points = list(problem.goal.points)
            points[rng.randrange(len(points))] = rng.choice(problem.points)
            goal = Statement(problem.goal.predicate, tuple(points))
            pairs = zip(points[::2], points[1::2], strict=False)
            if len(set(points)) < 3 or any(one == other for one, other in pairs):
                continue
            if all(holds(goal, at) for at in pictures):
                continue
            changed = Problem(name="", clauses=problem.clauses, goal=goal)
            solution = solve(changed, time_s=0.2, minimise_s=0)
            assert solution.status is not Status.PROVED, str(goal)
            wrong += solution.status is Status.FALSE
    assert wrong > 20


def test_a_theorem_about_one_of_two_intersections():
    """The other one makes a parallelogram."""
    text = "d c b = triangle d c b; a = eqdistance a d c b, on_pline a b d c ? cyclic a b c d"
    problem = Problem.parse(text)
    solution = solve(problem)
    assert solution.status is Status.PROVED_IN_PART
    assert problem.goal is not None
    assert holds(problem.goal, solution.diagram)
    assert solution.counterexample is not None
    assert not holds(problem.goal, solution.counterexample)


def test_a_theorem_that_is_false_where_a_point_is_far_away():
    """It is true where x lies between b and m, and false where it lies beyond m."""
    text = "a b = segment a b; m = mirror m a b; x = on_opline x b a; "
    text += "z = between_bound z a b, eqdistance z a x m ? cong b z b x"
    assert solve(Problem.parse(text)).status is Status.PROVED_IN_PART


def test_a_condition_that_hardly_any_figure_meets():
    """The angle is 60° or -60°. That d lies beyond k, marked figures show, and random ones do not;
    so nobody has looked at the other angle.
    """
    text = "a@0_0 b@1_0 = segment a b; c@0.5_0.866 = on_circle c a b, on_circle c b a; "
    text += "m = mirror m a b; n = mirror n a m; k = mirror k a n; d@10_0 = on_line d a b "
    solution = solve(Problem.parse(f"{text} ? obtuse_angle a k d; aconst a b a c 60"))
    assert solution.proof is not None
    assert solution.status is Status.PROVED_IN_PART
    assert not solution.is_every_choice


def test_a_counterexample_is_shown():
    problem = Problem.parse("a b c = triangle a b c ? cong a b a c")
    solution = solve(problem)
    assert solution.status is Status.FALSE
    assert not holds(Statement("cong", ("a", "b", "a", "c")), solution.diagram)


def test_true_but_out_of_reach():
    text = "a b c = triangle a b c; e f = trisect e f b a c; g h = trisect g h c b a; "
    text += (
        "i j = trisect i j a c b; k = intersection_ll k b g c j; l = intersection_ll l a f c i; "
    )
    text += "m = intersection_ll m a e b h ? cong k l k m"
    assert solve(Problem.parse(text), points="none").status is Status.NOT_FOUND


def test_no_time():
    easy = Problem.parse("a b c = iso_triangle a b c ? eqangle b a b c c b c a")
    solution = solve(easy, time_s=0)
    assert (solution.status, solution.refusal) == (Status.NOT_FOUND, "")
    with pytest.raises(UsageError, match="1 or more"):
        solve(easy, threads=0)
    with pytest.raises(UsageError, match="0 seconds or more"):
        solve(easy, time_s=float("nan"))


def test_no_goal():
    with pytest.raises(DataError, match="no goal"):
        solve(Problem.parse("a b = segment a b"))


def test_impossible_figures():
    with pytest.raises(DiagramError):
        solve(
            Problem.parse("a b = segment a b; c = on_line c a b; d = foot d a b c ? cong a b a c")
        )
    with pytest.raises(DiagramError, match="points d and e are the same place"):
        draw(Problem.parse("a b = segment a b; d = midpoint d a b; e = midpoint e b a"), seed=1)
    with pytest.raises(DiagramError, match="40 units or more away"):
        draw(Problem.parse("a = free a; b = lconst b a 1000"), seed=1)


def test_the_same_seed_gives_the_same_proof():
    problem = PROBLEMS["translated_imo_2012_p1"]
    one, other = (solve(problem, seed=4, points="none", minimise_s=0) for _ in range(2))
    assert one.proof == other.proof


def test_a_saturated_state_is_a_start():
    """A copy with one more point knows the theorem; the original is as it was."""
    before = Problem.parse("a b c = triangle a b c; m = midpoint m a b")
    after = Problem.parse("a b c = triangle a b c; m = midpoint m a b; n = midpoint n a c")
    diagrams = tuple(draw(after, seed=seed) for seed in (1, 2))
    state = make_state(before, diagrams)
    assert state.saturate(1.0)
    facts = state.facts
    more = state.copy()
    more.add_point(*(at["n"] for at in diagrams))
    for fact in after.facts()[len(before.facts()) :]:
        more.give(to_native(fact, after.points))
    assert more.saturate(1.0)
    assert more.knows(to_native(Statement("para", ("m", "n", "b", "c")), after.points))
    assert (state.points, state.facts) == (4, facts)


def test_the_native_state_refuses_nonsense():
    problem = Problem.parse("a b c = triangle a b c")
    state = make_state(problem, tuple(draw(problem, seed=seed) for seed in (1, 2)))
    for said, message in [
        (("nothing", [0], 0, 1), "no such predicate"),
        (("coll", [0, 1], 0, 1), "takes 3 points"),
        (("coll", [0, 1, 7], 0, 1), "No such point"),
        (("coll", [0, 1, 1], 0, 1), "twice"),
        (("coll", [0, 1, 2], 0, 1), "contradict"),
        (("rconst", [0, 1, 0, 2], -1, 2), "positive"),
        (("aconst", [0, 1, 0, 2], 1, 0), "denominator"),
        (("rconst", [0, 1, 0, 2], 53, 1), "primes up to 47"),
    ]:
        with pytest.raises(ValueError, match=message):
            state.give(said)
    with pytest.raises(ValueError, match="fall together"):
        state.add_point(*itertools.repeat(draw(problem, seed=1)["a"], 2))
