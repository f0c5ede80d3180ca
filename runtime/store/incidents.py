"""What an incident has touched: of a stretch of the audit, whose data were seen or changed, which, and by whom.
Functions over a connection; none of them writes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Final

from sqlalchemy import Connection

from runtime.store.audit_reading import AuditEntry, AuditFilter, every_entry
from runtime.store.catalog import list_all
from runtime.store.database.statement import Statement
from runtime.store.messages.content import load_content
from runtime.store.records import BotRecord
from runtime.store.tokens import TokenRecord, list_tokens

ADDRESS, NAME, NOTES, STATE = "address", "name", "notes", "state"
"""Categories besides the kinds of a message's parts. `state`: who has a conversation, opt-outs."""
OPENED: Final = frozenset({"thread", "files", "export"})
"""What shows of a conversation what people wrote or sent."""
TEXTS: Final = "texts"
"""Of an entry about dead letters: what people wrote was in them."""
CONVERSATION = Statement("SELECT user_key, profile_name FROM conversations WHERE id = :id")
MESSAGES = Statement(
    "SELECT content, body, params FROM inbox WHERE conversation_id = :id AND sender <> '' AND received_at < :until"
)
HAS_NOTES = Statement("SELECT 1 FROM conversation_notes WHERE conversation_id = :id AND at < :until LIMIT 1")


@dataclass(frozen=True, slots=True)
class ActorInvolved:
    """One who read or changed something."""

    name: str
    via: Sequence[str]
    addresses: Sequence[str]
    first: str
    last: str
    reads: int
    changes: int


@dataclass(frozen=True, slots=True)
class ClientTouched:
    """What an incident has touched of one client."""

    client: str
    people: int
    """Number of people; of those who were erased since, each conversation counts as one."""
    erased: int
    """How many of them were erased since."""
    conversations: int
    opened: int
    """Of how many conversations messages or files were read, besides the line in a list."""
    categories: Sequence[str]
    """Kinds of what people sent, and ADDRESS, NAME, NOTES, STATE."""
    reads: int
    unknown_reads: int
    """Reads that were recorded before the audit had the conversations."""
    changes: Mapping[str, int]
    """What was done, such as `change bot` → how often."""
    sensitive: Sequence[str] = ()
    """Sensitive data that the client's manifest declares."""


@dataclass(frozen=True, slots=True)
class Incident:
    """A stretch of the audit."""

    since: str
    until: str
    token: str | None
    actors: Sequence[ActorInvolved]
    clients: Sequence[ClientTouched]
    elsewhere: Mapping[str, int]
    """What was done that concerns no single client → how often."""
    token_record: TokenRecord | None = None
    """The token that is asked about, where there is one of that name."""


@dataclass(slots=True)
class _Found:
    """What is being gathered of one client."""

    conversations: dict[int, set[str]] = field(default_factory=dict)
    reads: int = 0
    unknown_reads: int = 0
    changes: dict[str, int] = field(default_factory=dict)


def read_incident(
    connection: Connection, since: str, until: str, token: str | None = None, client: str | None = None
) -> Incident:
    """What happened between two timestamps, as far as the audit has it: by one token or operator, of one client."""
    entries = every_entry(connection, AuditFilter([client] if client else None, since, until, token))
    found: dict[str, _Found] = {}
    elsewhere: dict[str, int] = {}
    for entry in entries:
        if entry.client is None and entry.action != "read":
            _count(elsewhere, f"{entry.action} {entry.kind}")
        else:
            _gather(found.setdefault(entry.client or entry.object_id, _Found()), entry)
    declared = _declared(connection)
    clients = [_touched(connection, name, one, until, declared.get(name, ())) for name, one in sorted(found.items())]
    record = next((one for one in list_tokens(connection) if one.name == token), None)
    return Incident(since, until, token, list(_actors(entries)), clients, elsewhere, record)


def _gather(found: _Found, entry: AuditEntry) -> None:
    if entry.action == "read":
        found.reads += 1
        found.unknown_reads += entry.conversations is None
    else:
        _count(found.changes, f"{entry.action} {entry.kind}")
    for conversation_id in entry.conversations or ():
        found.conversations.setdefault(conversation_id, set()).update(_seen(entry))


def _seen(entry: AuditEntry) -> AbstractSet[str]:
    """What of a conversation an entry lets its actor see: `thread` for all of it, `files` for those only."""
    if entry.action != "read":
        return {"export"} if entry.action == "exported" else set()
    match entry.kind:
        case "conversation" if entry.fields and entry.fields[0].startswith("conversation "):
            return {"thread"}
        case "conversation" | "opt_out":
            return {"list"}
        case "media":
            return {"files"}
        case "dead_letter":
            return {"thread"} if TEXTS in entry.fields else {"list"}
    return {"thread"}


def _touched(connection: Connection, client: str, found: _Found, until: str, sensitive: Sequence[str]) -> ClientTouched:
    people: set[str] = set()
    erased = 0
    categories: set[str] = set()
    for conversation_id, seen in found.conversations.items():
        row = CONVERSATION.first(connection, id=conversation_id)
        user, name = row if row is not None else ("", None)
        if not user:
            erased += 1
        people.add(user or f"erased {conversation_id}")
        if seen:
            categories |= {ADDRESS, STATE, *([NAME] if name else [])}
        if seen & OPENED:
            categories |= _kinds(connection, conversation_id, until, files_only=seen.isdisjoint({"thread", "export"}))
    return ClientTouched(
        client,
        len(people),
        erased,
        len(found.conversations),
        sum(not seen.isdisjoint(OPENED) for seen in found.conversations.values()),
        sorted(categories),
        found.reads,
        found.unknown_reads,
        found.changes,
        sensitive,
    )


def _kinds(connection: Connection, conversation_id: int, until: str, *, files_only: bool) -> set[str]:
    kinds: set[str] = set()
    for content, body, params in MESSAGES.rows(connection, id=conversation_id, until=until):
        kinds |= {part.kind for part in load_content(content, body, params).parts}
    if files_only:
        return kinds & {"voice", "audio", "image", "sticker", "video", "document", "contact"}
    if HAS_NOTES.first(connection, id=conversation_id, until=until) is not None:
        kinds.add(NOTES)
    return kinds


def _actors(entries: Iterable[AuditEntry]) -> Iterator[ActorInvolved]:
    by_name: dict[str, list[AuditEntry]] = {}
    for entry in entries:
        by_name.setdefault(entry.actor, []).append(entry)
    for name, theirs in sorted(by_name.items()):
        reads = sum(entry.action == "read" for entry in theirs)
        yield ActorInvolved(
            name,
            sorted({entry.via for entry in theirs if entry.via}),
            sorted({entry.address for entry in theirs if entry.address}),
            theirs[0].at,
            theirs[-1].at,
            reads,
            len(theirs) - reads,
        )


def _declared(connection: Connection) -> Mapping[str, Sequence[str]]:
    """Client → the sensitive data that its manifest declares."""
    found: dict[str, Sequence[str]] = {}
    for bot in list_all(connection, BotRecord):
        data = bot.policy.get("data") if isinstance(bot, BotRecord) else None
        if isinstance(bot, BotRecord) and isinstance(data, dict) and data.get("sensitive"):
            found[bot.label] = list(data["sensitive"])
    return found


def _count(counts: dict[str, int], what: str) -> None:
    counts[what] = counts.get(what, 0) + 1
