"""What is wrong with a request, in the request's own words."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from typing import Any, cast, get_args

from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel

_NO_JSON = "the body was not read as JSON: send Content-Type: application/json"


def first_trouble(error: RequestValidationError, request: type[BaseModel]) -> tuple[str, str]:
    """Where the first thing that is wrong lies in the request ("messages.0.role", or "" for all of
    it), and what is wrong. `request` is what it should have been.

    Where several forms are allowed, each has its own complaint. What is told is from the form that
    was meant: not that the value is of another kind, if there is anything else to say of it; and
    what lies deepest.
    """
    if isinstance(error.body, bytes):  # as FastAPI leaves what is not said to be JSON
        return "", _NO_JSON
    found = [(_place(each, error.body), each) for each in error.errors()]
    field = found[0][0][:1]
    alike = [(place, each) for place, each in found if place[:1] == field]
    meant = [(place, each) for place, each in alike if not each["type"].endswith("_type")] or alike
    place, told = max(meant, key=lambda pair: len(pair[0]))
    where = _dotted(place)
    if told["type"] == "extra_forbidden":
        unknown = f"unknown option {str(place[-1])!r}{_meant(str(place[-1]), request, place[:-1])}"
        return where, ": ".join(filter(None, [_dotted(place[:-1]), unknown]))
    return where, f"{where or 'body'}: {told['msg']}"


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


def _dotted(place: Iterable[str | int]) -> str:
    return ".".join(map(str, place))


def _meant(name: str, request: type[BaseModel], place: Iterable[str | int]) -> str:
    """The option of the object at `place` that `name` resembles, as the end of a sentence."""
    models = {request}
    for part in place:
        if isinstance(part, str):
            models = set[type[BaseModel]]().union(
                *(
                    _models_in(m.model_fields[part].annotation)
                    for m in models
                    if part in m.model_fields
                )
            )
    options = [field.alias or key for m in models for key, field in m.model_fields.items()]
    near = get_close_matches(name, options, n=1)
    return f"; did you mean {near[0]}?" if near else ""


def _models_in(annotation: Any) -> set[type[BaseModel]]:
    """The classes that a value of this type may be, or may be a list of."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return {annotation}
    return set[type[BaseModel]]().union(*map(_models_in, get_args(annotation)))
