"""Which recipients a plan shows: those that are new with it, and those without leave."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

from reconciler.manifest import Manifest
from reconciler.recipient import PLATFORM, ShownRecipient
from reconciler.recipients.declared import host_of, recipients_of
from runtime.store.records import AppliedRecord, AssistantRecord, BotRecord


def shown_recipients(
    manifest: Manifest, bot: BotRecord | None, record: AssistantRecord | None, applied: AppliedRecord | None
) -> Iterator[ShownRecipient]:
    """Of one client: `bot`, `record` and `applied` (of its assistant) are what is live. New is what these do not name.

    Recipients that every client has are new with a new client. Once it is live they are shown where the manifest names
    leaves at all (`data.recipients`, be it empty), and else in its paper `subencargados` only: a line that every plan
    has is read by no one.
    """
    client = manifest.client
    former = _live(bot, record, applied) if bot is not None else set()
    names_leaves = client.data is not None and client.data.recipients is not None
    for recipient in recipients_of(client):
        is_new = recipient.name not in former and not (recipient.is_platform and bot is not None)
        if recipient.is_platform and not names_leaves and bot is not None:
            continue
        if is_new or recipient.leave is None:
            yield ShownRecipient(client.id, recipient, is_new)


def by_line(shown: Sequence[ShownRecipient]) -> Iterator[Sequence[ShownRecipient]]:
    """Those that a person reads about in one line: what comes with the service is together, client by client."""
    for _, found in groupby(shown, key=lambda one: one.client):
        of_client = list(found)
        together = [one for one in of_client if _is_new_platform(one)]
        if together:
            yield together
        yield from ([one] for one in of_client if not _is_new_platform(one))


def _is_new_platform(shown: ShownRecipient) -> bool:
    return shown.recipient.is_platform and shown.is_new and shown.recipient.leave is None


def _live(bot: BotRecord | None, record: AssistantRecord | None, applied: AppliedRecord | None) -> set[str]:
    """The names of recipients as a bot's and an assistant's rows have them."""
    names = set(PLATFORM)
    if bot is not None:
        names |= {host_of(str(function.get("url", ""))) for function in bot.functions.values()}
        names |= set(_of_handoff(bot.policy.get("handoff")))
    tools: list[Any] = [*(record.tools if record is not None else ())]
    tools += (applied.values.get("tools") or ()) if applied is not None else ()
    names |= {
        host_of(str(tool["server_url"])) for tool in tools if isinstance(tool, Mapping) and tool.get("server_url")
    }
    return names


def _of_handoff(handoff: Any) -> Iterator[str]:
    if not isinstance(handoff, Mapping):
        return
    desk = (handoff.get("desk") or {}).get("chatwoot") or {}
    if desk.get("url"):
        yield host_of(str(desk["url"]))
    for notified in handoff.get("notify") or ():
        yield str(notified["env"]) if isinstance(notified, Mapping) and "env" in notified else str(notified)
