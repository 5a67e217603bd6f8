"""Distillation brings a rounded model's predictions nearer to the original's, and can go on."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from rounded_models import Task, task

from gnomon.codecs import decode
from gnomon.compress.distillation import distill
from gnomon.compress.divergence import final_hidden
from gnomon.compress.student import Student
from gnomon.compress.training import TrainingOptions
from gnomon.models import forward

OPTIONS = TrainingOptions(passes=6, batch_tokens=26, learning_rate=0.02)


def mean_divergence(given: Task, encoded, vectors) -> float:
    """KL to the original of what would be stored, by the plain forward pass."""
    config, tokens = given.arguments["config"], given.arguments["tokens"]
    decoded = {name: decode(weight) for name, weight in encoded.items()}
    logits = (
        torch.from_numpy(forward.forward(config, weights, tokens)).log_softmax(-1)
        for weights in (given.weights, given.arguments["plain"] | decoded | dict(vectors))
    )
    wanted, ours = logits
    return float((wanted.exp() * (wanted - ours)).sum(-1).mean())


@pytest.mark.parametrize(
    ("case", "head_codec"), [("llama_tied", "trellis"), ("gemma3", None), ("mixtral", "int8")]
)
def test_predictions_come_nearer(case, head_codec):
    given = task(case, head_codec=head_codec)
    distilled = distill(**given.arguments, options=OPTIONS)
    assert distilled.trouble is None
    assert distilled.after < 0.95 * distilled.before
    before = mean_divergence(given, given.arguments["encoded"], {})
    after = mean_divergence(given, distilled.encoded, distilled.vectors)
    assert after < 0.9 * before


def test_hidden_states_are_those_of_the_plain_pass():
    given = task("gemma3", head_codec="trellis").arguments
    vectors = {name: array for name, array in given["plain"].items() if array.ndim == 1}
    with torch.no_grad():
        tokens = torch.from_numpy(given["tokens"])
        ours = final_hidden(given["config"], Student(given["encoded"], vectors), tokens)
    decoded = {name: decode(weight) for name, weight in given["encoded"].items()}
    hidden = forward.embed(given["config"], decoded["model.embed_tokens.weight"], given["tokens"])
    for layer in range(given["config"].num_layers):
        hidden = forward.run_block(given["config"], layer, decoded | vectors, hidden)
    np.testing.assert_allclose(ours.numpy(), hidden, rtol=1e-3, atol=1e-3)


def test_a_kept_state_goes_on_to_the_same_result():
    given = task("llama_tied").arguments
    states = []
    whole = distill(**given, options=OPTIONS, keep=states.append)
    assert len(states) > 4
    resumed = distill(
        **given, options=OPTIONS, state={key: np.array(v) for key, v in states[2].items()}
    )
    assert (resumed.before, resumed.after) == (whole.before, whole.after)
    for name, weight in whole.encoded.items():
        for key, tensor in weight.tensors.items():
            assert np.array_equal(tensor, resumed.encoded[name].tensors[key])


def test_a_loss_that_explodes_falls_back():
    given = task("llama_tied").arguments
    options = dataclasses.replace(OPTIONS, learning_rate=1e4)
    distilled = distill(**given, options=options)
    assert distilled.trouble is not None
    assert distilled.after <= distilled.before
