"""The recipients of a client, from its manifest alone: the same on every machine."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final
from urllib.parse import urlsplit

from reconciler.recipient import ALERTS, Gets, Recipient, Role
from schemas import Client, FileSearchTool, FunctionTool, McpTool, SecretRef, WebSearchTool
from schemas.data_policy import Leave
from schemas.policy import MediaPolicy, MessageContext

ENDPOINTS: Final = {"responses": "/v1/responses", "agents": "/v1/agents", "assistants": "/v1/threads"}
"""Where each engine sends what people write."""
TRANSCRIPTIONS: Final = "/v1/audio/transcriptions"


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


def host_of(url: str) -> str:
    """The host of a URL, with its port where that is not the usual one."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    return f"{host}:{parts.port}" if parts.port is not None else host


def _declared(client: Client) -> Iterator[Recipient]:
    yield _openai(client)
    yield Recipient("twilio", "channel", ("messages", "voice", "files", "address"))
    yield Recipient("meta", "whatsapp", ("messages", "voice", "files", "address"))
    yield Recipient("hosting", "hosting", ("everything",))
    for tool in client.assistant.tools:
        if isinstance(tool, FunctionTool):
            yield _function(tool)
        elif isinstance(tool, McpTool):
            yield Recipient(host_of(tool.url), "server", ("questions",), (tool.name,))
    handoff = client.handoff
    if handoff is None or not handoff.notify:
        yield Recipient(ALERTS, "notified", ("notice", "thread"))
    if handoff is not None and handoff.desk is not None:
        gets: Gets = "conversations" if handoff.desk.mirror == "always" else "handed_over"
        yield Recipient(host_of(handoff.desk.chatwoot.url), "desk", (gets, "address"))
    for notified in (handoff.notify if handoff is not None else None) or ():
        if isinstance(notified, SecretRef):
            yield Recipient(notified.env, "notified", ("notice",))
        else:
            yield Recipient(notified, "notified", ("notice", "thread"))


def _openai(client: Client) -> Recipient:
    media, engine = client.media or MediaPolicy(), client.assistant.engine
    gets: list[Gets] = ["messages"]
    through = [ENDPOINTS[engine]]
    if media.voice_rules is not None:
        gets.append("voice")
        through.append(TRANSCRIPTIONS)
    if engine == "responses" and (media.images_rules is not None or media.documents_rules is not None):
        gets.append("files")
    if any(isinstance(tool, WebSearchTool) for tool in client.assistant.tools):
        gets.append("searches")
    if any(isinstance(tool, FileSearchTool) for tool in client.assistant.tools):
        through.append("/v1/vector_stores")
    gets += _person_for_model(client.context or MessageContext())
    return Recipient("openai", "model", tuple(gets), tuple(through))


def _person_for_model(context: MessageContext) -> Sequence[Gets]:
    """What the model gets to know of who writes: name and masked number, unless the manifest says otherwise."""
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
