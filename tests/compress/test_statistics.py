"""The sums over shards are those of all tokens at once, and mean what they should."""

import numpy as np
import pytest
from tiny_models import VOCABULARY, our_copy, transformers_model

from gnomon.compress.statistics import (
    BORROWED_TOKENS,
    GroupStatistics,
    add_up,
    measure_shard,
    reference_block,
    support_experts,
)
from gnomon.models.architectures import linear_groups
from gnomon.models.forward import STEPS, BlockState, advance, embed

TOKENS = np.random.default_rng(2).integers(0, VOCABULARY, (4, 23))


@pytest.fixture(scope="module", params=["llama_biased_llama3", "gemma3", "mixtral"])
def block(request):
    """The configuration, block 1's weights, and two streams that are not quite the same."""
    model = our_copy(transformers_model(request.param))
    weights = {name: model.weights.load(name) for name in model.weights.names()}
    hidden = embed(model.config, weights["model.embed_tokens.weight"], TOKENS)
    noise = 0.05 * np.random.default_rng(3).standard_normal(hidden.shape).astype(np.float32)
    return model.config, weights, hidden, hidden + noise


def measure(block, shards):
    """All groups of all steps, from shards given as slices of the sequences."""
    config, weights, original, hidden = block
    references = [
        reference_block(config, 1, weights, BlockState(hidden=original[shard])) for shard in shards
    ]
    states = [BlockState(hidden=hidden[shard]) for shard in shards]
    groups = []
    for step in range(STEPS):
        groups += add_up(
            measure_shard(config, 1, step, weights, *pair)
            for pair in zip(references, states, strict=True)
        )
        states = [advance(config, 1, step, weights, state) for state in states]
    return groups


def test_groups_are_those_of_the_architecture_table(block):
    names = {group.names for group in measure(block, [slice(None)])}
    assert names == {group.names for group in linear_groups(block[0], 1)}


def test_shards_add_up(block):
    whole = measure(block, [slice(None)])
    parts = measure(block, [slice(0, 1), slice(1, 3), slice(3, 4)])
    for one, many in zip(whole, parts, strict=True):
        assert one.names == many.names
        assert one.rows == many.rows
        np.testing.assert_allclose(one.gram, many.gram, rtol=1e-3, atol=1e-3)
        np.testing.assert_allclose(one.cross, many.cross, rtol=1e-3, atol=2e-3)


def test_the_same_stream_leaves_nothing_to_make_up_for(block):
    config, weights, original, _ = block
    for group in measure((config, weights, original, original), [slice(None)]):
        scale = np.abs(group.gram).max() if group.rows else 1.0
        np.testing.assert_allclose(group.cross / scale, 0, atol=1e-5)


def test_missing_outputs_are_what_the_stream_has_lost():
    """With the layer itself at zero, its share of the sum is what it must add to the stream."""
    model = our_copy(transformers_model("llama"))
    weights = {name: model.weights.load(name) for name in model.weights.names()}
    config, name = model.config, "model.layers.1.mlp.down_proj.weight"
    hidden = embed(config, weights["model.embed_tokens.weight"], TOKENS)
    reference = reference_block(config, 1, weights, BlockState(hidden=hidden))
    state = BlockState(hidden=hidden)
    for step in range(3):
        state = advance(config, 1, step, weights, state)
    silent = {**weights, name: np.zeros_like(weights[name])}
    (group,) = measure_shard(config, 1, 3, silent, reference, state)
    x = state.inner[0].reshape(-1, config.intermediate_size)
    lost = (reference.hidden - state.hidden).reshape(-1, config.hidden_size)
    np.testing.assert_allclose(group.cross, x.T @ lost, rtol=1e-3, atol=1e-3)


def expert(rows, *, size=6, seed=0, is_of_outputs=False):
    x = np.random.default_rng(seed).standard_normal((rows, size)).astype(np.float32)
    return GroupStatistics(
        names=(f"w{seed}",),
        gram=x.T @ x,
        cross=np.zeros((size, size), np.float32),
        is_of_outputs=is_of_outputs,
        rows=rows,
    )


def test_an_expert_that_saw_enough_stays_as_it_is_almost():
    groups = [expert(5000), expert(6000, seed=1)]
    for before, after in zip(groups, support_experts(groups), strict=True):
        np.testing.assert_allclose(after.gram, before.gram, atol=0.001 * np.trace(before.gram))
        assert after.cross is before.cross


@pytest.mark.parametrize("is_of_outputs", [False, True])
@pytest.mark.parametrize("rows", [0, 2])
def test_an_expert_that_saw_little_borrows(rows, is_of_outputs):
    few = expert(rows, seed=1, is_of_outputs=is_of_outputs)
    rich = expert(500, is_of_outputs=is_of_outputs)
    _, supported = support_experts([rich, few])
    borrowed = supported.gram - few.gram  # as if so many average tokens more had been seen
    tokens = BORROWED_TOKENS * 6
    np.testing.assert_allclose(borrowed, tokens * np.eye(6), atol=0.15 * tokens)


def test_experts_that_nobody_asked_have_nothing_to_lend():
    idle = [expert(0), expert(0, seed=1)]
    assert support_experts(idle) == idle


def test_a_dense_block_has_nobody_to_borrow_from():
    few = expert(2)
    assert support_experts([few]) == [few]
