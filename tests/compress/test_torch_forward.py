"""The differentiable forward pass gives what the plain one gives, for every architecture."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from tiny_models import CASES, VOCABULARY, our_copy, transformers_model

from gnomon.compress.torch_forward import PlainLayers, run_block
from gnomon.models import forward

RNG = np.random.default_rng(3)


@pytest.mark.parametrize("case", CASES)
def test_block_equals_numpy(case):
    model = our_copy(transformers_model(case))
    weights = {name: model.weights.load(name) for name in model.weights.names()}
    tokens = RNG.integers(0, VOCABULARY, (2, 19))
    hidden = forward.embed(model.config, weights["model.embed_tokens.weight"], tokens)
    for layer in range(model.config.num_layers):
        expected = forward.run_block(model.config, layer, weights, hidden)
        with torch.no_grad():
            ours = run_block(model.config, layer, PlainLayers(weights), torch.from_numpy(hidden))
        np.testing.assert_allclose(ours.numpy(), expected, rtol=2e-4, atol=2e-4)
        hidden = expected
