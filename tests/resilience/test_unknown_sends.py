"""A send whose outcome is unknown, be it text, a file or a template: what went out is found, what did not is sent once.

Only Twilio's list shows its outcome: no status callback arrives.
"""

import asyncio
import sqlite3
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import requests
from sqlalchemy import Engine

from runtime.app import proactive_sender
from runtime.delivery.delivery import NotSent
from runtime.delivery.proactive import Proactive
from runtime.observability.metrics import Metrics
from runtime.price_list import prices_of_messages
from runtime.resilience.breakers import Breakers
from runtime.settings import Settings
from runtime.store.audit import Actor
from runtime.store.database.times import timestamp
from runtime.store.messages import outbox, send_matching
from runtime.store.messages.outbound_content import OutboundContent, OutboundMedia, OutboundTemplate, OutboundText
from runtime.store.messages.outbox import Channel, OutboundMessage, OutboxRow
from runtime.store.messages.send_matching import ListedMessage, Undecidable
from runtime.twilio.accounts import Account
from runtime.twilio.client import Twilio
from runtime.twilio.twiml import message_twiml
from schemas.default_tariffs import DEFAULT
from tests.bare_server import Serve, answer
from tests.runtime.stores import make_file, migrated_store, readable
from tests.sandbox_process import Sandbox

SEND = {"provider": "twilio", "method": "POST", "path": "/2010-04-01/Accounts/*/Messages.json"}
WITH_EFFECT = SEND | {"kind": "timeout_after_write", "seconds": 0.1, "times": 1}
WITHOUT_EFFECT = SEND | {"kind": "drop_connection", "times": 1}
NUMBER, USER = "+15550009003", "+56912345678"
WORDS = OutboundText("Hola Ana.")
PRICES = prices_of_messages(DEFAULT, "bot", "CL")
PICTURE = "https://whatsapp.example.cl/media/5f3a/menu.png"


@pytest.fixture
def settings(tmp_path: Path, sandbox: Sandbox) -> Settings:
    sandbox.register(NUMBER)
    make_file(tmp_path / "store.db")
    return Settings(
        database_url=f"sqlite:///{tmp_path}/store.db",
        public_url="http://127.0.0.1:9",
        twilio_account_sid=sandbox.account_sid,
        twilio_auth_token=sandbox.auth_token,
        twilio_base_url=sandbox.twilio_url,
        twilio_whatsapp_from=NUMBER,
    )


@pytest.fixture
async def proactive(settings: Settings) -> AsyncIterator[Proactive]:
    async with proactive_sender(settings) as sender:
        yield sender


@pytest.fixture
def template(sandbox: Sandbox) -> str:
    """A content template; its rendering is not what the senders below believe it says."""
    document = {"language": "es", "types": {"twilio/text": {"body": "Hola {{1}}, te esperamos el {{2}}."}}}
    made = requests.post(
        f"{sandbox.twilio_url}/v1/Content", json=document, auth=(sandbox.account_sid, sandbox.auth_token), timeout=10
    )
    return str(made.json()["sid"])


def content_of(kind: str, template: str) -> OutboundContent:
    """A message of that kind."""
    contents: dict[str, OutboundContent] = {
        "text": WORDS,
        "media": OutboundMedia(PICTURE, "Nuestro menú"),
        "media without a caption": OutboundMedia(PICTURE),
        "template": OutboundTemplate(template, "[recordatorio]", {"1": "Ana", "2": "martes"}),
        "template without variables": OutboundTemplate(template, "[recordatorio]"),
    }
    return contents[kind]


SENT_AS: dict[str, dict[str, Any]] = {
    "text": {"Body": "Hola Ana."},
    "media": {"Body": "Nuestro menú", "MediaUrl": PICTURE},
    "media without a caption": {"MediaUrl": PICTURE},
    "template": {"ContentSid": ..., "ContentVariables": '{"1":"Ana","2":"martes"}'},
    "template without variables": {"ContentSid": ...},
}


async def send(proactive: Proactive, content: OutboundContent) -> str:
    """Sends it; gives Twilio's id of it."""
    return (
        await proactive.send(by=Actor("ana", "cli"), to=USER, content=content, bot_id=None, number=None)
    ).message_sid


def sids(sandbox: Sandbox) -> list[str]:
    """What went out, in order."""
    return [entry["message_sid"] for entry in sandbox.ledger(kind="outbound")]


def rows(settings: Settings) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(settings.database_url.removeprefix("sqlite:///"))) as store:
        return readable(store.execute("SELECT state, message_sid, body FROM outbox ORDER BY id"))


@pytest.mark.parametrize("kind", SENT_AS)
async def test_a_message_reaches_twilio_as_what_it_is(
    proactive: Proactive, sandbox: Sandbox, template: str, kind: str
) -> None:
    sid = await send(proactive, content_of(kind, template))

    (call,) = sandbox.calls("twilio", "POST", "/2010-04-01/")
    parties = {"To": f"whatsapp:{USER}", "From": f"whatsapp:{NUMBER}"}
    said = {name: template if value is ... else value for name, value in SENT_AS[kind].items()}
    assert {name: value for name, value in call["body"].items() if name != "StatusCallback"} == parties | said
    assert sids(sandbox) == [sid]


@pytest.mark.parametrize("fault", [WITH_EFFECT, WITHOUT_EFFECT], ids=["went out", "did not go out"])
@pytest.mark.parametrize("kind", ["text", "media", "template"])
async def test_a_send_whose_outcome_is_unknown_is_one_message(
    proactive: Proactive, sandbox: Sandbox, settings: Settings, template: str, kind: str, fault: dict[str, Any]
) -> None:
    content = content_of(kind, template)
    sandbox.faults(fault)

    sid = await send(proactive, content)

    assert sandbox.fired() == 1
    assert sids(sandbox) == [sid]
    assert rows(settings) == [("sent", sid, content.readable)]


@pytest.mark.parametrize("kind", ["text", "media", "template"])
async def test_what_other_sends_are_known_to_have_sent_is_not_taken_for_one_in_doubt(
    proactive: Proactive, sandbox: Sandbox, template: str, kind: str
) -> None:
    before = [await send(proactive, content_of(known, template)) for known in ("text", "media", "template")]
    sandbox.faults(WITHOUT_EFFECT)

    sid = await send(proactive, content_of(kind, template))

    assert sandbox.fired() == 1
    assert sids(sandbox) == [*before, sid]


async def test_twilio_lists_what_went_out_either_way_with_all_that_tells_messages_apart(
    settings: Settings, proactive: Proactive, sandbox: Sandbox, serve: Serve
) -> None:
    picture = OutboundMedia(PICTURE, "Nuestro menú")
    replies = [answer("200 OK", message_twiml(said).encode(), "Content-Type: text/xml") for said in (WORDS, picture)]
    sandbox.change(NUMBER, webhook={"callback_url": serve(*replies)})
    for _ in replies:
        assert len(sandbox.inbound(NUMBER, "¿Qué hay?", USER)["answers"]) == 1
    await send(proactive, WORDS)
    await send(proactive, picture)
    metrics = Metrics()
    twilio = Twilio(sandbox.twilio_url, metrics, Breakers(1.0, metrics), longest_pause=60.0)

    found = await twilio.sent(
        Account(sandbox.account_sid, sandbox.auth_token),
        sender=f"whatsapp:{NUMBER}",
        recipient=f"whatsapp:{USER}",
        since=timestamp(time.time() - 60),
    )
    await twilio.close()

    assert [message.sid for message in found] == sids(sandbox)
    assert [(message.body, message.files, message.is_reply) for message in found] == [
        ("Hola Ana.", 0, True),
        ("Nuestro menú", 1, True),
        ("Hola Ana.", 0, False),
        ("Nuestro menú", 1, False),
    ]


@pytest.mark.long
async def test_of_two_templates_of_which_one_went_out_none_is_sent_again(
    proactive: Proactive, sandbox: Sandbox, template: str
) -> None:
    sandbox.faults(WITH_EFFECT | {"nth": 1}, WITHOUT_EFFECT | {"nth": 2})
    contents = [OutboundTemplate(template, "[recordatorio]", {"1": name}) for name in ("Ana", "Eva")]

    outcomes = await asyncio.gather(*(send(proactive, content) for content in contents), return_exceptions=True)

    (sid,) = sids(sandbox)
    refused = [outcome for outcome in outcomes if outcome != sid]
    assert refused
    assert all(isinstance(error, NotSent) and "2 templates to one user are in doubt" in str(error) for error in refused)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    """A migrated store without a serving process."""
    with migrated_store(request.param, tmp_path) as engine:
        yield engine


def sending(engine: Engine, content: OutboundContent, channel: Channel = "rest") -> OutboxRow:
    """A message under way."""
    message = OutboundMessage("AC1", f"whatsapp:{NUMBER}", f"whatsapp:{USER}", content, channel, claimed=True)
    with engine.begin() as connection:
        return outbox.add_to_outbox(connection, message)


def listed(sid: str, body: str, files: int = 0, *, is_reply: bool = False) -> ListedMessage:
    return ListedMessage(sid, "queued", body, files, is_reply)


def settled(engine: Engine, row: OutboxRow, *messages: ListedMessage) -> str | None:
    """Which of the listed messages is a row's."""
    with engine.begin() as connection:
        found = send_matching.settle(connection, row, messages, timestamp(0), (), PRICES)
    return None if found is None else found[0]


def recorded(engine: Engine, row: OutboxRow, sid: str | None) -> bool:
    """Whether a row is recorded as sent."""
    with engine.begin() as connection:
        return send_matching.mark_sent(connection, row.id, sid, "queued", PRICES) is not None


REMINDER = OutboundTemplate("HX1", "[recordatorio]")
OFFER = OutboundTemplate("HX2", "[oferta]")


def test_a_row_of_an_older_program_is_text(engine: Engine) -> None:
    sending(engine, OutboundText("Hola"))
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE outbox SET content = NULL, turn_id = 1, conversation_id = 1")
        (row,) = outbox.unsent_of(connection, 1)

    assert row.content == OutboundText("Hola")


@pytest.mark.parametrize("content", [OutboundMedia(PICTURE, "Nuestro menú"), REMINDER])
def test_what_was_left_unsent_is_read_as_what_it_was(engine: Engine, content: OutboundContent) -> None:
    row = sending(engine, content)
    with engine.begin() as connection:
        assert outbox.unsent_proactive(connection, "9999") == [row]


def test_a_template_takes_what_says_what_we_think_it_says(engine: Engine) -> None:
    row = sending(engine, OutboundTemplate("HX1", "Hola Ana"))

    assert settled(engine, row, listed("SM1", "Hola"), listed("SM2", "Hola Ana"), listed("SM3", "Adiós")) == "SM2"


def test_a_template_takes_what_fits_no_other_message_to_its_user(engine: Engine) -> None:
    words = sending(engine, OutboundText("Hola"))
    picture = sending(engine, OutboundMedia(PICTURE, "Menú"))
    row = sending(engine, REMINDER)

    candidates = [listed("SM1", "Hola"), listed("MM2", "Menú", 1), listed("SM3", "Hola Ana")]
    assert settled(engine, row, *candidates[:2]) is None
    assert settled(engine, row, *candidates) == "SM3"
    assert settled(engine, words, *candidates) == "SM1"
    assert settled(engine, picture, *candidates) == "MM2"


def test_a_template_is_not_taken_for_an_answer_in_a_webhook_s_response(engine: Engine) -> None:
    row = sending(engine, REMINDER)

    assert settled(engine, row, listed("SM1", "Hola", is_reply=True)) is None


def test_an_answer_in_a_webhook_s_response_is_recorded_beside_a_template_in_doubt(engine: Engine) -> None:
    answer, template = sending(engine, OutboundText("Hola"), "twiml"), sending(engine, REMINDER)

    assert settled(engine, template, listed("SM1", "Hola Ana")) == "SM1"
    assert recorded(engine, answer, None)


def test_a_file_without_its_words_is_not_taken_for_a_text_of_the_same_words(engine: Engine) -> None:
    text, picture = sending(engine, OutboundText("Menú")), sending(engine, OutboundMedia(PICTURE, "Menú"))

    assert settled(engine, text, listed("MM1", "Menú", 1)) is None
    assert settled(engine, picture, listed("SM1", "Menú")) is None
    assert settled(engine, picture, listed("SM1", "Menú"), listed("MM1", "Menú", 1)) == "MM1"
    assert settled(engine, text, listed("SM1", "Menú"), listed("MM1", "Menú", 1)) == "SM1"


def test_a_text_is_asked_for_again_when_a_template_took_its_message(engine: Engine) -> None:
    text, template = sending(engine, OutboundText("Hola Ana")), sending(engine, OutboundTemplate("HX1", "Hola Ana"))
    assert settled(engine, template, listed("SM1", "Hola Ana")) == "SM1"

    assert not recorded(engine, text, "SM1")
    assert settled(engine, text, listed("SM1", "Hola Ana")) is None


def test_two_templates_that_both_went_out_are_two_messages(engine: Engine) -> None:
    first, second = sending(engine, REMINDER), sending(engine, OFFER)
    both = [listed("SM1", "Hola Ana"), listed("SM2", "Hoy 20%")]

    assert {settled(engine, first, *both), settled(engine, second, *both)} == {"SM1", "SM2"}


def test_of_two_templates_in_doubt_nobody_knows_which_one_went_out(engine: Engine) -> None:
    first, second = sending(engine, REMINDER), sending(engine, OFFER)

    for row in (first, second):
        with pytest.raises(Undecidable, match="2 templates to one user are in doubt, and Twilio lists 1"):
            settled(engine, row, listed("SM1", "Hola Ana"))
    assert settled(engine, first) is None
    assert recorded(engine, second, "SM1")
    assert settled(engine, first, listed("SM1", "Hola Ana")) is None


def test_a_template_whose_own_words_are_listed_leaves_the_rest_to_the_other(engine: Engine) -> None:
    known, other = sending(engine, OutboundTemplate("HX1", "Hola Ana")), sending(engine, OFFER)
    both = [listed("SM1", "Hola Ana"), listed("SM2", "Hoy 20%")]

    assert settled(engine, other, *both) == "SM2"
    assert settled(engine, known, *both) == "SM1"


def test_a_template_that_a_callback_told_of_is_no_rival(engine: Engine) -> None:
    first, second = sending(engine, REMINDER), sending(engine, OFFER)
    with engine.begin() as connection:
        outbox.record_status(
            connection,
            account_sid="AC1",
            message_sid="SM2",
            sender=second.sender,
            recipient=second.recipient,
            status="queued",
            error=None,
            row_id=second.id,
            prices=PRICES,
        )

    assert settled(engine, first, listed("SM1", "Hola Ana"), listed("SM2", "Hoy 20%")) == "SM1"
