"""Several sessions that read on together: the numbers they give alone, whoever comes and goes."""

from __future__ import annotations

import numpy as np
import pytest
from safetensors.numpy import save_file
from small_checkpoints import VOCAB, write_folder

from gnomon.engine import Engine
from gnomon.errors import ContextError, GnomonError, UsageError
from gnomon.models import open_model

MODEL_TYPES = ["llama", "qwen2", "gemma3_text", "mixtral"]  # gemma's layers see a window of 16


@pytest.fixture(scope="module", params=MODEL_TYPES)
def model(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param)
    write_folder(folder, request.param)
    return open_model(folder)


@pytest.fixture(scope="module")
def llama(tmp_path_factory):
    folder = tmp_path_factory.mktemp("llama")
    write_folder(folder, "llama")
    return Engine(open_model(folder), threads=1)


def tokens(count: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, VOCAB, count).astype(np.int32)


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("cache", ["float32", "float16", "int8"])
def test_the_bits_are_those_of_each_alone(model, threads, cache):
    engine = Engine(model, threads=threads)
    pasts, news = (0, 5, 40), (1, 70, 3)
    alone = [engine.session(cache=cache) for _ in pasts]
    together = [engine.session(cache=cache) for _ in pasts]
    for seed, past in enumerate(pasts):
        if past:
            alone[seed].forward(tokens(past, seed))
            together[seed].forward(tokens(past, seed))
    texts = [tokens(new, 10 + seed) for seed, new in enumerate(news)]
    expected = [session.forward(text) for session, text in zip(alone, texts, strict=True)]
    logits = engine.forward_together(list(zip(together, texts, strict=True)))
    np.testing.assert_array_equal(logits, expected)
    for one, other in zip(alone, together, strict=True):
        np.testing.assert_array_equal(one.tokens, other.tokens)


def test_a_text_read_token_by_token_gives_the_same_bits(model):
    engine = Engine(model, threads=2)
    text = tokens(45, 3)
    whole = engine.session().forward_all(text)
    session = engine.session()
    one_by_one = [session.forward(text[i : i + 1]) for i in range(text.size)]
    np.testing.assert_array_equal(whole, one_by_one)


def test_sessions_come_and_go(model):
    """Greedy texts, of which some start later and some end earlier."""
    engine = Engine(model, threads=2)
    spans = {0: (0, 9), 1: (2, 5), 2: (4, 12), 3: (4, 6)}  # steps at which each takes part

    def next_tokens(logits) -> list[int]:
        return [int(row.argmax()) for row in logits]

    sessions, texts = {}, {}
    for step in range(12):
        names = [name for name, (start, end) in spans.items() if start <= step < end]
        readings = []
        for name in names:
            if name not in sessions:
                sessions[name], texts[name] = engine.session(), tokens(name + 1, name).tolist()
            new = texts[name][sessions[name].length :]
            readings.append((sessions[name], new))
        for name, token in zip(names, next_tokens(engine.forward_together(readings)), strict=True):
            texts[name].append(token)
    for name, (start, end) in spans.items():
        session, text = engine.session(), tokens(name + 1, name).tolist()
        for _ in range(start, end):
            text.append(int(session.forward(np.array(text[session.length :], np.int32)).argmax()))
        assert texts[name] == text


@pytest.mark.parametrize(
    ("second", "message"),
    [([VOCAB], "vocabulary"), ([], "at least one token"), ([1] * 129, "do not fit")],
)
def test_an_error_leaves_every_session_as_it_was(llama, second, message):
    a, b = llama.session(), llama.session()
    a.forward(tokens(3, 1))
    with pytest.raises(ValueError, match=message):
        llama.forward_together([(a, [1, 2]), (b, second)])
    assert (a.length, b.length) == (3, 0)


def test_sessions_that_do_not_go_together(llama):
    session = llama.session()
    with pytest.raises(ValueError, match="named twice"):
        llama.forward_together([(session, [1]), (session, [2])])
    with pytest.raises(ValueError, match="at least one session"):
        llama.forward_together([])
    with pytest.raises(UsageError, match="another engine's"):
        llama.forward_together([(Engine(llama.model, threads=1).session(), [1])])
    assert session.length == 0


def test_what_a_new_prompt_shares_is_kept(llama):
    session = llama.session()
    text = tokens(30, 5)
    session.forward(text)
    other = np.concatenate([text[:20], text[:7]])
    assert session.keep_prefix(other) == 20
    np.testing.assert_array_equal(session.tokens, text[:20])
    np.testing.assert_array_equal(session.forward(other[20:]), llama.session().forward(other))
    assert session.keep_prefix(other) == 26  # the last token is read for what follows it
    with pytest.raises(ValueError, match="at least one"):
        session.keep_prefix(other[:0])
    assert session.length == 26


@pytest.mark.parametrize("model_type", MODEL_TYPES)
def test_a_cache_of_bytes(tmp_path, model_type):
    state = write_folder(tmp_path, model_type)
    # Scores of a size that attention meets in practice: of large ones only the largest counts.
    calm = {name: values if values.ndim < 2 else 0.15 * values for name, values in state.items()}
    save_file(calm, tmp_path / "model.safetensors")
    engine = Engine(open_model(tmp_path), threads=1, dense="float32")
    text = tokens(60, 8)
    exact, half, byte = (
        engine.session(64, cache=cache) for cache in ("float32", "float16", "int8")
    )
    logits = exact.forward_all(text)
    error = np.linalg.norm(byte.forward_all(text) - logits) / np.linalg.norm(logits)
    assert 0 < error < 0.03
    assert byte.cache_bytes < 0.7 * half.cache_bytes
    for session, cache in ((exact, "float32"), (half, "float16"), (byte, "int8")):
        assert session.cache_bytes == engine.session_bytes(64, cache=cache)


def test_a_session_says_what_it_needs(llama, monkeypatch):
    with pytest.raises(UsageError, match="float16, int8"):
        llama.session(cache="int4")
    with pytest.raises(ContextError, match=r"129.*128"):
        llama.session_bytes(129)
    monkeypatch.setattr("gnomon.engine.memory.available_bytes", lambda: 1000)
    with pytest.raises(GnomonError, match=r"A session for 128 tokens needs .* are free"):
        llama.session(cache="int8")


@pytest.mark.parametrize("cache", ["float32", "float16", "int8"])
def test_a_copied_prefix_is_as_good_as_a_read_one(model, cache):
    engine = Engine(model, threads=2)
    text, rest = tokens(45, 3), tokens(6, 4)
    reader = engine.session(64, cache=cache)
    reader.forward(text)
    copy = engine.session(96, cache=cache)  # of another size, and with another text in it
    copy.forward(tokens(20, 5))
    copy.copy_prefix(reader, 40)
    np.testing.assert_array_equal(copy.tokens, text[:40])
    reader.truncate(40)
    np.testing.assert_array_equal(copy.forward(rest), reader.forward(rest))


def test_a_copy_of_what_is_not_there_is_refused(llama):
    reader, copy = llama.session(32), llama.session(16)
    reader.forward(tokens(20, 3))
    copy.forward(tokens(5, 4))
    for source, count in ((reader, 17), (reader, -1), (llama.session(cache="int8"), 0)):
        with pytest.raises(ValueError, match="Cannot copy|different forms"):
            copy.copy_prefix(source, count)
    assert copy.length == 5
