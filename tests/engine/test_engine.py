"""The engine's own behaviour: forms of weights, limits, errors, generation, perplexity."""

from __future__ import annotations

import dataclasses
import functools
import threading

import numpy as np
import pytest
import torch
from tiny_models import (
    VOCABULARY,
    MemoryWeights,
    checkpoint_tensors,
    our_copy,
    our_model,
    transformers_model,
)
from transformers.models.gemma3 import modeling_gemma3

from gnomon.codecs import decode
from gnomon.codecs.encoded import EncodedWeight
from gnomon.engine import Engine, Sampler, SamplingOptions, generate, perplexity
from gnomon.errors import ContextError, DataError, GnomonError, ModelError, UsageError

PROMPT = np.random.default_rng(6).integers(3, VOCABULARY, 40).astype(np.int32)


@pytest.fixture(scope="module")
def reference():
    return transformers_model("llama")


@pytest.fixture(scope="module")
def engine(reference):
    return Engine(our_copy(reference), threads=2)


@pytest.mark.parametrize(
    ("storage", "dense", "tolerance"),
    [
        ("F32", "auto", 1e-2),  # the cache is float16
        ("F16", "auto", 1e-2),
        ("BF16", "auto", 6e-2),
        ("F32", "float16", 1e-2),
        ("F32", "float32", 1e-5),
    ],
)
def test_dense_forms(reference, engine, storage, dense, tolerance):
    exact = Engine(our_copy(reference), threads=1, dense="float32").session().forward_all(PROMPT)
    other = Engine(our_copy(reference, storage), threads=2, dense=dense)
    logits = other.session().forward_all(PROMPT)
    assert np.abs(logits - exact).max() < tolerance * np.abs(exact).max()
    is_wide = storage == "F32" and dense in ("auto", "float32")
    assert (other.weight_bytes > 0.9 * engine.weight_bytes) == is_wide


def test_attention_softcap(monkeypatch):
    """transformers reads Gemma 3's attn_logit_softcapping but does not pass it on."""
    model = transformers_model("gemma3")
    plain = modeling_gemma3.eager_attention_forward
    monkeypatch.setattr(
        modeling_gemma3, "eager_attention_forward", functools.partial(plain, softcap=2.0)
    )
    with torch.no_grad():
        expected = model(torch.from_numpy(PROMPT.astype(np.int64))[None]).logits[0].numpy()
    ours = our_copy(model)
    ours = dataclasses.replace(ours, config=dataclasses.replace(ours.config, attention_softcap=2.0))
    logits = Engine(ours, dense="float32").session().forward_all(PROMPT)
    assert np.abs(logits - expected).max() < 1e-4 * np.abs(expected).max()


def coded_model(reference, *, embedding_codec: str):
    """A copy whose matrices are random codes, and the same with those codes decoded."""
    tensors = checkpoint_tensors(reference)
    rng = np.random.default_rng(8)
    coded = {}
    for name, values in tensors.items():
        if values.ndim < 2:
            continue
        out, in_ = values.shape
        if name.startswith(("model.embed", "lm_head")) and embedding_codec == "int8":
            coded[name] = EncodedWeight(
                codec="int8",
                shape=(out, in_),
                tensors={
                    "codes": rng.integers(-127, 128, (out, in_)).astype(np.int8),
                    "scales": np.full(out, 0.004, np.float32),
                },
            )
        elif name.endswith("o_proj.weight"):
            coded[name] = EncodedWeight(
                codec="aq",
                shape=(out, in_),
                tensors={
                    "codes": rng.integers(-128, 128, (out, in_ // 8, 2)).astype(np.int8),
                    "codebooks": rng.standard_normal((2, 256, 1, 8)).astype(np.float16),
                    "scales": np.full((out, 1, 1, 1), 0.1, np.float16),
                },
            )
        else:
            strips = ((out + 63) // 64, (in_ + 31) // 32, 8, 64)
            coded[name] = EncodedWeight(
                codec="trellis",
                shape=(out, in_),
                tensors={
                    "codes": rng.integers(0, 256, strips, dtype=np.uint8),
                    "table": rng.integers(-42, 43, (3, 16, 2)).astype(np.int8),
                    "scales": np.array([0.003], np.float32),
                },
                settings={
                    "bits": 2,
                    "input_seed": 1,
                    "output_seed": None if "embed" in name or "lm_head" in name else 2,
                },
            )
    config = reference.config.to_dict()
    plain = {name: values for name, values in tensors.items() if name not in coded}
    return our_model(config, MemoryWeights(plain, coded)), config, plain, coded


@pytest.mark.parametrize("embedding_codec", ["int8", "trellis"])
def test_coded_models_run_as_their_decoded_matrices(reference, embedding_codec):
    from gnomon.engine.native_layers import LayerFactory

    model, config, plain, coded = coded_model(reference, embedding_codec=embedding_codec)
    factory = LayerFactory(model.weights)
    decoded = dict(plain)
    for name, encoded in coded.items():
        layer = factory.linear(name)
        identity = np.eye(encoded.shape[1], dtype=np.float32)
        decoded[name] = np.ascontiguousarray(layer.multiply(identity).T)
    exact = Engine(our_model(config, MemoryWeights(decoded)), dense="float32")
    expected = exact.session().forward_all(PROMPT)
    coded_engine = Engine(model, threads=2)
    logits = coded_engine.session().forward_all(PROMPT)
    assert np.linalg.norm(logits - expected) < 0.05 * np.linalg.norm(expected)
    one_by_one = coded_engine.session()
    rows = [one_by_one.forward(PROMPT[i : i + 1]) for i in range(PROMPT.size)]
    np.testing.assert_allclose(np.stack(rows), logits, atol=1e-3 * np.abs(logits).max())


def test_bytes_read_for_a_token_are_those_of_the_file(reference):
    """Codes, tables and scales of the blocks and the head, and the norms: nothing is read twice."""
    model, config, plain, coded = coded_model(reference, embedding_codec="trellis")
    expected = sum(4 * values.size for values in plain.values())
    for name, encoded in coded.items():
        if name == "model.embed_tokens.weight" and not config["tie_word_embeddings"]:
            continue
        expected += encoded.tensors["codes"].nbytes + 4 * encoded.shape[0]
        if encoded.codec == "aq":
            expected += 4 * encoded.tensors["codebooks"].size
        else:
            expected += encoded.tensors["table"].nbytes
    assert Engine(model).weight_bytes == expected


def test_a_processor_without_vectors_is_said_to_be_slow(reference, monkeypatch):
    monkeypatch.setattr("gnomon.engine.engine._native.available_isas", lambda: ["scalar"])
    with pytest.warns(RuntimeWarning, match="slowly"):
        Engine(our_copy(reference))


def test_what_is_looked_up_costs_no_perplexity(reference):
    """Of the model that the decoded matrices are, within half a percent."""
    model, config, plain, coded = coded_model(reference, embedding_codec="trellis")
    decoded = {**plain, **{name: decode(encoded) for name, encoded in coded.items()}}
    exact = Engine(our_model(config, MemoryWeights(decoded)), dense="float32")
    tokens = np.random.default_rng(9).integers(3, VOCABULARY, 600).astype(np.int32)
    found = [perplexity(engine, tokens, window=60).perplexity for engine in (Engine(model), exact)]
    assert found[0] == pytest.approx(found[1], rel=0.005)


def test_unknown_codec_and_damage_are_model_errors(reference):
    _model, config, plain, coded = coded_model(reference, embedding_codec="int8")
    name = "model.layers.0.self_attn.q_proj.weight"
    for broken in (
        dataclasses.replace(coded[name], codec="morse"),
        dataclasses.replace(coded[name], tensors={"table": coded[name].tensors["table"]}),
        dataclasses.replace(coded[name], shape=(3, 3)),
    ):
        weights = MemoryWeights(plain, {**coded, name: broken})
        with pytest.raises(ModelError, match="q_proj"):
            Engine(our_model(config, weights))


def test_missing_and_misshapen_tensors_are_model_errors(reference):
    config, tensors = reference.config.to_dict(), checkpoint_tensors(reference)
    name = "model.layers.1.mlp.up_proj.weight"
    without = {k: v for k, v in tensors.items() if k != name}
    with pytest.raises(ModelError, match=name):
        Engine(our_model(config, MemoryWeights(without)))
    cut = {**tensors, name: tensors[name][:, :-1].copy()}
    with pytest.raises(ModelError, match=r"Layer 1: up_proj has shape \[72, 47\]"):
        Engine(our_model(config, MemoryWeights(cut)))


def test_large_values_do_not_become_infinite_halves(reference):
    tensors = checkpoint_tensors(reference)
    tensors["lm_head.weight"] = tensors["lm_head.weight"] * 1e6
    model = our_model(reference.config.to_dict(), MemoryWeights(tensors, storage="F16"))
    with pytest.raises(ModelError, match="bfloat16"):
        Engine(model)


def test_bad_options(reference):
    with pytest.raises(UsageError, match="dense"):
        Engine(our_copy(reference), dense="float8")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="threads"):
        Engine(our_copy(reference), threads=0)


def test_too_little_memory_is_said_before_it_is_taken(engine, monkeypatch):
    monkeypatch.setattr("gnomon.engine.memory.available_bytes", lambda: 1000)
    with pytest.raises(GnomonError, match=r"GiB of memory"):
        engine.session()
    with pytest.raises(GnomonError, match=r"Running tiny needs"):
        Engine(engine.model)


def test_session_limits(engine):
    with pytest.raises(ContextError, match=r"257.*256"):
        engine.session(257)
    with pytest.raises(UsageError):
        engine.session(0)
    session = engine.session(8)
    assert (session.capacity, session.length) == (8, 0)
    with pytest.raises(ValueError, match="do not fit"):
        session.forward(PROMPT[:9])
    with pytest.raises(ValueError, match="vocabulary"):
        session.forward(np.array([3, VOCABULARY], np.int32))
    with pytest.raises(ValueError, match="at least one"):
        session.forward(np.array([], np.int32))
    with pytest.raises(TypeError):
        session.forward(PROMPT[:4].astype(np.int64))
    with pytest.raises(ValueError, match="truncate"):
        session.truncate(1)
    assert session.length == 0
    session.forward(PROMPT[:8])
    assert session.length == 8


def test_sessions_of_one_engine_take_turns(engine):
    expected = engine.session().forward(PROMPT)
    results = {}

    def run(i: int) -> None:
        results[i] = engine.session().forward(PROMPT)

    threads = [threading.Thread(target=run, args=(i,)) for i in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for logits in results.values():
        np.testing.assert_array_equal(logits, expected)
    assert len(results) == 6


def test_long_prompts_pass_in_chunks(reference):
    tokens = np.random.default_rng(7).integers(3, VOCABULARY, 256).astype(np.int32)
    config = reference.config.to_dict() | {"max_position_embeddings": 1024}
    model = our_model(config, MemoryWeights(checkpoint_tensors(reference)))
    engine = Engine(model, threads=2, dense="float32")
    long = np.concatenate([tokens, tokens, tokens[:9]])
    session = engine.session()
    scores = session.score(long)
    assert session.length == 521
    logits = engine.session().forward_all(long).astype(np.float64)
    log_softmax = logits - np.log(np.exp(logits - logits.max(1, keepdims=True)).sum(1))[:, None]
    log_softmax -= logits.max(1, keepdims=True)
    np.testing.assert_allclose(scores, log_softmax[np.arange(520), long[1:]], rtol=1e-4, atol=1e-4)


def test_generate_says_why_it_stopped(engine):
    steps = list(generate(engine, PROMPT, max_tokens=5))
    assert [step.stop_reason for step in steps] == [None] * 4 + ["max_tokens"]
    first = steps[2].token
    stopped = list(generate(engine, PROMPT, max_tokens=50, stop_ids=[first]))
    assert stopped[-1].stop_reason == "stop_token"
    assert stopped[-1].token == first
    full = list(generate(engine, np.resize(PROMPT, 254), max_tokens=50))
    assert full[-1].stop_reason == "context"
    assert len(full) == 3


def test_generated_log_probabilities_are_the_models(engine):
    steps = list(generate(engine, PROMPT, max_tokens=6))
    text = np.concatenate([PROMPT, [step.token for step in steps]]).astype(np.int32)
    scores = engine.session().score(text)[-6:]
    np.testing.assert_allclose([s.log_probability for s in steps], scores, atol=2e-3)


def test_generate_continues_a_session(engine):
    whole = [step.token for step in generate(engine, PROMPT, max_tokens=4)]
    session = engine.session()
    session.forward(PROMPT[:30])
    rest = [step.token for step in generate(engine, PROMPT[30:], max_tokens=4, session=session)]
    assert rest == whole
    assert session.length == PROMPT.size + 3


def test_generate_samples_by_its_seed(engine):
    def text(seed: int) -> list[int]:
        sampler = Sampler(SamplingOptions(temperature=1.0, seed=seed))
        return [step.token for step in generate(engine, PROMPT, max_tokens=12, sampler=sampler)]

    assert text(1) == text(1)
    assert text(1) != text(2)


def test_generate_refuses_at_once(engine):
    with pytest.raises(ContextError, match=r"300.*256"):
        generate(engine, np.resize(PROMPT, 300))
    with pytest.raises(UsageError, match="empty"):
        generate(engine, [])
    with pytest.raises(UsageError, match="max_tokens"):
        generate(engine, PROMPT, max_tokens=0)
    with pytest.raises(UsageError, match="vocabulary"):
        generate(engine, [VOCABULARY])


def test_perplexity_of_windows(reference, engine):
    tokens = np.random.default_rng(9).integers(3, VOCABULARY, 100).astype(np.int32)
    nll = []
    for start in (0, 32, 64):
        piece = tokens[start : start + 32]
        with torch.no_grad():
            logits = reference(torch.from_numpy(piece.astype(np.int64))[None]).logits[0]
        log_softmax = torch.log_softmax(logits.double(), dim=-1).numpy()
        nll.append(-log_softmax[np.arange(31), piece[1:]])
    result = perplexity(engine, tokens, window=32, stride=32)
    assert (result.windows, result.tokens) == (3, 93)
    assert result.mean_nll == pytest.approx(np.concatenate(nll).mean(), rel=1e-3)
    assert result.perplexity == pytest.approx(np.exp(result.mean_nll))
    first = perplexity(engine, tokens, window=32, stride=32, max_windows=1)
    assert first.mean_nll == pytest.approx(nll[0].mean(), rel=1e-3)


def test_overlapping_windows_count_each_token_once(engine):
    tokens = np.random.default_rng(10).integers(3, VOCABULARY, 64).astype(np.int32)
    result = perplexity(engine, tokens, window=32, stride=8)
    assert (result.windows, result.tokens) == (5, 63)
    session = engine.session()
    total = session.score(tokens[:32]).sum()
    for start in (8, 16, 24, 32):
        session.truncate(0)
        total += session.score(tokens[start : start + 32])[-8:].sum()
    assert result.mean_nll == pytest.approx(-total / 63, rel=1e-5)


def test_perplexity_of_what_is_too_short_or_too_long(engine):
    assert perplexity(engine, PROMPT, window=64, stride=64).tokens == 39
    with pytest.raises(DataError):
        perplexity(engine, PROMPT[:1], window=32, stride=32)
    with pytest.raises(UsageError):
        perplexity(engine, PROMPT, window=32, stride=33)
    with pytest.raises(ContextError, match=r"512.*256"):
        perplexity(engine, np.resize(PROMPT, 600))


def test_the_second_half_of_each_window(engine):
    """llama.cpp's convention: logits from position window / 2 on count, BOS stands first."""
    tokens = np.random.default_rng(11).integers(3, VOCABULARY, 100).astype(np.int32)
    total, count = 0.0, 0
    for start in (0, 33, 66):
        piece = tokens[start : start + 33].copy()
        piece[0] = 1
        logits = engine.session().forward_all(piece).astype(np.float64)
        table = logits - np.log(np.exp(logits).sum(1, keepdims=True))
        for position in range(33 // 2, 32):
            total -= table[position, piece[position + 1]]
            count += 1
    result = perplexity(engine, tokens, window=33, score_from="half", first_token=1)
    assert (result.windows, result.tokens) == (3, count) == (3, 48)
    assert result.mean_nll == pytest.approx(total / count, rel=1e-4)
    assert tokens[33] != 1  # the caller's tokens stay as they are
    with pytest.raises(UsageError, match="overlap"):
        perplexity(engine, tokens, window=32, stride=8, score_from="half")
    with pytest.raises(UsageError, match="start or half"):
        perplexity(engine, tokens, window=32, score_from="end")  # type: ignore[arg-type]
    with pytest.raises(DataError, match="second half"):
        perplexity(engine, tokens[:2], window=32, score_from="half")
    with pytest.raises(ModelError):
        perplexity(engine, tokens, window=32, first_token=VOCABULARY)


def test_logits_of_the_last_tokens_alone(reference):
    config = reference.config.to_dict() | {"max_position_embeddings": 1024}
    model = our_model(config, MemoryWeights(checkpoint_tensors(reference)))
    engine = Engine(model, threads=2, dense="float32")
    tokens = np.random.default_rng(8).integers(3, VOCABULARY, 600).astype(np.int32)
    whole = engine.session().forward_all(tokens)
    for first in (0, 1, 255, 256, 300, 512, 599):  # chunks are of 256 tokens
        session = engine.session()
        last = session.forward_all(tokens, first)
        assert session.length == 600
        np.testing.assert_array_equal(last, whole[first:])
    session = engine.session()
    for first in (-1, 600):
        with pytest.raises(ValueError, match="600 tokens"):
            session.forward_all(tokens, first)
    assert session.length == 0
