"""`reconcile doctor` looks at a client's desk: Chatwoot's version, its inbox, and whether its webhooks are believed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.reconciler.agency import API_TOKEN, Agency
from tests.runtime_process import Runtime
from tests.sandbox_process import Json

CLIENT = "la-cocina"
SECRETS = {"DESK_TOKEN": "desk-bridge-1", "DESK_HOOK": "a-secret"}


@pytest.fixture
def opened(agency: Agency, runtime_factory: Callable[..., Runtime]) -> Callable[..., Json]:
    """`opened(**inbox)` declares and applies a client with a desk, whose inbox is as the guide says but for these."""

    def make(**changes: Any) -> Json:
        runtime = runtime_factory(API_TOKEN=API_TOKEN, **SECRETS)
        agency.environment |= {"PUBLIC_URL": runtime.url, "BOT_STORE_URL": runtime.url}
        hook = {"webhook_url": f"{runtime.url}/webhook/desk/{CLIENT}", "secret": SECRETS["DESK_HOOK"]}
        inbox = agency.sandbox.ask("POST", "desk/inboxes", hook | changes)
        chatwoot = {"url": inbox["url"], "account": 1, "inbox": inbox["inbox"], "token": {"env": "DESK_TOKEN"}}
        desk = {"chatwoot": {**chatwoot, "webhook_secret": {"env": "DESK_HOOK"}}, "allow_private": True}
        agency.declare(CLIENT, handoff={"desk": desk})
        agency.apply()
        return inbox

    return make


def links(agency: Agency, **environment: str | None) -> dict[str, str]:
    """What the doctor says of each link of the desk."""
    lines = agency.reconcile("doctor", CLIENT, **{**SECRETS, **environment}).out.splitlines()
    found = [line.partition(": ") for line in lines if line.strip()]
    return {name[4:]: f"{name[:2].strip()} {said}" for name, _, said in found if name[4:].startswith("desk")}


def test_a_desk_that_is_set_up_has_no_broken_link(agency: Agency, opened: Callable[..., Json]) -> None:
    inbox = opened()
    said = links(agency)
    assert said["desk"] == f"ok {inbox['url']} is Chatwoot 4.15.1 and accepts the token."
    assert said["desk inbox"].startswith(f"ok inbox {inbox['inbox']} (WhatsApp) calls ")
    assert said["desk webhook"] == "ok the runtime accepts this secret's signature."

    agency.sandbox.settings(desk_version="4.12.1")
    assert links(agency)["desk"] == f"✗ {inbox['url']} is Chatwoot 4.12.1."
    agency.sandbox.settings(desk_version="4.15.1")
    assert links(agency, DESK_HOOK="another")["desk webhook"].startswith("✗ the runtime refuses a signed call")
    assert "Invalid Access Token" not in links(agency, DESK_TOKEN="wrong")["desk"]
    assert links(agency, DESK_TOKEN="wrong")["desk"].startswith("✗ ")
    assert links(agency, DESK_TOKEN=None)["desk"] == "– DESK_TOKEN is not set here, so Chatwoot cannot be asked."

    for changes, words in WRONG:
        usual = {"greeting_enabled": False, "working_hours_enabled": False, "csat_survey_enabled": False}
        usual |= {"lock_to_single_conversation": True}
        agency.sandbox.ask("POST", "desk/inboxes", {"inbox": inbox["inbox"], **usual, **changes})
        assert links(agency)["desk inbox"] == f"✗ {words}.", changes


WRONG: tuple[tuple[Json, str], ...] = (
    ({"greeting_enabled": True}, "its greeting is on: it would be sent to people by WhatsApp, and paid"),
    (
        {"working_hours_enabled": True, "out_of_office_message": "Cerrado"},
        "its business hours are on, with an out-of-office message: it would be sent to people by WhatsApp, and paid",
    ),
    ({"csat_survey_enabled": True}, "its survey (CSAT) is on: it would be sent to people by WhatsApp, and paid"),
    (
        {"lock_to_single_conversation": False},
        "it makes a new conversation each time, so that a person's past is in several",
    ),
    ({"_bot": None}, "no bot is connected to it, so an open conversation does not mean a person's"),
    ({"webhook_url": "https://otro.cl/hook"}, "it calls https://otro.cl/hook"),
    ({"channel_type": "Channel::WebWidget"}, "inbox 3 is not of the type API"),
)
"""What is wrong with an inbox, from what is looked at last; the last two stay wrong."""
