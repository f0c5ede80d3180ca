"""Messages whose webhook never arrived are found at Twilio and answered, once."""

import asyncio
import sqlite3
import time
from base64 import b64encode
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, closing
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from runtime.budgets.budgets import Budgets
from runtime.catalog import open_catalog
from runtime.delivery.delivery import Delivery
from runtime.delivery.file_links import FileLinks
from runtime.delivery.reply_window import ReplyWindows
from runtime.delivery.typing_indicator import TypingIndicator
from runtime.dispatch.inbox import open_inbox
from runtime.dispatch.timers import Timers
from runtime.engines.functions import Functions
from runtime.engines.selection import Engines
from runtime.inbound.admission import Admission
from runtime.inbound.missed_messages import Sweep
from runtime.media.folder import MediaFolder
from runtime.observability.metrics import Metrics
from runtime.price_list import PriceList
from runtime.resilience.breakers import Breakers
from runtime.resilience.poison import Suspects
from runtime.settings import Secrets, Settings
from runtime.store.database.database import open_database
from runtime.turns.ownership import OwnedTurns
from runtime.turns.turn import Turns
from runtime.twilio.accounts import Accounts
from runtime.twilio.client import Twilio
from tests import media_files
from tests.drivers.fleet import fleet_on
from tests.observability.scrape import scrape
from tests.runtime.stores import drop_database, make_database
from tests.runtime_process import (
    Line,
    Runtime,
    inbound_fields,
    new_number,
    open_line,
    signed_webhook,
    start_runtime,
)
from tests.sandbox_process import Sandbox, wait_until

MESSAGES = "/2010-04-01/Accounts/AC00000000000000000000000000005a4d/Messages.json"


def lose(line: Line, *texts: str, **fields: object) -> list[str]:
    """Messages are written while no process listens; returns their sids."""
    before = len(line.sandbox.ledger(kind="webhook"))
    sids = [line.write(text, wait=0, **fields)["message_sid"] for text in texts]

    def failed() -> bool:
        attempts = line.sandbox.ledger(kind="webhook")[before:]
        return all(sum(attempt["message_sid"] == sid for attempt in attempts) == 2 for sid in sids)

    wait_until(failed, what="Twilio to give up on the webhooks")
    return sids


def swept(shop: Line) -> int:
    """How many messages to a number were taken in without their webhook."""
    events = [(entry["event"], entry.get("number")) for entry in shop.runtime.log()]
    return events.count(("missed_message_accepted", shop.number))


@pytest.fixture(scope="module")
def restarted(tmp_path_factory: pytest.TempPathFactory, sandbox_process: Sandbox) -> Iterator[Runtime]:
    """A runtime that tests stop and start again."""
    running = start_runtime(tmp_path_factory.mktemp("restarted"), sandbox_process)
    yield running
    running.stop()


@pytest.fixture
def shop(restarted: Runtime, sandbox: Sandbox) -> Line:
    return open_line(restarted, sandbox)


def test_a_message_written_while_nobody_listened_is_answered_after_the_start(shop: Line) -> None:
    shop.runtime.stop()
    lose(shop, "¿Hay alguien?")

    shop.runtime.start_again()

    wait_until(lambda: len(shop.outbound()) == 1, what="the answer")
    assert "¿Hay alguien?" in shop.outbound()[0]["body"]


def test_missed_messages_are_answered_in_the_order_in_which_they_were_written(shop: Line) -> None:
    shop.runtime.stop()
    lose(shop, "primero")
    lose(shop, "segundo")

    shop.runtime.start_again()

    wait_until(lambda: "segundo" in said(shop), what="both answers")
    assert said(shop).index("primero") < said(shop).index("segundo")


def said(shop: Line) -> str:
    """Everything that the user received, in order."""
    return " ".join(entry["body"] for entry in shop.outbound())


def test_a_webhook_that_comes_after_all_changes_nothing(shop: Line) -> None:
    shop.runtime.stop()
    (sid,) = lose(shop, "una vez")
    shop.runtime.start_again()
    wait_until(lambda: len(shop.outbound()) == 1, what="the answer")

    late = inbound_fields(shop.number, "una vez", MessageSid=sid)

    assert [signed_webhook(shop.runtime, late).status for _ in range(2)] == [200, 200]
    assert "turn 2" in shop.ask("otra cosa")
    assert len(shop.outbound()) == 2


def test_what_was_taken_in_before_is_left_alone(shop: Line) -> None:
    shop.ask("Hola")

    shop.runtime.stop()
    before = len(shop.sandbox.calls("twilio", "GET", MESSAGES))
    shop.runtime.start_again()

    wait_until(lambda: len(shop.sandbox.calls("twilio", "GET", MESSAGES)) > before, what="the sweep")
    assert "turn 2" in shop.ask("¿Y ahora?")
    assert swept(shop) == 0


def test_a_picture_is_fetched_as_its_webhook_names_it(shop: Line) -> None:
    shop.runtime.stop()
    lose(shop, "mira", media=[{"content_type": "image/png", "base64": b64encode(media_files.png(100, 50)).decode()}])

    shop.runtime.start_again()

    wait_until(lambda: len(shop.outbound()) == 1, what="the answer")
    assert "mira (imagen png 100x50" in shop.outbound()[0]["body"]


def test_what_was_written_before_the_bot_was_made_is_not_answered(restarted: Runtime, sandbox: Sandbox) -> None:
    runtime = restarted
    number = new_number()
    sandbox.register(number, webhook={"callback_url": f"{runtime.url}/webhook/whatsapp"})
    sandbox.inbound(number, "antes", wait=2)
    written = int(time.time())
    wait_until(lambda: int(time.time()) > written, what="the next second, Twilio tells no less")
    bot = runtime.made(
        "/bots/", {"name": "B", "twilio_phone_number": number, "instructions": "I", "model": "gpt-6-luna"}
    )

    runtime.stop()
    before = len(sandbox.calls("twilio", "GET", MESSAGES))
    runtime.start_again()
    wait_until(lambda: len(sandbox.calls("twilio", "GET", MESSAGES)) > before, what="the sweep")

    shop = Line(runtime, sandbox, bot)
    assert "turn 1" in shop.ask("después")
    assert swept(shop) == 0


def test_a_number_that_calls_somebody_else_is_left_to_them(shop: Line) -> None:
    shop.sandbox.change(shop.number, webhook={"callback_url": "http://127.0.0.1:9/another"})
    lose(shop, "¿quién contesta?")

    shop.runtime.stop()
    shop.runtime.start_again()

    wait_until(lambda: len(shop.sandbox.calls("twilio", "GET", "/v2/Channels/Senders")) > 0, what="the sweep")
    shop.sandbox.change(shop.number, webhook={"callback_url": f"{shop.runtime.url}/webhook/whatsapp"})
    assert "turn 1" in shop.ask("Hola")
    assert swept(shop) == 0


def test_where_twilio_does_not_know_its_senders_a_bot_s_number_is_taken_to_be_ours(shop: Line) -> None:
    shop.runtime.stop()
    lose(shop, "¿Hay alguien?")
    absent = {"code": 20404, "message": "The requested resource was not found", "more_info": "", "status": 404}
    senders = {"provider": "twilio", "path": "/v2/Channels/Senders", "kind": "status", "status": 404, "body": absent}
    shop.sandbox.faults(senders)

    shop.runtime.start_again()

    wait_until(lambda: len(shop.outbound()) == 1, what="the answer")
    assert "¿Hay alguien?" in shop.outbound()[0]["body"]


def test_one_account_that_cannot_be_asked_does_not_keep_the_others_from_it(
    runtime_factory: Callable[..., Runtime], sandbox: Sandbox
) -> None:
    runtime = runtime_factory(SU_TOKEN="not-its-token")
    shop = open_line(runtime, sandbox)
    theirs = {"account_sid": "AC" + "2" * 32, "auth_token_env": "SU_TOKEN", "instructions": "I", "model": "m"}
    runtime.made("/bots/", {"name": "B", "twilio_phone_number": new_number()} | theirs)
    runtime.stop()
    lose(shop, "Hola")

    runtime.start_again()

    wait_until(lambda: len(shop.outbound()) == 1, what="the answer")
    wait_until(lambda: any(entry["event"] == "sweep_postponed" for entry in runtime.log()), what="the complaint")


def test_an_answer_that_cannot_be_understood_does_not_end_the_looking(
    runtime_factory: Callable[..., Runtime], sandbox: Sandbox
) -> None:
    shop = open_line(runtime_factory(SWEEP_SECONDS="0.2"), sandbox)
    odd = {"messages": [{"direction": "inbound"}], "page_size": 1000}
    sandbox.faults(
        {"provider": "twilio", "method": "GET", "path": MESSAGES, "kind": "status", "status": 200, "body": odd}
    )
    wait_until(lambda: sandbox.fired() >= 2, what="another look")
    assert {"timer_failed"} <= {entry["event"] for entry in shop.runtime.log()}


def test_a_sweep_looks_no_closer_when_every_message_was_taken_in(
    runtime_factory: Callable[..., Runtime], sandbox: Sandbox
) -> None:
    shop = open_line(runtime_factory(SWEEP_SECONDS="0.3"), sandbox)
    shop.ask("Hola")

    def two_more_sweeps() -> None:
        asked = len(sandbox.calls("twilio", "GET", MESSAGES))
        wait_until(lambda: len(sandbox.calls("twilio", "GET", MESSAGES)) >= asked + 2, what="two more sweeps")

    # One that was under way may have seen the message before its webhook was taken in.
    two_more_sweeps()
    looked_closer = len(sandbox.calls("twilio", "GET", "/v2/Channels/Senders"))
    two_more_sweeps()
    assert len(sandbox.calls("twilio", "GET", "/v2/Channels/Senders")) == looked_closer


def test_missed_messages_are_limited_and_counted_like_others(
    runtime_factory: Callable[..., Runtime], sandbox: Sandbox
) -> None:
    runtime = runtime_factory(RATE_PER_USER="2", REPLY_WITHIN_SECONDS="0")
    shop = open_line(runtime, sandbox)
    runtime.stop()
    for text in ("uno", "dos", "tres"):
        lose(shop, text)

    runtime.start_again()

    wait_until(lambda: "dos" in said(shop), what="the answers")
    shop.ask("yo también", "+56922222222")
    counted = scrape(runtime)
    results = {
        result: counted.value("horizonai_inbound_messages_total", client=shop.bot["id"], result=result)
        for result in ("swept", "limited", "accepted")
    }
    assert results == {"swept": 2, "limited": 1, "accepted": 1}
    assert len(shop.outbound()) == 1


@pytest.mark.long
async def test_more_missed_messages_than_are_looked_through_at_once_are_all_taken_in_in_their_order(
    runtime_factory: Callable[..., Runtime], sandbox: Sandbox
) -> None:
    shop = open_line(runtime_factory(REPLY_WITHIN_SECONDS="0"), sandbox)
    shop.runtime.stop()
    texts = [f"mensaje {number}" for number in range(5)]
    for text in texts:
        lose(shop, text)
        written = int(time.time())
        wait_until(lambda written=written: int(time.time()) > written, what="the next second, Twilio tells no less")

    async with sweeping(shop, limit=3) as store:
        await asyncio.to_thread(wait_until, lambda: len(bodies(store)) == len(texts), what="all of them in the store")

    assert bodies(store) == texts


@asynccontextmanager
async def sweeping(shop: Line, limit: int) -> AsyncIterator[Path]:
    """Sweeps in place of a line's runtime, with a smaller limit; gives the store. Nothing of it is answered."""
    environment = shop.runtime.environment
    settings = Settings(
        _env_file=None,
        twilio_account_sid=environment["TWILIO_ACCOUNT_SID"],
        twilio_auth_token=environment["TWILIO_AUTH_TOKEN"],
        twilio_base_url=environment["TWILIO_BASE_URL"],
    )
    metrics, accounts = Metrics(), Accounts(settings, Secrets())
    breakers = Breakers(1, metrics)
    async with AsyncExitStack() as stack:
        database = await open_database(environment["DATABASE_URL"])
        catalog = await open_catalog(database)
        twilio = Twilio(settings.twilio_base_url, metrics, breakers, longest_pause=10)
        functions = Functions(Secrets(), allow_private=False)
        prices = PriceList(database, catalog)
        budgets = Budgets(database, prices)
        engines = Engines(settings, metrics, breakers, database, prices, budgets)
        for opened in (database, budgets, twilio, functions, engines):
            stack.push_async_callback(opened.close)
        windows, suspects, owned = ReplyWindows(), Suspects(), OwnedTurns(database)
        delivery = Delivery(
            database, twilio, accounts, catalog, windows, suspects, prices, metrics, None, "", FileLinks("", None)
        )
        turns = Turns(
            settings,
            database,
            catalog,
            engines,
            functions,
            (),
            MediaFolder(None),
            TypingIndicator(twilio, accounts),
            delivery,
            windows,
            owned,
            suspects,
            prices,
            budgets,
            metrics,
        )
        inbox = open_inbox(environment["DATABASE_URL"], database, turns, owned, delivery, windows)
        await inbox.stop(0)
        admission = Admission(settings, database, inbox, delivery)
        url = f"{shop.runtime.url}/webhook/whatsapp"
        sweep = Sweep(
            url, timedelta(hours=1), 0.1, database, catalog, accounts, twilio, admission, prices, metrics, limit
        )
        timers = Timers(database, metrics)
        await sweep.begin(timers)
        running = asyncio.create_task(timers.run())
        yield shop.runtime.folder / "runtime.db"
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


def bodies(store: Path) -> list[str]:
    """What was taken in, in order."""
    with closing(sqlite3.connect(store)) as opened:
        return [body for (body,) in opened.execute("SELECT body FROM inbox ORDER BY id")]


@pytest.mark.long
@pytest.mark.postgres
def test_one_of_two_replicas_sweeps_and_the_other_one_when_that_has_crashed(tmp_path: Path, sandbox: Sandbox) -> None:
    with fleet_on("postgresql", tmp_path, sandbox, SWEEP_SECONDS="1.5") as fleet:
        fleet.open_line()

        def sweeps() -> list[datetime]:
            return [datetime.fromisoformat(call["time"]) for call in sandbox.calls("twilio", "GET", MESSAGES)]

        wait_until(lambda: len(sweeps()) >= 6, what="six sweeps")
        gaps = [(later - earlier).total_seconds() for earlier, later in pairwise(sweeps())]
        assert min(gaps) >= 1.4, gaps
        for crashed, left in ((0, 1), (1, 0)):
            fleet.replicas[crashed].kill()
            before = len(sweeps())
            wait_until(lambda before=before: len(sweeps()) >= before + 2, what=f"replica {left} to sweep")
            fleet.replicas[crashed].start_again()


@pytest.mark.long
@pytest.mark.postgres
def test_missed_messages_are_found_on_postgresql_too(tmp_path: Path, sandbox: Sandbox) -> None:
    url = make_database()
    runtime = start_runtime(tmp_path, sandbox, DATABASE_URL=url)
    try:
        shop = open_line(runtime, sandbox)
        runtime.stop()
        lose(shop, "¿Hay alguien?")
        runtime.start_again()
        wait_until(lambda: len(shop.outbound()) == 1, what="the answer")
    finally:
        runtime.stop()
        drop_database(url)
