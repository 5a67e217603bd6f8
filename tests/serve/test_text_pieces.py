"""What is done to text on its way out: stop strings, and tool calls found in it."""

from __future__ import annotations

import itertools
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gnomon.serve.stop_strings import StopStrings
from gnomon.serve.tool_forms import HERMES, LLAMA, MISTRAL, CallFinder, ToolCall, call_text, form_of

letters = st.text("ab", max_size=12)


@given(pieces=st.lists(letters), stops=st.lists(st.text("ab", min_size=1, max_size=4), max_size=3))
def test_text_ends_at_the_first_stop_string_however_it_comes(pieces, stops):
    text = "".join(pieces)
    filter_ = StopStrings(stops)
    shown = "".join(map(filter_.feed, pieces)) + filter_.flush()
    # What is known earliest counts: the stop string that is complete first.
    ends = [text.find(stop) + len(stop) for stop in stops if stop in text]
    assert filter_.is_found == bool(ends)
    if not ends:
        assert shown == text
    else:
        assert text.startswith(shown)
        assert all(stop not in shown for stop in stops)
        assert any(text.startswith(shown + stop) for stop in stops)


@pytest.mark.parametrize("form", [HERMES, LLAMA, MISTRAL], ids=["hermes", "llama", "mistral"])
@given(data=st.data())
def test_calls_are_found_in_whatever_pieces_they_come(form, data):
    call = ToolCall(name="weather", arguments='{"city": "Nîmes </tool_call> }"}')
    text = "I look. " + call_text(call, form)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=6)))
    edges = [0, *cuts, len(text)]
    finder = CallFinder(form)
    found = [piece for a, b in itertools.pairwise(edges) for piece in finder.feed(text[a:b])]
    assert finder.flush() == ""
    assert "".join(piece for piece in found if isinstance(piece, str)) == "I look. "
    [found_call] = [piece for piece in found if isinstance(piece, ToolCall)]
    assert found_call.name == call.name
    assert json.loads(found_call.arguments) == json.loads(call.arguments)


def test_two_calls_follow_one_another():
    finder = CallFinder(HERMES)
    one = ToolCall(name="a", arguments="{}")
    found = finder.feed(call_text(one, HERMES) + "\n" + call_text(one, HERMES))
    assert [piece for piece in found if isinstance(piece, ToolCall)] == [one, one]


def test_what_only_looks_like_a_call_stays_text():
    finder = CallFinder(HERMES)
    said = finder.feed("a <tool_call>no JSON</tool_call> b")
    assert "".join(map(str, said)) + finder.flush() == "a <tool_call>no JSON</tool_call> b"


def test_the_form_of_a_template():
    assert form_of(None) is HERMES
    assert form_of("{% if tools %}<tool_call>{% endif %}") is HERMES
    assert form_of('{% if tools %}{"name": …, "parameters": …}{% endif %}') is LLAMA
    assert form_of("{% if tools %}[TOOL_CALLS]{% endif %}") is MISTRAL
