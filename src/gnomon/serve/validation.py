"""What is wrong with a request, in the request's own words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from fastapi.exceptions import RequestValidationError


def first_trouble(error: RequestValidationError) -> tuple[str, str]:
    """Where the first thing that is wrong lies in the request ("messages.0.role", or "" for all of
    it), and what is wrong.

    Where several forms are allowed, each has its own complaint. What is told is from the form that
    was meant: not that the value is of another kind, if there is anything else to say of it; and
    what lies deepest.
    """
    found = [(_place(each, error.body), each) for each in error.errors()]
    field = found[0][0][:1]
    alike = [(place, each) for place, each in found if place[:1] == field]
    meant = [(place, each) for place, each in alike if not each["type"].endswith("_type")] or alike
    place, told = max(meant, key=lambda pair: len(pair[0]))
    return ".".join(map(str, place)), str(told["msg"])


def _place(trouble: Any, body: Any) -> tuple[str | int, ...]:
    """A complaint's place, without pydantic's names for the forms that it tried."""
    parts: Sequence[str | int] = trouble["loc"]
    place: list[str | int] = []
    for number, part in enumerate(parts[1:], start=2):
        is_missing = trouble["type"] == "missing" and number == len(parts)
        if (isinstance(body, dict) and part in body) or (
            isinstance(body, list) and isinstance(part, int) and part < len(body)
        ):
            body = cast(Any, body)[part]
        elif not is_missing:
            continue
        place.append(part)
    return tuple(place)
