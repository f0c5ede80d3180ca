"""The recipients of a client, from its manifest alone: the same on every machine."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final
from urllib.parse import urlsplit

from reconciler.recipient import ALERTS, Gets, Recipient, Role
from schemas import Client, FileSearchTool, FunctionTool, McpTool, SecretRef, WebSearchTool
from schemas.data_policy import Leave
from schemas.policy import MessageContext

ENDPOINTS: Final = {"responses": "/v1/responses", "agents": "/v1/agents", "assistants": "/v1/threads"}
"""Where each engine sends what people write."""
TRANSCRIPTIONS: Final = "/v1/audio/transcriptions"
_OF_EVERY_CLIENT: Final = (
    Recipient("twilio", "channel", ("messages", "voice", "files", "address")),
    Recipient("meta", "whatsapp", ("messages", "voice", "files", "address")),
    Recipient("hosting", "hosting", ("everything",)),
)
_ALERTS: Final = Recipient(ALERTS, "notified", ("notice", "thread"))


def recipients_of(client: Client) -> Sequence[Recipient]:
    """All of them, each once, with the leave that the manifest names: those that every client has first."""
    leaves = (client.data.recipients if client.data is not None else None) or {}
    return [_with_leave(recipient, leaves.get(recipient.name)) for recipient in _joined(_declared(client))]


def unused_leaves(client: Client) -> Sequence[str]:
    """Names under which a manifest has a leave, and that get nothing."""
    leaves = (client.data.recipients if client.data is not None else None) or {}
    if not leaves:
        return ()
    names = {recipient.name for recipient in recipients_of(client)}
    return [name for name in leaves if name not in names]


@functools.lru_cache(64)  # a plan asks for the host of a URL as it is live, and as it is declared
def host_of(url: str) -> str:
    """The host of a URL, with its port where that is not the usual one."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    return f"{host}:{parts.port}" if parts.port is not None else host


def _declared(client: Client) -> Iterator[Recipient]:
    yield _openai(client)
    yield from _OF_EVERY_CLIENT
    for tool in client.assistant.tools:
        if isinstance(tool, FunctionTool):
            yield _function(tool)
        elif isinstance(tool, McpTool):
            yield Recipient(host_of(tool.url), "server", ("questions",), (tool.name,))
    handoff = client.handoff
    if handoff is None or not handoff.notify:
        yield _ALERTS
    if handoff is not None and handoff.desk is not None:
        gets: Gets = "conversations" if handoff.desk.mirror == "always" else "handed_over"
        yield Recipient(host_of(handoff.desk.chatwoot.url), "desk", (gets, "address"))
    for notified in (handoff.notify if handoff is not None else None) or ():
        if isinstance(notified, SecretRef):
            yield Recipient(notified.env, "notified", ("notice",))
        else:
            yield Recipient(notified, "notified", ("notice", "thread"))


def _openai(client: Client) -> Recipient:
    media, engine = client.media, client.assistant.engine
    gets: list[Gets] = ["messages"]
    through = [ENDPOINTS[engine]]
    if media is None or media.voice is not False:
        gets.append("voice")
        through.append(TRANSCRIPTIONS)
    if engine == "responses" and (media is None or media.images is not False or media.documents is not False):
        gets.append("files")
    if any(isinstance(tool, WebSearchTool) for tool in client.assistant.tools):
        gets.append("searches")
    if any(isinstance(tool, FileSearchTool) for tool in client.assistant.tools):
        through.append("/v1/vector_stores")
    gets += _person_for_model(client.context)
    return Recipient("openai", "model", tuple(gets), tuple(through))


def _person_for_model(context: MessageContext | None) -> Sequence[Gets]:
    """What the model gets to know of who writes: name and masked number, unless the manifest says otherwise."""
    if context is None:
        return ("person_masked",)
    if context.phone == "full":
        return ("person_full",)
    if context.phone != "none":
        return ("person_masked",)
    return () if context.name is False else ("name",)


def _function(tool: FunctionTool) -> Recipient:
    gets: list[Gets] = ["arguments"]
    if tool.endpoint.user is not None:
        gets.append("person_full" if tool.endpoint.user == "full" else "person_masked")
    return Recipient(host_of(tool.endpoint.url), "function", tuple(gets), (tool.name,))


def _joined(recipients: Iterator[Recipient]) -> Sequence[Recipient]:
    """Each name once, with all that it gets."""
    found: dict[str, Recipient] = {}
    for one in recipients:
        known = found.get(one.name)
        if known is None:
            found[one.name] = one
            continue
        role: Role = known.role
        gets = tuple(dict.fromkeys([*known.gets, *one.gets]))
        through = tuple(dict.fromkeys([*known.through, *one.through]))
        found[one.name] = Recipient(one.name, role, gets, through)
    return list(found.values())


def _with_leave(recipient: Recipient, leave: Leave | None) -> Recipient:
    return recipient if leave is None else replace(recipient, leave=leave)
