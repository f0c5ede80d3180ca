"""What is deleted once its retention is over, and what is kept: a pass over a store of either kind."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, insert

from runtime.content.parts import Content, Text, Voice
from runtime.dispatch.retention import CROWDED_SECONDS, KEY, KIND, Retentions
from runtime.dispatch.timers import Timers
from runtime.observability.metrics import Metrics
from runtime.reports.figures import read_figures
from runtime.reports.month import month_of
from runtime.store.catalog import put_bot
from runtime.store.codec import dump_json
from runtime.store.database.compact import compact
from runtime.store.database.database import open_database
from runtime.store.database.engine import open_engine
from runtime.store.database.migrate import open_migrated
from runtime.store.database.times import timestamp
from runtime.store.errors import StoreError
from runtime.store.messages import inbox
from runtime.store.messages.content import load_content
from runtime.store.messages.inbox import InboundMessage
from runtime.store.records import BotRecord
from runtime.store.retention.runs import list_runs
from runtime.store.tables import campaign_rows, campaigns, items, outbox, turns
from runtime.store.timers import Timer
from runtime.store.usage.reporting import reading
from tests.runtime.month_rows import rows
from tests.runtime.stores import make_file, new_store

NOW = datetime.now(UTC)
OLD, NEW = timedelta(days=200), timedelta(days=20)
Json = dict[str, Any]


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=[pytest.mark.postgres, pytest.mark.long])])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    with new_store(request.param, tmp_path) as made:
        yield made


class Shop:
    """A client with people who wrote to it."""

    def __init__(self, url: str, retention: Json | None, bot_id: str = "bot", number: str = "+56961234501") -> None:
        self.url, self.bot_id = url, bot_id
        policy = {"version": 1, "data": {"retention": retention}} if retention else {}
        with self.store() as store:
            put_bot(store, BotRecord(bot_id, "Bot", number, instructions="I", model="m", client=bot_id, policy=policy))

    @contextmanager
    def store(self) -> Iterator[Connection]:
        """A transaction."""
        engine = open_engine(self.url)
        with engine.begin() as connection:
            yield connection
        engine.dispose()

    def wrote(self, user: str, ago: timedelta, state: str = "answered", content: Content | None = None) -> int:
        """A message with its turn, the memory and the answer; its id."""
        at = timestamp((NOW - ago).timestamp())
        said = content or Content((Text(f"Hola de {user}"),))
        with self.store() as store:
            sid = f"SM{self.bot_id}{user}{at}"
            message = InboundMessage("AC1", sid, self.bot_id, f"whatsapp:{user}", f"whatsapp:{user}", said, "{}")
            stored = inbox.store_message(store, message)
            assert stored is not None
            turn_state = {"answered": "answered", "dead": "dead", "dropped": "dropped", "open": "running"}[state]
            made = insert(turns).values(
                conversation_id=stored.conversation_id,
                bot_id=self.bot_id,
                state=turn_state,
                starts=1,
                started_at=at,
                finished_at=None if state == "open" else at,
                error="E" if "d" in state[:1] else None,
            )
            key: Any = store.execute(made).inserted_primary_key
            turn_id = int(key[0])
            store.exec_driver_sql(
                f"UPDATE inbox SET received_at = '{at}', state = '{state}', turn_id = {turn_id}"
                f" WHERE id = {stored.inbox_id}"
            )
            store.exec_driver_sql(f"UPDATE conversations SET created_at = '{at}' WHERE created_at > '{at}'")
            item = dump_json({"role": "user", "content": text_of(said)})
            store.execute(
                insert(items).values(
                    conversation_id=stored.conversation_id, turn_id=turn_id, item=item, tokens=3, created_at=at
                )
            )
            if state == "answered":
                store.execute(
                    insert(outbox).values(
                        turn_id=turn_id,
                        conversation_id=stored.conversation_id,
                        bot_id=self.bot_id,
                        part=0,
                        account_sid="AC1",
                        sender="",
                        recipient=f"whatsapp:{user}",
                        body="Buenas",
                        channel="rest",
                        state="sent",
                        message_sid=f"{sid}out",
                        created_at=at,
                        claimed_at=at,
                    )
                )
        return stored.inbox_id

    def count(self, table: str) -> int:
        """Rows of this bot's, or of its conversations."""
        of = (
            "bot_id = 'bot'"
            if table in ("inbox", "outbox", "turns", "conversations", "conversation_aliases")
            else "1=1"
        )
        with self.store() as store:
            return int(store.exec_driver_sql(f"SELECT count(*) FROM {table} WHERE {of}").scalar_one())

    def counts(self) -> list[int]:
        return [self.count(table) for table in ("inbox", "outbox", "turns", "items", "conversations")]


def text_of(content: Content) -> str:
    part = content.parts[0]
    return f"[voice note, transcribed] {part.text}" if isinstance(part, Voice) else str(getattr(part, "text", ""))


def swept(url: str, *, runs: int = 1000, payload: Mapping[str, Any] | None = None) -> Mapping[str, Any]:
    """Runs the timer until its pass has ended, or `runs` times; returns what the timer keeps."""

    async def sweep() -> Mapping[str, Any]:
        database = await open_database(url)
        try:
            metrics = Metrics()
            retentions = Retentions(database, Timers(database, metrics), metrics, "America/Santiago")
            kept = payload or {}
            for _ in range(runs):
                again = await retentions.run(Timer(KIND, KEY, kept, "", 1, 1, "test"))
                kept = again.payload
                if again.seconds >= CROWDED_SECONDS:
                    break
            return kept
        finally:
            await database.close()

    return asyncio.run(sweep())


def test_what_is_over_goes_and_the_rest_stays(url: str) -> None:
    shop = Shop(url, {"messages": "180d"})
    for user in ("+56911111111", "+56922222222"):
        shop.wrote(user, OLD)
    shop.wrote("+56922222222", NEW)

    swept(url)

    assert shop.counts() == [1, 1, 1, 1, 2]
    with shop.store() as store:
        left = store.exec_driver_sql("SELECT user_key, phone FROM conversations ORDER BY id").all()
        [run] = list_runs(store, "bot")
    assert [tuple(row) for row in left] == [("", None), ("whatsapp:+56922222222", "whatsapp:+56922222222")]
    assert run.deleted == {"messages": 2, "sent": 2, "turns": 2, "memory": 2, "people": 1}
    assert run.retention == {"messages": "180d"}
    assert run.ended_at is not None

    swept(url)
    assert shop.count("conversations") == 1


def test_nothing_goes_that_is_not_declared(url: str) -> None:
    shop = Shop(url, None)
    Shop(url, {"messages": "180d"}, "other", "+56961234502")
    shop.wrote("+56911111111", OLD)
    before = shop.counts()
    swept(url)
    assert shop.counts() == before


@pytest.mark.parametrize("state", ["open", "dead"])
def test_what_is_open_stays_however_old_it_is(url: str, state: str) -> None:
    shop = Shop(url, {"messages": "180d", "dead_letters": "30d"})
    shop.wrote("+56911111111", OLD, state)
    swept(url)
    assert shop.counts() == [1, 0, 1, 1, 1]
    with shop.store() as store:
        [run] = list_runs(store, "bot")
    assert run.deleted == {}
    assert run.kept == {"open": 1} if state == "open" else {"dead_letters": 1}


def test_a_dropped_dead_letter_has_a_retention_of_its_own(url: str) -> None:
    shop = Shop(url, {"dead_letters": "30d"})
    shop.wrote("+56911111111", timedelta(days=90), "dropped")
    shop.wrote("+56922222222", timedelta(days=90))
    swept(url)
    assert [shop.count(table) for table in ("inbox", "turns", "outbox")] == [1, 1, 1]


def test_messages_of_the_month_that_is_not_over_are_emptied_for_its_report(url: str) -> None:
    shop = Shop(url, {"messages": "2d"})
    # Of this month or the last, of which the report is settled a day after its end.
    shop.wrote("+56911111111", timedelta(days=2, seconds=5))
    swept(url)
    with shop.store() as store:
        rows_left = store.exec_driver_sql("SELECT body, sender, params, content FROM inbox").all()
        sent = store.exec_driver_sql("SELECT body, recipient FROM outbox").all()
        memory = store.exec_driver_sql("SELECT count(*) FROM items").scalar_one()
    assert memory == 0
    assert all(tuple(row) == ("", "", "{}", None) for row in rows_left)
    assert all(tuple(row) == ("", "") for row in sent)


def test_a_report_says_the_same_before_and_after(url: str) -> None:
    month = month_of(NOW - OLD)
    shop = Shop(url, {"messages": "60d"})
    for user, days in (("+56911111111", 200), ("+56922222222", 200), ("+56911111111", 199)):
        shop.wrote(user, timedelta(days=days))
    shop.wrote("+56933333333", timedelta(days=200), "dropped")

    def figures() -> Any:
        with reading(url) as reader:
            return read_figures(reader, "bot", month, "America/Santiago", NOW)

    before = figures()
    swept(url)
    assert shop.count("inbox") == 0
    assert figures() == before
    assert before.traffic.received == 4


def test_an_interrupted_pass_continues_where_it_was(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    shop = Shop(url, {"messages": "180d"})
    for number in range(12):
        shop.wrote(f"+5691111111{number}", OLD)
    monkeypatch.setattr("runtime.dispatch.retention.RUN_SECONDS", 0.0)
    monkeypatch.setattr("runtime.dispatch.retention.BITE_ROWS", 10)
    payload = swept(url, runs=2)
    assert 0 < shop.count("inbox") < 12
    # The process crashes after this.
    monkeypatch.setattr("runtime.dispatch.retention.RUN_SECONDS", 10.0)
    swept(url, payload=payload)
    assert shop.counts()[:4] == [0, 0, 0, 0]
    with shop.store() as store:
        [run] = list_runs(store, "bot")
    assert run.deleted == {"messages": 12, "sent": 12, "turns": 12, "memory": 12, "people": 12}


def test_who_wants_no_messages_is_still_known(url: str) -> None:
    shop = Shop(url, {"messages": "180d"})
    shop.wrote("+56911111111", OLD)
    with shop.store() as store:
        store.exec_driver_sql(f"UPDATE conversations SET opted_out_at = '{timestamp((NOW - OLD).timestamp())}'")
    swept(url)
    assert [shop.count("inbox"), shop.count("conversation_aliases")] == [0, 1]


def test_a_transcript_goes_before_its_message(url: str) -> None:
    shop = Shop(url, {"messages": "180d", "transcripts": "30d"})
    note = Content((Voice("https://api.twilio.com/x", "audio/ogg", text="me duele la muela"),))
    old = shop.wrote("+56911111111", timedelta(days=40), content=note)
    waiting = shop.wrote("+56922222222", timedelta(days=40), "open", content=note)
    new = shop.wrote("+56911111111", timedelta(days=20), content=note)

    kept = swept(url)

    def said(id_: int) -> str | None:
        with shop.store() as store:
            row: Any = store.exec_driver_sql(f"SELECT content, body, params FROM inbox WHERE id = {id_}").one()
        [part] = load_content(*row).parts
        assert isinstance(part, Voice)
        assert (part.text or "") in row[1]
        return part.text

    assert [said(one) for one in (old, waiting, new)] == [None, "me duele la muela", "me duele la muela"]
    with shop.store() as store:
        texts = [text for (text,) in store.exec_driver_sql("SELECT item FROM items ORDER BY id")]
        store.exec_driver_sql(f"UPDATE inbox SET state = 'answered' WHERE id = {waiting}")
    assert ["muela" in text for text in texts] == [False, True, True]
    swept(url, payload=kept)
    assert said(waiting) is None


def test_the_people_of_a_campaign_go_and_its_counts_stay(url: str) -> None:
    shop = Shop(url, {"messages": "180d"})
    with shop.store() as store:
        for state in ("done", "running"):
            at = timestamp((NOW - OLD).timestamp())
            store.execute(
                insert(campaigns).values(
                    id=state,
                    bot_id="bot",
                    template="t",
                    basis="b",
                    created_by="c",
                    created_at=at,
                    state=state,
                    unit_cost=1,
                    is_quiet_at_night=False,
                )
            )
            for line in (1, 2):
                store.execute(
                    insert(campaign_rows).values(
                        campaign_id=state,
                        line=line,
                        recipient=f"+5691111111{line}",
                        variables='{"n":"Ana"}',
                        state="sent",
                    )
                )
    swept(url)
    with shop.store() as store:
        query = "SELECT campaign_id, recipient, variables FROM campaign_rows ORDER BY campaign_id, line"
        left = [tuple(row) for row in store.exec_driver_sql(query)]
    assert left[:2] == [("done", "deleted:1", "{}"), ("done", "deleted:2", "{}")]
    assert [row[1] for row in left[2:]] == ["+56911111111", "+56911111112"]


def test_the_ledger_keeps_its_sums(url: str) -> None:
    month = month_of(NOW - OLD)
    with rows(url) as add:
        policy = {"version": 1, "data": {"retention": {"usage": "90d"}}}
        add.bot(policy=policy)
        ana = add.person()
        for second in range(5):
            add.message(timestamp((NOW - OLD + timedelta(seconds=second)).timestamp()), ana)
        add.message(timestamp((NOW - NEW).timestamp()), ana)

    def money() -> Any:
        with reading(url) as reader:
            return reader.totals("la-cocina", str(month)), reader.first_message("la-cocina"), reader.months("la-cocina")

    def singles(store: Connection) -> int:
        return int(store.exec_driver_sql("SELECT count(*) FROM usage WHERE inbox_id IS NOT NULL").scalar_one())

    before = money()
    swept(url)
    assert money() == before
    with rows(url) as add:
        assert singles(add.connection) == 1


def big(user: str, number: int) -> Content:
    return Content((Text(f"{user} {number} " + "a lot of words " * 200),))


def with_many(url: str, count: int = 120) -> Shop:
    shop = Shop(url, {"messages": "180d"})
    for number in range(count):
        shop.wrote("+56911111111", OLD + timedelta(seconds=number), content=big("ana", number))
    return shop


def test_the_file_of_a_new_store_shrinks(tmp_path: Path) -> None:
    url, file = f"sqlite:///{tmp_path}/store.db", tmp_path / "store.db"
    make_file(file)
    with_many(url)
    before = file.stat().st_size
    swept(url)
    assert file.stat().st_size < before / 2
    assert b"a lot of words" not in file.read_bytes()


@pytest.mark.long
def test_the_file_of_an_older_store_shrinks_once_it_was_compacted(tmp_path: Path) -> None:
    url, file = f"sqlite:///{tmp_path}/store.db", tmp_path / "store.db"
    with closing(sqlite3.connect(file)) as older:
        older.execute("CREATE TABLE before (a)")
    open_migrated(url).dispose()
    with_many(url)
    before = file.stat().st_size
    swept(url)
    assert file.stat().st_size == before

    sizes = compact(url)

    assert (sizes.before, sizes.after) == (before, file.stat().st_size)
    assert sizes.after < before / 2
    shop = with_many(url)
    grown = file.stat().st_size
    swept(url)
    assert file.stat().st_size < grown / 2
    assert shop.count("inbox") == 0


def test_a_store_that_is_served_is_not_rewritten(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/store.db"

    async def serve_and_compact() -> None:
        database = await open_database(url)
        try:
            with pytest.raises(StoreError, match="Another process already serves the store"):
                compact(url)
        finally:
            await database.close()

    asyncio.run(serve_and_compact())
