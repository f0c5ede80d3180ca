"""Checks of a manifest that its types cannot express: the phone number, function tools, search in documents, what a
model can do, whose a secret is.

They check the values as written, so that they also report where something else in the file is wrong.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, date, datetime
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from reconciler.manifest.explain import dotted, nearest
from reconciler.manifest.handoff_checks import DESK, desk_refusal
from reconciler.manifest.literal_secrets import shown
from reconciler.manifest.numbers import number_fault
from reconciler.manifest.problem import MAX_PROBLEMS, Severity
from reconciler.manifest.shape import Loc
from schemas import Assistant, Budget
from schemas.credentials import is_installation_credential
from schemas.function_names import HINT, reserved
from schemas.function_parameters import json_schema_errors, problems
from schemas.models import MODELS, ModelFacts, end_of, facts_of, nearest_models
from schemas.public_urls import refusal

if TYPE_CHECKING:
    from schemas.tariffs import Agency

_Indexed: TypeAlias = tuple[int, Mapping[str, Any]]
"""A tool with its index among all of them."""
_DEFAULT_TOKENS: int = Assistant.model_fields["max_output_tokens"].default
_TOOL_TYPES = frozenset({"function", "file_search", "web_search", "mcp"})
ROOM_FOR_THOUGHT = 2_000
"""Fewer tokens than this may all be spent on thoughts by a model that always thinks."""
ASSISTANTS_PROMPT = 256_000
"""Characters. OpenAI: `instructions` of `POST /v1/assistants`."""
ALMOST = 0.85
"""How like a known model's name an unknown one is from which on it counts as misspelt; 1 is the same."""
_JSON_TYPES = ("string", "integer", "number", "boolean", "object", "array", "null")


class Violation(NamedTuple):
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
    fault = number_fault(number) if isinstance(number, str) else None
    if fault is not None:
        yield Violation(("number",), f"number: {number} {fault.message}", fault.hint, fault.severity)
    today = datetime.now(tz=UTC).date()
    by_type = _tools_by_type(values)
    yield from _functions(values, by_type.get("function", ()), allow_private_endpoints)
    yield from _file_search(values, by_type.get("file_search", ()))
    yield from _web_search(values, by_type.get("web_search", ()))
    yield from _mcp(values, by_type.get("mcp", ()), allow_private_endpoints)
    yield from _sending(values)
    yield from model_violations(values, today)
    yield from _media(values)
    yield from _fallback(values, today)
    yield from _budget(values, today)
    yield from _handoff(values)


def _functions(values: Mapping[str, Any], functions: Iterable[_Indexed], allow_private: bool) -> Iterator[Violation]:
    """Functions: one a name, with parameters that OpenAI takes and an endpoint that the runtime may call."""
    names: dict[str, int] = {}
    for index, tool in functions:
        loc: Loc = ("assistant", "tools", index)
        name, parameters = tool.get("name"), tool.get("parameters")
        if isinstance(name, str) and names.setdefault(name, index) != index:
            message = f"{dotted((*loc, 'name'))}: {shown(name)} is also the name of tool {names[name]}"
            yield Violation((*loc, "name"), message, "Give each function a name of its own.")
        if isinstance(name, str) and (reason := reserved(name)) is not None:
            yield Violation((*loc, "name"), f"{dotted((*loc, 'name'))}: {reason}", HINT)
        if isinstance(parameters, dict):
            yield from _parameters((*loc, "parameters"), parameters, strict=tool.get("strict") is True)
        yield from _strict(loc, values, tool)
        yield from _endpoint((*loc, "endpoint", "url"), tool.get("endpoint"), allow_private)


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


def tools(values: Mapping[str, Any], kind: str) -> Iterable[tuple[int, Mapping[str, Any]]]:
    """Tools of one type with their index."""
    return _tools_by_type(values).get(kind, ())


def _tools_by_type(values: Mapping[str, Any]) -> dict[str, list[_Indexed]]:
    assistant = values.get("assistant")
    listed = assistant.get("tools") if isinstance(assistant, dict) else None
    by_type: dict[str, list[_Indexed]] = {}
    for index, tool in enumerate(listed if isinstance(listed, list) else ()):
        if isinstance(tool, dict) and isinstance(kind := tool.get("type"), str):
            by_type.setdefault(kind, []).append((index, tool))
    return by_type


def _endpoint(loc: Loc, endpoint: Any, allow_private: bool) -> Iterator[Violation]:
    """An endpoint that the runtime would not call, as far as its URL shows. The URL is not repeated: a user or password
    in it would be exposed in every plan."""
    url = endpoint.get("url") if isinstance(endpoint, Mapping) else None
    if not isinstance(url, str) or not url.startswith(("http://", "https://")):
        return  # reported by the models
    refused = refusal(url, allow_private=allow_private)
    if refused is not None:
        yield Violation(loc, f"{dotted(loc)}: the URL {refused.reason}", refused.hint)


def check_credentials(value: Any, loc: Loc = ()) -> Iterator[Violation]:
    """Secrets by reference, at any key, that would be the installation's own."""
    if isinstance(value, dict):
        name = value.get("env")
        if isinstance(name, str) and is_installation_credential(name):
            message = f"{dotted((*loc, 'env'))}: {name} is the installation's own credential, not a client's secret"
            hint = "Give the client a secret of its own, in a variable such as LA_COCINA_HOOK_SECRET."
            yield Violation((*loc, "env"), message, hint)
        for key, inner in value.items():
            if isinstance(inner, (dict, list)):
                yield from check_credentials(inner, (*loc, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from check_credentials(inner, (*loc, index))


def _file_search(values: Mapping[str, Any], searches: Iterable[_Indexed]) -> Iterator[Violation]:
    """One such tool, one source of its documents, and an engine that can search."""
    for position, (index, tool) in enumerate(searches):
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


def _sending(values: Mapping[str, Any]) -> Iterator[Violation]:
    """What an assistant of the Assistants API cannot send."""
    assistant = values.get("assistant")
    if not isinstance(assistant, Mapping) or assistant.get("engine") != "assistants":
        return
    for loc in (("media", "files"), ("media", "places"), ("replies", "buttons")):
        block = values.get(loc[0])
        if isinstance(block, Mapping) and block.get(loc[1]):
            message = f"{dotted(loc)}: an assistant of the engine assistants sends words only"
            yield Violation(loc, message, "Use engine: responses, or remove it.")


def model_violations(values: Mapping[str, Any], today: date) -> Iterator[Violation]:
    """What the model cannot do, that it is shut down soon, and that its name is like another one's. A model that is not
    known here is otherwise left to the plan: it may be another provider's."""
    assistant = values.get("assistant")
    model = assistant.get("model") if isinstance(assistant, dict) else None
    if not isinstance(assistant, dict) or not isinstance(model, str):
        return
    facts = facts_of(model)
    if facts is None:
        yield from _misspelt(model)
        return
    yield from _shutdown(model, today)
    yield from _effort(assistant, model, facts)
    for index, tool in enumerate(listed if isinstance(listed := assistant.get("tools"), list) else ()):
        if isinstance(tool, dict) and tool.get("type") in _TOOL_TYPES - facts.tools:
            loc: Loc = ("assistant", "tools", index, "type")
            yield Violation(loc, f"{dotted(loc)}: {model} cannot use {tool['type']}", "Take it out, or another model.")


def _media(values: Mapping[str, Any]) -> Iterator[Violation]:
    """Pictures and documents that are declared, for an engine or a model that is not given any. Where nothing is
    declared they are simply off."""
    media, assistant = values.get("media"), values.get("assistant")
    if not isinstance(media, Mapping) or not isinstance(assistant, Mapping):
        return
    engine, model = assistant.get("engine", "responses"), assistant.get("model")
    facts = facts_of(model) if isinstance(model, str) else None
    for key, what, can in (("images", "pictures", "images"), ("documents", "documents", "files")):
        if media.get(key) in (None, False):
            continue
        loc: Loc = ("media", key)
        if engine in ("agents", "assistants"):
            message = f"{dotted(loc)}: the engine {engine} is given no {what}"
            yield Violation(loc, message, f"Write {key}: false, or use engine: responses.")
        elif facts is not None and not getattr(facts, can):
            message = f"{dotted(loc)}: {model} takes no {what}"
            yield Violation(loc, message, f"Write {key}: false, or take another model, such as gpt-6-luna.")


def check_currency(budget: Budget, agency: Agency, today: date) -> Iterator[Violation]:
    """A budget in a currency for which the tariffs have no rate."""
    from schemas.budgets import rate_of  # slow to import, and only needed here

    loc: Loc = ("budget", "currency")
    if rate_of(budget.currency, agency, today) is not None:
        return
    if budget.currency == agency.currency:
        message = f"{dotted(loc)}: the tariffs have no rate of {budget.currency} for today"
        hint = "Add one to agency.exchange in tariffs.yaml whose date has come."
    else:
        message = f"{dotted(loc)}: {budget.currency} is neither USD nor the agency's currency, {agency.currency}"
        hint = f"Write the budget in USD, or set agency.currency and agency.exchange for {budget.currency}."
    yield Violation(loc, message, hint)


def _handoff(values: Mapping[str, Any]) -> Iterator[Violation]:
    """A block `handoff` whose desk would not be called, or with none of the client's people to notify: only the
    installation's channels are."""
    handoff = values.get("handoff")
    if not isinstance(handoff, Mapping):
        return
    refused = desk_refusal(handoff)
    if refused is not None:
        loc: Loc = (*DESK, "url")
        yield Violation(loc, f"{dotted(loc)}: the URL {refused.reason}", refused.hint)
    if handoff.get("notify") or handoff.get("desk"):
        return
    hint = "Add notify: [turno@example.cl], for example, or an address of Apprise by reference: [{env: NAME}]."
    if handoff.get("resume_after") == "never":
        loc = ("handoff", "resume_after")
        message = f"{dotted(loc)}: none of this client's people is notified, so a person could wait for ever"
        yield Violation(loc, message, f"{hint} Or let the assistant resume: resume_after: 4h.")
    else:
        message = "handoff: none of this client's people is notified of one, only the channels of ALERT_NOTIFY"
        yield Violation(("handoff",), message, hint, "warning")


def _budget(values: Mapping[str, Any], today: date) -> Iterator[Violation]:
    """The cheaper model of a budget: named where it is to answer, known, and one that can do what the other does."""
    budget = values.get("budget")
    if not isinstance(budget, Mapping):
        return
    loc: Loc = ("budget", "cheaper_model")
    model, action = budget.get("cheaper_model"), budget.get("on_exceeded")
    if model is None and action == "cheaper_model":
        message = f"{dotted(('budget', 'on_exceeded'))}: no cheaper_model says which"
        yield Violation(("budget", "on_exceeded"), message, "Add cheaper_model: gpt-5.6-luna, for example.")
    if not isinstance(model, str):
        return
    if facts_of(model) is None:
        near = nearest_models(model)
        hint = f"Did you mean {_names(near)}?" if near else f"Known ones: {', '.join(islice(MODELS, 8))} and others."
        yield Violation(loc, f"{dotted(loc)}: {shown(model)} is not a model that is known here", hint)
    elif action != "cheaper_model":
        yield Violation(loc, f"{dotted(loc)}: nothing uses it", "Write on_exceeded: cheaper_model, or remove it.")
    else:
        yield from stand_in(values, loc, model, today)


def _fallback(values: Mapping[str, Any], today: date) -> Iterator[Violation]:
    """The fallback model: another one than the assistant's, which can do what that one does."""
    assistant = values.get("assistant")
    model = assistant.get("fallback_model") if isinstance(assistant, Mapping) else None
    if not isinstance(assistant, Mapping) or not isinstance(model, str):
        return
    loc: Loc = ("assistant", "fallback_model")
    if model == assistant.get("model"):
        yield Violation(loc, f"{dotted(loc)}: the same as model", "Name another model, or remove it.")
    else:
        yield from stand_in(values, loc, model, today)


def stand_in(values: Mapping[str, Any], loc: Loc, model: str, today: date) -> Iterator[Violation]:
    """What a model that answers instead, named at `loc`, cannot do of what the manifest asks of the assistant's."""
    assistant = values.get("assistant")
    if isinstance(assistant, Mapping):
        declared = {**assistant, "model": model}
        # One place is reported once: the errors before the warnings.
        for found in sorted(model_violations({"assistant": declared}, today), key=lambda one: one.severity):
            yield found._replace(loc=loc, message=f"{dotted(loc)}: {found.message.partition(': ')[2]}")


def _misspelt(model: str) -> Iterator[Violation]:
    """A name that is almost that of a known model. One that is unlike all of them may be another provider's."""
    if near := nearest_models(model, cutoff=ALMOST):
        loc: Loc = ("assistant", "model")
        message = f"{dotted(loc)}: {shown(model)} is not a model that is known here"
        hint = f"Did you mean {_names(near)}? A model of your own is declared in models.yaml."
        yield Violation(loc, message, hint, "warning")


def _names(near: list[str]) -> str:
    """`"gpt-6-luna", "gpt-6-sol" or "gpt-6-astra"`."""
    quoted = [f'"{name}"' for name in near]
    return " or ".join(filter(None, (", ".join(quoted[:-1]), quoted[-1])))


def _shutdown(model: str, today: date) -> Iterator[Violation]:
    end = end_of(model, today)
    if end is None or end.notice is None:
        return
    loc: Loc = ("assistant", "model")
    hint = "Choose another model in time."
    if end.successor:
        hint = f"OpenAI's replacement is {end.successor}: reconcile upgrade-model {model} {end.successor}."
    yield Violation(loc, f"{dotted(loc)}: OpenAI's {model} {end.text}", hint, "warning")


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


def _web_search(values: Mapping[str, Any], searches: Iterable[_Indexed]) -> Iterator[Violation]:
    """The Agents API refuses a second one."""
    for position, (index, _) in enumerate(searches):
        if position and values["assistant"].get("engine") == "agents":
            loc: Loc = ("assistant", "tools", index)
            yield Violation((*loc, "type"), f"{dotted(loc)}: a second web_search; an agent has one", "Remove it.")


def _strict(loc: Loc, values: Mapping[str, Any], tool: Mapping[str, Any]) -> Iterator[Violation]:
    """A strict function without parameters of its own, or of an agent, which has none."""
    if tool.get("strict") is not True:
        return
    place = (*loc, "strict")
    if values["assistant"].get("engine") == "agents":
        message = f"{dotted(place)}: the Agents API has no strict functions"
        yield Violation(place, message, "Leave strict out, or use engine: responses.")
    elif tool.get("parameters") is None:
        message = f"{dotted(place)}: a strict function says which parameters it has"
        hint = "Add parameters: {type: object, properties: {}, required: [], additionalProperties: false}."
        yield Violation(place, message, hint)


def _mcp(values: Mapping[str, Any], servers: Iterable[_Indexed], allow_private: bool) -> Iterator[Violation]:
    """Servers of tools: not with assistants, one a name, at a public address."""
    names: dict[str, int] = {}
    for index, tool in servers:
        loc: Loc = ("assistant", "tools", index)
        engine, name = values["assistant"].get("engine", "responses"), tool.get("name")
        if engine == "assistants":
            message = f"{dotted(loc)}: mcp is a tool of the engines responses and agents, not of assistants"
            yield Violation((*loc, "type"), message, "Use engine: responses, or remove the tool.")
        if isinstance(name, str) and names.setdefault(name, index) != index:
            message = f"{dotted((*loc, 'name'))}: {shown(name)} is also the name of tool {names[name]}"
            yield Violation((*loc, "name"), message, "Give each server a name of its own.")
        yield from _endpoint((*loc, "url"), tool, allow_private)


def _parameters(loc: Loc, parameters: dict[str, Any], *, strict: bool) -> Iterator[Violation]:
    for problem in islice(problems(parameters, strict=strict), MAX_PROBLEMS):
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
