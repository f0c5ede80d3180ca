"""Assistants and bots as rows: plain functions over a connection, called inside the caller's transaction.

Every change increments the catalog's version. That row is locked first, so that writers are serialized and what they
checked is still true when they write.
"""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import replace
from typing import TypeVar

from sqlalchemy import Connection, Table, delete, func, insert, select, update

from runtime.store import canaries, former_bots
from runtime.store.codec import columns, from_rows, in_order, read_rows, to_row
from runtime.store.database.times import timestamp
from runtime.store.errors import NumberTaken
from runtime.store.records import AssistantRecord, BotRecord, DamagedRecord
from runtime.store.tables import assistants, bots, catalog, handovers

Entry = TypeVar("Entry", AssistantRecord, BotRecord)

TABLES: Mapping[type, Table] = {AssistantRecord: assistants, BotRecord: bots}


def catalog_version(connection: Connection) -> int:
    """The number of changes of bots and assistants since the store was created."""
    return int(connection.exec_driver_sql("SELECT version FROM catalog").scalar_one())


def user_salt(connection: Connection) -> str:
    """The key of the hashes under which providers know users."""
    return str(connection.execute(select(catalog.c.salt)).scalar_one())


def get(
    connection: Connection, kind: type[Entry], object_id: str, clients: AbstractSet[str] | None = None
) -> Entry | None:
    """The bot or the assistant with that id; None also for one that is of none of `clients`, where those are given."""
    record = _get(connection, kind, TABLES[kind], object_id)
    return record if record is None or clients is None or record.label in clients else None


def put(connection: Connection, record: Entry, replacing: str | None = None) -> Entry:
    """Creates or replaces a bot or an assistant, see `put_bot`; raises NumberTaken."""
    if isinstance(record, BotRecord):
        return put_bot(connection, record, replacing)
    return put_assistant(connection, record)


def remove(connection: Connection, kind: type[Entry], object_id: str) -> None:
    """Removes the bot or the assistant with that id; one that does not exist is ignored. A bot's conversations stay."""
    count_up(connection)
    former = _get(connection, kind, TABLES[kind], object_id)
    connection.execute(delete(TABLES[kind]).where(TABLES[kind].c.id == object_id))
    if isinstance(former, BotRecord):
        former_bots.keep(connection, former)
        canaries.forget(connection, object_id)


def bot_of_number(connection: Connection, number: str) -> BotRecord | None:
    """The bot that has a number."""
    bot_id = connection.execute(select(bots.c.id).where(bots.c.twilio_phone_number == number)).scalar()
    return None if bot_id is None else get_bot(connection, bot_id)


def bot_of_account(connection: Connection, account_sid: str) -> BotRecord | None:
    """A bot in a Twilio account of its client's own; None where no bot is."""
    query = select(bots.c.id).where(bots.c.account_sid == account_sid).order_by(bots.c.id).limit(1)
    bot_id = connection.execute(query).scalar()
    return None if bot_id is None else get_bot(connection, bot_id)


def numbers(connection: Connection) -> list[str]:
    """The numbers of all bots."""
    return list(connection.execute(select(bots.c.twilio_phone_number)).scalars())


def bot_and_assistant(connection: Connection, bot_id: str) -> tuple[BotRecord, AssistantRecord | None, bool] | None:
    """A bot with its assistant, without one when the bot has its own instructions, or uses a live object; and whether
    its canary was stopped."""
    bot = get_bot(connection, bot_id)
    if bot is None:
        return None
    assistant = get_assistant(connection, bot.assistant_id) if bot.assistant_id else None
    return bot, assistant, canaries.is_stopped(connection, bot)


def get_assistant(connection: Connection, assistant_id: str) -> AssistantRecord | None:
    """The assistant with that id."""
    return _get(connection, AssistantRecord, assistants, assistant_id)


def get_bot(connection: Connection, bot_id: str) -> BotRecord | None:
    """The bot with that id."""
    return _get(connection, BotRecord, bots, bot_id)


def list_all(
    connection: Connection,
    kind: type[Entry],
    limit: int | None = None,
    after: str | None = None,
    clients: AbstractSet[str] | None = None,
) -> list[Entry | DamagedRecord]:
    """Bots or assistants by id, damaged ones included, those of `clients` where they are given; `after` is the last id
    of the previous page.

    An object belongs to its client, or to one of its own id where it was created through the API.
    """
    table = TABLES[kind]
    query = select(*(table.c[name] for name in columns(kind))).order_by(table.c.id)
    if after is not None:
        query = query.where(table.c.id > after)
    if clients is not None:
        query = query.where(func.coalesce(table.c.client, table.c.id).in_(clients))
    return in_order(kind, (tuple(row) for row in connection.execute(query.limit(limit))))


def put_assistant(connection: Connection, record: AssistantRecord) -> AssistantRecord:
    """Creates or replaces by id; the version and both timestamps are set by the store."""
    count_up(connection)
    return _put(connection, assistants, record, get_assistant(connection, record.id))


def put_bot(connection: Connection, record: BotRecord, replacing: str | None = None) -> BotRecord:
    """Creates or replaces by id; raises NumberTaken when another bot has the number, other than the one that it is
    `replacing`, which is deleted."""
    count_up(connection)
    if replacing is not None:
        _hand_over(connection, replacing, record.id, record.twilio_phone_number)
    other = connection.execute(
        select(bots.c.id).where(bots.c.twilio_phone_number == record.twilio_phone_number, bots.c.id != record.id)
    ).scalar()
    if other is not None:
        raise NumberTaken(record.twilio_phone_number, other)
    former_bots.drop(connection, record.id)
    former = get_bot(connection, record.id)
    new = _put(connection, bots, record, former)
    canaries.declared(connection, new, former)
    return new


def move_numbers(connection: Connection, numbers: Mapping[str, str], replacing: str | None = None) -> None:
    """Gives each bot its next number, all in one step, so that bots can exchange theirs. `numbers`: by the bot's id.

    A bot that has its number already, or does not exist, is skipped. Raises NumberTaken when a bot that is not among
    them has one of the numbers, other than the one that they are `replacing`, which is deleted.
    """
    count_up(connection)
    if replacing is not None:
        former = get_bot(connection, replacing)
        released = former.twilio_phone_number if former is not None else None
        successor = next((bot_id for bot_id, number in numbers.items() if number == released), None)
        if successor is not None:
            _hand_over(connection, replacing, successor, numbers[successor])
    rows = connection.execute(select(bots.c.id, bots.c.twilio_phone_number))
    held = {bot_id: number for bot_id, number in rows if bot_id in numbers or number in numbers.values()}
    for bot_id, number in held.items():
        if bot_id not in numbers:
            raise NumberTaken(number, bot_id)
    moving = {bot_id: numbers[bot_id] for bot_id, number in held.items() if numbers[bot_id] != number}
    # Numbers are unique at all times, so all bots give theirs up before any gets another's.
    for passed, targets in enumerate(({bot_id: f"moving {bot_id}" for bot_id in moving}, moving)):
        for bot_id, number in targets.items():
            connection.execute(
                update(bots)
                .where(bots.c.id == bot_id)
                .values(twilio_phone_number=number, version=bots.c.version + passed, updated_at=timestamp())
            )


def _hand_over(connection: Connection, bot_id: str, successor: str, number: str) -> None:
    """Deletes a bot, while it has the number that passes to another one; that answers what still comes in for it."""
    record = get_bot(connection, bot_id)
    former = delete(bots).where(bots.c.id == bot_id, bots.c.twilio_phone_number == number)
    if connection.execute(former).rowcount:
        if record is not None:
            former_bots.keep(connection, record)
        canaries.forget(connection, bot_id)
        connection.execute(delete(handovers).where(handovers.c.bot_id == bot_id))
        connection.execute(insert(handovers).values(bot_id=bot_id, successor=successor, at=timestamp()))


def delete_assistant(connection: Connection, assistant_id: str) -> None:
    """Removes the assistant; one that does not exist is ignored."""
    remove(connection, AssistantRecord, assistant_id)


def delete_bot(connection: Connection, bot_id: str) -> None:
    """Removes the bot; one that does not exist is ignored. Its conversations stay until their retention ends."""
    remove(connection, BotRecord, bot_id)


def rename_client(connection: Connection, former: str, client: str, managed_by: str | None) -> None:
    """Gives the bots and assistants of a client its new id, and the manifest that declares them now."""
    count_up(connection)
    former_bots.rename_client(connection, former, client)
    for table in (bots, assistants):
        connection.execute(
            update(table)
            .where(table.c.client == former)
            .values(client=client, managed_by=managed_by, version=table.c.version + 1, updated_at=timestamp())
        )


def bots_of_assistant(connection: Connection, assistant_id: str) -> list[str]:
    """Ids of the bots that an assistant answers for."""
    return list(
        connection.execute(select(bots.c.id).where(bots.c.assistant_id == assistant_id).order_by(bots.c.id)).scalars()
    )


def bot_of_each_account(connection: Connection) -> list[BotRecord]:
    """One bot for each Twilio account of the bots, the shared one first."""
    first = select(func.min(bots.c.id)).group_by(bots.c.account_sid)
    query = select(*(bots.c[name] for name in columns(BotRecord))).order_by(bots.c.id)
    found, damaged = read_rows(BotRecord, map(tuple, connection.execute(query.where(bots.c.id.in_(first)))))
    if damaged:
        found, _ = read_rows(BotRecord, map(tuple, connection.execute(query)))
    by_account = {bot.account_sid or "": bot for bot in reversed(found)}
    return [by_account[account] for account in sorted(by_account)]


def bots_of_client(connection: Connection, client: str) -> list[BotRecord]:
    """The bots of a client, or the one of that id where it was made by hand; none that are damaged."""
    found = list_all(connection, BotRecord, clients={client})
    return [bot for bot in found if isinstance(bot, BotRecord)]


def bots_with(connection: Connection, key: str) -> list[BotRecord]:
    """The bots whose policy has a key, such as `budget`; it may be a key inside of another one."""
    query = select(*(bots.c[name] for name in columns(BotRecord))).where(bots.c.policy.contains(f'"{key}":'))
    found, _ = read_rows(BotRecord, map(tuple, connection.execute(query.order_by(bots.c.id))))
    return found


def count_up(connection: Connection) -> None:
    """Increments the catalog's version, which makes every process of the runtime read what it caches again."""
    connection.execute(update(catalog).values(version=catalog.c.version + 1))


def _get(connection: Connection, kind: type[Entry], table: Table, object_id: str) -> Entry | None:
    cells = [table.c[name] for name in columns(kind)]
    row = connection.execute(select(*cells).where(table.c.id == object_id)).first()
    return None if row is None else from_rows(kind, [tuple(row)])[0]


def _put(connection: Connection, table: Table, record: Entry, old: Entry | None) -> Entry:
    now = timestamp()
    if old is None:
        new = replace(record, version=1, created_at=now, updated_at=now)
        connection.execute(insert(table).values(to_row(new)))
        connection.execute(delete(handovers).where(handovers.c.bot_id == record.id))
    else:
        new = replace(record, version=old.version + 1, created_at=old.created_at, updated_at=now)
        connection.execute(update(table).where(table.c.id == old.id).values(to_row(new)))
    return new
