"""How byte-level BPE vocabularies cut text into words, by the name GGUF files give it.

The regular expressions are those of the models' own `tokenizer.json`. They matter: with another
cut the same vocabulary gives other tokens, and the model quietly gets worse.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tokenizers import Regex, normalizers, pre_tokenizers

CONTRACTIONS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)"
GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
TAIL = r" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
LLAMA3 = rf"{CONTRACTIONS}|[^\r\n\p{{L}}\p{{N}}]?\p{{L}}+|\p{{N}}{{1,3}}|{TAIL}"
QWEN2 = rf"{CONTRACTIONS}|[^\r\n\p{{L}}\p{{N}}]?\p{{L}}+|\p{{N}}|{TAIL}"
UPPER, LOWER = r"\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}", r"\p{Ll}\p{Lm}\p{Lo}\p{M}"
TEKKEN = (
    rf"[^\r\n\p{{L}}\p{{N}}]?[{UPPER}]*[{LOWER}]+|[^\r\n\p{{L}}\p{{N}}]?[{UPPER}]+[{LOWER}]*"
    r"|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
PUNCTUATION = r"[\p{P}\$\+<=>\^~\|]+"


@dataclass(frozen=True, slots=True, kw_only=True)
class PreTokenizer:
    """Cuts applied one after another; each leaves what it does not match as it is."""

    patterns: tuple[str, ...]
    is_nfc: bool = False  # the model's own tokenizer normalises to NFC first
    ignores_merges: bool = False  # a word that is a token is taken whole
    adds_bos: bool = False  # unless the file says otherwise

    def normalizer(self) -> normalizers.Normalizer | None:
        return normalizers.NFC() if self.is_nfc else None

    def pre_tokenizer(self) -> pre_tokenizers.PreTokenizer:
        cuts = [pre_tokenizers.Split(Regex(text), behavior="isolated") for text in self.patterns]
        to_bytes = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
        return pre_tokenizers.Sequence([*cuts, to_bytes])


_GPT2 = PreTokenizer(patterns=(GPT2,))
_DIGITS = PreTokenizer(patterns=(r"\p{N}", GPT2))
_QWEN2 = PreTokenizer(patterns=(QWEN2,), is_nfc=True)
_LLAMA3 = PreTokenizer(patterns=(LLAMA3,), ignores_merges=True, adds_bos=True)

PRE_TOKENIZERS: Mapping[str, PreTokenizer] = {
    # llama.cpp's own choice for files that name none; no model's tokenizer.json has it
    "default": PreTokenizer(patterns=(PUNCTUATION, GPT2, r"\p{N}+", r"[0-9][0-9][0-9]")),
    "gpt-2": _GPT2,
    "smollm": _DIGITS,
    "starcoder": _DIGITS,
    "qwen2": _QWEN2,
    "deepseek-r1-qwen": _QWEN2,
    "llama-bpe": _LLAMA3,
    "llama3": _LLAMA3,
    "llama-v3": _LLAMA3,
    "tekken": PreTokenizer(patterns=(TEKKEN,), ignores_merges=True, adds_bos=True),
}
