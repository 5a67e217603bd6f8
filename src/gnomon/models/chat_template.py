"""Chat templates: from a list of messages to the text a model was trained to continue.

Templates are jinja2 programs that come with the model, so they run in jinja's immutable sandbox:
no attributes with underscores, no changes to what they are given. The names they may use are those
of Hugging Face's `apply_chat_template`.

>>> template = ChatTemplate("{% for m in messages %}[{{ m.role }}] {{ m.content }}{% endfor %}")
>>> template.render([{"role": "user", "content": "Hello"}])
'[user] Hello'
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NoReturn

import jinja2
from jinja2 import nodes
from jinja2.ext import Extension, loopcontrols
from jinja2.parser import Parser
from jinja2.sandbox import ImmutableSandboxedEnvironment

from gnomon.errors import ModelError


class ChatTemplate:
    """One compiled template."""

    def __init__(self, text: str, *, special_tokens: Mapping[str, str] | None = None) -> None:
        """`special_tokens` are the template's `bos_token`, `eos_token`, …

        Raises ModelError if `text` is not a template.
        """
        self.text = text
        self._special_tokens = dict(special_tokens or {})
        try:
            self._template = _environment().from_string(text)
        except (jinja2.TemplateError, RecursionError) as error:
            raise ModelError(
                f"the model's chat template is not valid jinja2: {error}; give a prompt as plain "
                "text instead of messages"
            ) from error

    def render(
        self,
        messages: Sequence[Mapping[str, Any]],
        *,
        add_generation_prompt: bool = True,
        tools: Sequence[Mapping[str, Any]] | None = None,
    ) -> str:
        """The prompt for `messages` ({"role": …, "content": …}), ending where the model answers.
        `tools`: what the model may call, for templates that look at it.

        Raises ModelError, with the template's own words, if it refuses these messages.
        """
        try:
            return self._template.render(
                messages=[dict(message) for message in messages],
                tools=[dict(tool) for tool in tools] if tools else None,
                documents=None,
                add_generation_prompt=add_generation_prompt,
                **self._special_tokens,
            )
        except Exception as error:  # a stranger's program may raise anything
            raise ModelError(f"the model's chat template refused the messages: {error}") from error


class _GenerationTag(Extension):
    """`{% generation %}…{% endgeneration %}` marks answers for training; here it is nothing."""

    tags = {"generation"}  # noqa: RUF012  (jinja's interface)

    def parse(self, parser: Parser) -> list[nodes.Node]:
        next(parser.stream)
        return parser.parse_statements(("name:endgeneration",), drop_needle=True)


def _environment() -> ImmutableSandboxedEnvironment:
    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[_GenerationTag, loopcontrols]
    )
    environment.filters["tojson"] = _to_json
    environment.globals["raise_exception"] = _raise
    environment.globals["strftime_now"] = lambda layout: datetime.now().strftime(layout)
    return environment


def _raise(message: str) -> NoReturn:
    raise jinja2.TemplateError(message)


def _to_json(
    value: Any,
    ensure_ascii: bool = False,
    indent: int | None = None,
    separators: tuple[str, str] | None = None,
    sort_keys: bool = False,
) -> str:
    """Hugging Face's `tojson`: unlike jinja's it escapes no HTML and keeps the keys' order."""
    return json.dumps(
        value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys
    )
