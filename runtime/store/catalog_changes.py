"""Changes of bots and assistants through the API: checked against the store, recorded and made in one transaction.

    by hand      a declared object has to be overridden; the audit records who, which fields, and the manifest
    declared     the reconciler's own: an object is created or replaced as its manifest declares

Functions over a connection. Each raises the store's errors, which a caller reports in its own words.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection

from runtime.store import catalog
from runtime.store.catalog import Entry
from runtime.store.errors import AssistantInUse, AssistantNotFound, BotCannotAnswer, DeclaredInGit, ObjectNotFound
from runtime.store.records import LIVE_PREFIXES, AssistantRecord, BotRecord

KINDS: Mapping[type, str] = {AssistantRecord: "assistant", BotRecord: "bot"}


@dataclass(frozen=True, slots=True)
class Author:
    """The author of a change by hand."""

    name: str
    overrides: bool = False
    """Whether a declared object may be changed, until the next apply."""


def create(connection: Connection, record: Entry, author: Author, fields: Sequence[str]) -> Entry:
    """Creates an object; raises NumberTaken, BotCannotAnswer or AssistantNotFound. `fields`: those that were given."""
    _check(connection, record)
    _note(connection, author, "change", record, None, fields)
    return catalog.put(connection, record)


def change(
    connection: Connection, kind: type[Entry], object_id: str, fields: Mapping[str, Any], author: Author
) -> Entry:
    """Changes an object's fields; raises ObjectNotFound and DeclaredInGit besides the errors of `create`."""
    old = _found(connection, kind, object_id)
    overridden = _overridden(old, author)
    new = replace(old, **fields)
    _check(connection, new)
    _note(connection, author, "change", old, overridden, sorted(fields))
    return catalog.put(connection, new)


def declare(connection: Connection, record: Entry) -> tuple[Entry, bool]:
    """Creates or replaces an object as its manifest declares, and returns whether it existed; raises NumberTaken."""
    existed = catalog.get(connection, type(record), record.id) is not None
    return catalog.put(connection, record), existed


def delete(connection: Connection, kind: type[Entry], object_id: str, author: Author | None) -> None:
    """Deletes an object, for the reconciler when there is no author; raises ObjectNotFound, DeclaredInGit, and
    AssistantInUse for an assistant that bots name."""
    old = _found(connection, kind, object_id)
    if author is not None:
        overridden = _overridden(old, author)
        _check_unused(connection, old)
        _note(connection, author, "delete", old, overridden, ())
    catalog.remove(connection, kind, object_id)


def _found(connection: Connection, kind: type[Entry], object_id: str) -> Entry:
    record = catalog.get(connection, kind, object_id)
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
    fields: Sequence[str],
) -> None:
    catalog.record_audit(
        connection,
        actor=author.name,
        action=action,
        kind=KINDS[type(record)],
        object_id=record.id,
        overridden=overridden,
        fields=fields,
    )
