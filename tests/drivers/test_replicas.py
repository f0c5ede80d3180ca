"""Replicas on PostgreSQL: any of them serves any conversation, and a crashed or silent one is replaced by the
others."""

import asyncio
import re
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from itertools import takewhile
from pathlib import Path

import procrastinate
import psycopg
import pytest
from procrastinate.jobs import Job, Status

from runtime.content.parts import Content, Text
from runtime.delivery.part_order import PART_WAIT_SECONDS
from runtime.store.database.engine import open_engine
from runtime.store.database.times import timestamp
from runtime.store.messages import jobs, turns
from runtime.store.messages.held_jobs import HeldJobs
from runtime.store.messages.inbox import InboundMessage
from runtime.store.messages.rates import wanted_of_bot
from runtime.store.messages.turn_start import begin_turn
from runtime.store.messages.turns import Ending, Turn
from tests.drivers.fleet import Fleet, answers, fleet_on
from tests.runtime.stores import drop_database, make_database
from tests.runtime_process import Runtime, inbound_fields, signed_webhook
from tests.sandbox_process import Sandbox, wait_until

pytestmark = pytest.mark.postgres


@pytest.fixture(scope="module")
def calm(tmp_path_factory: pytest.TempPathFactory, sandbox_process: Sandbox) -> Iterator[Fleet]:
    """Replicas that these tests share, none of which ends one."""
    with fleet_on("postgresql", tmp_path_factory.mktemp("calm"), sandbox_process) as fleet:
        yield fleet


@pytest.fixture
def fleet(tmp_path: Path, sandbox: Sandbox) -> Iterator[Fleet]:
    """Replicas of the test's own."""
    with fleet_on("postgresql", tmp_path, sandbox, STOP_GRACE_SECONDS="1") as fleet:
        yield fleet


def test_what_a_dead_replica_had_begun_another_one_answers(fleet: Fleet, sandbox: Sandbox) -> None:
    shop = fleet.open_line()
    users = [f"+569333333{number:02}" for number in range(8)]
    for number, user in enumerate(users):
        fleet.deliver(shop, "piensa 4s", number, user)
    fleet.wait_for_turns(shop, len(users))
    fleet.replicas[0].kill()
    for user in users:
        answers(shop, 1, user)
    assert {len(shop.outbound(user)) for user in users} == {1}


def test_what_a_stopped_replica_could_not_finish_another_one_answers(fleet: Fleet, sandbox: Sandbox) -> None:
    shop = fleet.open_line()
    users = [f"+569333333{number:02}" for number in range(8)]
    for number, user in enumerate(users):
        fleet.deliver(shop, "piensa 4s", number, user)
    fleet.wait_for_turns(shop, len(users))
    assert fleet.replicas[0].stop() == 0
    for user in users:
        answers(shop, 1, user)
    assert {len(shop.outbound(user)) for user in users} == {1}


def test_a_turn_that_ends_while_its_replica_stops_leaves_no_job(tmp_path: Path, sandbox: Sandbox) -> None:
    with fleet_on("postgresql", tmp_path, sandbox, STOP_GRACE_SECONDS="20") as fleet:
        shop = fleet.open_line()
        fleet.deliver(shop, "piensa 2s")
        fleet.wait_for_turns(shop, 1)
        with ThreadPoolExecutor() as pool:
            assert list(pool.map(Runtime.stop, fleet.replicas)) == [0, 0]
        assert len(answers(shop, 1)) == 1
        assert fleet.rows("SELECT status FROM procrastinate_jobs") == []


@pytest.mark.long
def test_a_replica_that_was_silent_for_too_long_does_not_answer_what_was_taken_from_it(
    fleet: Fleet, sandbox: Sandbox
) -> None:
    shop = fleet.open_line()
    users = [f"+569333333{number:02}" for number in range(8)]
    for number, user in enumerate(users):
        fleet.deliver(shop, "piensa 2s", number, user)
    fleet.wait_for_turns(shop, len(users))
    silent = fleet.replicas[0].process
    silent.send_signal(signal.SIGSTOP)
    try:
        for user in users:
            answers(shop, 1, user)
    finally:
        silent.send_signal(signal.SIGCONT)
    for number, user in enumerate(users):
        fleet.deliver(shop, "Hola", number, user)
        answers(shop, 2, user)
    assert {len(shop.outbound(user)) for user in users} == {2}


@pytest.mark.long
def test_a_message_that_is_delivered_again_elsewhere_is_acknowledged_at_once(tmp_path: Path, sandbox: Sandbox) -> None:
    with fleet_on("postgresql", tmp_path, sandbox, REPLY_WITHIN_SECONDS="10") as fleet:
        shop = fleet.open_line()
        sid = inbound_fields("")["MessageSid"]
        with ThreadPoolExecutor(1) as pool:
            first = pool.submit(fleet.deliver, shop, "piensa 4s", 0, MessageSid=sid)
            fleet.wait_for_turns(shop, 1)

            again = fleet.deliver(shop, "piensa 4s", 1, MessageSid=sid)

            # The model still thinks. The first webhook may be released already: then its answer is made here.
            assert not (first.done() and b"<Message>" in first.result().body)
            assert shop.outbound() == []
            assert (again.status, b"<Message>" in again.body) == (200, False)
            assert fleet.rows("SELECT count(*) FROM inbox") == [(1,)]
        # Whichever replica had the turn: the answer is in the webhook that was held open, or came by itself.
        wait_until(lambda: first.result().body.count(b"<Message>") + len(shop.outbound()) == 1, what="the answer")


@pytest.mark.long
def test_a_webhook_is_let_go_once_another_replica_makes_its_answer(tmp_path: Path, sandbox: Sandbox) -> None:
    with fleet_on("postgresql", tmp_path, sandbox, REPLY_WITHIN_SECONDS="14") as fleet:
        shop = fleet.open_line()
        users = [f"+569333333{number:02}" for number in range(8)]
        with ThreadPoolExecutor(len(users)) as pool:
            held = [pool.submit(fleet.deliver, shop, "piensa 4s", 0, user) for user in users]
            fleet.wait_for_turns(shop, len(users))
            page = fleet.replicas[1].api("GET", "/metrics").body.decode()
            found = re.search(
                rf'^horizonai_turns_in_flight\{{client="{shop.bot["id"]}"\}} (\d)\.0$', page, re.MULTILINE
            )
            elsewhere = int(found[1]) if found else 0

            wait_until(lambda: sum(webhook.done() for webhook in held) == elsewhere, what="the others to be let go")

            assert all(b"<Message>" not in webhook.result().body for webhook in held if webhook.done())
        answered = [b"<Message>" in webhook.result().body for webhook in held]
        assert answered.count(True) == len(users) - elsewhere
        for user, here in zip(users, answered, strict=True):
            wait_until(lambda user=user, here=here: len(shop.outbound(user)) == (not here), what="the answer")


def test_a_webhook_is_let_go_where_another_replica_found_that_it_needs_no_answer(
    tmp_path: Path, sandbox: Sandbox
) -> None:
    with fleet_on("postgresql", tmp_path, sandbox, REPLY_WITHIN_SECONDS="14") as fleet:
        shop = fleet.open_line()
        users = [f"+569333333{number:02}" for number in range(8)]
        for user in users:
            assert "?" not in shop.ask("Hola", user)
        wait_until(lambda: fleet.rows("SELECT count(*) FROM outbox WHERE state <> 'sent'") == [(0,)], what="the sends")
        with ThreadPoolExecutor(len(users)) as pool:
            held = [pool.submit(fleet.deliver, shop, "gracias", 0, user) for user in users]
            wait_until(lambda: all(webhook.done() for webhook in held), what="all of them to be let go")
        assert not any(b"<Message>" in webhook.result().body for webhook in held)
        # A webhook is answered when another replica has the turn, which may end later.
        ended = "SELECT count(*) FROM turns WHERE reason = 'no_reply'"
        wait_until(lambda: fleet.rows(ended) == [(len(users),)], what="the ends of all turns")
        assert shop.outbound(users[0])[1:] == []


def test_a_user_s_limit_holds_for_all_replicas_together(tmp_path: Path, sandbox: Sandbox) -> None:
    with fleet_on("postgresql", tmp_path, sandbox, RATE_PER_USER="4") as fleet:
        shop = fleet.open_line()
        for number in range(3):
            fleet.deliver(shop, f"a{number}", 0)
        for number in range(3):
            fleet.deliver(shop, f"b{number}", 1)
        fleet.deliver(shop, "otra persona", 1, "+56922222222")

        query = "SELECT body FROM inbox WHERE state = 'limited' ORDER BY id"
        assert [body for (body,) in fleet.rows(query)] == ["b1", "b2"]


def test_a_client_s_limit_holds_for_all_replicas_together(tmp_path: Path, sandbox: Sandbox) -> None:
    with fleet_on("postgresql", tmp_path, sandbox, RATE_PER_CLIENT="8") as fleet:
        shop, other = fleet.open_line(), fleet.open_line()
        for number in range(5):
            fleet.deliver(shop, f"a{number}", 0, f"+5692222220{number}")
        for number in range(6):
            fleet.deliver(shop, f"b{number}", 1, f"+5693333330{number}")
        fleet.deliver(other, "otro cliente", 1)

        query = "SELECT body FROM inbox WHERE state = 'limited' ORDER BY id"
        assert [body for (body,) in fleet.rows(query)] == ["b3", "b4", "b5"]


def test_the_next_part_of_an_answer_follows_a_callback_that_another_replica_took(
    tmp_path: Path, sandbox: Sandbox
) -> None:
    with fleet_on("postgresql", tmp_path, sandbox) as fleet:
        called, sending = fleet.replicas
        sending.stop()
        sending.environment["PUBLIC_URL"] = called.url
        sending.start_again()
        shop = fleet.open_line()
        sandbox.settings(session_window=False)  # a webhook of the test's own: the sandbox has heard of no user
        sandbox.faults({"kind": "reorder_parts", "seconds": 0.5})
        called.process.send_signal(signal.SIGSTOP)
        try:
            fields = inbound_fields(shop.number, "piensa 1s y escribe 1900 letras")
            assert signed_webhook(sending, fields, signed_for=called.url).status == 200
            fleet.wait_for_turns(shop, 1)
        finally:
            called.process.send_signal(signal.SIGCONT)

        assert len(answers(shop, 2)) == 2

        first, second = [datetime.fromisoformat(entry["time"]) for entry in shop.outbound()]
        assert (second - first).total_seconds() < PART_WAIT_SECONDS / 2
        assert "status_callback_missing" not in {entry["event"] for entry in sending.log()}
        wait_until(lambda: len(shop.shown()) == 2, what="both parts on the phone")
        assert shop.shown() == [entry["body"] for entry in shop.outbound()]


def test_a_change_counts_on_every_replica_within_two_seconds(calm: Fleet, sandbox: Sandbox) -> None:
    shop = calm.open_line()
    for replica in (0, 1):
        calm.deliver(shop, "Hola", replica)
        answers(shop, replica + 1)
    calm.replicas[0].api("PUT", f"/bots/{shop.bot['id']}", {"instructions": "Eres nuevo."})
    time.sleep(2)
    for number in range(6):
        calm.deliver(shop, "Hola", number)
        assert "Eres nuevo." in answers(shop, number + 3)[-1]


def test_a_number_that_moves_to_another_bot_is_answered_by_it_on_every_replica(calm: Fleet, sandbox: Sandbox) -> None:
    shop = calm.open_line()
    for replica in (0, 1):
        calm.deliver(shop, "Hola", replica)
        answers(shop, replica + 1)
    first, second = calm.replicas
    assert first.api("DELETE", f"/bots/{shop.bot['id']}").status == 204
    bot = {"name": "B", "twilio_phone_number": shop.number, "instructions": "Soy el segundo.", "model": "gpt-6-luna"}
    second.made("/bots/", bot)
    time.sleep(2)
    for number, user in enumerate(["+56955555501", "+56955555502"]):
        calm.deliver(shop, "Hola", number, user)
        assert "Soy el segundo." in answers(shop, 1, user)[0]


def test_a_turn_finishes_with_what_it_began_with_and_says_which_version_that_was(calm: Fleet, sandbox: Sandbox) -> None:
    shop = calm.open_line()
    calm.deliver(shop, "piensa 2s")
    wait_until(lambda: any(replica.turns_in_flight(shop.bot["id"]) for replica in calm.replicas), what="the turn")
    calm.replicas[1].api("PUT", f"/bots/{shop.bot['id']}", {"instructions": "Eres nuevo."})
    assert "Eres nuevo." not in answers(shop, 1)[0]
    calm.deliver(shop, "¿Y ahora?", 1)
    assert "Eres nuevo." in answers(shop, 2)[1]
    versions = calm.rows(f"SELECT bot_version FROM turns WHERE bot_id = '{shop.bot['id']}' ORDER BY id")
    assert versions == [(1,), (2,)]


def test_finished_jobs_leave_nothing_behind(calm: Fleet, sandbox: Sandbox) -> None:
    shop = calm.open_line()
    calm.deliver(shop, "Hola")
    answers(shop, 1)
    with psycopg.connect(calm.database_url, autocommit=True) as connection:
        query = "SELECT (SELECT count(*) FROM procrastinate_jobs) + (SELECT count(*) FROM procrastinate_events)"
        wait_until(lambda: connection.execute(query).fetchall() == [(0,)], what="an empty queue")


@pytest.fixture
def database_url() -> Iterator[str]:
    """A migrated store without a serving process."""
    url = make_database()
    yield url
    drop_database(url)


def message(sid: str, sender: str = "whatsapp:+56912345678") -> InboundMessage:
    """A message to one bot."""
    return InboundMessage("AC1", sid, "bot", sender, sender, Content((Text(sid),)), "{}")


def fetched(connection: "psycopg.Connection[tuple[object, ...]]") -> int | None:
    """Fetches as a replica does; gives the job's id."""
    query = "SELECT id FROM procrastinate_fetch_job_v2(ARRAY['turns'], NULL)"
    (row,) = connection.execute(query).fetchall()
    return row[0]


def test_jobs_of_a_conversation_are_handed_out_one_at_a_time_in_the_order_of_its_messages(database_url: str) -> None:
    engine = open_engine(database_url)
    for sid in ("SM1", "SM2", "SM3"):
        with engine.begin() as connection:
            jobs.store_message(connection, message(sid))
    engine.dispose()
    first = psycopg.connect(database_url, autocommit=True)
    second = psycopg.connect(database_url, autocommit=True)
    with first, second:
        ids = [row[0] for row in first.execute("SELECT id FROM procrastinate_jobs ORDER BY id")]
        assert (fetched(first), fetched(second)) == (ids[0], None)
        first.execute("SELECT procrastinate_retry_job_v2(%s, NULL, NULL, NULL, NULL)", (ids[0],))
        assert (fetched(second), fetched(first)) == (ids[0], None)
        second.execute("SELECT procrastinate_finish_job_v1(%s, 'succeeded', true)", (ids[0],))
        assert (fetched(first), fetched(second)) == (ids[1], None)


def test_a_turn_that_ends_while_another_replica_takes_it_up_stays_ended(database_url: str) -> None:
    engine = open_engine(database_url)
    with engine.begin() as connection:
        taken = jobs.store_message(connection, message("SM1"))
        assert taken is not None
        turn = begin_turn(connection, taken.conversation_id, 10, 0, None, 9)
        assert isinstance(turn, Turn)

    def mark_resumed() -> object:
        with engine.begin() as other:
            return begin_turn(other, turn.conversation.id, 10, 0, None, 9)

    blocked = "SELECT count(*) FROM pg_locks WHERE NOT granted"
    with ThreadPoolExecutor(1) as pool, psycopg.connect(database_url, autocommit=True) as watching:
        with engine.begin() as connection:
            turns.end_turn(connection, turn, Ending("dead", error="No."))
            taking = pool.submit(mark_resumed)
            wait_until(lambda: watching.execute(blocked).fetchall() == [(1,)], what="the other replica to come by")
        assert taking.result() is None
        assert watching.execute("SELECT state, starts FROM turns").fetchall() == [("dead", 1)]
    engine.dispose()


def test_who_lost_a_job_cannot_end_it_for_who_has_it(database_url: str) -> None:
    async def lose() -> list[str | None]:
        connector = procrastinate.PsycopgConnector(conninfo=database_url, min_size=1, max_size=1)
        async with procrastinate.App(connector=connector).open_async():
            held = HeldJobs(connector)
            silent, other = [await held.register_worker() for _ in range(2)]
            lost = await held.fetch_job(["turns"], silent)
            assert lost is not None
            await procrastinate.manager.JobManager(connector).retry_job(lost)
            mine = await held.fetch_job(["turns"], other)
            assert mine is not None
            states = []
            for end in (
                held.finish_job(lost, Status.SUCCEEDED, delete_job=True),
                held.retry_job(lost),
                held.finish_job(mine, Status.SUCCEEDED, delete_job=True),
            ):
                await end
                found = await connector.execute_query_all_async("SELECT status FROM procrastinate_jobs")
                states.append(found[0]["status"] if found else None)
            return states

    engine = open_engine(database_url)
    with engine.begin() as connection:
        jobs.store_message(connection, message("SM1"))
    engine.dispose()
    assert asyncio.run(lose()) == ["doing", "doing", None]


def woken(listening: "psycopg.Connection[tuple[object, ...]]") -> int:
    """How often replicas were woken since the last time it was asked."""
    listening.execute("LISTEN asked")
    listening.execute("NOTIFY asked")
    channels = (notification.channel for notification in listening.notifies())
    return sum(1 for _ in takewhile(lambda channel: channel != "asked", channels))


def test_who_ends_or_requeues_a_job_wakes_the_replicas_where_one_can_be_fetched_now(database_url: str) -> None:
    async def ends(*senders: str) -> list[int]:
        connector = procrastinate.PsycopgConnector(conninfo=database_url, min_size=1, max_size=1)
        async with procrastinate.App(connector=connector).open_async():
            held = HeldJobs(connector)
            worker = await held.register_worker()
            counts = []
            for _ in senders:
                job = await held.fetch_job(["turns"], worker)
                assert job is not None
                await held.finish_job(job, Status.SUCCEEDED, delete_job=True)
                counts.append(woken(listening))
            return counts

    ours, theirs = "whatsapp:+56900000001", "whatsapp:+56900000002"
    engine = open_engine(database_url)
    with psycopg.connect(database_url, autocommit=True) as listening:
        listening.execute('LISTEN "procrastinate_queue_v1#turns"')
        claimed = {}
        with engine.begin() as connection:
            worker = jobs.register(connection)
            for sender in (ours, theirs):
                claimed[sender] = jobs.store_and_claim(connection, message(f"SM1{sender}", sender), worker, None).job
        assert woken(listening) == 0
        with engine.begin() as connection:
            jobs.store_and_claim(connection, message("SM2", ours), worker, None)
            jobs.store_and_claim(connection, message("SM3", ours), worker, None)
        assert woken(listening) == 2
        for sender, count in ((theirs, 0), (ours, 1)):
            job = claimed[sender]
            assert job is not None
            with engine.begin() as connection:
                jobs.finish(connection, [job.id])
            assert (sender, woken(listening)) == (sender, count)
        assert asyncio.run(ends(ours, ours)) == [1, 0]
        with engine.begin() as connection:
            stopped = jobs.store_and_claim(connection, message("SM4", ours), worker, None).job
            assert stopped is not None
            jobs.retry(connection, stopped.id, 0)
        assert woken(listening) == 1
        assert fetched(listening) == stopped.id
        with engine.begin() as connection:
            assert [job.id for job in jobs.requeue_stalled(connection)] == [stopped.id]
        assert woken(listening) == 1
    engine.dispose()


def test_a_notification_that_comes_while_a_replica_fetches_has_it_fetch_again(database_url: str) -> None:
    with psycopg.connect(database_url, autocommit=True) as other:
        other.execute(f"ALTER DATABASE {other.info.dbname} SET track_functions = 'pl'")
        calls = "SELECT calls FROM pg_stat_user_functions WHERE funcname = 'procrastinate_fetch_job_v2'"

        async def fetch() -> Job | None:
            connector = procrastinate.PsycopgConnector(conninfo=database_url, min_size=1, max_size=1)
            async with procrastinate.App(connector=connector).open_async():
                held, noticed = HeldJobs(connector), asyncio.Event()

                async def notice(**_: object) -> None:
                    noticed.set()

                listening = asyncio.create_task(held.listen_for_jobs(on_notification=notice, queues=["turns"]))
                while not noticed.is_set():  # LISTEN takes a while
                    other.execute(f"SELECT {jobs.WAKE}")
                    await asyncio.wait([asyncio.create_task(noticed.wait())], timeout=0.1)
                noticed.clear()
                with other.transaction():
                    other.execute("LOCK TABLE procrastinate_jobs")
                    fetching = asyncio.create_task(held.fetch_job(["turns"], 1))
                    with psycopg.connect(database_url, autocommit=True) as third:
                        blocked = "SELECT count(*) FROM pg_locks WHERE NOT granted"
                        await asyncio.to_thread(
                            wait_until, lambda: third.execute(blocked).fetchall() == [(1,)], what="the look to wait"
                        )
                        third.execute(f"SELECT {jobs.WAKE}")
                    await noticed.wait()
                found = await fetching
                listening.cancel()
                return found

        assert asyncio.run(fetch()) is None
        wait_until(lambda: other.execute(calls).fetchall() == [(2,)], what="the second look to be counted")


def test_a_message_and_its_job_are_stored_both_or_neither(database_url: str) -> None:
    engine = open_engine(database_url)
    with engine.connect() as connection:
        with connection.begin() as transaction:
            jobs.store_message(connection, message("SM1"))
            transaction.rollback()
        with connection.begin():
            jobs.store_message(connection, message("SM2"))
            assert jobs.store_message(connection, message("SM2")) is None
        counts = "SELECT (SELECT count(*) FROM inbox), (SELECT count(*) FROM procrastinate_jobs)"
        assert connection.exec_driver_sql(counts).fetchall() == [(1, 1)]
    engine.dispose()


def test_a_message_is_stored_with_its_job_in_the_hands_of_its_replica_where_the_conversation_has_no_other(
    database_url: str,
) -> None:
    engine = open_engine(database_url)
    with engine.begin() as connection:
        worker = jobs.register(connection)
        first = jobs.store_and_claim(connection, message("SM1"), worker, 10)
        assert first.job is not None
        assert first.turn is not None
        assert [said.message_sid for said in first.turn.messages] == ["SM1"]
        second = jobs.store_and_claim(connection, message("SM2"), worker, 10)
        assert (second.message is not None, second.job, second.turn) == (True, None, None)
        assert jobs.store_and_claim(connection, message("SM2"), worker, 10) == (None, None, None)
    found = "SELECT status, worker_id FROM procrastinate_jobs ORDER BY id"
    with psycopg.connect(database_url, autocommit=True) as other:
        assert other.execute(found).fetchall() == [("doing", worker), ("todo", None)]
        assert fetched(other) is None  # the conversation is in the first one's hands
        with engine.begin() as connection:
            jobs.finish(connection, [first.job.id])
        assert fetched(other) is not None
    engine.dispose()


def test_a_conversation_whose_job_waits_is_left_to_who_fetches_that(database_url: str) -> None:
    engine = open_engine(database_url)
    with engine.begin() as connection:
        worker = jobs.register(connection)
        jobs.store_message(connection, message("SM1"))
        stored = jobs.store_and_claim(connection, message("SM2"), worker, 10)
        assert (stored.message is not None, stored.job, stored.turn) == (True, None, None)
        found = "SELECT status, worker_id FROM procrastinate_jobs ORDER BY id"
        assert connection.exec_driver_sql(found).fetchall() == [("todo", None), ("todo", None)]
    engine.dispose()


def test_of_two_replicas_that_store_a_conversation_s_messages_at_once_one_has_it(database_url: str) -> None:
    engine = open_engine(database_url)
    with engine.begin() as connection:
        workers = [jobs.register(connection) for _ in range(2)]
        known = jobs.store_and_claim(connection, message("SM0"), workers[0], None)
        assert known.job is not None
        jobs.finish(connection, [known.job.id])

    def store(sid: str) -> jobs.StoredAndClaimed:
        with engine.begin() as other:
            return jobs.store_and_claim(other, message(sid), workers[1], None)

    blocked = "SELECT count(*) FROM pg_locks WHERE NOT granted"
    with ThreadPoolExecutor(1) as pool, psycopg.connect(database_url, autocommit=True) as watching:
        with engine.begin() as connection:
            mine = jobs.store_and_claim(connection, message("SM1"), workers[0], None)
            storing = pool.submit(store, "SM2")
            wait_until(lambda: watching.execute(blocked).fetchall() == [(1,)], what="the other replica to come by")
        assert (mine.job is not None, storing.result().job) == (True, None)
        found = "SELECT status FROM procrastinate_jobs ORDER BY id"
        assert sorted(watching.execute(found).fetchall()) == [("doing",), ("todo",)]
    engine.dispose()


def test_a_replica_that_was_pruned_claims_nothing_and_ends_nothing_that_was_requeued(database_url: str) -> None:
    engine = open_engine(database_url)
    with engine.begin() as connection:
        worker = jobs.register(connection)
        job = jobs.store_and_claim(connection, message("SM1"), worker, None).job
        assert job is not None
        assert jobs.heartbeat(connection, worker) is True
        connection.exec_driver_sql("UPDATE procrastinate_workers SET last_heartbeat = now() - interval '1 hour'")
        assert [one.id for one in jobs.requeue_stalled(connection)] == [job.id]
        assert jobs.heartbeat(connection, worker) is False
        late = jobs.store_and_claim(connection, message("SM2", "whatsapp:+56900000002"), worker, 10)
        assert (late.message is not None, late.job, late.turn) == (True, None, None)
    with psycopg.connect(database_url, autocommit=True) as other:
        assert fetched(other) == job.id
        with engine.begin() as connection:
            jobs.finish(connection, [job.id])
            jobs.retry(connection, job.id, 0)
        found = "SELECT status, attempts FROM procrastinate_jobs ORDER BY id"
        assert other.execute(found).fetchall() == [("doing", 1), ("todo", 0)]
    engine.dispose()


def test_a_claimed_job_that_failed_is_any_replica_s_after_its_pause(database_url: str) -> None:
    engine = open_engine(database_url)
    with engine.begin() as connection:
        worker = jobs.register(connection)
        claimed = [
            jobs.store_and_claim(connection, message(f"SM{n}", f"whatsapp:+5690000000{n}"), worker, None).job
            for n in range(2)
        ]
        for job, seconds in zip(claimed, (0, 3600), strict=True):
            assert job is not None
            jobs.retry(connection, job.id, seconds)
    with psycopg.connect(database_url, autocommit=True) as other:
        assert claimed[0] is not None
        assert (fetched(other), fetched(other)) == (claimed[0].id, None)
    engine.dispose()


def test_a_conversation_without_a_job_gets_one(database_url: str) -> None:
    engine = open_engine(database_url)
    with engine.begin() as connection:
        jobs.store_message(connection, message("SM1"))
        connection.exec_driver_sql("DELETE FROM procrastinate_jobs")
        assert (jobs.defer_missing(connection), jobs.defer_missing(connection)) == (1, 0)
    engine.dispose()


def test_a_look_for_work_reads_the_index_where_many_jobs_wait_for_their_conversation(database_url: str) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(
            "INSERT INTO procrastinate_jobs (queue_name, task_name, lock)"
            " SELECT 'turns', 'answer', '1' FROM generate_series(1, 20000)"
        )
        connection.execute("ANALYZE procrastinate_jobs")
        assert fetched(connection) is not None
        began = time.perf_counter()
        assert fetched(connection) is None
        assert time.perf_counter() - began < 2


def test_a_flood_s_messages_are_counted_off_their_index(database_url: str) -> None:
    scans = "SELECT idx_scan FROM pg_stat_user_indexes WHERE indexrelname = 'inbox_wanted'"
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(
            "INSERT INTO inbox (account_sid, message_sid, bot_id, conversation_id, sender, body, params, state,"
            " received_at) SELECT 'AC1', 'SM' || i, 'bot', i, '', '', '',"
            " CASE WHEN i %% 20 = 0 THEN 'open' ELSE 'limited' END, %s FROM generate_series(1, 100000) AS i",
            (timestamp(),),
        )
        connection.execute("ANALYZE inbox")
        engine = open_engine(database_url)
        with engine.begin() as counting:
            assert wanted_of_bot(counting, "bot", 60.0, 4800) == 4800
            assert wanted_of_bot(counting, "bot", 60.0, 9600) == 5000
            assert wanted_of_bot(counting, "bot", -60.0, 4800) == 0
        engine.dispose()  # whose end of the connection counts what it has read
        wait_until(lambda: connection.execute(scans).fetchall() == [(3,)], what="the index to be read")
