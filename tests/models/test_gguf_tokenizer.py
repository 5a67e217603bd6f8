"""Tokenizers built from GGUF metadata, against plain re-statements of their algorithms."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_vocabularies import (
    BPE_TOKENS,
    BYTE_LEVEL,
    SENTENCEPIECE,
    SPM_TOKENS,
    SPM_TYPES,
)

from gnomon.errors import ModelError
from gnomon.models.gguf_metadata import Metadata
from gnomon.models.gguf_tokenizer import gguf_tokenizer
from gnomon.models.tokenizer import Tokenizer

FUZZ = settings(deadline=None, derandomize=True, max_examples=300)
# what the SentencePiece vocabulary can spell, with letters, bytes or user-defined tokens
SPELLABLE = st.lists(
    st.sampled_from([*"abcdehlotw.! \né🎉", "the", " the", "abc", "  ", "\n\n", "<tag>"]),
    max_size=16,
).map("".join)


def build(keys, **overrides) -> Tokenizer:
    values = {key.replace("__", "."): value for key, value in (keys | overrides).items()}
    for key, value in list(values.items()):
        if isinstance(value, list) and not isinstance(value[0], str):
            values[key] = np.array(value)
        elif value is None:
            del values[key]
    tokenizer = gguf_tokenizer(Metadata(values, source="x.gguf"))
    assert tokenizer is not None
    return tokenizer


def spm_reference(text: str, *, add_space_prefix: bool) -> list[int]:
    """llama.cpp's llm_tokenizer_spm: user-defined tokens are cut out first, then in each rest the
    neighbours whose joined token scores best are joined (the leftmost of equals), then bytes.
    """
    atoms = [token for token, kind in zip(SPM_TOKENS, SPM_TYPES, strict=True) if kind in (3, 4)]
    ids, rest = [], ""

    def finish() -> None:
        if rest:
            ids.extend(spm_piece(("▁" if add_space_prefix else "") + rest.replace(" ", "▁")))

    position = 0
    while position < len(text):
        found = [atom for atom in atoms if text.startswith(atom, position)]
        if found:
            finish()
            rest = ""
            ids.append(SPM_TOKENS.index(max(found, key=len)))
            position += len(max(found, key=len))
        else:
            rest += text[position]
            position += 1
    finish()
    return ids


def spm_piece(text: str) -> list[int]:
    usable = {t: i for i, t in enumerate(SPM_TOKENS) if SPM_TYPES[i] == 1}
    symbols = list(text)
    while True:
        joined = [(usable.get(a + b), i) for i, (a, b) in enumerate(zip(symbols, symbols[1:]))]  # noqa: B905, RUF007
        best = min(((token, i) for token, i in joined if token is not None), default=None)
        if best is None:
            break
        symbols[best[1] : best[1] + 2] = [symbols[best[1]] + symbols[best[1] + 1]]
    ids: list[int] = []
    for symbol in symbols:
        spelled = [f"<0x{byte:02X}>" for byte in symbol.encode()]
        if symbol in usable:
            ids.append(usable[symbol])
        elif all(name in SPM_TOKENS for name in spelled):
            ids.extend(SPM_TOKENS.index(name) for name in spelled)
        else:
            ids.append(0)
    return ids


@pytest.mark.parametrize("add_space_prefix", [False, True])
def test_sentencepiece_by_hand(add_space_prefix):
    tokenizer = build(SENTENCEPIECE, tokenizer__ggml__add_space_prefix=add_space_prefix)
    the, t_he = SPM_TOKENS.index("▁the"), SPM_TOKENS.index("he")
    plain = tokenizer.encode("the", add_special=False)
    assert plain == ([the] if add_space_prefix else [SPM_TOKENS.index("t"), t_he])
    assert tokenizer.encode(" the", add_special=False)[-1] == the
    assert tokenizer.encode("the") == [1, *plain]
    assert tokenizer.decode([1, *plain]) == "the"


@pytest.mark.parametrize("add_space_prefix", [False, True])
@FUZZ
@given(text=SPELLABLE)
def test_sentencepiece_is_llama_cpps(add_space_prefix, text):
    tokenizer = build(SENTENCEPIECE, tokenizer__ggml__add_space_prefix=add_space_prefix)
    ids = tokenizer.encode(text, add_special=False)
    assert ids == spm_reference(text, add_space_prefix=add_space_prefix)


@FUZZ
@given(text=SPELLABLE)
def test_sentencepiece_round_trip(text):
    tokenizer = build(SENTENCEPIECE)
    assert tokenizer.decode(tokenizer.encode(text)) == text


def test_what_has_neither_token_nor_byte_is_unknown():
    assert build(SENTENCEPIECE).encode("Z", add_special=False) == [0]


def test_bytes_spell_what_no_token_does():
    tokenizer = build(SENTENCEPIECE)
    ids = tokenizer.encode("é", add_special=False)
    assert [SPM_TOKENS[token] for token in ids] == ["<0xC3>", "<0xA9>"]
    assert tokenizer.decode(ids) == "é"


def test_user_defined_tokens_are_text_and_control_tokens_are_not():
    tokenizer = build(SENTENCEPIECE)
    tag, end = SPM_TOKENS.index("<tag>"), SPM_TOKENS.index("</s>")
    ids = tokenizer.encode("a<tag>b</s>", add_special=False)
    assert tag in ids
    assert end in ids
    assert tokenizer.decode(ids) == "a<tag>b"
    assert tokenizer.decode(ids, skip_special=False) == "a<tag>b</s>"


@pytest.mark.parametrize(
    ("keys", "bos", "expected"),
    [(SENTENCEPIECE, True, [1]), (SENTENCEPIECE, False, []), (SENTENCEPIECE, None, [1]),
     (BYTE_LEVEL, True, [0]), (BYTE_LEVEL, False, []), (BYTE_LEVEL, None, [])],
)  # fmt: skip
def test_bos_is_added_where_the_file_or_the_kind_says(keys, bos, expected):
    tokenizer = build(keys, tokenizer__ggml__add_bos_token=bos)
    assert tokenizer.encode("") == expected
    assert tokenizer.encode("a")[:-1] == expected


def test_eos_is_added_where_the_file_says():
    tokenizer = build(SENTENCEPIECE, tokenizer__ggml__add_eos_token=True)
    assert tokenizer.encode("a", add_special=True)[-1] == 2


def test_byte_level_by_hand():
    tokenizer = build(BYTE_LEVEL)
    texts = [BPE_TOKENS[token] for token in tokenizer.encode("the the hello 123é\n")]
    assert texts == [
        "t", "he", "Ġthe", "Ġ", "he", "ll", "o", "Ġ", "1", "2", "3", "Ã", "©", "Ċ"
    ]  # fmt: skip
    assert tokenizer.decode(tokenizer.encode("the the hello 123é\n")) == "the the hello 123é\n"


def test_digits_are_cut_as_the_model_was_trained():
    """ "12" is a token: GPT-2's cut reaches it, SmolLM2's and Qwen's, digit by digit, do not."""
    twelve = BPE_TOKENS.index("12")
    for pre, is_reached in {
        "gpt-2": True,
        "llama-bpe": True,
        "qwen2": False,
        "smollm": False,
    }.items():
        tokenizer = build(BYTE_LEVEL, tokenizer__ggml__pre=pre)
        assert (twelve in tokenizer.encode("12", add_special=False)) == is_reached, pre


@pytest.mark.parametrize(
    ("pre", "text", "words"),
    [
        ("gpt-2", "I'm  12345 a\n\n b!", ["I", "'m", " ", " 12345", " a", "\n\n", " b", "!"]),
        ("smollm", "I'm  123 a", ["I", "'m", "  ", "1", "2", "3", " a"]),
        ("qwen2", "I'M 123 a\n\n b!\n", ["I", "'M", " ", "1", "2", "3", " a", "\n\n", " b", "!\n"]),
        ("llama-bpe", "x 12345", ["x", " ", "123", "45"]),
        ("tekken", "camelCase 12", ["camel", "Case", " ", "1", "2"]),
        ("default", "a 1234567!?", ["a", " ", "123", "456", "7", "!?"]),
    ],
)  # fmt: skip
def test_how_text_is_cut(pre, text, words):
    from gnomon.models.pretokenizers import PRE_TOKENIZERS

    pieces = PRE_TOKENIZERS[pre].pre_tokenizer().pre_tokenize_str(text)
    assert [text[start:end] for _, (start, end) in pieces] == words


def test_stop_tokens_are_all_that_end_an_answer():
    assert build(BYTE_LEVEL).eos_ids == (2, 0)
    assert build(BYTE_LEVEL, tokenizer__ggml__eot_token_id=1).eos_ids == (2, 1, 0)


def test_no_vocabulary_is_no_tokenizer():
    values = {"tokenizer.ggml.model": "none"}
    assert gguf_tokenizer(Metadata(values, source="x")) is None
    assert gguf_tokenizer(Metadata({}, source="x")) is None


@pytest.mark.parametrize(
    ("keys", "overrides", "message"),
    [
        (BYTE_LEVEL, {"model": "rwkv"}, "model is 'rwkv', not gpt2 or llama"),
        (BYTE_LEVEL, {"pre": "unheard-of"}, "pre is 'unheard-of', not a known way.*qwen2"),
        (BYTE_LEVEL, {"merges": ["a"]}, "'a' is none"),
        (BYTE_LEVEL, {"merges": ["x yz"]}, "the vocabulary is damaged"),
        (BYTE_LEVEL, {"tokens": ["a"] * 48}, "tokens that differ"),
        (BYTE_LEVEL, {"token_type": [1]}, "one type for each of 48"),
        (BYTE_LEVEL, {"eos_token_id": 48}, "eos_token_id is 48"),
        (BYTE_LEVEL, {"eot_token_id": 2**31}, "token 2147483648, but its tokenizer has only 48"),
        (BYTE_LEVEL, {"bos_token_id": -1}, "bos_token_id is -1"),
        (SENTENCEPIECE, {"scores": None}, "scores is 'missing'"),
        (SENTENCEPIECE, {"scores": [1.0]}, "one score for each of 48"),
        (SENTENCEPIECE, {"scores": [float("nan")] * 48}, "free of NaN"),
        (SENTENCEPIECE, {"unknown_token_id": 99}, "unknown_token_id is 99"),
    ],
)
def test_vocabularies_that_cannot_be(keys, overrides, message):
    overrides = {f"tokenizer__ggml__{key}": value for key, value in overrides.items()}
    with pytest.raises(ModelError, match=message):
        build(keys, **overrides)
