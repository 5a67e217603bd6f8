"""The sampler against transformers' logits processors."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from transformers import (
    MinPLogitsWarper,
    RepetitionPenaltyLogitsProcessor,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

from gnomon import _native
from gnomon.engine.sampling import Sampler, SamplingOptions
from gnomon.errors import UsageError

LOGITS = (3 * np.random.default_rng(3).standard_normal(200)).astype(np.float32)
TIED = np.round(LOGITS)  # many tokens are equally likely
SEEN = [5, 9, 9, 120]


@pytest.mark.parametrize(
    "options",
    [
        SamplingOptions(temperature=0.7),
        SamplingOptions(temperature=1.0, top_k=7),
        SamplingOptions(temperature=1.0, top_p=0.8),
        SamplingOptions(temperature=1.3, top_p=0.01),
        SamplingOptions(temperature=1.0, min_p=0.05),
        SamplingOptions(temperature=1.0, repetition_penalty=1.4),
        SamplingOptions(temperature=0.8, top_k=30, top_p=0.9, min_p=0.02, repetition_penalty=0.8),
    ],
)
@pytest.mark.parametrize("logits", [LOGITS, TIED], ids=["random", "tied"])
def test_probabilities_are_transformers(logits, options):
    scores = torch.from_numpy(logits)[None].clone()
    seen = torch.tensor([SEEN])
    if options.repetition_penalty != 1.0:
        scores = RepetitionPenaltyLogitsProcessor(options.repetition_penalty)(seen, scores)
    scores = TemperatureLogitsWarper(options.temperature)(seen, scores)
    if options.top_k is not None:
        scores = TopKLogitsWarper(options.top_k)(seen, scores)
    if options.top_p is not None:
        scores = TopPLogitsWarper(options.top_p)(seen, scores)
    if options.min_p is not None:
        scores = MinPLogitsWarper(options.min_p)(seen, scores)
    probabilities = torch.softmax(scores[0].double(), 0).numpy()
    ends = np.cumsum(probabilities)
    for token in np.flatnonzero(probabilities > 1e-5):
        # Close to both ends of the token's share, so that its neighbours' shares begin there.
        for part in (0.05, 0.95):
            at = ends[token] - part * probabilities[token]
            assert _choose(logits, options, at) == token


def _choose(logits: np.ndarray, options: SamplingOptions, at: float) -> int:
    given = {
        name: getattr(options, name)
        for name in ("temperature", "top_k", "top_p", "min_p", "repetition_penalty")
        if getattr(options, name) is not None
    }
    return _native.choose_token(logits, np.array(SEEN, np.int32), at, **given)


def test_no_token_is_chosen_for_a_broken_logit():
    logits = np.array([np.nan, 1.0, np.nan, -np.inf], np.float32)
    nothing = np.zeros(0, np.int32)
    for at in (0.0, 0.5, 1 - 1e-16):
        assert _native.choose_token(logits, nothing, at, temperature=1.0, top_k=3) == 1
    assert _native.choose_token(np.full(4, -np.inf, np.float32), nothing, 0.5) == 0
    with pytest.raises(ValueError, match="no logits"):
        _native.choose_token(logits[:0], nothing, 0.5)


def test_greedy_takes_the_likeliest_after_the_penalty():
    logits = np.array([1.0, 3.0, 2.0], np.float32)
    assert Sampler().choose(logits, [1]) == 1
    penalised = Sampler(SamplingOptions(repetition_penalty=2.0))
    assert penalised.choose(logits, [1]) == 2
    np.testing.assert_array_equal(logits, [1.0, 3.0, 2.0])


def test_draws_follow_the_probabilities():
    logits = np.log(np.array([0.5, 0.3, 0.2, 1e-30])).astype(np.float32)
    sampler = Sampler(SamplingOptions(temperature=1.0, seed=4))
    draws = np.bincount([sampler.choose(logits, []) for _ in range(20000)], minlength=4) / 20000
    np.testing.assert_allclose(draws, [0.5, 0.3, 0.2, 0.0], atol=0.015)


def test_a_seed_repeats():
    def draw(seed: int) -> list[int]:
        sampler = Sampler(SamplingOptions(temperature=1.0, seed=seed))
        return [sampler.choose(LOGITS, []) for _ in range(20)]

    assert draw(1) == draw(1)
    assert draw(1) != draw(2)


@pytest.mark.parametrize(
    "change",
    [
        {"temperature": -1.0},
        {"temperature": float("nan")},
        {"temperature": float("inf")},
        {"top_k": 0},
        {"top_k": 1.5},
        {"top_p": 0.0},
        {"top_p": 1.1},
        {"min_p": -0.1},
        {"repetition_penalty": 0.0},
        {"seed": -1},
    ],
)
def test_nonsense_is_refused(change):
    with pytest.raises(UsageError, match=next(iter(change))):
        SamplingOptions(**change)


def test_more_likeliest_tokens_than_there_are():
    sampler = Sampler(SamplingOptions(temperature=1.0, top_k=2**70, seed=4))
    assert sampler.choose(np.array([-np.inf, 0.0], np.float32), []) == 1


def test_the_least_temperatures_take_the_likeliest():
    for temperature in (1e-6, 1e-38, 1e-300):
        sampler = Sampler(SamplingOptions(temperature=temperature, seed=0))
        assert sampler.choose(LOGITS, []) == int(np.argmax(LOGITS))


def test_draws_come_as_often_as_they_are_likely():
    """Over stretches of the running sum, some of which hold nothing."""
    logits = np.full(1500, -np.inf, np.float32)
    likely = {3: 0.1, 255: 0.2, 256: 0.3, 700: 0.15, 1499: 0.25}
    logits[list(likely)] = np.log(list(likely.values()))
    sampler = Sampler(SamplingOptions(temperature=1.0, seed=0))
    drawn = np.bincount([sampler.choose(logits, []) for _ in range(4000)], minlength=1500) / 4000
    assert set(np.flatnonzero(drawn)) == set(likely)
    for token, probability in likely.items():
        assert abs(drawn[token] - probability) < 0.03
