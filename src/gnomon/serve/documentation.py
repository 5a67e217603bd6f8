"""The page at `/docs`: the API as OpenAPI describes it; no script, nothing from the network."""

from __future__ import annotations

from importlib.resources import files
from typing import Any

from jinja2 import Environment, StrictUndefined


def documentation_page(description: dict[str, Any]) -> str:
    """HTML of an OpenAPI description."""
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    source = files("gnomon.serve").joinpath("documentation.html.j2").read_text(encoding="utf-8")
    schemas = description["components"]["schemas"]
    return environment.from_string(source).render(
        title=description["info"]["title"],
        summary=description["info"]["summary"],
        version=description["info"]["version"],
        operations=[
            {
                "method": method.upper(),
                "path": path,
                "id": operation["operationId"],
                "what": operation.get("description", operation["summary"]),
                "body": _body(operation),
                "responses": [
                    {"status": status, "what": response["description"]}
                    for status, response in operation["responses"].items()
                ],
            }
            for path, route in description["paths"].items()
            for method, operation in route.items()
        ],
        schemas=[
            {"name": name, "fields": _fields(schema)}
            for name, schema in schemas.items()
            if schema.get("properties")
        ],
    )


def _body(operation: dict[str, Any]) -> str | None:
    content = operation.get("requestBody", {}).get("content", {})
    schema = content.get("application/json", {}).get("schema", {})
    return _name(schema["$ref"]) if "$ref" in schema else None


def _fields(schema: dict[str, Any]) -> list[dict[str, Any]]:
    required = schema.get("required", ())
    return [
        {"name": name, "is_required": name in required, **_type(field)}
        for name, field in schema["properties"].items()
    ]


def _type(field: dict[str, Any]) -> dict[str, Any]:
    """The type in words, and the schemas it names."""
    options = field.get("anyOf", [field])
    words, links = [], []
    for option in options:
        word, link = _option(option)
        words.append(word)
        links += link
    return {"type": " or ".join(words), "links": links}


def _option(option: dict[str, Any]) -> tuple[str, list[str]]:
    if "$ref" in option:
        return _name(option["$ref"]), [_name(option["$ref"])]
    if "const" in option:
        return repr(option["const"]), []
    if "enum" in option:
        return ", ".join(map(repr, option["enum"])), []
    if option.get("type") == "array":
        item = _type(option.get("items", {}))
        return f"list of {item['type']}", item["links"]
    limits = [
        f"{sign} {option[key]}"
        for key, sign in (
            ("minimum", "≥"), ("exclusiveMinimum", ">"), ("maximum", "≤"), ("exclusiveMaximum", "<")
        )
        if key in option and abs(option[key]) < 2**31
    ]  # fmt: skip
    return " ".join([option.get("type", "anything"), *limits]), []


def _name(reference: str) -> str:
    return reference.rsplit("/", 1)[-1]
