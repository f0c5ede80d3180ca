"""Erases what there is of a client whose bots are deleted: its conversations a few at a time, then the rest. Functions
over a connection.

    next_conversations ──► forget (their words) ──► elsewhere ──► drop (their rows) ──► … ──► finish: the receipt

It begins where it was interrupted. The ledger's amounts, the audit, receipts and the register of requests stay: none
leads to a person but by a keyed hash.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection

from runtime.store import catalog, former_bots
from runtime.store.audit import Actor, Entry, record
from runtime.store.database.overwriting import overwriting
from runtime.store.database.statement import Statement
from runtime.store.messages import erasure, people, receipts, unfinished_erasures
from runtime.store.messages.erasure import ErasedUser
from runtime.store.messages.receipts import PersonReceipt
from runtime.store.messages.unfinished_erasures import ErasureToContinue

AT_ONCE: Final = 20
"""Conversations of one transaction."""
EXPORTED: Final = "handed_back"
"""What the receipt of an export is called."""
ERASED: Final = "client_erased"


@dataclass(frozen=True, slots=True)
class ClientContents:
    """What there is of a client; no content."""

    client: str
    bots: Sequence[str]
    """Those that still answer: nothing is erased while there are any."""
    former: Sequence[str]
    """The ids of its deleted bots."""
    counts: Mapping[str, int]
    """How many of what goes."""
    exported: PersonReceipt | None
    """The last receipt of an export."""

    @property
    def is_known(self) -> bool:
        """Whether there is anything that goes."""
        return bool(self.bots or any(self.counts.values()))


_OF_BOT: Final[Mapping[str, str]] = {
    "conversations": "SELECT count(*) FROM conversations WHERE bot_id = :bot_id",
    "messages": "SELECT count(*) FROM inbox WHERE bot_id = :bot_id",
    "messages to people": "SELECT count(*) FROM outbox WHERE bot_id = :bot_id",
    "campaigns": "SELECT count(*) FROM campaigns WHERE bot_id = :bot_id",
    "people on lists": "SELECT count(*) FROM campaign_rows WHERE campaign_id IN"
    " (SELECT id FROM campaigns WHERE bot_id = :bot_id)",
}
_OF_CLIENT: Final[Mapping[str, str]] = {
    "blocks and opt-outs": "SELECT count(*) FROM person_marks WHERE client = :client",
    "months of reports": "SELECT count(*) FROM rolled_up_months WHERE client = :client",
}
COUNTS = {name: Statement(sql) for name, sql in {**_OF_BOT, **_OF_CLIENT}.items()}
USED_BOTS = Statement("SELECT DISTINCT bot_id FROM usage WHERE client = :client AND bot_id IS NOT NULL")
OTHERS = Statement("SELECT 1 FROM bots WHERE id = :bot_id AND coalesce(client, id) <> :client")
CONVERSATIONS = Statement(
    "SELECT id FROM conversations WHERE bot_id = :bot_id AND id > :after ORDER BY id LIMIT :limit"
)
REST_OF_BOT = (
    Statement("DELETE FROM outbox WHERE bot_id = :bot_id"),
    Statement("DELETE FROM campaign_rows WHERE campaign_id IN (SELECT id FROM campaigns WHERE bot_id = :bot_id)"),
    Statement("DELETE FROM campaigns WHERE bot_id = :bot_id"),
    Statement("DELETE FROM handovers WHERE bot_id = :bot_id"),
)
REST_OF_CLIENT = (
    Statement("DELETE FROM report_links WHERE client = :client"),
    Statement("DELETE FROM reconcile_reports WHERE client = :client"),
    Statement("DELETE FROM person_marks WHERE client = :client"),
    Statement("DELETE FROM rolled_up_months WHERE client = :client"),
    Statement("DELETE FROM retention_runs WHERE client = :client"),
    Statement("DELETE FROM budget_allotments WHERE client = :client"),
    Statement("DELETE FROM budget_warnings WHERE client = :client"),
)
REST_OF_NUMBER = (
    Statement("DELETE FROM sender_ratings WHERE number = :number"),
    Statement("DELETE FROM free_service_messages WHERE number = :number"),
)


def contents_of(connection: Connection, client: str) -> ClientContents:
    """What there is of a client."""
    bots = [bot.id for bot in catalog.bots_of_client(connection, client)]
    former = bots_of(connection, client)
    counts = {name: sum(int(COUNTS[name].one(connection, bot_id=bot_id)[0]) for bot_id in former) for name in _OF_BOT}
    counts |= {name: int(COUNTS[name].one(connection, client=client)[0]) for name in _OF_CLIENT}
    exports = [one for one in receipts.receipts_of_client(connection, client) if one.document["action"] == EXPORTED]
    return ClientContents(client, bots, former, counts, exports[-1] if exports else None)


def bots_of(connection: Connection, client: str) -> list[str]:
    """The ids of all bots that a client has or had, which none of another client's bots has now."""
    used = {str(bot_id) for (bot_id,) in USED_BOTS.rows(connection, client=client)}
    found = used | set(people.bots_of(connection, [client]))
    return sorted(one for one in found if OTHERS.first(connection, bot_id=one, client=client) is None)


def next_conversations(connection: Connection, bot_id: str, after: int) -> list[int]:
    """The ids of the next conversations of a bot."""
    return [int(id_) for (id_,) in CONVERSATIONS.rows(connection, bot_id=bot_id, after=after, limit=AT_ONCE)]


def forget(connection: Connection, conversation_ids: Sequence[int]) -> list[ErasedUser]:
    """Deletes what was said in conversations; returns what leads to the rest elsewhere."""
    with overwriting(connection):
        return erasure.forget_conversations(connection, conversation_ids)


def drop(connection: Connection, conversation_ids: Collection[int]) -> None:
    """Deletes all rows of conversations of which nothing is left elsewhere."""
    erasure.drop_conversations(connection, conversation_ids)


def finish(
    connection: Connection,
    found: ClientContents,
    numbers: Sequence[str],
    left: Collection[int],
    actor: Actor,
    facts: Mapping[str, Any],
) -> PersonReceipt:
    """Deletes what else there is of a client, and issues the receipt. What is left elsewhere (`left`: ids of
    conversations; `facts["left"]`: why) is deleted by a timer. `numbers`: of its bots, as addresses."""
    client = found.client
    with overwriting(connection):
        for bot_id in found.former:
            for statement in REST_OF_BOT:
                statement.run(connection, bot_id=bot_id)
        for statement in REST_OF_CLIENT:
            statement.run(connection, client=client)
        for number in numbers:
            for statement in REST_OF_NUMBER:
                statement.run(connection, number=number.removeprefix("whatsapp:"))
    record(connection, actor, Entry("erased", "client", client, client))
    receipt = receipts.issue(connection, action=ERASED, by=actor.name, client=client, people=(), facts=facts)
    if facts["left"]:
        unfinished_erasures.put(
            connection,
            numbers[0] if numbers else client,
            ErasureToContinue(
                addresses=numbers,
                conversations=sorted(left),
                client=client,
                clients=[client],
                since=receipt.at,
                by=actor.name,
                is_at_twilio=bool(numbers),
                receipt=receipt.number,
                left=facts["left"],
                is_of_client=True,
            ),
        )
    else:
        end(connection, client)
    return receipt


def end(connection: Connection, client: str) -> None:
    """Nothing is left of a client anywhere."""
    for bot in former_bots.former_bots(connection, client):
        former_bots.drop(connection, bot.id)
