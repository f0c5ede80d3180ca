"""Live tools as a manifest declares them, and what it cannot declare of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from reconciler.kinds.assistant.live import NO_PARAMETERS
from reconciler.kinds.unmanaged_bots import PROVIDERS_PASSAGES
from reconciler.manifest.draft import problem_with
from schemas import Endpoint, FileSearchTool

_FUNCTION = ("type", "name", "description", "parameters", "strict")


@dataclass(slots=True)
class Said:
    """An assistant's tools as a manifest declares them."""

    tools: list[dict[str, Any]] = field(default_factory=list)
    unsaid: list[str] = field(default_factory=list)
    """What is live and cannot be declared, each in a sentence."""


def said_of(tools: Sequence[Mapping[str, Any]], functions: Mapping[str, Mapping[str, Any]]) -> Said:
    """The tools of an assistant in either API's shape; `functions` are the bot's endpoints."""
    said = Said()
    for tool in tools:
        if tool.get("type") == "function":
            _function(said, {"type": "function", **tool.get("function", tool)}, functions)
        elif tool.get("type") == "web_search":
            _web_search(said, tool)
        elif tool.get("type") == "file_search":
            _file_search(said, tool)
        else:
            said.unsaid.append(f"the tool {tool.get('type')!r} is not managed by this version and was left out")
    named = {tool["name"] for tool in said.tools if tool["type"] == "function"}
    said.unsaid += [
        f"the bot has an endpoint for {name!r}, which is not a function of its assistant; it was left out"
        for name in sorted(set(functions) - named)
    ]
    return said


def _function(said: Said, tool: Mapping[str, Any], functions: Mapping[str, Mapping[str, Any]]) -> None:
    name = str(tool.get("name"))
    endpoint = functions.get(name)
    if endpoint is None:
        said.unsaid.append(f"the function {name!r} was left out: it has no known endpoint")
        return
    declared: dict[str, Any] = {"type": "function", "name": name}
    if tool.get("description"):
        declared["description"] = tool["description"]
    if tool.get("parameters") not in (None, NO_PARAMETERS):
        declared["parameters"] = tool["parameters"]
    if tool.get("strict"):
        declared["strict"] = True
    if endpoint.get("idempotent"):
        declared["idempotent"] = True
    declared["endpoint"] = _endpoint(endpoint)
    wrong = problem_with(("assistant", "tools"), [declared])
    if wrong is not None:
        said.unsaid.append(f"the function {name!r} was left out: {wrong}")
        return
    said.tools.append(declared)
    said.unsaid += [
        f"the function {name!r} has {key!r}, which a manifest cannot declare" for key in _more(tool, _FUNCTION)
    ]


def _endpoint(live: Mapping[str, Any]) -> dict[str, Any]:
    endpoint: dict[str, Any] = {"url": live.get("url")}
    if live.get("secret_env"):
        endpoint["secret"] = {"env": live["secret_env"]}
    if live.get("authorization_env"):
        endpoint["authorization"] = {"env": live["authorization_env"]}
    if live.get("follow_redirects"):
        endpoint["follow_redirects"] = True
    if live.get("user"):
        endpoint["user"] = live["user"]
    timeout = live.get("timeout_seconds")
    if timeout is not None and float(timeout) != Endpoint.model_fields["timeout_seconds"].default:
        endpoint["timeout_seconds"] = float(timeout)
    return endpoint


def _web_search(said: Said, tool: Mapping[str, Any]) -> None:
    place = tool.get("user_location") or tool.get("location") or {}
    declared = {"type": "web_search", "country": place.get("country")}
    if problem_with(("assistant", "tools"), [declared]) is not None:
        said.unsaid.append(
            "the tool web_search searches in no country, which a manifest cannot declare; it was left out"
        )
        return
    said.tools.append(declared)
    more = _more(tool, ("type", "user_location", "location")) + _more(place, ("type", "country"))
    said.unsaid += [f"the tool web_search has {key!r}, which a manifest cannot declare" for key in more]


def _file_search(said: Said, tool: Mapping[str, Any]) -> None:
    if "vector_store_ids" not in tool:
        said.unsaid.append(
            "the tool file_search was left out: a manifest has it with the engine responses only; set "
            "`engine: responses` and name its `vector_store`"
        )
        return
    stores = list(tool["vector_store_ids"] or ())
    if not stores:
        said.unsaid.append("the tool file_search names no vector store and was left out")
        return
    declared: dict[str, Any] = {"type": "file_search", "vector_store": stores[0]}
    most = tool.get("max_num_results", PROVIDERS_PASSAGES)
    if most != FileSearchTool.model_fields["max_num_results"].default:
        declared["max_num_results"] = most
    wrong = problem_with(("assistant", "tools"), [declared])
    if wrong is not None or any(item["type"] == "file_search" for item in said.tools):
        said.unsaid.append(f"the tool file_search was left out: {wrong or 'an assistant has one'}")
        return
    said.tools.append(declared)
    said.unsaid += [f"the tool file_search searches {more} too; a manifest names one store" for more in stores[1:]]
    unsaid = _more(tool, ("type", "vector_store_ids", "max_num_results"))
    said.unsaid += [f"the tool file_search has {key!r}, which a manifest cannot declare" for key in unsaid]


def _more(live: Mapping[str, Any], known: Sequence[str]) -> list[str]:
    return sorted(key for key, value in live.items() if key not in known and value is not None)
