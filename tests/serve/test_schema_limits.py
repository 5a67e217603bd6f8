"""JSON schemas that ask too much: refused at once, in figures."""

from __future__ import annotations

import math
import time

import pytest

from gnomon.errors import UsageError
from gnomon.models import open_model, require_tokenizer
from gnomon.serve.grammar import GrammarMaker
from gnomon.serve.schema_limits import require_small


def properties(count, **more):
    names = {f"property_{i}": {"type": "string"} for i in range(count)}
    return {"type": "object", "properties": names, **more}


def nested(depth):
    schema = {"type": "string"}
    for _ in range(depth - 1):
        schema = {"items": schema}
    return schema


@pytest.mark.parametrize(
    ("schemas", "message"),
    [
        ([properties(5000)], r"have 10003 values; at most 3000"),
        ([properties(600), properties(600), properties(600)], r"have 3609 values"),
        ([nested(100_000)], r"100001 levels of nesting; at most 64"),
        ([{"description": "é" * 40_000}], r"have 80019 bytes; at most 65536"),
        ([{"patternProperties": {str(i): {} for i in range(33)}}], "33 entries of patternProp"),
        ([{"multipleOf": 999_983}], "999983 as the least common multiple of multipleOf"),
        ([{"allOf": [{"multipleOf": 0.991}, {"multipleOf": 997}]}], "988027 as the least"),
        ([{"multipleOf": 10**30}], "least common multiple"),
        ([{"multipleOf": 10**14 + i} for i in range(680)], r"have \d{15,30} as the least"),
    ],
)
def test_what_is_too_much_is_said(schemas, message):
    with pytest.raises(UsageError, match=message):
        require_small(schemas)


@pytest.mark.parametrize(
    "schemas",
    [
        [],
        [properties(1000)],
        [nested(63)],
        [
            {"multipleOf": 0.01},
            {"multipleOf": 5},
            {"multipleOf": 1000},
            {"multipleOf": "no number"},
        ],
        [{"patternProperties": {"^x-": {}}}, {"patternProperties": True, "multipleOf": True}],
    ],
)
def test_what_people_use_is_taken(schemas):
    require_small(schemas)


@pytest.fixture(scope="module")
def grammars():
    model = open_model(None)
    return GrammarMaker(require_tokenizer(model), vocab_size=model.config.vocab_size)


@pytest.mark.parametrize("number", [math.nan, -math.inf])
def test_what_is_no_number_is_no_schema(grammars, number):
    schema = {"type": "number", "multipleOf": number}
    require_small([schema])
    with pytest.raises(UsageError, match="cannot be used"):
        grammars.json(schema)


def test_a_small_schema_of_a_large_grammar_is_refused(grammars):
    # One of so many properties at least: the library writes out each case.
    schema = properties(150, additionalProperties=False, minProperties=1)
    require_small([schema])
    with pytest.raises(UsageError, match="grammar size"):
        grammars.json(schema)


@pytest.mark.parametrize(
    "schema",
    [
        properties(1000),
        {"type": "integer", "multipleOf": 9973},
        {**properties(400), "patternProperties": {f"^property_{i}$": {} for i in range(32)}},
    ],
)
def test_the_dearest_that_is_taken_is_made_soon(grammars, schema):
    require_small([schema])
    start_s = time.process_time()
    grammars.json(schema)
    assert time.process_time() - start_s < 5
