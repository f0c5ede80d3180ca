"""Parameters of a request that an answer does not need, and which models refuse them.

    a request ──► refused for some of them ──► repeated without those ──► not sent to this model any more

OpenAI knows all of them. Other servers that speak the Responses API refuse what they do not know, each in its own
words: 400 or 422, with the name in `param`, in a text, or in pydantic's list of `loc`. It can depend on the model what
is refused, since a proxy passes each to another server, and at OpenAI older models know no reasoning effort.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

import structlog

from runtime.engines.no_reply import NO_REPLY_TOOL
from runtime.engines.responses_api import CallRefused

HINTS = frozenset({"include", "metadata", "prompt_cache_key", "reasoning", "safety_identifier", "store", "truncation"})
"""They change no answer, or only where a server knows them."""
LIMITS = frozenset({"max_output_tokens"})
"""Withdrawn only where they are not known: with a wrong value they are the operator's to correct."""
TOOLS = "tools"
"""Withdrawn where the only one is ours, which is offered for some messages: a server that runs a model without tools
answers the others."""
OUR_TOOLS = [NO_REPLY_TOOL]
TOGETHER = {"include": "reasoning", "reasoning": "include"}
"""What is withdrawn with another: encrypted reasoning is asked for with an effort only."""
UNPREPARED = "truncation"
"""llama-stack answers 500 where it is set, without a reason."""
MODELS_LIMIT = 1_000

_UNKNOWN = re.compile(
    r"un(known|recognized|expected|supported)|not (supported|permitted|allowed)|extra_", re.IGNORECASE
)

log = structlog.get_logger("runtime.engine")


class OptionalParameters:
    """Which of them each model refuses, as far as this process knows."""

    def __init__(self) -> None:
        self._refused: OrderedDict[str, set[str]] = OrderedDict()
        self._proven: OrderedDict[str, None] = OrderedDict()
        """Models that have answered a request with UNPREPARED."""

    def trimmed(self, body: dict[str, Any]) -> dict[str, Any]:
        """The body without what its model refuses."""
        refused = self._refused.get(body["model"])
        if not refused:
            return body
        return {name: value for name, value in body.items() if name not in refused or _is_needed(name, value)}

    def without_refused(self, body: Mapping[str, Any], error: CallRefused) -> dict[str, Any] | None:
        """The body to repeat a refused request with; None when it was not refused for such a parameter."""
        names = refused_parameters(error, body)
        if names:
            self._withdraw(body["model"], names, str(error))
        elif error.is_unexplained and UNPREPARED in body and body["model"] not in self._proven:
            names = {UNPREPARED}
        return {name: value for name, value in body.items() if name not in names} if names else None

    def accepted(self, body: Mapping[str, Any]) -> None:
        """A request with this body was answered."""
        model = body["model"]
        if UNPREPARED in body:
            _put(self._proven, model, None)
        elif UNPREPARED not in self._refused.get(model, ()):
            self._withdraw(model, {UNPREPARED}, "500 with it, and an answer without it")

    def _withdraw(self, model: str, names: set[str], reason: str) -> None:
        _put(self._refused, model, self._refused.get(model, set()) | names)
        log.warning("parameters_withdrawn", model=model, parameters=sorted(names), error=reason)


def refused_parameters(error: CallRefused, body: Mapping[str, Any]) -> set[str]:
    """The optional parameters of a body for which a server refused it."""
    is_unknown = _UNKNOWN.search(f"{error.code} {error.type} {error.message}") is not None
    optional = (HINTS | LIMITS if is_unknown else HINTS) & body.keys()
    if TOOLS in body and not _is_needed(TOOLS, body[TOOLS]):
        optional |= {TOOLS}
    if error.status_code in (400, 422):
        named = re.split(r"[.\[]", str(error.param))[0]
        names = {named} & optional if error.param else {name for name in optional if _is_named(name, error.message)}
    else:
        names = {UNPREPARED} & optional if error.status_code >= 500 and UNPREPARED in error.message else set()
    return names | {TOGETHER[name] for name in names if name in TOGETHER}


def _is_named(name: str, text: str) -> bool:
    """Whether a text names a parameter: in quotes, or as a field of the body. A document may be in no store. Tools are
    refused in any words ('"auto" tool choice requires …')."""
    if name == TOOLS and re.search(r"\btools?\b", text, re.IGNORECASE):
        return True
    return re.search(rf"""(['"`]|\bbody\.){name}\b""", text) is not None


def _is_needed(name: str, value: object) -> bool:
    """Whether an answer needs a parameter that its model may have refused with another value."""
    return name == TOOLS and value != OUR_TOOLS


def _put(known: OrderedDict[str, Any], model: str, value: object) -> None:
    known[model] = value
    known.move_to_end(model)
    if len(known) > MODELS_LIMIT:
        known.popitem(last=False)
