"""Every architecture against transformers, in float32: the same logits, the same text."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from tiny_models import CASES, VOCABULARY, our_copy, transformers_model

from gnomon.engine import Engine, generate

PROMPT_TOKENS = 37
NEW_TOKENS = 24


@pytest.fixture(scope="module", params=list(CASES))
def pair(request):
    model = transformers_model(request.param)
    return model, Engine(our_copy(model), threads=2, dense="float32")


@pytest.fixture(scope="module")
def prompt() -> np.ndarray:
    return np.random.default_rng(5).integers(3, VOCABULARY, PROMPT_TOKENS).astype(np.int32)


def reference_logits(model, tokens: np.ndarray) -> np.ndarray:
    with torch.no_grad():
        return model(torch.from_numpy(tokens.astype(np.int64))[None]).logits[0].numpy()


def assert_close(ours: np.ndarray, reference: np.ndarray, tolerance: float = 1e-4) -> None:
    assert ours.shape == reference.shape
    error = np.abs(ours - reference).max() / np.abs(reference).max()
    assert error < tolerance, f"relative error {error:.2e}"


def test_logits_of_all_tokens(pair, prompt):
    model, engine = pair
    assert_close(engine.session().forward_all(prompt), reference_logits(model, prompt))


def test_chunks_give_what_one_piece_gives(pair, prompt):
    _, engine = pair
    whole = engine.session().forward_all(prompt)
    one_by_one = engine.session()
    rows = [one_by_one.forward(prompt[i : i + 1]) for i in range(prompt.size)]
    assert_close(np.stack(rows), whole, 1e-5)
    pieces = engine.session()
    rows = [pieces.forward_all(part) for part in np.split(prompt, [1, 4, 20])]
    assert_close(np.concatenate(rows), whole, 1e-5)


def test_greedy_text_is_identical(pair, prompt):
    model, engine = pair
    expected = list(prompt)
    for _ in range(NEW_TOKENS):
        expected.append(int(reference_logits(model, np.array(expected))[-1].argmax()))
    ours = [step.token for step in generate(engine, prompt, max_tokens=NEW_TOKENS)]
    assert ours == expected[PROMPT_TOKENS:]


def test_truncate_and_continue(pair, prompt):
    _, engine = pair
    session = engine.session()
    session.forward(prompt)
    session.truncate(10)
    assert session.length == 10
    again = session.forward_all(prompt[10:])
    assert_close(again, engine.session().forward_all(prompt)[10:], 1e-5)


def test_scores_are_log_softmax(pair, prompt):
    model, engine = pair
    log_softmax = torch.log_softmax(torch.from_numpy(reference_logits(model, prompt)), dim=-1)
    expected = log_softmax.numpy()[np.arange(PROMPT_TOKENS - 1), prompt[1:]]
    assert_close(engine.session().score(prompt), expected)


def test_hidden_states_are_those_after_the_final_norm(pair, prompt):
    model, engine = pair
    with torch.no_grad():
        ids = torch.from_numpy(prompt.astype(np.int64))[None]
        expected = model.model(ids).last_hidden_state[0].numpy()
    assert_close(engine.session().hidden(prompt), expected)
