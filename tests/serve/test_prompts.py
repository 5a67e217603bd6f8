"""Messages and tools on their way to the model's template, with a place for tools and without."""

from __future__ import annotations

import pytest

from gnomon.errors import DataError
from gnomon.models.chat_template import ChatTemplate
from gnomon.serve.prompts import chat_prompt
from gnomon.serve.tool_forms import HERMES
from gnomon.serve.wire import Message, Tool

WITH_TOOLS = (
    "{% for tool in tools or [] %}[{{ tool.function.name }}]{% endfor %}"
    "{% for m in messages %}{{ m.role }}:{{ m.content }}"
    "{% for call in m.tool_calls or [] %}<{{ call.function.arguments.city }}>{% endfor %}|"
    "{% endfor %}"
)
WITHOUT = "{% for m in messages %}{{ m.role }}:{{ m.content }}|{% endfor %}"
TOOL = Tool(type="function", function={"name": "weather", "parameters": {"type": "object"}})
TALK = [
    Message(role="developer", content="Be brief."),
    Message(
        role="user", content=[{"type": "text", "text": "Wea"}, {"type": "text", "text": "ther?"}]
    ),
    Message(
        role="assistant",
        tool_calls=[{"id": "1", "function": {"name": "weather", "arguments": '{"city": "Nice"}'}}],
    ),
    Message(role="tool", tool_call_id="1", content="clear"),
]


class Templated:
    """A tokenizer that shows the text it was given."""

    def __init__(self, template):
        self.chat_template = template

    def apply_chat_template(self, messages, *, tools=None):
        return ChatTemplate(self.chat_template).render(messages, tools=tools)

    def encode(self, text, *, add_special):
        assert not add_special
        return text


def prompt(template, messages, tools=()):
    return chat_prompt(Templated(template), messages, tools=tools, form=HERMES)


def test_a_template_with_a_place_for_tools_gets_them_as_they_are():
    assert prompt(WITH_TOOLS, TALK, [TOOL]) == (
        "[weather]system:Be brief.|user:Weather?|assistant:<Nice>|tool:clear|"
    )


def test_a_template_without_gets_them_in_words():
    text = prompt(WITHOUT, TALK, [TOOL])
    assert text.startswith("system:Be brief.\n\nYou may call functions")
    assert '{"name": "weather", "parameters": {"type": "object"}}' in text
    call = '<tool_call>\n{"name": "weather", "arguments": {"city": "Nice"}}\n</tool_call>'
    assert f"assistant:{call}|user:<tool_response>\nclear\n</tool_response>|" in text
    assert prompt(WITHOUT, TALK[1:2]) == "user:Weather?|"


@pytest.mark.parametrize(
    "message",
    [
        Message(role="user"),
        Message(role="user", content="a", tool_calls=TALK[2].tool_calls),
        Message(
            role="assistant",
            tool_calls=[{"id": "1", "function": {"name": "w", "arguments": "no JSON"}}],
        ),
        Message(
            role="assistant",
            tool_calls=[{"id": "1", "function": {"name": "w", "arguments": "[" * 100_000}}],
        ),
    ],
)
def test_messages_that_contradict_themselves_are_refused(message):
    with pytest.raises(DataError):
        prompt(WITHOUT, [message])
