"""Checks of a manifest that its types cannot express: the phone number, function tools, search in documents, what a
model can do, whose a secret is.

They check the values as written, so that they also report where something else in the file is wrong.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from itertools import islice
from typing import Any

from reconciler.manifest.explain import dotted, nearest
from reconciler.manifest.literal_secrets import shown
from reconciler.manifest.problem import MAX_PROBLEMS, Severity
from reconciler.manifest.shape import Loc
from schemas import Assistant
from schemas.credentials import is_installation_credential
from schemas.function_parameters import json_schema_errors, problems
from schemas.models import ModelFacts, facts_of
from schemas.public_urls import refusal

_E164 = re.compile(r"\+[1-9][0-9]{6,14}")
NOTICE_DAYS = 90
"""How long before its shutdown a model is warned of."""
_DEFAULT_TOKENS: int = Assistant.model_fields["max_output_tokens"].default
_TOOL_TYPES = frozenset({"function", "file_search", "web_search"})
ROOM_FOR_THOUGHT = 2_000
"""Fewer tokens than this may all be spent on thoughts by a model that always thinks."""
ASSISTANTS_PROMPT = 256_000
"""Characters. OpenAI: `instructions` of `POST /v1/assistants`."""
_JSON_TYPES = ("string", "integer", "number", "boolean", "object", "array", "null")


@dataclass(frozen=True, slots=True)
class Violation:
    """Something wrong at a location of a manifest's values; message and hint as in Problem."""

    loc: Loc
    message: str
    hint: str
    severity: Severity = "error"


def check(values: Mapping[str, Any], *, allow_private_endpoints: bool = False) -> Iterator[Violation]:
    """The violations of one client. Wrong types are left to the models.

    `allow_private_endpoints`: whether functions may be at http and at private addresses, as on a machine for
    development.
    """
    number = values.get("number")
    if isinstance(number, str) and _E164.fullmatch(number):
        yield from _number(number)
    names: dict[str, int] = {}
    for index, tool in tools(values, "function"):
        loc: Loc = ("assistant", "tools", index)
        name, parameters = tool.get("name"), tool.get("parameters")
        if isinstance(name, str) and names.setdefault(name, index) != index:
            message = f"{dotted((*loc, 'name'))}: {shown(name)} is also the name of tool {names[name]}"
            yield Violation((*loc, "name"), message, "Give each function a name of its own.")
        if isinstance(parameters, dict):
            yield from _parameters((*loc, "parameters"), parameters)
        yield from _endpoint((*loc, "endpoint", "url"), tool.get("endpoint"), allow_private_endpoints)
    yield from _file_search(values)
    yield from _web_search(values)
    yield from model_violations(values, datetime.now(tz=UTC).date())
    yield from _credentials((), values)


def check_prompt(values: Mapping[str, Any], instructions: str) -> Iterator[Violation]:
    """The violations of a client's texts: blank ones, and a prompt that is too long for its engine."""
    if isinstance(values.get("name"), str) and values["name"] and not values["name"].strip():
        yield Violation(("name",), "name: blank", "Write the client's name.")
    assistant = values.get("assistant")
    if not isinstance(assistant, Mapping):
        return
    model = assistant.get("model")
    if isinstance(model, str) and model != model.strip():
        message = f"assistant.model: blanks around {shown(model.strip())}"
        yield Violation(("assistant", "model"), message, "Write the model without them.")
    loc: Loc = ("assistant", "instructions")
    if instructions and not instructions.strip():
        yield Violation(loc, f"{dotted(loc)}: blank", "Write the prompt.")
    elif assistant.get("engine") == "assistants" and len(instructions) > ASSISTANTS_PROMPT:
        message = f"{dotted(loc)}: {len(instructions):,} characters; the Assistants API takes {ASSISTANTS_PROMPT:,}"
        yield Violation(loc, message, "Shorten the prompt, or use engine: responses.")


def tools(values: Mapping[str, Any], kind: str) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """Tools of one type with their index."""
    assistant = values.get("assistant")
    listed = assistant.get("tools") if isinstance(assistant, dict) else None
    for index, tool in enumerate(listed if isinstance(listed, list) else ()):
        if isinstance(tool, dict) and tool.get("type") == kind:
            yield index, tool


def _number(number: str) -> Iterator[Violation]:
    import phonenumbers  # slow to import, and only needed here

    try:
        parsed = phonenumbers.parse(number)
        if phonenumbers.is_valid_number(parsed):
            return
        possible = phonenumbers.is_possible_number(parsed)
    except phonenumbers.NumberParseException:
        possible = False
    if not possible:
        message, hint = "is not a possible phone number", "Check its country code and count its digits."
        yield Violation(("number",), f"number: {number} {message}", hint)
    else:
        message = "is not in any assigned range"
        hint = "Check it; numbers for trials, such as +1 555…, are fine with the sandbox only."
        yield Violation(("number",), f"number: {number} {message}", hint, "warning")


def _endpoint(loc: Loc, endpoint: Any, allow_private: bool) -> Iterator[Violation]:
    """An endpoint that the runtime would not call, as far as its URL shows. The URL is not repeated: a user or password
    in it would be exposed in every plan."""
    url = endpoint.get("url") if isinstance(endpoint, Mapping) else None
    if not isinstance(url, str) or not url.startswith(("http://", "https://")):
        return  # reported by the models
    refused = refusal(url, allow_private=allow_private)
    if refused is not None:
        yield Violation(loc, f"{dotted(loc)}: the URL {refused.reason}", refused.hint)


def _credentials(loc: Loc, value: Any) -> Iterator[Violation]:
    """Secrets by reference, at any key, that would be the installation's own."""
    if isinstance(value, Mapping):
        name = value.get("env")
        if isinstance(name, str) and is_installation_credential(name):
            message = f"{dotted((*loc, 'env'))}: {name} is the installation's own credential, not a client's secret"
            hint = "Give the client a secret of its own, in a variable such as LA_COCINA_HOOK_SECRET."
            yield Violation((*loc, "env"), message, hint)
        for key, inner in value.items():
            yield from _credentials((*loc, key), inner)
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _credentials((*loc, index), inner)


def _file_search(values: Mapping[str, Any]) -> Iterator[Violation]:
    """One such tool, one source of its documents, and an engine that can search."""
    for position, (index, tool) in enumerate(tools(values, "file_search")):
        engine = values["assistant"].get("engine", "responses")
        loc: Loc = ("assistant", "tools", index)
        given = [key for key in ("files", "vector_store") if tool.get(key) is not None]
        if position:
            message = f"{dotted(loc)}: a second file_search; an assistant has one"
            yield Violation((*loc, "type"), message, "List all files in the first one.")
        elif engine in ("agents", "assistants"):
            message = f"{dotted(loc)}: file_search is a tool of the engine responses, not of {engine}"
            yield Violation((*loc, "type"), message, "Use engine: responses, or remove the tool.")
        elif not given:
            message = f"{dotted(loc)}: file_search without documents"
            hint = "Add files: [la-cocina/menu.pdf], or vector_store: vs_… for one that is maintained by hand."
            yield Violation((*loc, "type"), message, hint)
        elif len(given) == 2:
            message = f"{dotted(loc)}: both files and vector_store"
            hint = "Keep files for documents in git, or vector_store for one that is maintained by hand."
            yield Violation((*loc, "vector_store"), message, hint)


def model_violations(values: Mapping[str, Any], today: date) -> Iterator[Violation]:
    """What the model cannot do, and that it is shut down soon. A model that is not known here is left to the plan."""
    assistant = values.get("assistant")
    model = assistant.get("model") if isinstance(assistant, dict) else None
    facts = facts_of(model) if isinstance(model, str) else None
    if not isinstance(assistant, dict) or not isinstance(model, str) or facts is None:
        return
    yield from _shutdown(model, facts, today)
    yield from _effort(assistant, model, facts)
    for index, tool in enumerate(listed if isinstance(listed := assistant.get("tools"), list) else ()):
        if isinstance(tool, dict) and tool.get("type") in _TOOL_TYPES - facts.tools:
            loc: Loc = ("assistant", "tools", index, "type")
            yield Violation(loc, f"{dotted(loc)}: {model} cannot use {tool['type']}", "Take it out, or another model.")


def _shutdown(model: str, facts: ModelFacts, today: date) -> Iterator[Violation]:
    if facts.ends is None or (facts.ends - today).days > NOTICE_DAYS:
        return
    loc: Loc = ("assistant", "model")
    when = "was shut down" if facts.ends <= today else "is shut down"
    hint = f"OpenAI's replacement is {facts.successor}." if facts.successor else "Choose another model in time."
    yield Violation(loc, f"{dotted(loc)}: OpenAI's {model} {when} on {facts.ends}", hint, "warning")


def _effort(assistant: Mapping[str, Any], model: str, facts: ModelFacts) -> Iterator[Violation]:
    if facts.efforts is None:
        return
    effort = assistant.get("reasoning_effort", "none")
    loc: Loc = ("assistant", "reasoning_effort" if "reasoning_effort" in assistant else "model")
    if not facts.efforts:
        if effort != "none":
            yield Violation(loc, f"{dotted(loc)}: {model} does not think", "Remove reasoning_effort.")
    elif effort not in facts.efforts:
        message = f'{dotted(loc)}: {model} has no reasoning_effort "{effort}"'
        if loc[-1] == "model":
            message += ", which is the default here"
        hint = f"Write reasoning_effort: {facts.efforts[0]} (or {', '.join(facts.efforts[1:])}), or take gpt-6-luna."
        yield Violation(loc, message, hint)
    limit = assistant.get("max_output_tokens", _DEFAULT_TOKENS)
    if facts.always_thinks and isinstance(limit, int) and limit < ROOM_FOR_THOUGHT:
        loc = ("assistant", "max_output_tokens" if "max_output_tokens" in assistant else "model")
        message = f"{dotted(loc)}: {model} thinks before each answer, which may take all of {limit} max_output_tokens"
        yield Violation(loc, message, f"Write max_output_tokens: {ROOM_FOR_THOUGHT} or more.", "warning")


def _web_search(values: Mapping[str, Any]) -> Iterator[Violation]:
    """The Agents API refuses a second one."""
    for position, (index, _) in enumerate(tools(values, "web_search")):
        if position and values["assistant"].get("engine") == "agents":
            loc: Loc = ("assistant", "tools", index)
            yield Violation((*loc, "type"), f"{dotted(loc)}: a second web_search; an agent has one", "Remove it.")


def _parameters(loc: Loc, parameters: dict[str, Any]) -> Iterator[Violation]:
    for problem in islice(problems(parameters), MAX_PROBLEMS):
        place = (*loc, *problem.path)
        yield Violation(place, f"{dotted(place)}: {problem.message}", problem.hint)
    for path, error in islice(json_schema_errors(parameters), MAX_PROBLEMS):
        yield _wrong_schema((*loc, *path), error)


def _wrong_schema(place: Loc, error: Any) -> Violation:
    if place[-1] == "type":
        near = nearest(str(error.instance), list(_JSON_TYPES))
        hint = f'Did you mean "{near}"? ' if near else ""
        message = f"{dotted(place)}: {shown(error.instance)} is not a JSON type"
        return Violation(place, message, f"{hint}Types: {', '.join(_JSON_TYPES)}.")
    message = f"{dotted(place)}: not valid JSON Schema, {error.message}"
    return Violation(place, message, "See json-schema.org for the allowed values.")
