"""Twilio's Senders API v2: its life cycle, its checks and its traps."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from twilio.base.exceptions import TwilioException, TwilioRestException
from twilio.rest import Client
from twilio.rest.messaging.v2.channels_sender import ChannelsSenderInstance, ChannelsSenderList

from tests.sandbox.conftest import NUMBER, twilio_client
from tests.sandbox_process import Sandbox, wait_until

OWN_ACCOUNT = "AC" + "c" * 32


def senders(client: Client) -> ChannelsSenderList:
    return client.messaging.v2.channels_senders


def create(client: Client, **body: Any) -> ChannelsSenderInstance:
    document = {"sender_id": f"whatsapp:{NUMBER}", "profile": {"name": "La Cocina"}, **body}
    return senders(client).create(Body(document))


class Body:
    """A request body as it is: the SDK's own model silently drops what it does not know."""

    def __init__(self, document: dict[str, Any]) -> None:
        self._document = document

    def to_dict(self) -> dict[str, Any]:
        return self._document


@contextmanager
def refused(code: int, status: int = 400) -> Iterator[None]:
    with pytest.raises(TwilioRestException) as caught:
        yield
    assert (caught.value.code, caught.value.status) == (code, status)


def online(client: Client, sid: str) -> ChannelsSenderInstance:
    wait_until(lambda: senders(client)(sid).fetch().status == "ONLINE", what="the sender to be ONLINE")
    return senders(client)(sid).fetch()


def test_a_new_sender_takes_its_time_to_come_online(twilio: Client, sandbox: Sandbox) -> None:
    made = create(twilio, webhook={"callback_url": "https://example.cl/webhook"})
    assert made.status == "CREATING"
    assert online(twilio, made.sid).webhook["callback_url"] == "https://example.cl/webhook"


def test_a_number_that_is_not_twilios_waits_for_its_code(twilio: Client, sandbox: Sandbox) -> None:
    made = create(twilio, sender_id="whatsapp:+56222223333")
    wait_until(lambda: senders(twilio)(made.sid).fetch().status == "PENDING_VERIFICATION")
    with refused(63100):
        senders(twilio)(made.sid).update(Body({"configuration": {"verification_code": "000000"}}))
    senders(twilio)(made.sid).update(Body({"configuration": {"verification_code": "123456"}}))
    online(twilio, made.sid)


def test_a_number_has_ten_attempts_in_72_hours(twilio: Client, sandbox: Sandbox) -> None:
    for _ in range(10):
        assert senders(twilio)(create(twilio).sid).delete()
    with refused(20249):
        create(twilio)


def test_a_number_is_registered_once(twilio: Client, sender: Any) -> None:
    with refused(63110, 409):
        create(twilio)


@pytest.mark.parametrize(
    "body",
    [
        {"sender_id": "+15551234567"},
        {"profile": {"about": "sin nombre"}},
        {"webhook": {"callback_method": "GET"}},
        {"profile": {"name": "x", "vertical": "Restaurants"}},
        {"profile": {"name": "x", "about": "x" * 140}},
        {"profile": {"name": "x", "websites": ["https://x.cl"]}},
        {"configuration": {"verification_method": "fax"}},
    ],
)
def test_a_body_twilio_does_not_take_is_refused(twilio: Client, sandbox: Sandbox, body: dict[str, Any]) -> None:
    with refused(63100):
        create(twilio, **body)


def test_an_update_echoes_only_what_was_sent(twilio: Client, sender: Any) -> None:
    echo = senders(twilio)(sender["sid"]).update(Body({"webhook": {"callback_url": "https://nuevo.cl/wh"}}))
    assert (echo.status, echo.profile) == ("ONLINE:UPDATING", None)
    assert echo.webhook == {"callback_url": "https://nuevo.cl/wh"}
    live = online(twilio, sender["sid"])
    assert live.webhook == {**sender["webhook"], "callback_url": "https://nuevo.cl/wh"}
    assert live.profile["name"] == "Restaurante La Cocina"


def test_unknown_keys_are_dropped_without_a_word(twilio: Client, sender: Any) -> None:
    request = ChannelsSenderList.MessagingV2ChannelsSenderRequestsUpdate({"webhook": {"callbackUrl": "https://x.cl"}})
    senders(twilio)(sender["sid"]).update(request)
    assert senders(twilio)(sender["sid"]).fetch().webhook == sender["webhook"]


def test_an_empty_string_clears_a_field(twilio: Client, sender: Any) -> None:
    senders(twilio)(sender["sid"]).update(Body({"webhook": {"callback_url": ""}}))
    assert online(twilio, sender["sid"]).webhook["callback_url"] == ""


def test_a_form_under_a_json_header_is_refused(twilio: Client, sender: Any) -> None:
    url = f"https://messaging.twilio.com/v2/Channels/Senders/{sender['sid']}"
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = twilio.request("POST", url, data={"webhook": "callback_url"}, headers=form)
    assert answer.status_code == 400
    assert '"code": 63100' in answer.text


def test_a_list_leaves_out_what_twilios_leaves_out(twilio: Client, sender: Any) -> None:
    listed = senders(twilio).list(channel="whatsapp")[0]
    assert (listed.webhook, listed.profile["name"]) == (sender["webhook"], "Restaurante La Cocina")
    assert (listed.properties, listed.offline_reasons) == (None, None)
    assert "voice_application_sid" not in listed.configuration
    assert senders(twilio)(sender["sid"]).fetch().properties["quality_rating"] == "HIGH"


def test_a_list_has_twenty_a_page_and_pages_to_the_end(twilio: Client, sandbox: Sandbox) -> None:
    for index in range(45):
        sandbox.register(f"+1555000{index:04}")
    assert len(senders(twilio).list(channel="whatsapp")) == 45
    assert [call["query"].count("PageToken") for call in sandbox.calls("twilio")] == [0, 1, 1]
    assert len(senders(twilio).list(channel="whatsapp", page_size=45)) == 45
    assert len(sandbox.calls("twilio")) == 4


def test_a_list_needs_its_channel_and_a_possible_page_size(twilio: Client, sandbox: Sandbox) -> None:
    with pytest.raises(TwilioException):
        senders(twilio).list(channel="pigeon")
    with pytest.raises(TwilioException):
        senders(twilio).list(channel="whatsapp", page_size=2000)
    assert senders(twilio).list(channel="rcs") == []


def test_a_deleted_sender_is_gone(twilio: Client, sender: Any) -> None:
    assert senders(twilio)(sender["sid"]).delete()
    with refused(20404, 404):
        senders(twilio)(sender["sid"]).fetch()


def test_a_new_name_is_metas_to_approve(twilio: Client, sandbox: Sandbox, sender: Any) -> None:
    sandbox.settings(name_review="pending")
    echo = senders(twilio)(sender["sid"]).update(Body({"profile": {"name": "Otro Nombre"}}))
    assert echo.profile["display_name_status"] == "updating"
    profile = online(twilio, sender["sid"]).profile
    assert profile["name"] == "Restaurante La Cocina"
    assert profile["pending_display_name"] == "Otro Nombre"
    assert profile["pending_display_name_status"] == "PENDING_REVIEW"


def test_a_wrong_token_is_refused_as_twilio_refuses_it(sandbox: Sandbox) -> None:
    client, http = twilio_client(sandbox, sandbox.account_sid, "wrong")
    with refused(20003, 401):
        client.api.v2010.accounts(sandbox.account_sid).fetch()
    http.close()


def test_accounts_see_only_their_own_senders(sandbox: Sandbox, sender: Any) -> None:
    sandbox.ask("POST", "accounts", {"sid": OWN_ACCOUNT, "auth_token": "own", "friendly_name": "Cliente"})
    sandbox.register("+15559999999", account_sid=OWN_ACCOUNT)
    client, http = twilio_client(sandbox, OWN_ACCOUNT, "own")
    assert [item.sender_id for item in senders(client).list(channel="whatsapp")] == ["whatsapp:+15559999999"]
    with refused(20404, 404):
        senders(client)(sender["sid"]).fetch()
    assert client.api.v2010.accounts(OWN_ACCOUNT).fetch().friendly_name == "Cliente"
    http.close()


def test_a_change_in_the_console_is_live_and_no_call(twilio: Client, sandbox: Sandbox, sender: Any) -> None:
    sandbox.change(NUMBER, webhook={"callback_url": "https://ajeno.cl"}, status="OFFLINE")
    live = senders(twilio)(sender["sid"]).fetch()
    assert (live.status, live.webhook["callback_url"]) == ("OFFLINE", "https://ajeno.cl")
    assert sandbox.summary()["twilio"]["writes"] == 0
