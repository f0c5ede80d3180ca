"""Twilio's Messages: accepted, refused, delivered, listed."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from twilio.base.exceptions import TwilioRestException
from twilio.request_validator import RequestValidator
from twilio.rest import Client
from twilio.rest.content.v1.content import ContentList
from twilio.rest.content.v1.content.approval_create import ApprovalCreateList
from twilio.rest.messaging.v3.typing_indicator import TypingIndicatorList

from tests.sandbox.conftest import NUMBER, USER, Webhook
from tests.sandbox_process import Sandbox, wait_until

FROM, TO = f"whatsapp:{NUMBER}", f"whatsapp:{USER}"

pytestmark = pytest.mark.usefixtures("sender")


@pytest.fixture
def open_window(sandbox: Sandbox, sender: Any) -> None:
    """The user has written, so free text may be sent to them."""
    sandbox.inbound(NUMBER, "hola", USER, settle=0, wait=0)


@contextmanager
def refused(code: int, status: int = 400) -> Iterator[None]:
    with pytest.raises(TwilioRestException) as caught:
        yield
    assert (caught.value.code, caught.value.status) == (code, status)


def status_of(client: Client, sid: str) -> str:
    return str(client.messages(sid).fetch().status)


def callbacks(webhook: Webhook, count: int) -> list[dict[str, str]]:
    forms = []
    while len(forms) < count:
        received = webhook.next()
        if received.path == "/status":
            forms.append(received.form)
    return forms


@pytest.mark.usefixtures("open_window")
def test_a_message_is_queued_then_delivered_with_a_signed_callback_for_each_step(
    twilio: Client, sandbox: Sandbox, webhook: Webhook
) -> None:
    message = twilio.messages.create(to=TO, from_=FROM, body="hola")
    assert (message.status, message.direction, message.num_media) == ("queued", "outbound-api", "0")
    wait_until(lambda: status_of(twilio, message.sid) == "delivered")
    forms = callbacks(webhook, 3)
    assert [form["MessageStatus"] for form in forms] == ["queued", "sent", "delivered"]
    assert {form["MessageSid"] for form in forms} == {message.sid}


@pytest.mark.usefixtures("open_window")
def test_a_callback_is_signed_with_the_accounts_token(twilio: Client, sandbox: Sandbox, webhook: Webhook) -> None:
    url = f"{webhook.url}/mine"
    twilio.messages.create(to=TO, from_=FROM, body="hola", status_callback=url)
    received = next(item for item in iter(webhook.next, None) if item.path == "/mine")
    signature = received.headers["X-Twilio-Signature"]
    assert RequestValidator(sandbox.auth_token).validate(url, received.form, signature)


@pytest.mark.parametrize(
    ("code", "fields"),
    [
        (21604, {"to": ""}),
        (21619, {"body": ""}),
        (21617, {"body": "x" * 1601}),
        (21211, {"to": "whatsapp:12"}),
        (21910, {"to": USER}),
        (63007, {"from_": "whatsapp:+15550000001"}),
        (63031, {"to": FROM}),
    ],
)
def test_a_message_twilio_does_not_take_is_refused(twilio: Client, code: int, fields: dict[str, str]) -> None:
    with refused(code):
        twilio.messages.create(**{"to": TO, "from_": FROM, "body": "hola", **fields})


def test_a_sender_that_is_not_online_sends_nothing(twilio: Client, sandbox: Sandbox) -> None:
    sandbox.change(NUMBER, status="OFFLINE")
    with refused(63007):
        twilio.messages.create(to=TO, from_=FROM, body="hola")


def test_free_text_outside_the_window_is_accepted_and_fails_later(twilio: Client, webhook: Webhook) -> None:
    message = twilio.messages.create(to=TO, from_=FROM, body="promoción")
    wait_until(lambda: status_of(twilio, message.sid) == "undelivered")
    assert twilio.messages(message.sid).fetch().error_code == 63016
    assert callbacks(webhook, 2)[-1]["ErrorCode"] == "63016"


def test_the_window_is_a_setting(twilio: Client, sandbox: Sandbox) -> None:
    sandbox.settings(session_window=False)
    message = twilio.messages.create(to=TO, from_=FROM, body="promoción")
    wait_until(lambda: status_of(twilio, message.sid) == "delivered")


def test_an_approved_template_is_delivered_outside_the_window(twilio: Client) -> None:
    types = {"twilio/text": {"body": "Hola {{1}}, tu mesa está lista."}}
    document = {"friendly_name": "mesa_v1", "language": "es", "variables": {"1": "Ana"}, "types": types}
    template = twilio.content.v1.contents.create(ContentList.ContentCreateRequest(document))
    send = {"to": TO, "from_": FROM, "content_sid": template.sid, "content_variables": '{"1": "Eva"}'}
    first = twilio.messages.create(**send)
    wait_until(lambda: status_of(twilio, first.sid) == "undelivered")
    approval = {"name": "mesa_v1", "category": "UTILITY"}
    request = ApprovalCreateList.ContentApprovalRequest(approval)
    twilio.content.v1.contents(template.sid).approval_create.create(request)
    second = twilio.messages.create(**send)
    wait_until(lambda: status_of(twilio, second.sid) == "delivered")
    assert second.body == "Hola Eva, tu mesa está lista."


@pytest.mark.usefixtures("open_window")
def test_messages_are_found_by_their_ends_and_their_date(twilio: Client, sandbox: Sandbox) -> None:
    sent = [twilio.messages.create(to=TO, from_=FROM, body=f"n{index}").sid for index in range(5)]
    sandbox.inbound(NUMBER, "otra", "+56900000000", wait=0)
    assert [item.sid for item in twilio.messages.list(to=TO, from_=FROM, page_size=2)] == sent[::-1]
    assert [item.body for item in twilio.messages.list(to=FROM)] == ["otra", "hola"]
    hour_ago = datetime.now(UTC) - timedelta(hours=1)
    assert len(twilio.messages.list(date_sent_after=hour_ago)) == 7
    assert twilio.messages.list(date_sent_before=hour_ago) == []
    assert len(twilio.messages.list(date_sent=datetime.now(UTC).date())) == 7


def test_a_message_is_redacted_and_deleted(twilio: Client) -> None:
    sid = str(twilio.messages.create(to=TO, from_=FROM, body="secreto").sid)
    assert twilio.messages(sid).update(body="").body == ""
    assert twilio.messages(sid).delete()
    with refused(20404, 404):
        twilio.messages(sid).fetch()


def test_a_typing_indicator_needs_a_message_that_was_received(twilio: Client, sandbox: Sandbox) -> None:
    heard = sandbox.inbound(NUMBER, "hola", USER, wait=0)["message_sid"]
    typing = twilio.messaging.v2.typing_indicator
    assert typing.create(channel="whatsapp", message_id=heard).success
    sent = str(twilio.messages.create(to=TO, from_=FROM, body="hola").sid)
    for sid in ("SM" + "0" * 32, sent):
        with refused(20001):
            typing.create(channel="whatsapp", message_id=sid)
    assert [entry["message_sid"] for entry in sandbox.ledger(kind="typing")] == [heard]


def test_the_newer_typing_indicator_takes_the_channel_in_capitals(twilio: Client, sandbox: Sandbox) -> None:
    heard = sandbox.inbound(NUMBER, "hola", USER, wait=0)["message_sid"]
    typing = twilio.messaging.v3.typing_indicator
    asked = {
        channel: TypingIndicatorList.TypingIndicatorRequest({"channel": channel, "messageId": heard})
        for channel in ("WHATSAPP", "whatsapp")
    }
    assert typing.create(asked["WHATSAPP"]).success
    with refused(20001):
        typing.create(asked["whatsapp"])


def delivered(sandbox: Sandbox, count: int) -> list[str]:
    """What reached the phone, in that order, once there are `count` messages."""
    wait_until(lambda: len(sandbox.ledger(kind="delivered")) == count, what=f"{count} delivered messages")
    return [entry["message_sid"] for entry in sandbox.ledger(kind="delivered")]


@pytest.mark.usefixtures("open_window")
def test_a_message_may_be_overtaken_by_those_that_are_sent_before_it_has_left(twilio: Client, sandbox: Sandbox) -> None:
    sandbox.faults({"kind": "reorder_parts"})

    sids = [str(twilio.messages.create(to=TO, from_=FROM, body=body).sid) for body in ("uno", "dos", "tres")]

    assert delivered(sandbox, 3) == sids[::-1]


@pytest.mark.usefixtures("open_window")
def test_no_message_overtakes_one_that_has_left(twilio: Client, sandbox: Sandbox) -> None:
    sandbox.faults({"kind": "reorder_parts", "seconds": 0.1})

    sids = []
    for body in ("uno", "dos", "tres"):
        sids.append(str(twilio.messages.create(to=TO, from_=FROM, body=body).sid))
        wait_until(lambda: status_of(twilio, sids[-1]) == "delivered")

    assert delivered(sandbox, 3) == sids


@pytest.mark.usefixtures("open_window")
def test_a_message_is_not_overtaken_by_one_to_another_user(twilio: Client, sandbox: Sandbox) -> None:
    other = "+56922222222"
    sandbox.inbound(NUMBER, "hola", other, settle=0, wait=0)
    sandbox.faults({"kind": "reorder_parts", "seconds": 0.3, "nth": 1})

    first = twilio.messages.create(to=TO, from_=FROM, body="uno").sid
    second = twilio.messages.create(to=f"whatsapp:{other}", from_=FROM, body="dos").sid

    assert delivered(sandbox, 2) == [second, first]
    assert status_of(twilio, str(first)) == "delivered"
