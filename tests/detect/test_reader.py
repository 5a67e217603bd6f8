"""What is read, against the logits; windows; what is kept on disk."""

from __future__ import annotations

import numpy as np
import pytest
from tiny_models_on_disk import tiny_model

from gnomon.detect import passage as passage_module
from gnomon.detect.passage import Passage
from gnomon.detect.reader import Reader
from gnomon.detect.readings import read_texts
from gnomon.engine import Engine
from gnomon.errors import DataError, ModelError
from gnomon.models import open_model

PIECES = ["the moon at night.", "12 stars shine!", "is it 3?"]


def test_expectations_are_those_of_the_logits(model):
    reader = Reader(model, layers=(0, 1), threads=1)
    reading = reader.read(PIECES)
    ids = model.tokenizer.encode(" ".join(PIECES), add_special=False)
    assert reading.starts[-1] == len(ids)
    session = Engine(model, threads=1).session(128)
    logits = session.forward_all(np.array([0, *ids], np.int32))[:-1].astype(np.float64)
    log_p = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    p, at = np.exp(log_p), (np.arange(len(ids)), ids)
    cold = 2 * log_p - np.log(np.exp(2 * log_p).sum(axis=1, keepdims=True))
    mean = (p * log_p).sum(axis=1)
    close = {"rtol": 1e-4, "atol": 1e-5}
    np.testing.assert_allclose(reading.log_probabilities, log_p[at], **close)
    np.testing.assert_allclose(reading.entropies, -mean, **close)
    np.testing.assert_allclose(reading.variances, (p * log_p**2).sum(axis=1) - mean**2, **close)
    np.testing.assert_allclose(reading.cold_probabilities, cold[at], **close)
    np.testing.assert_array_equal(reading.ranks, (log_p > log_p[at][:, None]).sum(axis=1))


def test_states_are_means_over_pieces(model):
    last = model.config.num_layers - 1
    reading = Reader(model, layers=(last,), threads=1).read(PIECES)
    ids = model.tokenizer.encode(" ".join(PIECES), add_special=False)
    hidden = Engine(model, threads=1).session(128).hidden(np.array([0, *ids], np.int32))[1:]
    weight = model.weights.load("model.norm.weight")
    for piece in range(len(PIECES)):
        states = Reader(model, layers=(last,), threads=1).read(PIECES).states[piece, 0]
        assert states.shape == (model.config.hidden_size,)
    # One token alone: the final norm of its state is what `hidden` gives.
    single = Reader(model, layers=(last,), threads=1).read(["t"]).states[0, 0]
    normed = single / np.sqrt((single**2).mean() + 1e-5) * weight
    first = (
        Engine(model, threads=1)
        .session(8)
        .hidden(np.array([0, *model.tokenizer.encode("t", add_special=False)], np.int32))
    )
    np.testing.assert_allclose(normed, first[1], rtol=1e-3, atol=1e-4)
    assert reading.states.shape == (3, 1, hidden.shape[1])


def test_windows(model, monkeypatch):
    """Within the first window nothing changes; a long text is read to its end in bounded steps."""
    pieces = PIECES * 12
    whole = Reader(model, layers=(1,), threads=1).read(pieces[:6])
    monkeypatch.setattr(passage_module, "WINDOW", 40)
    monkeypatch.setattr(passage_module, "OVERLAP", 10)
    reading = Reader(model, layers=(1,), threads=1).read(pieces)
    known = min(39, whole.starts[-1])
    np.testing.assert_allclose(
        reading.log_probabilities[:known], whole.log_probabilities[:known], rtol=1e-4, atol=1e-5
    )
    assert reading.log_probabilities.size == reading.starts[-1]
    assert (reading.log_probabilities < 0).all()
    assert np.isfinite(reading.states).all()
    assert (np.abs(reading.states).sum(axis=(1, 2)) > 0).all()


def test_progress_comes_to_its_end(model):
    steps = []
    Reader(model, threads=1).read(["one two three."], on_progress=steps.append)
    assert (steps[0].done, steps[-1].done) == (0, steps[-1].total)


@pytest.mark.parametrize("rows", [1, 7, 39, 100])
def test_small_steps_read_the_same(model, rows):
    pieces = PIECES * 4
    session = Engine(model, threads=1).session(40)
    readings = []
    for size in (40, rows):
        passage = Passage(
            model.tokenizer, pieces, layers=(0, 1), hidden_size=model.config.hidden_size, window=40
        )
        steps = 0
        while not passage.is_read:
            passage.read_on(session, size)
            steps += 1
        assert steps >= passage.total / size
        readings.append(passage.reading())
    for name in ("log_probabilities", "entropies", "ranks", "states", "starts"):
        a, b = (getattr(reading, name) for reading in readings)
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


def test_a_folder_keeps_what_was_read(model, tmp_path, monkeypatch):
    texts = [PIECES[: 1 + i % 3] for i in range(7)]
    reader = Reader(model, layers=(0,), threads=1)
    first = list(read_texts(reader, texts, folder=tmp_path))
    (shard,) = tmp_path.iterdir()

    def fail(*_):
        raise AssertionError("read again")

    monkeypatch.setattr(Reader, "read", fail)
    second = list(read_texts(reader, texts, folder=tmp_path))
    monkeypatch.undo()
    shard.write_bytes(shard.read_bytes()[:100])  # damaged: made anew
    third = list(read_texts(reader, texts, folder=tmp_path))
    for a, b, c in zip(first, second, third, strict=True):
        for name in ("starts", "ranks", "states", "entropies"):
            np.testing.assert_array_equal(getattr(a, name), getattr(b, name))
            np.testing.assert_array_equal(getattr(a, name), getattr(c, name))
    assert [reading.pieces for reading in second] == [len(text) for text in texts]


def test_what_is_damaged_in_any_way_is_read_anew(model, tmp_path):
    reader = Reader(model, layers=(0,), threads=1)

    def read():
        (reading,) = read_texts(reader, [PIECES[:1]], folder=tmp_path)
        return reading.ranks

    ranks = read()
    (shard,) = tmp_path.iterdir()
    whole = shard.read_bytes()
    for place in range(len(whole) - 300, len(whole)):  # of the archive's directory
        damaged = bytearray(whole)
        damaged[place] ^= 0xFF
        shard.write_bytes(damaged)
        np.testing.assert_array_equal(read(), ranks)


def test_what_other_weights_read_is_read_anew(tmp_path):
    """Under the same name, and of the same size."""
    model, folder = tiny_model(tmp_path, "llama"), tmp_path / "read"

    def read(reading_model):
        (found,) = read_texts(
            Reader(reading_model, layers=(1,), threads=1), [PIECES], folder=folder
        )
        return found.states

    before, content = read(model), bytearray(model.source.read_bytes())
    content[-20_001:-1:4] = bytes(b ^ 0x80 for b in content[-20_001:-1:4])  # signs of float32
    model.source.write_bytes(content)
    other = open_model(model.source)
    assert (other.name, other.size_bytes) == (model.name, model.size_bytes)
    after = read(other)
    assert not np.array_equal(before, after)
    np.testing.assert_array_equal(read(other), after)
    assert len(list(folder.iterdir())) == 2


def test_threads_read_texts_of_their_own(model, tmp_path):
    texts = [PIECES[i % 3 :] + ["12 moons."] * (i % 4) for i in range(115)]
    alone = list(read_texts(Reader(model, layers=(0,), threads=1), texts))
    steps = []
    together = read_texts(
        Reader(model, layers=(0,), threads=3), texts, folder=tmp_path, on_progress=steps.append
    )
    for one, other in zip(alone, together, strict=True):
        for name in ("starts", "log_probabilities", "states"):
            np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
    assert [step.done for step in steps] == [0, 50, 100]
    assert len(list(tmp_path.iterdir())) == 3


def test_the_same_texts_are_kept_by_several_threads_at_once(model, tmp_path):
    texts = [PIECES[:1]] * 50 * 40
    reader = Reader(model, layers=(0,), threads=4)
    assert len(list(read_texts(reader, texts, folder=tmp_path))) == len(texts)
    assert [path.suffix for path in tmp_path.iterdir()] == [".npz"]


def test_there_are_no_more_readers_than_work(model, monkeypatch):
    reader, made = Reader(model, threads=4), []
    one_a_thread = Reader.one_a_thread

    def watched(self, most):
        made.extend(one_a_thread(self, most))
        return made

    monkeypatch.setattr(Reader, "one_a_thread", watched)
    assert len(list(read_texts(reader, [PIECES[:1]] * 60))) == 60
    assert [each.threads for each in made] == [1, 1]


def test_reading_that_nobody_waits_for_ends(model, tmp_path):
    """What failed is told at once, and what was not read to its end is not kept."""
    reader = Reader(model, layers=(0,), threads=2)
    texts = [PIECES] * 60 + [[""]] + [PIECES] * 200
    with pytest.raises(DataError, match="nothing to read"):
        list(read_texts(reader, texts, folder=tmp_path))
    assert all(path.suffix == ".npz" for path in tmp_path.iterdir())
    assert len(list(tmp_path.iterdir())) < 5


def test_misuse(model):
    with pytest.raises(ModelError, match="has 2 layers"):
        Reader(model, layers=(2,))
    with pytest.raises(DataError, match="nothing to read"):
        Reader(model).read([])
    session = Engine(model, threads=1).session(8)
    with pytest.raises(ValueError, match="must rise"):
        session.observe(np.array([1, 2], np.int32), [1, 0])
