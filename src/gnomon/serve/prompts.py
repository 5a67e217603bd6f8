"""From a chat request's messages and tools to the prompt that the model was trained on."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from gnomon.errors import DataError
from gnomon.serve.tool_forms import ToolCall, ToolForm, call_text, knows_tools
from gnomon.serve.wire import Message, Tool

if TYPE_CHECKING:
    from gnomon.models import Tokenizer

# For models whose template has no place for tools: the form that most models have seen somewhere.
_INSTRUCTIONS = """\
You may call functions to answer. These are there, each with its JSON schema:
{tools}
To call one, write nothing but:
{begin}
{{"name": "<its name>", "{arguments}": <its arguments as JSON>}}
{end}"""


def chat_prompt(
    tokenizer: Tokenizer, messages: Sequence[Message], *, tools: Sequence[Tool], form: ToolForm
) -> list[int]:
    """Token ids. Raises ModelError if the model's template refuses the messages or is missing,
    DataError if a message is not what its role asks for.
    """
    has_place = tokenizer.chat_template is not None and knows_tools(tokenizer.chat_template)
    entries = [_entry(message, form, has_place=has_place) for message in messages]
    descriptions = [tool.model_dump(exclude_none=True) for tool in tools]
    if descriptions and not has_place:
        entries = _with_instructions(entries, descriptions, form)
    text = tokenizer.apply_chat_template(entries, tools=descriptions if has_place else None)
    return tokenizer.encode(text, add_special=False)


def _entry(message: Message, form: ToolForm, *, has_place: bool) -> dict[str, Any]:
    role = "system" if message.role == "developer" else message.role
    calls = message.tool_calls or []
    if message.content is None and not calls:
        raise DataError(f"a message of the role {message.role} has no content")
    if calls and role != "assistant":
        raise DataError(f"a message of the role {message.role} has tool_calls; only assistants do")
    for call in calls:
        _require_json(call.function.arguments)
    if has_place:
        entry: dict[str, Any] = {"role": role, "content": message.text}
        if calls:
            entry["tool_calls"] = [
                {
                    "id": call.id,
                    "type": "function",
                    "function": {
                        "name": call.function.name,
                        "arguments": json.loads(call.function.arguments or "{}"),
                    },
                }
                for call in calls
            ]
        for name in ("tool_call_id", "name"):
            if getattr(message, name) is not None:
                entry[name] = getattr(message, name)
        return entry
    if role == "tool":
        return {"role": "user", "content": f"<tool_response>\n{message.text}\n</tool_response>"}
    written = [
        call_text(ToolCall(name=call.function.name, arguments=call.function.arguments), form)
        for call in calls
    ]
    return {
        "role": role,
        "content": "\n".join([*([message.text] if message.text else []), *written]),
    }


def _with_instructions(
    entries: list[dict[str, Any]], tools: Sequence[Mapping[str, Any]], form: ToolForm
) -> list[dict[str, Any]]:
    instructions = _INSTRUCTIONS.format(
        tools="\n".join(json.dumps(tool["function"], ensure_ascii=False) for tool in tools),
        begin=form.begin,
        end=form.end,
        arguments=form.arguments_key,
    )
    if entries[0]["role"] != "system":
        return [{"role": "system", "content": instructions}, *entries]
    first = {"role": "system", "content": f"{entries[0]['content']}\n\n{instructions}"}
    return [first, *entries[1:]]


def _require_json(arguments: str) -> None:
    try:
        value = json.loads(arguments or "{}")
    except (ValueError, RecursionError) as error:
        raise DataError(f"the arguments of a tool call are not JSON: {error}") from error
    if not isinstance(value, dict):
        raise DataError("the arguments of a tool call are no JSON object")
