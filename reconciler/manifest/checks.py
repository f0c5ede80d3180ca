"""Checks of a well-formed manifest that its types cannot express: the phone number, function tools."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Any

from reconciler.manifest.explain import dotted, nearest
from reconciler.manifest.literal_secrets import shown
from reconciler.manifest.problem import Severity
from reconciler.manifest.shape import Loc
from schemas import Client, FunctionTool

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_JSON_TYPES = ("string", "integer", "number", "boolean", "object", "array", "null")

# (location, message, hint, severity)
Finding = tuple[Loc, str, str, Severity]


def check(client: Client) -> Iterator[Finding]:
    """Findings of one client."""
    yield from _number(client.number)
    names: dict[str, int] = {}
    for index, tool in enumerate(client.assistant.tools):
        if not isinstance(tool, FunctionTool):
            continue
        loc: Loc = ("assistant", "tools", index)
        if tool.name in names:
            message = f"{dotted((*loc, 'name'))}: {shown(tool.name)} is also the name of tool {names[tool.name]}"
            yield (*loc, "name"), message, "Give each function a name of its own.", "error"
        names.setdefault(tool.name, index)
        yield from _parameters((*loc, "parameters"), tool.parameters)


def _number(number: str) -> Iterator[Finding]:
    import phonenumbers  # heavy, and only needed here

    try:
        parsed = phonenumbers.parse(number)
        possible = phonenumbers.is_possible_number(parsed)
    except phonenumbers.NumberParseException:
        possible = False
    if not possible:
        hint = "Check its country code and count its digits."
        yield ("number",), f"number: {number} is not a possible phone number", hint, "error"
    elif not phonenumbers.is_valid_number(parsed):
        hint = "Check it; numbers for trials, such as +1 555…, are fine with the sandbox only."
        yield ("number",), f"number: {number} is in no range that is assigned to anyone", hint, "warning"


def _parameters(loc: Loc, parameters: dict[str, Any]) -> Iterator[Finding]:
    if parameters.get("type") != "object":
        hint = "Write type: object at its top, with the arguments below properties."
        yield loc, f'{dotted(loc)}: the arguments of a function are an object, its "type" must say so', hint, "error"
        return
    validator = _json_schema()
    if validator.is_valid(parameters):
        return
    reported = set()
    for error in validator.iter_errors(parameters):
        place = (*loc, *error.instance_path)
        if place not in reported:
            reported.add(place)
            yield place, *_explain_schema(place, error), "error"


def _explain_schema(place: Loc, error: Any) -> tuple[str, str]:
    if place[-1] == "type":
        near = nearest(str(error.instance), list(_JSON_TYPES))
        hint = f'Did you mean "{near}"? ' if near else ""
        return f"{dotted(place)}: {shown(error.instance)} is no JSON type", f"{hint}Types: {', '.join(_JSON_TYPES)}."
    return f"{dotted(place)}: not valid JSON Schema, {error.message}", "See json-schema.org for what may stand there."


@functools.cache
def _json_schema() -> Any:
    import jsonschema_rs  # only for clients with function tools

    # `mask` keeps the value, which may be a secret, out of the messages.
    return jsonschema_rs.Draft202012Validator({"$ref": _DIALECT}, mask="the value here")
