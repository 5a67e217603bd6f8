"""A head that is the embedding again is stored once, and the finer of the two is kept."""

import json

import numpy as np
import pytest
from gguf import GGMLQuantizationType as Type
from small_checkpoints import ggml_tensors, state_dict, write_gguf
from small_vocabularies import BYTE_LEVEL

from gnomon.compress import compress
from gnomon.compress.shared_vocabulary import share_vocabulary
from gnomon.engine import Engine
from gnomon.models import open_model

EMBEDDING, HEAD = "model.embed_tokens.weight", "lm_head.weight"
Q4, Q8, F16, BF16 = Type.Q4_0, Type.Q8_0, Type.F16, Type.BF16


def twice(folder, *, embedding: Type, head: Type, difference: float = 0.0):
    """A model that stores one matrix as both, but for noise of this share of its norm."""
    state = {
        name: tensor if name.endswith("norm.weight") else tensor * np.float32(0.15)
        for name, tensor in state_dict("llama").items()
    }
    noise = np.random.default_rng(5).standard_normal(state[HEAD].shape, dtype=np.float32)
    noise *= difference * np.linalg.norm(state[HEAD]) / np.linalg.norm(noise)
    state[EMBEDDING] = state[HEAD] + noise
    path = folder / "twice.gguf"
    write_gguf(
        path,
        "llama",
        tensors=ggml_tensors(state, model_type="llama"),
        quantization={"token_embd.weight": embedding, "output.weight": head},
        **BYTE_LEVEL,
    )
    return open_model(path)


@pytest.mark.parametrize(("coarse", "fine"), [(Q4, Q8), (Q4, F16), (Q8, F16), (BF16, Type.F32)])
@pytest.mark.parametrize("is_head_finer", [True, False])
def test_the_finer_of_two_is_both(coarse, fine, is_head_finer, tmp_path):
    embedding, head = (coarse, fine) if is_head_finer else (fine, coarse)
    model = twice(tmp_path, embedding=embedding, head=head)
    shared = share_vocabulary(model)
    assert shared.config.is_head_tied
    assert shared.hf_config["tie_word_embeddings"]
    assert set(shared.weights.names()) == set(model.weights.names()) - {HEAD}
    finer = model.weights.load(HEAD if is_head_finer else EMBEDDING)
    assert np.array_equal(shared.weights.load(EMBEDDING), finer)
    assert shared.weights.storage(EMBEDDING) == fine.name
    other = "model.norm.weight"
    assert np.array_equal(shared.weights.load(other), model.weights.load(other))


@pytest.mark.parametrize(
    ("coarse", "difference"), [(Q4, 0.15), (Q8, 0.01), (F16, 0.005), (BF16, 0.005)]
)
def test_two_matrices_stay_two(coarse, difference, tmp_path):
    """Noise beyond what rounding makes is something that the model has learned."""
    model = twice(tmp_path, embedding=coarse, head=F16, difference=difference)
    assert share_vocabulary(model) is model


def test_a_tied_head_stays_tied(tmp_path):
    model = share_vocabulary(twice(tmp_path, embedding=F16, head=F16))
    assert share_vocabulary(model) is model


def test_the_folder_holds_one(tmp_path, options):
    model = twice(tmp_path, embedding=Q4, head=Q8)
    result = compress(model, tmp_path / "out", options=options)
    small = open_model(result.output)
    assert HEAD not in small.weights.names()
    assert json.loads((result.output / "config.json").read_text())["tie_word_embeddings"]
    assert small.provenance["source"]["is_head_tied"]
    original, rounded = (
        Engine(each).session(8).forward(np.array([3, 4, 5], np.int32)) for each in (model, small)
    )
    assert np.corrcoef(original, rounded)[0, 1] > 0.5
