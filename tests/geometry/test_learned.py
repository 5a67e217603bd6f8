"""The transformer: its tokens, numpy against PyTorch, and what it proposes."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from gnomon.errors import DataError, UsageError
from gnomon.geometry import Problem
from gnomon.geometry.auxiliary import (
    AuxiliaryPoint,
    Figure,
    HeuristicProposer,
    clause_of,
    forms,
)
from gnomon.geometry.diagram import draw
from gnomon.geometry.learned.model import Model, Shape, places
from gnomon.geometry.learned.proposer import LearnedProposer, MixedProposer
from gnomon.geometry.learned.tokens import (
    encode,
    form_of,
    form_points,
    form_token,
    point_token,
    vocabulary,
)
from gnomon.geometry.learned.training import read_examples, train
from gnomon.geometry.native import make_state, to_native
from gnomon.geometry.predicates import holds

TEXT = "a b c = triangle a b c; m = midpoint m a b; n = midpoint n a c ? para m n b c"
RECORD = json.dumps({"problem": TEXT, "points": ["x = on_line x a b, on_line x c n"], "steps": 4})


@pytest.fixture(scope="module")
def model() -> Model:
    """Random weights: what it says means nothing, how it says it can be tested."""
    rng = np.random.default_rng(3)
    shape = Shape(width=16, layers=2, heads=2)
    sizes = {"embedding": (len(vocabulary()), 16), "positions": (places(), 16), "norm": (16,)}
    for n in range(2):
        sizes |= {f"{n}.norm1": (16,), f"{n}.norm2": (16,), f"{n}.qkv": (16, 48)}
        sizes |= {f"{n}.out": (16, 16), f"{n}.up": (16, 64), f"{n}.down": (64, 16)}
    weights = {
        name: rng.normal(0, 0.4, size).astype(np.float32) + (1.0 if "norm" in name else 0.0)
        for name, size in sizes.items()
    }
    return Model({name: value.astype(np.float32) for name, value in weights.items()}, shape)


def test_a_proposal_is_its_clause_and_back():
    problem = Problem.parse("a b c d e = pentagon a b c d e")
    for form in range(len(forms())):
        used = (3, 1, 4, 0, 2)[: form_points(form)]
        text = clause_of(AuxiliaryPoint(form, used, (0j, 0j), 0.0), "x", problem.points)
        assert form_of(problem.extended(text).clauses[-1], problem.points) == (form, used)


def test_numpy_gives_what_torch_gives(model: Model):
    """The logits of one pass in numpy give the loss that PyTorch trains on."""
    torch = pytest.importorskip("torch")
    from gnomon.geometry.learned.training import Example, _loss

    tokens = encode(Problem.parse(TEXT))
    proposal = (form_token(1), point_token(3), point_token(0))
    words = np.array([[*tokens, *proposal[:-1]]])
    logits, _ = model._read(words, 0, [(np.zeros((1, 0, 16), np.float32),) * 2 for _ in range(2)])
    expected = 0.0
    for place, token in enumerate(proposal):
        row = logits[0, len(tokens) - 1 + place]
        expected -= row[token] - np.log(np.exp(row - row.max()).sum()) - row.max()
    weights = {name: torch.tensor(value) for name, value in model._weights.items()}
    shape = Shape(width=16, layers=2, heads=2)
    loss = _loss([Example(tuple(tokens), proposal)], weights, shape, torch).item()
    assert loss == pytest.approx(expected, rel=1e-4)


def test_the_likeliest_come_first(model: Model):
    guesses = model.propose(encode(Problem.parse(TEXT)), 5, most=30)
    scores = [guess.log_probability for guess in guesses]
    assert scores == sorted(scores, reverse=True)
    for guess in guesses:
        assert len(guess.points) == form_points(guess.form) == len(set(guess.points))


def test_a_cache_is_as_good_as_reading_again(model: Model):
    tokens = np.array([encode(Problem.parse(TEXT))])
    empty = [(np.zeros((1, 0, 16), np.float32),) * 2 for _ in range(2)]
    whole, _ = model._read(tokens, 0, empty)
    half, caches = model._read(tokens[:, :10], 0, empty)
    for place in range(10, tokens.shape[1]):
        half, caches = model._read(tokens[:, place : place + 1], place, caches)
    assert np.allclose(whole[:, -1], half[:, -1], atol=1e-4)


def test_what_is_proposed_can_be_drawn(model: Model):
    problem = Problem.parse(TEXT)
    pictures = [draw(problem, seed=seed) for seed in (1, 2)]
    assert problem.goal is not None
    goal = to_native(problem.goal, problem.points)
    figure = Figure(make_state(problem, pictures))
    points = LearnedProposer(model, problem, pictures).rank(figure)
    assert points
    for point in points:
        clause = problem.extended(clause_of(point, "x", problem.points)).clauses[-1]
        for at, place in zip(pictures, point.places, strict=True):
            for step in clause.steps:
                assert all(holds(f, {**at, "x": place}, tolerance=1e-5) for f in step.facts())
    mixed = MixedProposer(model, problem, pictures, goal).propose(figure)
    heuristic = HeuristicProposer(goal).propose(figure)
    assert mixed[0].step.points[0] == points[0]
    assert mixed[1].step.points == heuristic[0].step.points
    assert mixed[2 * len(points)].step.points == heuristic[len(points)].step.points
    costs = [mixed[number].cost for number in range(50)]
    assert costs == sorted(costs)


def test_training_learns_and_its_file_is_read(tmp_path: Path):
    pytest.importorskip("torch")
    records = [RECORD.replace("c n", f"c {p}").replace('"x ', '"x ') for p in "mn" * 10]
    examples = read_examples(records)
    assert len(examples) == 20
    output = tmp_path / "proposer.npz"
    report = train(
        examples, output, time_s=900.0, most_steps=4, shape=Shape(width=16, layers=1, heads=2)
    )
    assert report.steps == 4
    assert report.held_out == 3
    loaded = Model.load(output)
    assert loaded.propose(encode(Problem.parse(TEXT)), 5, most=3)
    output.write_bytes(output.read_bytes()[:-100])
    with pytest.raises(DataError, match="is no proposer"):
        Model.load(output)


@pytest.mark.parametrize("line", ["{", "[]", '{"problem": "a = free b", "points": []}', "3"])
def test_what_is_no_record(line: str):
    with pytest.raises(DataError, match="line 2"):
        read_examples([RECORD, line])


def test_too_few_examples(tmp_path: Path):
    with pytest.raises(DataError, match="too few"):
        train(read_examples([RECORD]), tmp_path / "x.npz", time_s=1.0)


def test_without_torch_it_is_said_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(UsageError, match=r"pip install -e '.\[compress\]'"):
        train([], tmp_path / "proposer.npz", time_s=1)
