"""Event Streams, through Twilio's SDK: sinks, subscriptions, and events as Twilio sends them."""

from __future__ import annotations

import json
from hashlib import sha256
from urllib.parse import parse_qs, urlsplit

import pytest
from twilio.base.exceptions import TwilioRestException
from twilio.request_validator import RequestValidator
from twilio.rest import Client

from tests.runtime.template_shop import REOPEN, made
from tests.sandbox.conftest import Received, Webhook
from tests.sandbox_process import Json, Sandbox

TYPE = "com.twilio.messaging.template.approval.updated"


def sink_at(twilio: Client, url: str) -> str:
    made = twilio.events.v1.sinks.create(
        description="avisos",
        sink_configuration={"destination": url, "method": "POST", "batch_events": False},
        sink_type="webhook",
    )
    assert made.sid is not None
    return made.sid


def subscribe(twilio: Client, sink: str) -> None:
    types: list[object] = [{"type": TYPE, "schema_version": 1}]
    twilio.events.v1.subscriptions.create(description="plantillas", sink_sid=sink, types=types)


def signed_events(got: Received, webhook: Webhook, sandbox: Sandbox) -> list[Json]:
    """The events of a request, whose signature Twilio's own validator accepts."""
    assert parse_qs(urlsplit(got.path).query)["bodySHA256"] == [sha256(got.body.encode()).hexdigest()]
    validator = RequestValidator(sandbox.auth_token)
    assert validator.validate(webhook.url + got.path, got.body, got.headers["X-Twilio-Signature"])
    found: list[Json] = json.loads(got.body)
    return found


def test_what_is_decided_about_a_template_is_sent_to_who_is_subscribed(
    twilio: Client, sandbox: Sandbox, webhook: Webhook
) -> None:
    subscribe(twilio, sink_at(twilio, webhook.url + "/eventos"))
    sid = made(sandbox, "retomar", REOPEN)
    [approved] = signed_events(webhook.next(), webhook, sandbox)
    assert (approved["type"], approved["data"]["accountSid"]) == (TYPE, sandbox.account_sid)
    assert approved["data"]["type"] == "status_update"
    shown = approved["data"]["template"]
    assert (shown["sid"], shown["previousValue"], shown["currentValue"]) == (sid, "received", "approved")
    sandbox.ask("PATCH", f"contents/{sid}", {"category": "MARKETING"})
    [moved] = signed_events(webhook.next(), webhook, sandbox)
    assert (moved["data"]["type"], moved["data"]["template"]["currentValue"]) == ("category_update", "marketing")


def test_a_sink_that_is_not_active_has_no_subscription_until_its_test_event_is_confirmed(
    twilio: Client, sandbox: Sandbox, webhook: Webhook
) -> None:
    sandbox.settings(sink_status="initialized")
    sink = sink_at(twilio, webhook.url + "/eventos")
    with pytest.raises(TwilioRestException):
        subscribe(twilio, sink)
    twilio.events.v1.sinks(sink).sink_test.create()
    [test] = signed_events(webhook.next(), webhook, sandbox)
    with pytest.raises(TwilioRestException):
        twilio.events.v1.sinks(sink).sink_validate.create(test_id="another")
    twilio.events.v1.sinks(sink).sink_validate.create(test_id=test["data"]["test_id"])
    assert twilio.events.v1.sinks(sink).fetch().status == "active"
    subscribe(twilio, sink)
    with pytest.raises(TwilioRestException):
        twilio.events.v1.sinks(sink).delete()
    [subscription] = twilio.events.v1.subscriptions.list(sink_sid=sink)
    one = twilio.events.v1.subscriptions(str(subscription.sid))
    assert [event.type for event in one.subscribed_events.list()] == [TYPE]
    one.delete()
    assert twilio.events.v1.sinks(sink).delete()
