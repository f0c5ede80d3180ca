"""How a change of a client's bot is written into the bot store."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from reconciler.kinds.bot.desired import with_contents, with_ids, with_templates
from reconciler.kinds.template.desired import sids_of
from reconciler.model import Change, KindName, Values
from runtime.store.records import AppliedRecord, BotRecord
from schemas.policy import document_of


class BotRecordsPort(Protocol):
    """The methods needed of the writer of the bot store."""

    def put_bot(self, record: BotRecord, replacing: str | None = None) -> BotRecord:
        """Creates or replaces by id; deletes the bot whose number it gets in the same transaction."""

    def move_numbers(self, numbers: Mapping[str, str], replacing: str | None = None) -> None:
        """Gives bots, by id, their next numbers in one transaction; deletes the bot whose number one of them gets."""

    def delete_bot(self, bot_id: str) -> None:
        """Removes by id."""


class BotPorts(Protocol):
    """An object with that writer."""

    @property
    def store(self) -> BotRecordsPort:
        """The one for the bot store."""

    def put_file(self, path: str, sha256: str) -> None:
        """Stores the bytes of a file in git, unless they are stored."""


def put(change: Change, made: Mapping[KindName, AppliedRecord], ports: BotPorts) -> tuple[str, Values]:
    """Create, update or adopt, once the files that it names are stored. Returns the bot's id, and what was applied."""
    for file in change.after["policy"].get("files", {}).values():
        ports.put_file(file["path"], file["sha256"])
    after = with_ids(change.after, {kind: record.live_id for kind, record in made.items()})
    if "template" in made:
        after = with_templates(after, sids_of(made["template"].values))
    if "content" in made:
        sids = made["content"].values["contents"]
        after = with_contents(after, sids, after["policy"].get("contents", {}).keys() - sids.keys())
    if change.moves:
        ports.store.move_numbers(change.moves, change.replaces)
        return ports.store.put_bot(_record(change, after)).id, after
    return ports.store.put_bot(_record(change, after), change.replaces).id, after


def remove(change: Change, ports: BotPorts) -> None:
    """Delete the bot; its conversations stay."""
    ports.store.delete_bot(str(change.live_id))


def _record(change: Change, values: Values) -> BotRecord:
    row = {**values, "policy": document_of(values["policy"])}
    return BotRecord(id=change.live_id or change.client, client=change.client, managed_by=change.source, **row)
