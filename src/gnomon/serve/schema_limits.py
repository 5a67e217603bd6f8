"""How much a request's JSON schemas may ask of the grammar library.

A grammar takes time and memory to make, more than in proportion to its schema, and making it cannot
be interrupted. What is taken here takes a second or two at most.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from llguidance import LLParserLimits

from gnomon.errors import UsageError

MOST_BYTES = 64 * 1024  # of all schemas of a request
MOST_VALUES = 3000  # objects, lists, texts and numbers in them
MOST_DEPTH = 64
MOST_PATTERNS = 32  # entries of patternProperties, each of which is kept apart from all names
MOST_MULTIPLE = 10_000  # a grammar counts up to what all of multipleOf have in common

# Symbols of the grammar that is made of it. The library's own limit is 500,000, which is minutes.
PARSER_LIMITS = LLParserLimits(max_grammar_size=20_000, verbose_errors=False)


@dataclass(slots=True)
class _Count:
    values: int = 0
    depth: int = 0
    patterns: int = 0
    multiple: int = 1


def require_small(schemas: Iterable[Mapping[str, Any]]) -> None:
    """Raise UsageError, which says what was given and what is allowed, if `schemas` together are
    too much.
    """
    given = list(schemas)
    count = _Count()
    _add(given, count)
    for what, amount, most in (
        ("levels of nesting", count.depth, MOST_DEPTH),
        ("values", count.values, MOST_VALUES),
        ("entries of patternProperties", count.patterns, MOST_PATTERNS),
        ("as the least common multiple of multipleOf", count.multiple, MOST_MULTIPLE),
        ("bytes", _size_bytes(given) if count.depth <= MOST_DEPTH else 0, MOST_BYTES),
    ):
        if amount > most:
            raise UsageError(
                f"the JSON schemas of the request have {amount} {what}; at most {most} are taken"
            )


def _add(given: list[Mapping[str, Any]], count: _Count) -> None:
    # A list of what is left to look at, not recursion: a request may be nested deeper than that.
    left: list[tuple[Any, int]] = [(schema, 1) for schema in given]
    while left:
        value, depth = left.pop()
        count.values += 1
        count.depth = max(count.depth, depth)
        if isinstance(value, Mapping):
            patterns = value.get("patternProperties")
            if isinstance(patterns, Mapping):
                count.patterns += len(patterns)
            if count.multiple <= MOST_MULTIPLE:  # past it, it may grow to thousands of digits
                count.multiple = math.lcm(count.multiple, _whole(value.get("multipleOf")))
            left += [(child, depth + 1) for child in value.values()]
        elif isinstance(value, list):
            left += [(child, depth + 1) for child in value]


def _whole(multiple: Any) -> int:
    """The digits of a number without its point: 25 of 0.25; 1 where there is none."""
    if isinstance(multiple, bool) or not isinstance(multiple, (int, float)):
        return 1
    if not multiple > 0:  # NaN too, which the grammar library refuses
        return 1
    if multiple >= 1e15:
        return MOST_MULTIPLE + 1
    digits = Decimal(repr(multiple)).normalize().as_tuple().digits
    return multiple if isinstance(multiple, int) else int("".join(map(str, digits)))


def _size_bytes(given: list[Mapping[str, Any]]) -> int:
    texts = (json.dumps(schema, ensure_ascii=False) for schema in given)
    return sum(len(text.encode("utf-8", "replace")) for text in texts)
