"""Changes of bots and assistants through the API: checked against the store, recorded and made in one transaction.

    by hand      a declared object has to be overridden
    declared     as the reconciler sends them: an object is created or replaced as its manifest declares

The audit records who, which fields, and the manifest that declared the object, of both: any token that may
write can send what the reconciler sends.

Functions over a connection. Each raises the store's errors, which a caller reports in its own words.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, fields, replace
from typing import Any

from sqlalchemy import Connection

from runtime.store import audit, catalog
from runtime.store.audit import Actor
from runtime.store.catalog import Entry
from runtime.store.errors import AssistantInUse, AssistantNotFound, BotCannotAnswer, DeclaredInGit, ObjectNotFound
from runtime.store.records import LIVE_PREFIXES, AssistantRecord, BotRecord

KINDS: Mapping[type, str] = {AssistantRecord: "assistant", BotRecord: "bot"}
SET_BY_STORE = frozenset({"version", "created_at", "updated_at"})


@dataclass(frozen=True, slots=True)
class Author:
    """The author of a change."""

    actor: Actor
    overrides: bool = False
    """Whether a declared object may be changed, until the next apply."""
    clients: AbstractSet[str] | None = None
    """The only clients whose objects exist for this author; None: all."""


def create(connection: Connection, record: Entry, author: Author, given: Sequence[str]) -> Entry:
    """Creates an object; raises NumberTaken, BotCannotAnswer or AssistantNotFound. `given`: the fields that were."""
    _check(connection, record)
    _note(connection, author, "change", record, None, given)
    return catalog.put(connection, record)


def change(
    connection: Connection, kind: type[Entry], object_id: str, values: Mapping[str, Any], author: Author
) -> Entry:
    """Changes an object's fields; raises ObjectNotFound and DeclaredInGit besides the errors of `create`."""
    old = _found(connection, kind, object_id, author)
    overridden = _overridden(old, author)
    new = replace(old, **values)
    _check(connection, new)
    _note(connection, author, "change", old, overridden, sorted(values))
    return catalog.put(connection, new)


def declare(connection: Connection, record: Entry, author: Author, replacing: str | None = None) -> tuple[Entry, bool]:
    """Creates or replaces an object as its manifest declares, and returns whether it existed; raises NumberTaken.

    `replacing`: the bot whose number this one gets, which is deleted.
    """
    old = catalog.get(connection, type(record), record.id)
    if replacing is not None:
        _note_replaced(connection, replacing, author)
    new = catalog.put(connection, record, replacing)
    _note(connection, author, "declare", record, old.managed_by if old else None, _changed_fields(old, record))
    return new, old is not None


def withdraw(connection: Connection, kind: type[Entry], object_id: str, author: Author) -> None:
    """Deletes an object that no manifest declares any more; raises ObjectNotFound."""
    old = _found(connection, kind, object_id, author)
    _note(connection, author, "delete", old, old.managed_by, ())
    catalog.remove(connection, kind, object_id)


def move_numbers(connection: Connection, numbers: Mapping[str, str], replacing: str | None, author: Author) -> None:
    """Gives each bot its next number, see `catalog.move_numbers`; raises NumberTaken."""
    if replacing is not None:
        _note_replaced(connection, replacing, author)
    before = {bot_id: bot for bot_id in numbers if (bot := catalog.get_bot(connection, bot_id)) is not None}
    catalog.move_numbers(connection, numbers, replacing)
    for bot_id, bot in before.items():
        if bot.twilio_phone_number != numbers[bot_id]:
            _note(connection, author, "declare", bot, bot.managed_by, ["twilio_phone_number"])


def _note_replaced(connection: Connection, bot_id: str, author: Author) -> None:
    replaced = catalog.get_bot(connection, bot_id)
    if replaced is not None:
        _note(connection, author, "delete", replaced, replaced.managed_by, ())


def delete(connection: Connection, kind: type[Entry], object_id: str, author: Author) -> None:
    """Deletes an object; raises ObjectNotFound, DeclaredInGit, and AssistantInUse for an assistant that bots name."""
    old = _found(connection, kind, object_id, author)
    overridden = _overridden(old, author)
    _check_unused(connection, old)
    _note(connection, author, "delete", old, overridden, ())
    catalog.remove(connection, kind, object_id)


def _changed_fields(old: AssistantRecord | BotRecord | None, new: AssistantRecord | BotRecord) -> list[str]:
    """The fields that a declaration changes, in alphabetical order; none for an object that it creates."""
    if old is None:
        return []
    names = {field.name for field in fields(new)} - SET_BY_STORE
    return sorted(name for name in names if getattr(old, name) != getattr(new, name))


def _found(connection: Connection, kind: type[Entry], object_id: str, author: Author) -> Entry:
    record = catalog.get(connection, kind, object_id, author.clients)
    if record is None:
        raise ObjectNotFound(KINDS[kind], object_id)
    return record


def _overridden(record: AssistantRecord | BotRecord, author: Author) -> str | None:
    """The manifest that a change overrides; None when there is none."""
    if record.managed_by is not None and not author.overrides:
        raise DeclaredInGit(KINDS[type(record)], record.id, record.managed_by)
    return record.managed_by


def _check(connection: Connection, record: AssistantRecord | BotRecord) -> None:
    """Checks that a bot can answer: by an existing assistant, or by its own instructions and model."""
    if isinstance(record, AssistantRecord):
        return
    if record.assistant_id is None:
        missing = next((name for name in ("instructions", "model") if getattr(record, name) is None), None)
        if missing is not None:
            raise BotCannotAnswer(missing)
    elif (
        not record.assistant_id.startswith(LIVE_PREFIXES)
        and catalog.get_assistant(connection, record.assistant_id) is None
    ):
        raise AssistantNotFound(record.assistant_id)


def _check_unused(connection: Connection, record: AssistantRecord | BotRecord) -> None:
    bots = [] if isinstance(record, BotRecord) else catalog.bots_of_assistant(connection, record.id)
    if bots:
        raise AssistantInUse(record.id, bots)


def _note(
    connection: Connection,
    author: Author,
    action: str,
    record: AssistantRecord | BotRecord,
    overridden: str | None,
    names: Sequence[str],
) -> None:
    entry = audit.Entry(action, KINDS[type(record)], record.id, record.label, fields=names, overridden=overridden)
    audit.record(connection, author.actor, entry)
