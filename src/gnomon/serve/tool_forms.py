"""How models write tool calls, and how to find the calls in what they write.

>>> finder = CallFinder(HERMES)
>>> finder.feed('Let me see. <tool_call>')
['Let me see. ']
>>> finder.feed('{"name": "clock", "arguments": {}}</tool_call>')
[ToolCall(name='clock', arguments='{}')]
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gnomon.serve.grammar import JSON_OPTIONS, GrammarMaker, Matcher
from gnomon.serve.stop_strings import StopStrings


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolForm:
    """A call is `begin`, JSON, `end`; it is looked for by `trigger`, which belongs to the JSON
    where `begin` is empty.
    """

    begin: str
    end: str
    trigger: str
    arguments_key: str
    is_list: bool = False  # the JSON is a list of calls


HERMES = ToolForm(
    begin="<tool_call>", end="</tool_call>", trigger="<tool_call>", arguments_key="arguments"
)
LLAMA = ToolForm(begin="", end="", trigger='{"name":', arguments_key="parameters")
MISTRAL = ToolForm(begin="", end="", trigger='[{"name":', arguments_key="arguments", is_list=True)


def form_of(template: str | None) -> ToolForm:
    """The form that a chat template shows its model; Hermes', which is the commonest, if none."""
    if template is not None and knows_tools(template) and "<tool_call>" not in template:
        if "[TOOL_CALLS]" in template:
            return MISTRAL
        if '"parameters"' in template:
            return LLAMA
    return HERMES


def knows_tools(template: str) -> bool:
    """Whether a chat template looks at tools at all."""
    return "tools" in template


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCall:
    name: str
    arguments: str  # JSON


class CallFinder:
    """Parts one stream of text into what is said and what is called."""

    def __init__(self, form: ToolForm) -> None:
        self._form = form
        self._said = StopStrings([form.trigger])
        self._call: str | None = None  # a call's beginning, once there is one

    def feed(self, text: str) -> list[str | ToolCall]:
        """What has become clear, in its order: texts, and whole calls."""
        found: list[str | ToolCall] = []
        while text:
            if self._call is None:
                before = self._said.feed(text)
                if before:
                    found.append(before)
                if not self._said.is_found:
                    return found
                text = self._said.rest
                self._said = StopStrings([self._form.trigger])
                self._call = "" if self._form.begin else self._form.trigger
            self._call += text
            calls, text = self._parse()
            found += calls
        return found

    def flush(self) -> str:
        """At the end: text that might have become a call, and did not."""
        if self._call is None:
            return self._said.flush()
        rest, self._call = self._form.begin + self._call, None
        return rest

    def _parse(self) -> tuple[list[ToolCall], str]:
        """The calls, once they are complete, and what follows them."""
        assert self._call is not None
        text = self._call.lstrip()
        try:
            value, length = json.JSONDecoder().raw_decode(text)
        except ValueError:
            return [], ""
        after = text[length:].lstrip()
        calls = _calls(value, self._form)
        if not calls or not after.startswith(self._form.end):
            return [], ""
        self._call = None
        return calls, after[len(self._form.end) :]


def _calls(value: Any, form: ToolForm) -> list[ToolCall]:
    entries = value if isinstance(value, list) else [value]
    calls = []
    for entry in entries:
        if not isinstance(entry, Mapping) or not isinstance(entry.get("name"), str):
            return []
        arguments = entry.get(form.arguments_key, {})
        calls.append(ToolCall(name=entry["name"], arguments=json.dumps(arguments)))
    return calls


def call_text(call: ToolCall, form: ToolForm) -> str:
    """A call as its model would write it."""
    entry = {"name": call.name, form.arguments_key: json.loads(call.arguments or "{}")}
    body = json.dumps([entry] if form.is_list else entry, ensure_ascii=False)
    return f"{form.begin}\n{body}\n{form.end}" if form.begin else body


def require_call(
    functions: Sequence[Mapping[str, Any]], form: ToolForm, grammars: GrammarMaker
) -> Matcher:
    """The grammar of an answer that is one call of one of `functions` ({"name", "parameters"})."""
    options = [_call_schema(function, form) for function in functions]
    schema: dict[str, Any] = options[0] if len(options) == 1 else {"anyOf": options}
    if form.is_list:
        schema = {"type": "array", "items": schema, "minItems": 1, "maxItems": 1}
    schema["x-guidance"] = JSON_OPTIONS
    parts = [f"%json {json.dumps(schema)}"]
    if form.begin:
        parts = [grammars.literal(form.begin), r'"\n"', *parts, r'"\n"', grammars.literal(form.end)]
    return grammars.lark(f"start: {' '.join(parts)}", what="tools' description")


def allow_calls(
    functions: Sequence[Mapping[str, Any]], form: ToolForm, grammars: GrammarMaker
) -> Matcher | None:
    """The grammar of an answer that may say anything, but calls only as `functions` describe it.
    None where the form has nothing that tells a call from other text.
    """
    if not form.begin:
        return None
    names = [f"call_{index}" for index in range(len(functions))]
    lines = [f"start: ({' | '.join(names)})* TEXT", r"TEXT: /(.|\n)*/"]
    begin = grammars.literal(form.begin)
    for name, function in zip(names, functions, strict=True):
        schema = {**_call_schema(function, form), "x-guidance": JSON_OPTIONS}
        body = f'"\\n" %json {json.dumps(schema)} "\\n" {grammars.literal(form.end)}'
        if begin.startswith('"'):
            lines += [f"{name}_begin[lazy]: TEXT {begin}", f"{name}: {name}_begin {body}"]
        else:
            lines.append(f"{name}: TEXT {begin} {body}")
    return grammars.lark("\n".join(lines), what="tools' description")


def _call_schema(function: Mapping[str, Any], form: ToolForm) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {
            "name": {"const": function["name"]},
            form.arguments_key: function.get("parameters") or {"type": "object"},
        },
        "required": ["name", form.arguments_key],
        "additionalProperties": False,
    }
