"""Answers of a form that was asked for: a JSON schema, or tool calls.

The grammar library (llguidance) says before each token which ones keep the answer in form; the
sampler chooses among them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from llguidance import LLMatcher, LLTokenizer

from gnomon.errors import ModelError, UsageError
from gnomon.serve.schema_limits import PARSER_LIMITS

if TYPE_CHECKING:
    from gnomon.models import Tokenizer

# Small models otherwise fall into endless blanks where JSON allows them.
JSON_OPTIONS = {"whitespace_flexible": False, "item_separator": ", ", "key_separator": ": "}


class GrammarMaker:
    """Grammars over one model's tokens. Safe to use from several threads."""

    def __init__(self, tokenizer: Tokenizer, *, vocab_size: int) -> None:
        """Raises ModelError if the library cannot work with this tokenizer."""
        try:
            self._tokens = LLTokenizer(
                tokenizer.to_json(),
                n_vocab=max(vocab_size, tokenizer.vocab_size),
                eos_token=list(tokenizer.eos_ids) or None,
            )
        except ValueError as error:
            raise ModelError(f"the tokenizer does not work with grammars: {error}") from error

    def token_bytes(self, token: int) -> bytes:
        """What a token stands for in a text, part of a character maybe."""
        return self._tokens.decode_bytes([token])

    def literal(self, text: str) -> str:
        """`text` in a grammar of `lark`: as the one special token that it is, or as a string."""
        ids = self._tokens.tokenize_str(text, parse_special=True)
        is_special = len(ids) == 1 and self._tokens.is_special_token(ids[0])
        return text if is_special and text.startswith("<") else json.dumps(text)

    def json(self, schema: Mapping[str, Any]) -> Matcher:
        """An answer that is one JSON value of `schema`. Raises UsageError if it is no schema."""
        try:
            grammar = LLMatcher.grammar_from_json_schema(
                json.dumps({**schema, "x-guidance": JSON_OPTIONS})
            )
        except ValueError as error:
            raise UsageError(f"the JSON schema cannot be used: {error}") from error
        return self.lark(grammar, what="JSON schema")

    def lark(self, grammar: str, *, what: str) -> Matcher:
        """An answer by a grammar of the library's. Raises UsageError, naming `what` it is."""
        matcher = LLMatcher(self._tokens, grammar, log_level=0, limits=PARSER_LIMITS)
        if matcher.is_error():
            raise UsageError(f"the {what} cannot be used: {_first_line(matcher.get_error())}")
        made = Matcher(matcher)
        made.copy().allowed(1)  # some that are well formed have no answer at all
        return made


class Matcher:
    """How far one answer has come in its grammar."""

    def __init__(self, matcher: LLMatcher) -> None:
        self._matcher = matcher

    def copy(self) -> Matcher:
        """Another answer, at the same place."""
        return Matcher(self._matcher.deep_copy())

    def allowed(self, count: int) -> np.ndarray:
        """bool [count]: the tokens that may come next. Raises UsageError where none can be told."""
        mask = np.frombuffer(self._matcher.compute_logit_bias(), dtype=np.uint8) != 0
        if self._matcher.is_error():
            raise UsageError(f"the grammar failed: {_first_line(self._matcher.get_error())}")
        return mask[:count]

    def advance(self, token: int) -> None:
        """`token` was chosen."""
        self._matcher.consume_token(token)

    @property
    def is_complete(self) -> bool:
        """Whether nothing can follow."""
        return self._matcher.is_stopped()


def _first_line(text: str) -> str:
    return text.strip().splitlines()[0] if text.strip() else "unknown trouble"
