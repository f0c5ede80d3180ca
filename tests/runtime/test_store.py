"""One bot store, three ways in: each behaves the same for the reconciler."""

import os
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path

import pytest

from runtime.store.client.history import read_runs
from runtime.store.client.snapshot import read_snapshot
from runtime.store.client.writer import StoreWriter, open_writer
from runtime.store.errors import (
    FileDiffers,
    FileTooLarge,
    LeaseHeld,
    LeaseLost,
    NumberTaken,
    RunDiffers,
    StoreError,
    StoreRefused,
    StoreUnreachable,
)
from runtime.store.history_records import NoticeRecord, RunRecord
from runtime.store.records import AppliedRecord, AssistantRecord, BotRecord
from tests.runtime.stores import drop_database, make_database
from tests.runtime_process import API_TOKEN, start_runtime
from tests.sandbox_process import Sandbox


@dataclass(frozen=True, slots=True)
class Way:
    """A way into a store."""

    url: str
    token: str | None = None


@pytest.fixture(
    scope="module",
    params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres), "api"],
)
def way(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, sandbox_process: Sandbox
) -> Iterator[Way]:
    folder = tmp_path_factory.mktemp("store")
    if request.param == "sqlite":
        yield Way(f"sqlite:///{folder}/store.db")
    elif request.param == "postgresql":
        url = make_database()
        yield Way(url)
        drop_database(url)
    else:
        runtime = start_runtime(folder, sandbox_process)
        yield Way(runtime.url, API_TOKEN)
        runtime.stop()


@pytest.fixture
def writer(way: Way) -> Iterator[StoreWriter]:
    opened = open_writer(way.url, way.token)
    for bot in read_snapshot(way.url, way.token).bots:
        opened.delete_bot(bot.id)
    yield opened
    opened.close()


def test_what_is_put_is_read_back(way: Way, writer: StoreWriter) -> None:
    assistant = AssistantRecord(
        id="la-cocina",
        name="La Cocina",
        instructions="Eres…\n",
        model="gpt-6-luna",
        tools=[{"type": "web_search", "user_location": {"type": "approximate", "country": "CL"}}],
        settings={"reasoning_effort": "none", "max_output_tokens": 800},
        metadata={"cliente": "Ñandú"},
        client="la-cocina",
        managed_by="clients.d/la-cocina.yaml",
    )
    bot = BotRecord(
        id="la-cocina",
        name="La Cocina",
        twilio_phone_number="+15551234567",
        assistant_id="la-cocina",
        state="paused",
        account_sid="AC" + "0" * 32,
        auth_token_env="SU_TOKEN",
        fallback_message="Disculpa.",
        functions={"reservar": {"url": "https://api.lacocina.cl", "secret_env": "SU_SECRETO", "timeout_seconds": 5.0}},
        metadata={"cliente": "Ñandú"},
        policy={"version": 1, "memory": {"items": 20}, "horario": {"lun": ["09:00-13:00"]}},
        protected=True,
        client="la-cocina",
        managed_by="clients.d/la-cocina.yaml",
    )
    stored_assistant, stored_bot = writer.put_assistant(assistant), writer.put_bot(bot)
    snapshot = read_snapshot(way.url, way.token)
    assert list(snapshot.assistants) == [stored_assistant]
    assert list(snapshot.bots) == [stored_bot]
    assert replace(stored_bot, version=1, created_at="", updated_at="") == bot
    assert replace(stored_assistant, version=1, created_at="", updated_at="") == assistant
    writer.delete_assistant("la-cocina")


def test_the_bytes_of_a_file_are_stored_under_their_hash_and_no_others(way: Way, writer: StoreWriter) -> None:
    content = os.urandom(5_000_001)
    named = sha256(content).hexdigest()
    assert not writer.has_file(named)
    with pytest.raises(FileDiffers, match=named):
        writer.put_file(named, [content[1:]])
    assert not writer.has_file(named)
    for _ in range(2):
        writer.put_file(named, [content[:1_000], content[1_000:]])
        assert writer.has_file(named)
    assert writer.delete_unnamed_files() == 0
    assert writer.has_file(named)


def test_a_file_that_whatsapp_does_not_take_is_refused(writer: StoreWriter) -> None:
    with pytest.raises(FileTooLarge, match="16,000,000"):
        writer.put_file("0" * 64, [bytes(8_000_000), bytes(8_000_001)])
    assert not writer.has_file("0" * 64)


def test_a_second_put_replaces_whole_and_counts_up(way: Way, writer: StoreWriter) -> None:
    first = writer.put_bot(BotRecord(id="b", name="uno", twilio_phone_number="+15550000001", fallback_message="x"))
    second = writer.put_bot(BotRecord(id="b", name="dos", twilio_phone_number="+15550000001"))
    assert (second.version, second.fallback_message) == (first.version + 1, None)
    assert second.created_at == first.created_at


def test_a_number_belongs_to_one_bot(writer: StoreWriter) -> None:
    writer.put_bot(BotRecord(id="first", name="uno", twilio_phone_number="+15550000002"))
    with pytest.raises(NumberTaken, match="'first'") as taken:
        writer.put_bot(BotRecord(id="second", name="dos", twilio_phone_number="+15550000002"))
    assert taken.value.bot_id == "first"


def test_bots_exchange_their_numbers_at_one_moment(way: Way, writer: StoreWriter) -> None:
    numbers = {"a": "+56911110001", "b": "+56911110002", "c": "+56911110003"}
    for bot_id, number in numbers.items():
        writer.put_bot(BotRecord(bot_id, bot_id, number))
    exchanged = {"a": numbers["b"], "b": numbers["a"], "c": numbers["c"]}
    for _ in range(2):
        writer.move_numbers({**exchanged, "gone": "+56911110009"})
        bots = read_snapshot(way.url, way.token).bots
        assert {bot.id: bot.twilio_phone_number for bot in bots} == exchanged
        assert {bot.id: bot.version for bot in bots} == {"a": 2, "b": 2, "c": 1}
    with pytest.raises(NumberTaken, match=r"\+56911110003 already belongs to the bot 'c'"):
        writer.move_numbers({"a": numbers["a"], "b": numbers["c"]})
    assert {bot.id: bot.twilio_phone_number for bot in read_snapshot(way.url, way.token).bots} == exchanged


def test_a_number_passes_to_a_bot_in_the_step_that_deletes_the_one_that_had_it(way: Way, writer: StoreWriter) -> None:
    for bot, number in (("a", "+56911110001"), ("b", "+56911110002"), ("c", "+56911110003")):
        writer.put_bot(BotRecord(id=bot, name=bot, twilio_phone_number=number))
    # A bot that has moved on meanwhile is not deleted.
    with pytest.raises(NumberTaken):
        writer.put_bot(BotRecord(id="d", name="d", twilio_phone_number="+56911110001"), "b")
    writer.put_bot(BotRecord(id="d", name="d", twilio_phone_number="+56911110001"), "a")
    writer.move_numbers({"c": "+56911110002"}, "b")
    found = {bot.id: bot.twilio_phone_number for bot in read_snapshot(way.url, way.token).bots}
    assert found == {"c": "+56911110002", "d": "+56911110001"}


def test_a_client_is_renamed_with_all_that_it_has_and_again_without_effect(way: Way, writer: StoreWriter) -> None:
    writer.put_bot(BotRecord(id="vieja", name="x", twilio_phone_number="+56911110009", client="vieja"))
    writer.put_assistant(AssistantRecord("vieja", "x", "Eres…", "gpt-6-luna", client="vieja"))
    writer.record_applied(AppliedRecord("vieja", "bot", "vieja", {"name": "x"}))
    writer.record_applied(AppliedRecord("vieja", "sender", "XE1", {}))
    writer.record_applied(AppliedRecord("nueva", "sender", "XE2", {}))
    for _ in range(2):
        writer.rename_client("vieja", "nueva", "clients.d/nueva.yaml")
    snapshot = read_snapshot(way.url, way.token)
    [bot], [assistant] = snapshot.bots, snapshot.assistants
    assert (bot.id, bot.client, bot.managed_by, bot.version) == ("vieja", "nueva", "clients.d/nueva.yaml", 2)
    assert (assistant.id, assistant.client) == ("vieja", "nueva")
    records = {(record.client, record.kind): record.live_id for record in snapshot.applied}
    assert {key: records.get(key) for key in (("nueva", "bot"), ("nueva", "sender"), ("vieja", "bot"))} == {
        ("nueva", "bot"): "vieja",
        ("nueva", "sender"): "XE2",
        ("vieja", "bot"): None,
    }
    writer.delete_assistant("vieja")
    for kind in ("bot", "sender"):
        writer.forget_applied("nueva", kind)


def test_one_of_many_at_once_gets_a_number(way: Way, writer: StoreWriter) -> None:
    def put(index: int) -> bool:
        try:
            writer.put_bot(BotRecord(id=f"racer-{index}", name="x", twilio_phone_number="+15550000003"))
        except NumberTaken:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(put, range(16))) == 1


def test_deleting_what_is_not_there_is_fine(writer: StoreWriter) -> None:
    writer.delete_bot("nobody")
    writer.delete_assistant("nobody")
    writer.forget_applied("nobody", "bot")


def test_applied_values_are_kept_replaced_and_forgotten(way: Way, writer: StoreWriter) -> None:
    writer.record_applied(AppliedRecord("b", "sender", "XE1", {"a": 1}, "2026-11-22T12:00:00Z"))
    writer.record_applied(AppliedRecord("a", "bot", "a", {"b": [1, None]}, "2026-11-22T12:00:00Z"))
    writer.record_applied(AppliedRecord("b", "sender", "XE2", {"a": 2}, "2026-11-22T13:00:00Z"))
    assert list(read_snapshot(way.url, way.token).applied) == [
        AppliedRecord("a", "bot", "a", {"b": [1, None]}, "2026-11-22T12:00:00Z"),
        AppliedRecord("b", "sender", "XE2", {"a": 2}, "2026-11-22T13:00:00Z"),
    ]
    writer.forget_applied("a", "bot")
    writer.forget_applied("b", "sender")
    assert list(read_snapshot(way.url, way.token).applied) == []


def test_the_lease_is_held_by_one_and_renewed_by_its_owner(writer: StoreWriter) -> None:
    taken = writer.acquire_lease("cron", 60)
    assert writer.renew_lease("cron", 120).expires_at > taken.expires_at
    with pytest.raises(LeaseHeld, match=r"cron.*reconcile unlock") as held:
        writer.acquire_lease("ci", 60)
    assert held.value.lease.owner == "cron"
    writer.release_lease("ci")
    with pytest.raises(LeaseHeld):
        writer.renew_lease("ci", 60)
    writer.release_lease("cron")


def test_an_expired_lease_is_free(writer: StoreWriter) -> None:
    writer.acquire_lease("dead", 0.01)
    threading.Event().wait(0.05)
    assert writer.acquire_lease("alive", 60).owner == "alive"
    writer.release_lease("alive")


def test_a_lease_that_was_forced_open_is_lost_to_its_owner(writer: StoreWriter) -> None:
    writer.acquire_lease("slow", 60)
    writer.release_lease("operator", force=True)
    with pytest.raises(LeaseLost, match="slow"):
        writer.renew_lease("slow", 60)


def test_one_of_many_at_once_gets_the_lease(writer: StoreWriter) -> None:
    def acquire(index: int) -> str | None:
        try:
            return writer.acquire_lease(f"run-{index}", 60).owner
        except LeaseHeld:
            return None

    with ThreadPoolExecutor(8) as pool:
        winners = [owner for owner in pool.map(acquire, range(16)) if owner]
    assert len(winners) == 1
    writer.release_lease(winners[0])


def test_a_run_is_recorded_from_its_begin_to_its_end(writer: StoreWriter) -> None:
    begun = RunRecord(id="r1", started_at="2026-11-22T12:00:00.000Z", actor="ci", digest="d", git_sha="abc", changes=[])
    writer.start_run(begun)
    assert writer.runs()[0] == begun
    change = {"client": "a", "kind": "bot", "action": "create", "outcome": "applied", "error": None}
    ended = replace(begun, finished_at="2026-11-22T12:01:00.000Z", outcome="applied", changes=[change])
    writer.finish_run(ended)
    writer.start_run(RunRecord(id="r2", started_at="2026-11-22T13:00:00.000Z", actor="cron", digest="e"))
    assert [run.id for run in writer.runs()][:2] == ["r2", "r1"]
    assert writer.runs(limit=2)[1] == ended


def test_a_run_that_is_recorded_again_is_one_and_another_under_its_id_is_refused(way: Way, writer: StoreWriter) -> None:
    run = RunRecord(id="repetida", started_at="2026-11-22T12:00:00Z", actor="ci", digest="abc", git_sha="0123456")
    writer.start_run(run)
    change = {"client": "a", "kind": "bot", "action": "create", "key": "+56", "outcome": "applied", "error": None}
    ended = replace(run, finished_at="2026-11-22T12:01:00Z", outcome="applied", changes=[change])
    writer.finish_run(ended)
    for again in (run, ended):
        writer.start_run(again)
    for field, value in (("digest", "abd"), ("git_sha", None), ("outcome", "partial")):
        with pytest.raises(RunDiffers, match=f"'repetida' is recorded already, with another {field}"):
            writer.start_run(replace(run, **{field: value}))
    assert [(found.finished_at, found.outcome) for found in writer.runs() if found.id == run.id] == [
        (ended.finished_at, "applied")
    ]


def test_a_finding_is_claimed_by_one_until_it_is_recorded_released_or_too_long_ago(writer: StoreWriter) -> None:
    def claim(owner: str, fingerprint: str | None = "f", seconds: float = 60) -> bool:
        return writer.claim_notice("canal", "a/bot/+56", fingerprint, owner, seconds)

    assert [claim("uno", seconds=0.001), claim("dos"), claim("dos"), claim("uno")] == [True, True, True, False]
    writer.release_claim("canal", "a/bot/+56", "uno")
    assert not claim("uno")
    writer.release_claim("canal", "a/bot/+56", "dos")
    assert claim("uno")
    writer.put_notice(NoticeRecord("canal", "a/bot/+56", "f", "2026-11-22T12:00:00Z"))
    assert [claim("dos"), claim("dos", "another")] == [False, True]
    writer.release_claim("canal", "a/bot/+56", "dos")
    assert [claim("uno", None), claim("dos", None)] == [True, False]
    writer.forget_notice("canal", "a/bot/+56")
    assert not claim("dos", None)


def test_one_of_many_at_once_claims_a_finding(writer: StoreWriter) -> None:
    start = threading.Barrier(4)

    def claim(owner: int) -> bool:
        start.wait()
        return writer.claim_notice("canal", "b/bot/+56", "f", str(owner), 60)

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(claim, range(4))) == [False, False, False, True]


def test_runs_of_one_second_and_of_a_clock_set_back_are_listed_as_they_began(way: Way, writer: StoreWriter) -> None:
    for run_id, second in (("r9", 5), ("r7", 5), ("r8", 5), ("r10", 4)):
        writer.start_run(RunRecord(id=run_id, started_at=f"2026-11-22T14:00:0{second}Z", actor="ci", digest="d"))
    assert [run.id for run in writer.runs(limit=4)] == ["r10", "r8", "r7", "r9"]
    assert [run.id for run in read_runs(way.url, way.token, limit=4)] == ["r10", "r8", "r7", "r9"]


def test_more_bots_than_fit_on_a_page_are_all_read(way: Way, writer: StoreWriter) -> None:
    if way.token is None:
        pytest.skip("only the API has pages")

    def put(index: int) -> None:
        writer.put_bot(BotRecord(id=f"bot-{index:04d}", name="x", twilio_phone_number=f"+1555{index:07d}"))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(put, range(1001)))
    read = [bot.id for bot in read_snapshot(way.url, way.token).bots]
    assert read == [f"bot-{index:04d}" for index in range(1001)]


def test_a_store_that_does_not_exist_is_empty_and_not_made_by_reading(tmp_path: Path) -> None:
    snapshot = read_snapshot(f"sqlite:///{tmp_path}/no/store.db")
    assert (snapshot.exists, list(snapshot.bots)) == (False, [])
    assert list(tmp_path.iterdir()) == []


def test_a_wrong_token_is_refused(way: Way) -> None:
    if way.token is None:
        pytest.skip("only the API has tokens")
    with pytest.raises(StoreRefused, match="API_TOKEN"):
        read_snapshot(way.url, "wrong")
    refused = open_writer(way.url, "wrong")
    with pytest.raises(StoreRefused, match="API_TOKEN"):
        refused.acquire_lease("x", 1)
    refused.close()


@pytest.mark.parametrize("url", ["http://127.0.0.1:1", "postgresql://bot:s3cret@127.0.0.1:1/bots"])
def test_a_store_that_is_down_is_unreachable_and_its_password_unseen(url: str) -> None:
    with pytest.raises(StoreUnreachable, match="cannot be reached") as down:
        read_snapshot(url, "token", timeout=2)
    assert "s3cret" not in str(down.value)


def test_a_token_is_not_sent_in_the_clear() -> None:
    with pytest.raises(StoreError, match="https://"):
        read_snapshot("http://whatsapp.example.cl", "token")


def test_a_file_that_is_no_store_is_said_to_be_none(tmp_path: Path) -> None:
    (tmp_path / "store.db").write_text("no soy una base de datos, soy un texto" * 50)
    with pytest.raises(StoreUnreachable, match="bot store"):
        read_snapshot(f"sqlite:///{tmp_path}/store.db")
