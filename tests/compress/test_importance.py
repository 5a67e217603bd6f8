"""The backward pass against the divergence that it claims to predict, and what is made of it."""

import sys

import numpy as np
import pytest
from tiny_models import CASES, VOCABULARY, MemoryWeights, our_copy, our_model, transformers_model

from gnomon.compress.backward import propagate_back
from gnomon.compress.importance import measure_importance
from gnomon.errors import UsageError
from gnomon.models.forward import forward

EMBEDDING = "model.embed_tokens.weight"
SMALL = np.float32(2e-3)
PASSES = 60  # each with other signs; two sequences each: a mean within 13 % or so
TOKENS = np.random.default_rng(1).integers(3, VOCABULARY, (2, 11))


class Seen:
    """Everything that was shown, as it came."""

    def __init__(self):
        self.linears: dict[str, list] = {}
        self.heads: list = []
        self.embeddings: list = []

    def linear(self, name, inputs, outputs, gradients):
        shown = inputs.copy(), outputs.copy(), gradients.copy()
        self.linears.setdefault(name, []).append(shown)

    def head(self, inputs, logits, variances):
        self.heads.append((inputs.copy(), logits.copy(), variances.copy()))

    def embedding(self, tokens, gradients):
        self.embeddings.append(gradients.copy())


def divergence(config, weights, changed):
    """KL of the changed model from the original, mean over tokens, in float64."""
    before, after = (
        forward(config, each, TOKENS).astype(np.float64) for each in (weights, changed)
    )
    before, after = (
        each - np.log(np.exp(each).sum(axis=-1, keepdims=True)) for each in (before, after)
    )
    return float(np.mean(np.sum(np.exp(before) * (before - after), axis=-1)))


def all_weights(model):
    return {name: model.weights.load(name) for name in model.weights.names()}


@pytest.mark.parametrize("case", ["llama", "qwen2_windowed"])
def test_gradients_predict_the_divergence_of_a_small_error(case):
    """½ E[(g · e)²] over random signs is the divergence, wherever in the model e arises."""
    model = our_copy(transformers_model(case))
    weights, rng = all_weights(model), np.random.default_rng(2)
    errors, expected = {}, {}
    for name in (
        EMBEDDING,
        "model.layers.0.self_attn.k_proj.weight",
        "model.layers.1.mlp.down_proj.weight",
        "model.layers.2.self_attn.o_proj.weight",
    ):
        errors[name] = rng.standard_normal(weights[name].shape).astype(np.float32) * SMALL
        changed = weights | {name: weights[name] + errors[name]}
        expected[name] = divergence(model.config, weights, changed)
    found = dict.fromkeys(errors, 0.0)
    for seed in range(PASSES):
        seen = Seen()
        propagate_back(model, TOKENS, seen, seed=seed)
        for name, error in errors.items():
            if name == EMBEDDING:
                products = np.sum(seen.embeddings[0] * error[TOKENS], axis=(1, 2))
            else:
                shown = seen.linears[name]
                products = np.array([np.sum((x @ error.T) * g) for x, _, g in shown])
            found[name] += 0.5 * float(np.sum(products**2))
    for name in errors:
        assert found[name] / PASSES / TOKENS.size == pytest.approx(expected[name], rel=0.35), name


@pytest.mark.parametrize("case", CASES)
def test_every_linear_layer_is_shown(case):
    model = our_copy(transformers_model(case))
    seen = Seen()
    propagate_back(model, TOKENS, seen, seed=0)
    weights = all_weights(model)
    matrices = {n for n, w in weights.items() if n.startswith("model.layers.") and w.ndim == 2}
    assert set(seen.linears) == matrices
    routed = model.config.num_experts_per_token * TOKENS.size
    for name, shown in seen.linears.items():
        inputs, outputs, gradients = (np.concatenate(each) for each in zip(*shown, strict=True))
        if "experts" not in name:
            assert len(inputs) == TOKENS.size
        assert np.allclose(outputs, inputs @ weights[name].T, atol=1e-4)
        assert gradients.shape == outputs.shape
        assert np.isfinite(gradients).all()
    if model.config.num_experts:
        sent = sum(
            len(inputs)
            for name, shown in seen.linears.items()
            if name.startswith("model.layers.0.") and name.endswith("w1.weight")
            for inputs, _, _ in shown
        )
        assert sent == routed


def test_the_head_is_shown_with_its_own_variances():
    model = our_copy(transformers_model("gemma3"))  # whose logits are capped
    seen = Seen()
    propagate_back(model, TOKENS, seen, seed=0)
    _, logits, variances = (np.concatenate(each) for each in zip(*seen.heads, strict=True))
    cap = model.config.logit_softcap
    capped = (cap * np.tanh(logits.astype(np.float64) / cap)).reshape(*TOKENS.shape, -1)
    assert np.allclose(capped, forward(model.config, all_weights(model), TOKENS), atol=1e-3)
    p = np.exp(capped) / np.exp(capped).sum(axis=-1, keepdims=True)
    slope = 1 - (capped / cap) ** 2
    expected = (p * (1 - p) * slope**2).reshape(variances.shape)
    assert np.allclose(variances, expected, atol=1e-6)


@pytest.mark.parametrize("case", ["llama", "llama_tied", "mixtral"])
def test_every_matrix_gets_a_sensitivity(case):
    model = our_copy(transformers_model(case))
    importance = measure_importance(model, TOKENS)
    coded = {
        name
        for name, weight in all_weights(model).items()
        if weight.ndim == 2 and "block_sparse_moe.gate" not in name
    }
    assert coded <= set(importance.sensitivity)
    assert all(importance.sensitivity[name] > 0 for name in coded)


def test_a_layer_that_the_output_hardly_depends_on_is_not_sensitive():
    model = our_copy(transformers_model("llama"))
    weights = all_weights(model)
    quiet, loud = "model.layers.1.mlp.up_proj.weight", "model.layers.1.self_attn.v_proj.weight"
    down = "model.layers.1.mlp.down_proj.weight"
    weights[down] = weights[down] * np.float32(1e-3)
    changed = our_model(model.hf_config, MemoryWeights(weights))
    before, after = (measure_importance(each, TOKENS).sensitivity for each in (model, changed))
    assert after[quiet] < 1e-4 * before[quiet]
    assert after[loud] > 1e-2 * before[loud]


def test_the_same_seed_gives_the_same_importance():
    model = our_copy(transformers_model("llama"))
    one, two, other = (measure_importance(model, TOKENS, seed=seed) for seed in (0, 0, 1))
    assert one == two
    assert one != other


def test_without_torch_the_error_names_the_extra(monkeypatch):
    model = our_copy(transformers_model("llama"))
    for name in [each for each in sys.modules if each.startswith("gnomon.compress.")]:
        if name.rsplit(".", 1)[1] in ("backward", "torch_forward"):
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(UsageError, match=r"pip install -e '.\[compress\]'"):
        measure_importance(model, TOKENS)
