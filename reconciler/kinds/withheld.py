"""Why a kind of one client cannot be planned: each reason is a finding, and the other clients do not depend on it."""

from __future__ import annotations

from collections.abc import Mapping

from reconciler.model import KindName
from reconciler.ownership import foreign_owner
from runtime.store.records import AssistantRecord, BotRecord


class Withheld(Exception):
    """This kind, and those that follow it, cannot be planned; the text is the finding.

    It is an error: git, or a live object, has to be corrected.
    """


class NotReady(Withheld):
    """What is declared is right and waits for something outside of git, such as Meta's review of a number.

    No error: a pipeline for the other clients must not fail for it.
    """


def withhold_foreign(what: str, live_id: str | None, metadata: Mapping[str, str]) -> None:
    """Raise `Withheld` when an object has another tool's marker: it is never written to."""
    owner = foreign_owner(metadata)
    if owner is not None:
        raise Withheld(
            f"the {what} {live_id!r} has the marker of {owner!r} and is left unchanged; to adopt it, remove "
            "`managed-by` from its metadata"
        )


def withhold_namesake(client: str, what: KindName, namesake: BotRecord | AssistantRecord | None) -> None:
    """Raise `Withheld` when the id for a new object in the store is in use: by an object created by hand, or one that
    another client adopted."""
    if namesake is None:
        return
    if namesake.client is None:
        raise Withheld(f"the bot store's {what} {client!r} was made by hand; `reconcile adopt {client}` adopts it")
    raise Withheld(
        f"the bot store's {what} {client!r} belongs to client {namesake.client!r}; give this client another id"
    )
