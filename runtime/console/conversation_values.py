"""What the pages about conversations show, from what was read for them: values of their template. Runs in the page
process."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from runtime.console.rendering import seconds_from
from runtime.console.timeline import timeline
from runtime.console.words import Sentence
from runtime.store.console.conversation_pages import ListedConversations, ListQuery, ShownThread
from runtime.store.delivery_errors import delivery_error

LISTED: Final = 50
MESSAGES: Final = 60


@dataclass(frozen=True, slots=True)
class AskedList:
    """The list that a page asks for."""

    query: ListQuery
    client: str
    """The one that is chosen; "" for all."""
    chosen: str
    """Which list: waiting, people, assistant, closed, all."""
    wanted: str
    """What is searched for, also where it cannot be."""
    first: date | None
    last: date | None
    span: tuple[str, str]
    """From when to when, as texts of `timestamp`."""
    hint: Sentence | None
    """Why nothing is listed."""


@dataclass(frozen=True, slots=True)
class AskedThread:
    """The thread that a page asks for, with the list beside it."""

    beside: AskedList
    zone: str
    """The client's."""
    is_newest: bool
    """Whether its end is shown, which updates itself."""
    address: str
    """Of its page."""


def list_values(listed: ListedConversations, asked: AskedList) -> Mapping[str, Any]:
    """Of a page that shows a list."""
    found, after = listed.found, None
    if asked.query.wanted:
        found = [one for one in found if asked.span[0] <= (one.last_inbound or "") < asked.span[1]]
    elif len(found) > LISTED:
        after = found[LISTED - 1].newest
    first = asked.first.isoformat() if asked.first else ""
    last = asked.last.isoformat() if asked.last else ""
    keep = {"list": asked.chosen, "client": asked.client, "q": asked.wanted, "from": first, "to": last}
    return {
        "chosen": asked.chosen,
        "client": asked.client,
        "conversations": found[:LISTED],
        "after": after,
        "names": listed.names,
        "wanted": asked.wanted,
        "hint": asked.hint,
        "keep": {name: value for name, value in keep.items() if value},
        "first": first,
        "last": last,
        "choices": listed.choices,
    }


def thread_values(shown: ShownThread, asked: AskedThread) -> Mapping[str, Any]:
    """Of a page that shows a thread, and a list beside it."""
    thread, until = shown.thread, shown.thread.conversation.window_until
    live = {"id": thread.conversation.id, "page": asked.address, "seen": shown.digest} if asked.is_newest else None
    return {
        "thread": thread,
        "entries": timeline(thread, asked.zone),
        "earlier": thread.messages[0].at if len(thread.messages) == MESSAGES else None,
        "facts": shown.facts,
        "zone": asked.zone,
        "left": max(-seconds_from(until), 0.0) if until is not None else 0.0,
        "live": live,
        "delivery_error": delivery_error,
        **list_values(shown.listed, asked.beside),
    }
