"""A head that is the embedding again is stored once, and the finer of the two is kept."""

import json

import numpy as np
import pytest
from small_checkpoints import ggml_tensors, state_dict, write_gguf
from small_vocabularies import BYTE_LEVEL

from gnomon.compress import compress
from gnomon.compress.shared_vocabulary import TOLERANCE, share_vocabulary
from gnomon.engine import Engine
from gnomon.models import open_model

EMBEDDING, HEAD = "model.embed_tokens.weight", "lm_head.weight"


def twice(folder, *, difference: float, coarse: str = EMBEDDING):
    """A model whose head is its embedding but for noise of this share of its norm."""
    state = {
        name: tensor if name.endswith("norm.weight") else tensor * np.float32(0.15)
        for name, tensor in state_dict("llama").items()
    }
    noise = np.random.default_rng(5).standard_normal(state[HEAD].shape, dtype=np.float32)
    noise *= difference * np.linalg.norm(state[HEAD]) / np.linalg.norm(noise)
    state[EMBEDDING] = state[HEAD] + noise
    tensors = ggml_tensors(state, model_type="llama")
    name = {EMBEDDING: "token_embd.weight", HEAD: "output.weight"}[coarse]
    tensors[name] = tensors[name].astype(np.float16)
    path = folder / "twice.gguf"
    write_gguf(path, "llama", tensors=tensors, **BYTE_LEVEL)
    return open_model(path)


@pytest.mark.parametrize(("coarse", "fine"), [(EMBEDDING, HEAD), (HEAD, EMBEDDING)])
def test_the_finer_of_two_is_both(coarse, fine, tmp_path):
    model = twice(tmp_path, difference=0.9 * TOLERANCE, coarse=coarse)
    shared = share_vocabulary(model)
    assert shared.config.is_head_tied
    assert shared.hf_config["tie_word_embeddings"]
    assert set(shared.weights.names()) == set(model.weights.names()) - {HEAD}
    assert np.array_equal(shared.weights.load(EMBEDDING), model.weights.load(fine))
    assert shared.weights.storage(EMBEDDING) == model.weights.storage(fine)
    other = "model.norm.weight"
    assert np.array_equal(shared.weights.load(other), model.weights.load(other))


def test_two_matrices_stay_two(tmp_path):
    model = twice(tmp_path, difference=1.1 * TOLERANCE)
    assert share_vocabulary(model) is model


def test_a_tied_head_stays_tied(tmp_path):
    model = share_vocabulary(twice(tmp_path, difference=0.0))
    assert share_vocabulary(model) is model


def test_the_folder_holds_one(tmp_path, options):
    model = twice(tmp_path, difference=0.01)
    result = compress(model, tmp_path / "out", options=options)
    small = open_model(result.output)
    assert HEAD not in small.weights.names()
    assert json.loads((result.output / "config.json").read_text())["tie_word_embeddings"]
    assert small.provenance["source"]["is_head_tied"]
    original, rounded = (
        Engine(each).session(8).forward(np.array([3, 4, 5], np.int32)) for each in (model, small)
    )
    assert np.corrcoef(original, rounded)[0, 1] > 0.5
