"""The official client against a running server with a model that knows English."""

from __future__ import annotations

import json
import math

import openai
import pytest

QUESTION = [{"role": "user", "content": "What is the capital of France?"}]
WEATHER = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "The weather in a city.",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string", "maxLength": 12}, "days": {"enum": [1, 7]}},
            "required": ["city", "days"],
            "additionalProperties": False,
        },
    },
}


@pytest.fixture
def client(smollm):
    with openai.OpenAI(base_url=f"{smollm.address}/v1", api_key="any", max_retries=0) as client:
        yield client


def ask(client, **options):
    options = {"model": "local", "messages": QUESTION, "temperature": 0, "max_tokens": 16} | options
    return client.chat.completions.create(**options)


def test_models(client, smollm):
    assert [model.id for model in client.models.list()] == [smollm.model, "smollm2", "local"]
    assert client.models.retrieve("local").id == "local"


def test_a_chat_answer(client):
    answer = ask(client)
    assert "Paris" in answer.choices[0].message.content
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage.completion_tokens > 3
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens


def test_a_text_that_repeats_itself_is_the_same_alone_and_in_company(client):
    # Alone, what was said before is guessed to come again; two answers at once are not guessed.
    song = "Ten green bottles hanging on the wall, ten green bottles hanging on the wall. "
    question = [{"role": "user", "content": f"Repeat this five times: {song}"}]
    [alone] = ask(client, messages=question, max_tokens=96).choices
    pair = ask(client, messages=question, max_tokens=96, n=2).choices
    assert [choice.message.content for choice in pair] == [alone.message.content] * 2


def test_the_smallest_set_is_the_likeliest(client):
    whole = ask(client, max_tokens=8)
    again = ask(client, max_tokens=8, temperature=1.5, top_p=0)
    assert again.choices[0].message.content == whole.choices[0].message.content


def test_a_stream_says_the_same_and_counts_it(client):
    whole = ask(client)
    chunks = list(ask(client, stream=True, stream_options={"include_usage": True}))
    text = "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
    assert text == whole.choices[0].message.content
    assert chunks[-2].choices[0].finish_reason == "stop"
    assert chunks[-1].choices == []
    assert chunks[-1].usage.completion_tokens == whole.usage.completion_tokens
    assert len(chunks) > 5


def test_scores_of_tokens(client):
    [choice] = ask(client, logprobs=True, top_logprobs=3).choices
    entries = choice.logprobs.content
    assert b"".join(bytes(entry.bytes) for entry in entries).decode() == choice.message.content
    for entry in entries:  # the likeliest token is always taken here
        assert len(entry.top_logprobs) == 3
        assert entry.top_logprobs[0].token == entry.token
        assert sum(math.exp(other.logprob) for other in entry.top_logprobs) <= 1.0001


def test_several_answers_and_a_seed(client):
    options = {"n": 2, "seed": 5, "temperature": 1.0, "max_tokens": 8}
    first, again = ask(client, **options), ask(client, **options)
    texts = [choice.message.content for choice in first.choices]
    assert texts == [choice.message.content for choice in again.choices]
    assert texts[0] != texts[1]
    assert again.usage.prompt_tokens_details.cached_tokens == again.usage.prompt_tokens - 1


def test_a_stop_string_is_not_shown(client):
    [choice] = ask(client, stop=["Paris"]).choices
    assert choice.finish_reason == "stop"
    assert "Paris" not in choice.message.content
    assert choice.message.content.startswith("The capital")


def test_json_by_a_schema(client):
    schema = WEATHER["function"]["parameters"]
    form = {"type": "json_schema", "json_schema": {"name": "w", "schema": schema}}
    [choice] = ask(client, response_format=form, max_tokens=48).choices
    value = json.loads(choice.message.content)
    assert set(value) == {"city", "days"}
    assert value["days"] in (1, 7)


def test_a_tool_is_called_and_its_answer_taken(client):
    answer = ask(client, tools=[WEATHER], tool_choice="required", max_tokens=64)
    message = answer.choices[0].message
    assert answer.choices[0].finish_reason == "tool_calls"
    [call] = message.tool_calls
    assert call.function.name == "weather"
    assert json.loads(call.function.arguments)["days"] in (1, 7)
    result = {"role": "tool", "tool_call_id": call.id, "content": '{"sky": "clear"}'}
    messages = [*QUESTION, message, result]
    assert ask(client, messages=messages, tools=[WEATHER], max_tokens=4).choices[0].message.content


def test_a_tool_call_in_a_stream(client):
    chunks = list(ask(client, tools=[WEATHER], tool_choice="required", max_tokens=64, stream=True))
    calls = [c.choices[0].delta.tool_calls for c in chunks if c.choices[0].delta.tool_calls]
    [[call]] = calls
    assert call.index == 0
    assert json.loads(call.function.arguments)["city"]
    assert chunks[-1].choices[0].finish_reason == "tool_calls"


def test_a_text_is_scored_with_its_prompt(client):
    text = "The capital of France is Paris"
    answer = client.completions.create(
        model="local", prompt=[text, "France"], max_tokens=1, echo=True, logprobs=2, temperature=0
    )
    scored = answer.choices[0].logprobs
    assert answer.choices[0].text.startswith(text)
    assert "".join(scored.tokens) == answer.choices[0].text
    assert scored.token_logprobs[0] is None
    assert scored.token_logprobs[scored.tokens.index(" Paris")] > math.log(0.2)
    assert [answer.choices[0].text[i] for i in scored.text_offset[1:3]] == [" ", " "]
    assert answer.choices[1].text.startswith("France")


def test_embeddings(client):
    texts = ["The cat sleeps on the sofa.", "A cat is sleeping on the couch.", "2 + 2 = 4"]
    answer = client.embeddings.create(model="local", input=texts)
    a, b, c = (entry.embedding for entry in answer.data)

    def dot(x, y):
        return sum(p * q for p, q in zip(x, y, strict=True))

    assert dot(a, a) == pytest.approx(1, abs=1e-4)
    assert dot(a, b) > dot(a, c)
    plain = client.embeddings.create(model="local", input=texts[0], encoding_format="float")
    assert plain.data[0].embedding == pytest.approx(a, abs=1e-6)


def test_errors_are_the_clients_own(client):
    with pytest.raises(openai.NotFoundError, match="no model 'gpt-9'"):
        ask(client, model="gpt-9")
    with pytest.raises(openai.BadRequestError, match="tokens; the context holds 1024"):
        ask(client, messages=[{"role": "user", "content": "a b " * 2000}])
    with pytest.raises(openai.BadRequestError, match="seeed"):
        ask(client, extra_body={"seeed": 1})
    form = {"type": "json_schema", "json_schema": {"name": "w", "schema": {"type": "number?"}}}
    with pytest.raises(openai.BadRequestError, match="JSON schema cannot be used"):
        ask(client, response_format=form)
