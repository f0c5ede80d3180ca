"""Planning reads without the SDKs; it must see what they see, page by page."""

from __future__ import annotations

import warnings
from typing import Any
from urllib.parse import urlsplit

import openai
import pytest
from twilio.http.http_client import TwilioHttpClient
from twilio.http.response import Response
from twilio.rest import Client

from reconciler.readers.openai import OpenAIReader
from reconciler.readers.twilio import TwilioReader
from reconciler.settings import Settings, load_settings
from tests.reconciler.agency import Agency

TOOLS: Any = [
    {"type": "function", "function": {"name": "reservar", "parameters": {"type": "object", "properties": {}}}}
]


@pytest.fixture
def settings(agency: Agency, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """What the command would read."""
    for name, value in agency.environment.items():
        monkeypatch.setenv(name, value)
    return load_settings(agency.folder)


def test_assistants_over_three_pages(agency: Agency, settings: Settings) -> None:
    for n in range(230):
        body = {
            "model": "gpt-6-luna",
            "name": f"a{n}",
            "instructions": None if n % 2 else "Hola",
            "tools": TOOLS[: n % 2],
        }
        agency.openai("POST", "/assistants", {**body, "metadata": {"n": str(n)}})
    read = OpenAIReader(settings).objects("assistants")
    with (
        openai.OpenAI(base_url=settings.openai_base_url, api_key=settings.openai_api_key) as client,
        warnings.catch_warnings(action="ignore", category=DeprecationWarning),
    ):
        listed = [item.to_dict() for item in client.beta.assistants.list(limit=100, order="asc")]
    assert len(listed) == 230
    assert [(item.id, item.metadata) for item in read] == [(item["id"], item["metadata"]) for item in listed]
    for key in ("name", "model", "instructions", "tools"):
        assert [item.values[key] for item in read] == [item[key] for item in listed]
    assert len(agency.sandbox.calls("openai", "GET", "/v1/assistants")) == 2 * 3


def test_agents_over_two_pages(agency: Agency, settings: Settings) -> None:
    tool = {**TOOLS[0]["function"], "type": "function", "description": "Reserva"}
    for n in range(130):
        agency.openai("POST", "/agents", {"model": "gpt-6-luna", "name": f"a{n}", "tools": [tool][: n % 2]})
    read = OpenAIReader(settings).objects("agents")
    with openai.OpenAI(base_url=settings.openai_base_url, api_key=settings.openai_api_key) as client:
        listed = [item.to_dict() for item in client.beta.agents.list(limit=100, order="asc")]
    assert len(listed) == 130
    assert [item.id for item in read] == [item["id"] for item in listed]
    for key in ("name", "model", "instructions", "tools"):
        assert [item.values[key] for item in read] == [item[key] for item in listed]
    assert {item.values["settings"]["reasoning_effort"] for item in read} == {"medium"}


def test_models_with_their_shutdown_dates(agency: Agency, settings: Settings) -> None:
    read = OpenAIReader(settings).models()
    with openai.OpenAI(base_url=settings.openai_base_url, api_key=settings.openai_api_key) as client:
        listed = {item.id: item.to_dict().get("shutdown_date") for item in client.models.list()}
    assert {
        name: date and date.isoformat() for name, date in ((key, read[key].shutdown_date) for key in read)
    } == listed
    assert listed["gpt-4o-mini"] == "2027-01-14"


def test_senders_over_three_pages(agency: Agency, settings: Settings) -> None:
    profile = {"name": "Ajeno", "websites": [{"website": "https://ajeno.cl", "label": "Web"}]}
    webhook = {"callback_url": "https://ajeno.cl/webhook"}
    agency.sandbox.ask(
        "POST",
        "senders",
        {
            "senders": [
                {"sender_id": f"whatsapp:+569200{n:05}", "profile": profile, "webhook": webhook} for n in range(2100)
            ]
        },
    )
    read = TwilioReader(settings, agency.sandbox.account_sid, agency.sandbox.auth_token).senders()
    assert len(agency.sandbox.calls("twilio", "GET")) == 3
    client = Client(agency.sandbox.account_sid, agency.sandbox.auth_token, http_client=_Http(agency.sandbox.twilio_url))
    listed = client.messaging.v2.channels_senders.list(channel="whatsapp", page_size=1000)
    assert len(read) == 2100
    assert [(item.sid, f"whatsapp:{item.number}", item.status, item.webhook, item.profile) for item in read] == [
        (item.sid, item.sender_id, item.status, item.webhook, item.profile) for item in listed
    ]


class _Http(TwilioHttpClient):
    """The SDK's client, with every host of Twilio's at one base."""

    def __init__(self, base: str) -> None:
        super().__init__()
        self._base = base

    def request(self, method: str, url: str, *args: object, **kwargs: object) -> Response:
        parts = urlsplit(url)
        return super().request(method, f"{self._base}{parts.path}?{parts.query}", *args, **kwargs)
