"""`Tokenizer`: streams, stop tokens, and what transformers reads of what `save` writes."""

from __future__ import annotations

import json
import threading
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_checkpoints import hf_config, write_folder, write_gguf
from small_vocabularies import BPE_TOKENS, BYTE_LEVEL, SENTENCEPIECE
from tokenizers import Tokenizer as Backend
from tokenizers.models import BPE, WordLevel

from gnomon.errors import DataError, ModelError, OutputError, UsageError
from gnomon.models.gguf_metadata import Metadata
from gnomon.models.gguf_reader import read_gguf
from gnomon.models.gguf_tokenizer import gguf_tokenizer
from gnomon.models.open_model import open_model, require_tokenizer
from gnomon.models.tokenizer import Tokenizer
from gnomon.models.tokenizer_files import read_tokenizer

FUZZ = settings(deadline=None, derandomize=True, max_examples=300)
TEXTS = ["the hello 123", " two  spaces\n\n", "é 🎉!", "a<|im_end|>b</s>", "", "I'm 12.5"]
MESSAGES = [
    {"role": "system", "content": "be brief"},
    {"role": "user", "content": "<b>hello</b>"},
]


@pytest.fixture(scope="module", params=["byte level", "sentencepiece", "with a space prefix"])
def tokenizer(request, tmp_path_factory) -> Tokenizer:
    path = tmp_path_factory.mktemp("gguf") / "model.gguf"
    if request.param == "byte level":
        write_gguf(path, "qwen2", **BYTE_LEVEL)
    else:
        prefix = {"tokenizer__ggml__add_space_prefix": request.param == "with a space prefix"}
        write_gguf(path, "llama", **(SENTENCEPIECE | prefix))
    found = read_gguf(path).tokenizer
    assert found is not None
    return found


@pytest.fixture(scope="module")
def byte_level(tmp_path_factory) -> Tokenizer:
    path = tmp_path_factory.mktemp("gguf") / "model.gguf"
    write_gguf(path, "qwen2", **BYTE_LEVEL)
    found = read_gguf(path).tokenizer
    assert found is not None
    return found


@FUZZ
@given(ids=st.lists(st.integers(0, len(BPE_TOKENS) - 1), max_size=24))
def test_stream_of_any_bytes_is_the_text(byte_level, ids):
    stream = byte_level.stream()
    pieces = [stream.feed(token) for token in ids]
    pieces.append(stream.flush())
    assert "".join(pieces) == byte_level.decode(ids)


@FUZZ
@given(text=st.text("abcdehlotw.! \né🎉", max_size=24))
def test_stream_of_a_text_is_the_text(tokenizer, text):
    ids = tokenizer.encode(text)
    stream = tokenizer.stream()
    assert "".join(map(stream.feed, ids)) + stream.flush() == tokenizer.decode(ids)


def test_stream_never_shows_half_a_character(byte_level):
    ids = byte_level.encode("aéb")
    stream = byte_level.stream()
    assert [stream.feed(token) for token in ids] == ["a", "", "é", "b"]
    assert stream.flush() == ""


def test_flush_shows_what_never_became_a_character(byte_level):
    stream = byte_level.stream()
    assert stream.feed(BPE_TOKENS.index("Ã")) == ""
    assert stream.flush() == "\ufffd"
    assert stream.flush() == ""


def test_stream_keeps_spaces_of_sentencepiece(tokenizer):
    ids = tokenizer.encode("the hello the", add_special=False)
    stream = tokenizer.stream()
    assert "".join(map(stream.feed, ids)) + stream.flush() == "the hello the"


@pytest.mark.parametrize("token", [-1, 48, 2**40])
def test_unknown_ids(tokenizer, token):
    with pytest.raises(DataError, match=f"token {token} is not one of 0 … 47"):
        tokenizer.decode([token])


def test_lone_surrogates(tokenizer):
    with pytest.raises(DataError, match="surrogates"):
        tokenizer.encode("a\ud800b")


def test_what_is_no_text(tokenizer):
    with pytest.raises(UsageError, match="NoneType; a str was expected"):
        tokenizer.encode(None)


def test_transformers_reads_what_save_writes(tokenizer, tmp_path):
    transformers = pytest.importorskip("transformers")
    tokenizer.save(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps(hf_config("llama")))
    theirs = transformers.AutoTokenizer.from_pretrained(tmp_path)
    for text in TEXTS:
        ids = tokenizer.encode(text)
        assert theirs(text)["input_ids"] == ids
        assert theirs(text, add_special_tokens=False)["input_ids"] == tokenizer.encode(
            text, add_special=False
        )
        assert theirs.decode(ids, skip_special_tokens=True) == tokenizer.decode(ids)
    assert theirs.bos_token_id == tokenizer.bos_id
    assert theirs.eos_token_id == tokenizer.eos_ids[0]
    assert len(theirs) == tokenizer.vocab_size
    generation = transformers.GenerationConfig.from_pretrained(tmp_path)
    assert tuple(generation.eos_token_id) == tokenizer.eos_ids
    if tokenizer.chat_template is not None:
        assert theirs.apply_chat_template(
            MESSAGES, tokenize=False, add_generation_prompt=True
        ) == tokenizer.apply_chat_template(MESSAGES)


def test_save_and_read_is_the_same_tokenizer(tokenizer, tmp_path):
    tokenizer.save(tmp_path)
    again = read_tokenizer(tmp_path, hf_config={})
    assert again is not None
    assert [again.encode(text) for text in TEXTS] == [tokenizer.encode(text) for text in TEXTS]
    assert (again.bos_id, again.eos_ids) == (tokenizer.bos_id, tokenizer.eos_ids)
    assert again.chat_template == tokenizer.chat_template
    assert again.vocab_size == tokenizer.vocab_size
    assert not list(tmp_path.glob("*.part"))
    merges = json.loads((tmp_path / "tokenizer.json").read_text("utf-8"))["model"].get("merges", [])
    assert all(isinstance(merge, str) for merge in merges)


@pytest.mark.parametrize(("one", "two"), [("a", " "), ("#version", "b")])
def test_merges_that_no_string_can_say_stay_pairs(tmp_path, one, two):
    backend = Backend(BPE({one: 0, two: 1, one + two: 2}, [(one, two)]))
    Tokenizer(backend, settings={}).save(tmp_path)
    again = read_tokenizer(tmp_path, hf_config={})
    assert again is not None
    assert json.loads(again.to_json())["model"]["merges"] == [[one, two]]


def test_save_where_nothing_can_be(tokenizer, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot be written"):
        tokenizer.save(tmp_path / "file")


def test_no_chat_template():
    tokenizer = gguf_tokenizer_without_template()
    with pytest.raises(ModelError, match="no chat template"):
        tokenizer.apply_chat_template(MESSAGES)


def gguf_tokenizer_without_template() -> Tokenizer:
    backend = Backend(WordLevel({"a": 0, "b": 1}, unk_token="a"))
    return Tokenizer(backend, settings={"eos_token": "b"})


def test_stop_tokens_of_every_file_count(byte_level, tmp_path):
    byte_level.save(tmp_path)
    (tmp_path / "generation_config.json").write_text('{"eos_token_id": [1, 2]}')
    found = read_tokenizer(tmp_path, hf_config={"eos_token_id": 5})
    assert found is not None
    assert found.eos_ids == (1, 2, 5)
    (tmp_path / "generation_config.json").write_text('{"eos_token_id": "two"}')
    with pytest.raises(ModelError, match="eos_token_id is 'two'"):
        read_tokenizer(tmp_path, hf_config={})


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"version": "1.0"}', "\x00" * 50])
def test_damaged_tokenizer_json(tmp_path, content):
    write_folder(tmp_path, "llama")
    (tmp_path / "tokenizer.json").write_text(content)
    with pytest.raises(ModelError, match=r"tokenizer\.json: not a tokenizer"):
        open_model(tmp_path)


def test_where_the_template_may_be(byte_level, tmp_path):
    byte_level.save(tmp_path)
    path = tmp_path / "tokenizer_config.json"
    settings = json.loads(path.read_text())
    named = [{"name": "tool_use", "template": "T"}, {"name": "default", "template": "D"}]
    path.write_text(json.dumps(settings | {"chat_template": named}))
    found = read_tokenizer(tmp_path, hf_config={})
    assert found is not None
    assert found.chat_template == "D"
    (tmp_path / "chat_template.jinja").write_text("J")
    found = read_tokenizer(tmp_path, hf_config={})
    assert found is not None
    assert found.chat_template == "J"


def test_folder_with_a_tokenizer(byte_level, tmp_path):
    write_folder(tmp_path, "llama")
    byte_level.save(tmp_path)
    assert require_tokenizer(open_model(tmp_path)).encode("the") == byte_level.encode("the")


def test_roles_may_be_objects():
    backend = Backend(WordLevel({"a": 0, "b": 1}, unk_token="a"))
    settings = {"eos_token": {"content": "b", "lstrip": False}, "bos_token": None}
    tokenizer = Tokenizer(backend, settings=settings)
    assert (tokenizer.bos_id, tokenizer.eos_ids) == (None, (1,))


def test_damaged_metadata_names_the_file():
    with pytest.raises(ModelError, match=r"^x\.gguf: "):
        gguf_tokenizer(Metadata({"tokenizer.ggml.model": 5}, source="x.gguf"))


def test_others_go_on_while_a_long_text_is_encoded(byte_level):
    span: list[float] = []

    def encode():
        span.append(time.monotonic())
        byte_level.encode("the" * 200_000)
        span.append(time.monotonic())

    thread = threading.Thread(target=encode)
    thread.start()
    ticks = []
    while thread.is_alive():
        time.sleep(0.001)
        ticks.append(time.monotonic())
    begin, end = span
    assert end - begin > 0.05
    # A thread that holds Python's lock lets nobody tick before it is done.
    assert any(begin < tick < begin + 0.75 * (end - begin) for tick in ticks)
