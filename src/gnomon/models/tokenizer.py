"""`Tokenizer`: text to token ids and back, chat messages to a prompt.

A thin, typed face for the `tokenizers` library. `tokenizer_files.py` reads one from a Hugging Face
folder, `gguf_tokenizer.py` builds one from a GGUF file's metadata.

>>> tokenizer.encode("Hello world")                               # doctest: +SKIP
[19556, 905]
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import tokenizers

from gnomon.errors import DataError, ModelError, UsageError
from gnomon.models.stream_decoder import StreamDecoder
from gnomon.whole_file import whole_file

TOKEN_ROLES = ("bos_token", "eos_token", "unk_token", "pad_token")


class Tokenizer:
    """Immutable. Safe to use from several threads."""

    def __init__(
        self,
        backend: tokenizers.Tokenizer,
        *,
        settings: Mapping[str, Any],
        eos_ids: Sequence[int] = (),
        chat_template: str | None = None,
    ) -> None:
        """`settings` are what `tokenizer_config.json` holds; of it only the roles (`bos_token`, …)
        are used. `eos_ids` are all tokens that end an answer.
        """
        self._backend = backend
        self._settings = {key: value for key, value in settings.items() if key != "chat_template"}
        self.chat_template = chat_template
        self.vocab_size = _vocab_size(backend)  # one more than the highest token id
        self.bos_id = self._role_id("bos_token")
        stops = [*eos_ids, self._role_id("eos_token")]
        self.eos_ids: tuple[int, ...] = tuple(
            dict.fromkeys(stop for stop in stops if stop is not None)
        )
        for stop in self.eos_ids:
            if not 0 <= stop < self.vocab_size:
                raise ModelError(
                    f"the model ends its answers with token {stop}, but its tokenizer has only "
                    f"{self.vocab_size} tokens: the files do not belong together"
                )

    def encode(self, text: str, *, add_special: bool = True) -> list[int]:
        """Token ids of `text`. `add_special`: with BOS (and what else the model's own tokenizer
        adds) where the model has it; pass False for a rendered chat, which has its own.

        Names of special tokens in the text become these tokens.
        Raises DataError if `text` is not Unicode (lone surrogates), UsageError if it is no text.
        """
        if not isinstance(text, str):
            raise UsageError(f"the text to encode is {type(text).__name__}; a str was expected")
        try:
            # Only the backend's batches let other threads go on.
            return self._backend.encode_batch_fast([text], add_special_tokens=add_special)[0].ids
        except (UnicodeError, TypeError) as error:
            raise DataError(
                "the text has lone surrogates, which are not Unicode characters: decode the file "
                'it is from with errors="replace"'
            ) from error

    def decode(self, ids: Sequence[int], *, skip_special: bool = True) -> str:
        """Text of `ids`. Bytes that are no UTF-8 become U+FFFD. Raises DataError on unknown ids."""
        numbers = [int(token) for token in ids]
        for token in numbers:
            if not 0 <= token < self.vocab_size:
                raise DataError(f"token {token} is not one of 0 … {self.vocab_size - 1}")
        return self._backend.decode(numbers, skip_special_tokens=skip_special)

    def stream(self, *, skip_special: bool = True) -> StreamDecoder:
        """A decoder for tokens that come one by one."""
        return StreamDecoder(lambda ids: self.decode(ids, skip_special=skip_special))

    def to_json(self) -> str:
        """What `tokenizer.json` holds."""
        return self._backend.to_str(pretty=False)

    def apply_chat_template(
        self,
        messages: Sequence[Mapping[str, Any]],
        *,
        add_generation_prompt: bool = True,
        tools: Sequence[Mapping[str, Any]] | None = None,
    ) -> str:
        """The prompt for `messages` as the model was trained on it; encode it with
        `add_special=False`. `tools` are functions' descriptions in OpenAI's form, which not every
        template looks at. Raises ModelError if the model has no template or it refuses.
        """
        if self.chat_template is None:
            raise ModelError(
                "this model has no chat template (a base model, not an instruct model): give a "
                "prompt as plain text"
            )
        roles = {role: self._role(role) or "" for role in TOKEN_ROLES}
        from gnomon.models.chat_template import ChatTemplate  # jinja takes a while to import

        template = ChatTemplate(self.chat_template, special_tokens=roles)
        return template.render(messages, add_generation_prompt=add_generation_prompt, tools=tools)

    def save(self, folder: Path | str) -> None:
        """Write `tokenizer.json`, `tokenizer_config.json` and `generation_config.json`, which
        transformers' AutoTokenizer reads. Raises OutputError if the folder cannot be written.
        """
        settings: dict[str, Any] = {"tokenizer_class": "PreTrainedTokenizerFast"} | self._settings
        if self.chat_template is not None:
            settings["chat_template"] = self.chat_template
        generation = {
            "bos_token_id": self.bos_id,
            "eos_token_id": list(self.eos_ids),
            "pad_token_id": self._role_id("pad_token"),
        }
        texts = {
            "tokenizer.json": _with_joined_merges(self.to_json()),
            "tokenizer_config.json": json.dumps(settings, ensure_ascii=False, indent=2),
            "generation_config.json": json.dumps(
                {key: value for key, value in generation.items() if value not in (None, [])},
                indent=2,
            ),
        }
        for name, text in texts.items():
            _write_text(Path(folder) / name, text)

    def _role(self, role: str) -> str | None:
        """The token in a role; files hold it as a text or as an object with its `content`."""
        value = self._settings.get(role)
        if isinstance(value, Mapping):
            value = value.get("content")
        return value if isinstance(value, str) else None

    def _role_id(self, role: str) -> int | None:
        token = self._role(role)
        return None if token is None else self._backend.token_to_id(token)


def _vocab_size(backend: tokenizers.Tokenizer) -> int:
    """One more than the highest id; added tokens may leave a gap after the model's own."""
    added = max(backend.get_added_tokens_decoder(), default=-1) + 1
    return max(added, backend.get_vocab_size(with_added_tokens=False))


def _with_joined_merges(tokenizer_json: str) -> str:
    """The same with each merge as one string, which is read in two thirds of the time. Where a part
    has a space, or looks like the first line of a file of merges, they stay pairs.
    """
    content = json.loads(tokenizer_json)
    merges = content["model"].get("merges", [])
    if not merges or isinstance(merges[0], str):
        return tokenizer_json
    if any(" " in one + two or one.startswith("#version") for one, two in merges):
        return tokenizer_json
    content["model"]["merges"] = [" ".join(pair) for pair in merges]
    return json.dumps(content, ensure_ascii=False, separators=(",", ":"))


def _write_text(path: Path, text: str) -> None:
    with whole_file(path) as file:
        file.write(text.encode())
