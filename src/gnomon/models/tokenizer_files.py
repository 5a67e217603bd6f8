"""Read a `Tokenizer` from a Hugging Face folder."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import tokenizers

from gnomon.errors import ModelError
from gnomon.models.json_file import read_json_object
from gnomon.models.tokenizer import Tokenizer


def read_tokenizer(folder: Path, *, hf_config: Mapping[str, Any]) -> Tokenizer | None:
    """The tokenizer of a folder, or None if it has no `tokenizer.json`.

    What ends an answer is said in up to three files; all of them count. Raises ModelError if one
    of the files is damaged.
    """
    path = folder / "tokenizer.json"
    if not path.exists():
        return None
    try:
        backend = tokenizers.Tokenizer.from_file(str(path))
    except Exception as error:  # the library has no exception type of its own
        raise ModelError(f"{path}: not a tokenizer: {error}; fetch it again") from error
    settings = _optional(folder / "special_tokens_map.json")
    settings |= _optional(folder / "tokenizer_config.json")
    generation = _optional(folder / "generation_config.json")
    eos_ids = [
        *_ids(generation.get("eos_token_id"), source=folder / "generation_config.json"),
        *_ids(hf_config.get("eos_token_id"), source=folder / "config.json"),
    ]
    return Tokenizer(
        backend,
        settings=settings,
        eos_ids=eos_ids,
        chat_template=_chat_template(folder, settings),
    )


def _optional(path: Path) -> dict[str, Any]:
    return read_json_object(path) if path.exists() else {}


def _ids(value: Any, *, source: Path) -> list[int]:
    """`eos_token_id` as a list; it may be a number, a list of numbers or null."""
    ids = [] if value is None else value if isinstance(value, list) else [value]
    if not all(type(token) is int for token in ids):
        raise ModelError(f"{source}: eos_token_id is {value!r}, token numbers were expected")
    return ids


def _chat_template(folder: Path, settings: Mapping[str, Any]) -> str | None:
    """From `chat_template.jinja` (transformers 5) or `tokenizer_config.json`, where it is a text
    or a list of named ones, of which `default` is taken.
    """
    path = folder / "chat_template.jinja"
    if path.exists():
        try:
            return path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ModelError(f"{path}: cannot be read: {error}") from error
    template = settings.get("chat_template")
    if isinstance(template, list):
        named = {entry["name"]: entry["template"] for entry in template if _is_named(entry)}
        template = named.get("default")
    if template is not None and not isinstance(template, str):
        raise ModelError(f"{folder / 'tokenizer_config.json'}: chat_template is not a text")
    return template


def _is_named(entry: Any) -> bool:
    return isinstance(entry, dict) and {"name", "template"} <= entry.keys()
