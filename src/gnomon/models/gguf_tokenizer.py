"""Build a `Tokenizer` from the vocabulary inside a GGUF file.

Two kinds of vocabulary: `gpt2`, byte-level BPE with its list of merges, and `llama`, SentencePiece
BPE with a score for each token and bytes for what no token spells.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import tokenizers
from tokenizers import AddedToken, decoders, normalizers, processors
from tokenizers.models import BPE

from gnomon.errors import ModelError
from gnomon.models.gguf_metadata import Metadata
from gnomon.models.pretokenizers import PRE_TOKENIZERS
from gnomon.models.tokenizer import Tokenizer

NORMAL, UNKNOWN, CONTROL, USER_DEFINED, UNUSED, BYTE = range(1, 7)  # tokenizer.ggml.token_type
SPACE = "▁"  # SentencePiece's U+2581
PREFIX = "tokenizer.ggml."
ROLE_KEYS = {"bos": "bos", "eos": "eos", "unk": "unknown", "pad": "padding"}
END_OF_ANSWER = (  # control tokens that end an answer whatever the file says, as in llama.cpp
    "<|im_end|>", "<|eot_id|>", "<|eom_id|>", "<end_of_turn>", "<|end|>", "<|endoftext|>",
    "<|end_of_text|>",
)  # fmt: skip


def gguf_tokenizer(metadata: Metadata) -> Tokenizer | None:
    """The file's tokenizer, or None if it has none. Raises ModelError if it is of no known kind."""
    kind = metadata.text(f"{PREFIX}model")
    tokens = metadata.texts(f"{PREFIX}tokens")
    if kind in (None, "none") or tokens is None:
        return None
    types = _token_types(metadata, len(tokens))
    try:
        if kind == "gpt2":
            backend, adds_bos = _byte_level(metadata, tokens), _bpe_adds_bos(metadata)
        elif kind == "llama":
            backend, adds_bos = _sentencepiece(metadata, tokens, types), True
        else:
            raise metadata.wrong(f"{PREFIX}model", "gpt2 or llama: no other vocabulary is read")
        _add_special_tokens(backend, tokens, types)
        roles = _role_tokens(metadata, len(tokens))
        adds_bos = metadata.flag(f"{PREFIX}add_bos_token", adds_bos) and "bos" in roles
        adds_eos = metadata.flag(f"{PREFIX}add_eos_token", False) and "eos" in roles
        _add_post_processor(
            backend,
            before=[(tokens[roles["bos"]], roles["bos"])] if adds_bos else [],
            after=[(tokens[roles["eos"]], roles["eos"])] if adds_eos else [],
        )
        settings: dict[str, Any] = {f"{name}_token": tokens[token] for name, token in roles.items()}
        settings |= {"add_bos_token": adds_bos, "clean_up_tokenization_spaces": False}
        return Tokenizer(
            backend,
            settings=settings,
            eos_ids=_stop_tokens(metadata, tokens, types),
            chat_template=metadata.text("tokenizer.chat_template"),
        )
    except ModelError:
        raise
    except Exception as error:  # the tokenizers library has no exception type of its own
        raise ModelError(
            f"{metadata.source}: the vocabulary is damaged: {error}; fetch the file again"
        ) from error


def _token_types(metadata: Metadata, count: int) -> np.ndarray:
    types = metadata.numbers(f"{PREFIX}token_type")
    if types is None:
        return np.full(count, NORMAL)
    if len(types) != count:
        raise metadata.wrong(f"{PREFIX}token_type", f"one type for each of {count} tokens")
    return types


def _role_tokens(metadata: Metadata, count: int) -> dict[str, int]:
    """Which token plays which role: "bos", "eos", "unk", "pad", as far as the file says."""
    roles = {}
    for name, gguf_name in ROLE_KEYS.items():
        token = metadata.integer(f"{PREFIX}{gguf_name}_token_id")
        if token is not None and token >= count:
            raise metadata.wrong(f"{PREFIX}{gguf_name}_token_id", f"one of {count} tokens")
        if token is not None:
            roles[name] = token
    return roles


def _bpe_adds_bos(metadata: Metadata) -> bool:
    return PRE_TOKENIZERS[metadata.text(f"{PREFIX}pre") or "default"].adds_bos


def _byte_level(metadata: Metadata, tokens: list[str]) -> tokenizers.Tokenizer:
    name = metadata.text(f"{PREFIX}pre") or "default"
    pre_tokenizer = PRE_TOKENIZERS.get(name)
    if pre_tokenizer is None:
        raise metadata.wrong(
            f"{PREFIX}pre",
            f"a known way to cut text ({', '.join(PRE_TOKENIZERS)}); use the "
            "model's Hugging Face folder instead",
        )
    merges = []
    for merge in metadata.texts(f"{PREFIX}merges") or []:
        left, space, right = merge.partition(" ")
        if not (left and space and right):
            raise metadata.wrong(f"{PREFIX}merges", f"pairs of tokens ({merge[:40]!r} is none)")
        merges.append((left, right))
    model = BPE(
        vocab=_vocabulary(metadata, tokens),
        merges=merges,
        ignore_merges=pre_tokenizer.ignores_merges,
    )
    backend = tokenizers.Tokenizer(model)
    if (normalizer := pre_tokenizer.normalizer()) is not None:
        backend.normalizer = normalizer
    backend.pre_tokenizer = pre_tokenizer.pre_tokenizer()
    backend.decoder = decoders.ByteLevel()
    return backend


def _sentencepiece(
    metadata: Metadata, tokens: list[str], types: np.ndarray
) -> tokenizers.Tokenizer:
    """SentencePiece's BPE joins the pair whose *joined* token has the best score; the tokenizers
    library wants a list of pairs, best first, so every way to cut a token in two becomes a pair.
    """
    scores = metadata.numbers(f"{PREFIX}scores")
    if scores is None or len(scores) != len(tokens) or scores.dtype.kind != "f":
        raise metadata.wrong(f"{PREFIX}scores", f"one score for each of {len(tokens)} tokens")
    if not np.isfinite(scores).all():
        raise metadata.wrong(f"{PREFIX}scores", "free of NaN and infinity")
    vocabulary = _vocabulary(metadata, tokens)
    unknown = metadata.integer(f"{PREFIX}unknown_token_id", 0) or 0
    if unknown >= len(tokens):
        raise metadata.wrong(f"{PREFIX}unknown_token_id", "a token's number")
    model = BPE(
        vocab=vocabulary,
        merges=merges_from_scores(tokens, scores=scores, types=types),
        unk_token=tokens[unknown],
        fuse_unk=True,
        byte_fallback=True,
    )
    backend = tokenizers.Tokenizer(model)
    to_spaces: list[normalizers.Normalizer] = [normalizers.Replace(" ", SPACE)]
    to_text: list[decoders.Decoder] = [
        decoders.Replace(SPACE, " "),
        decoders.ByteFallback(),
        decoders.Fuse(),
    ]
    if metadata.flag(f"{PREFIX}add_space_prefix", True):
        to_spaces.insert(0, normalizers.Prepend(SPACE))
        to_text.append(decoders.Strip(" ", 1, 0))
    backend.normalizer = normalizers.Sequence(to_spaces)
    backend.decoder = decoders.Sequence(to_text)
    return backend


def merges_from_scores(
    tokens: list[str], *, scores: np.ndarray, types: np.ndarray
) -> list[tuple[str, str]]:
    """Every pair of tokens that joins to a normal token, best score first.

    Among the cuts of one token the order is that of its parts' numbers, as in transformers.
    """
    number = {
        token: index
        for index, (token, kind) in enumerate(zip(tokens, types.tolist(), strict=True))
        if kind == NORMAL
    }
    ranked = []
    for token, index in number.items():
        score = -float(scores[index])
        for cut in range(1, len(token)):
            left, right = token[:cut], token[cut:]
            if left in number and right in number:
                ranked.append((score, number[left], number[right], left, right))
    ranked.sort()
    return [(left, right) for _, _, _, left, right in ranked]


def _vocabulary(metadata: Metadata, tokens: list[str]) -> dict[str, int]:
    vocabulary = {token: index for index, token in enumerate(tokens)}
    if len(vocabulary) != len(tokens):
        raise metadata.wrong(f"{PREFIX}tokens", "tokens that differ from one another")
    return vocabulary


def _add_special_tokens(
    backend: tokenizers.Tokenizer, tokens: list[str], types: np.ndarray
) -> None:
    """Control tokens and the unknown one are special: left out of decoded text. User-defined
    tokens are plain text that is never cut.
    """
    for kinds, is_special in (((UNKNOWN, CONTROL), True), ((USER_DEFINED,), False)):
        chosen = [
            AddedToken(tokens[index], normalized=False, special=is_special)
            for index in np.flatnonzero(np.isin(types, kinds)).tolist()
            if tokens[index]
        ]
        (backend.add_special_tokens if is_special else backend.add_tokens)(chosen)


def _add_post_processor(
    backend: tokenizers.Tokenizer,
    *,
    before: list[tuple[str, int]],
    after: list[tuple[str, int]],
) -> None:
    """Put tokens (text, id) before and after every encoded text."""
    if before or after:
        backend.post_processor = processors.TemplateProcessing(
            single=[*(text for text, _ in before), "$A", *(text for text, _ in after)],
            pair=[*(text for text, _ in before), "$A", *(text for text, _ in before), "$B"],
            special_tokens=[*before, *after],
        )


def _stop_tokens(metadata: Metadata, tokens: list[str], types: np.ndarray) -> list[int]:
    """All tokens that end an answer, the file's own `eos` first."""
    named = [metadata.integer(f"{PREFIX}{name}_token_id") for name in ("eos", "eot", "eom")]
    stops = [token for token in named if token is not None]
    control = {tokens[index]: index for index in np.flatnonzero(types == CONTROL).tolist()}
    return stops + [control[text] for text in END_OF_ANSWER if text in control]
