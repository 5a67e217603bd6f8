"""Guesses copied from the text: the same tokens in fewer passes, and a bound on what they cost."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_checkpoints import VOCAB, write_folder

from gnomon.engine import Engine, Sampler, SamplingOptions, generate
from gnomon.engine.lookup import LONGEST_GUESS, PromptLookup
from gnomon.models import open_model

TEXT = np.tile(np.arange(3, 15), 3)  # says the same three times


@pytest.fixture(scope="module", params=["llama", "gemma3_text", "mixtral"])
def engine(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param)
    write_folder(folder, request.param)
    return Engine(open_model(folder), threads=2)


class Counting:
    """A session that notes how many tokens each call made it read."""

    def __init__(self, session) -> None:
        self._session = session
        self.calls: list[int] = []

    def __getattr__(self, name):
        return getattr(self._session, name)

    def forward_all(self, tokens, first):
        self.calls.append(len(tokens))
        return self._session.forward_all(tokens, first)


def run(engine, prompt=TEXT, **options) -> tuple[list[tuple[int, float]], Counting]:
    session = Counting(engine.session())
    steps = generate(engine, prompt, session=session, **options)
    return [(step.token, step.log_probability) for step in steps], session


def test_what_followed_is_guessed_to_follow():
    lookup = PromptLookup([5, 6, 7, 8, 9, 5, 6, 7])
    assert lookup.guess(most=2) == [8, 9]
    assert lookup.guess(most=8) == [8, 9, 5, 6, 7]
    assert lookup.guess(most=0) == []
    lookup.extend([1])
    assert lookup.guess(most=8) == []


def test_the_latest_and_longest_agreement_counts():
    lookup = PromptLookup([1, 2, 3, 4, 50, 9, 2, 3, 4, 60, 1, 2, 3, 4])
    assert lookup.guess(most=1) == [50]  # four tokens agree
    lookup = PromptLookup([1, 2, 3, 50, 1, 2, 3, 60, 1, 2, 3])
    assert lookup.guess(most=1) == [60]


@given(st.lists(st.integers(0, 2), min_size=1, max_size=200), st.data())
def test_wrong_guesses_are_bounded(text, data):
    lookup = PromptLookup(text)
    right = wrong = produced = 0
    for _ in range(60):
        guess = lookup.guess(most=8)
        assert len(guess) <= LONGEST_GUESS
        good = data.draw(st.integers(0, len(guess)), label="right") if guess else 0
        lookup.extend([*guess[:good], 7])
        lookup.record(guessed=len(guess), right=good)
        right, wrong = right + good, wrong + len(guess) - good
        produced += good + 1
        assert wrong < right + 4 + produced / 16 + LONGEST_GUESS


@pytest.mark.parametrize("penalty", [1.0, 1.3])
def test_the_text_is_exactly_the_same(engine, penalty):
    def sampler() -> Sampler:
        return Sampler(SamplingOptions(repetition_penalty=penalty))

    plain, slow = run(engine, max_tokens=60, sampler=sampler(), is_speculative=False)
    guessed, fast = run(engine, max_tokens=60, sampler=sampler())
    assert guessed == plain
    np.testing.assert_array_equal(fast.tokens, slow.tokens)
    assert slow.calls == [TEXT.size] + [1] * 59
    assert len(fast.calls) <= len(slow.calls)


def test_a_text_that_repeats_itself_takes_fewer_passes(engine, monkeypatch):
    """The model is made to go on with the prompt's own cycle."""
    cycle = iter(np.tile(TEXT, 4).tolist())
    monkeypatch.setattr(Sampler, "choose", lambda self, logits, seen: next(cycle))
    _, session = run(engine, max_tokens=60)
    assert session.length == TEXT.size + 59
    assert len(session.calls) <= 10
    assert sum(session.calls) == TEXT.size + 59  # no row was in vain


def test_a_text_that_never_repeats_costs_few_rows(engine, monkeypatch):
    """Every guess is wrong: each third token repeats what came before, and then differs."""

    def never_as_before() -> Iterator[int]:
        while True:
            yield from (3, 4, 5, 6)
            yield 20 + int(rng.integers(VOCAB - 20))

    rng = np.random.default_rng(1)
    tokens = never_as_before()
    monkeypatch.setattr(Sampler, "choose", lambda self, logits, seen: next(tokens))
    _, session = run(engine, max_tokens=80)
    rows = sum(session.calls) - (TEXT.size + 79)
    assert len(session.calls) <= 80
    assert rows <= (80 - len(session.calls)) + 4 + 80 / 16 + LONGEST_GUESS


def test_nothing_is_guessed_where_tokens_are_drawn(engine):
    sampler = Sampler(SamplingOptions(temperature=1.0, seed=1))
    _, session = run(engine, max_tokens=10, sampler=sampler)
    assert session.calls == [TEXT.size] + [1] * 9


@pytest.mark.parametrize("taken", range(1, 14))
def test_whoever_stops_early_finds_the_session_as_without(engine, taken):
    session = engine.session()
    steps = generate(engine, TEXT, max_tokens=40, session=session)
    tokens = [next(steps).token for _ in range(taken)]
    steps.close()
    assert session.tokens.tolist() == [*TEXT.tolist(), *tokens[:-1]]


def test_a_session_that_goes_on_elsewhere_is_left_alone(engine):
    session = engine.session()
    steps = generate(engine, TEXT, max_tokens=40, session=session)
    next(steps)
    session.truncate(5)
    steps.close()
    assert session.length == 5


@pytest.mark.parametrize("stop", ["stop_token", "max_tokens", "context"])
def test_every_reason_to_stop_is_met_inside_a_guess(engine, monkeypatch, stop):
    cycle = iter(np.tile(TEXT, 9).tolist())
    monkeypatch.setattr(Sampler, "choose", lambda self, logits, seen: next(cycle))
    session = engine.session(TEXT.size + 20 if stop == "context" else None)
    steps = list(
        generate(
            engine,
            TEXT,
            max_tokens=17 if stop == "max_tokens" else 99,
            stop_ids=[13] if stop == "stop_token" else [],
            session=session,
        )
    )
    assert steps[-1].stop_reason == stop
    assert all(step.stop_reason is None for step in steps[:-1])
    assert len(steps) == {"stop_token": 11, "max_tokens": 17, "context": 21}[stop]
    assert session.length == TEXT.size + len(steps) - 1
