"""Chatwoot's stand-in behaves as Chatwoot's source at 4.15.1 does, its traps included."""

from __future__ import annotations

import hmac
import json
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from tests.function_endpoint import Endpoint, endpoint
from tests.sandbox_process import Sandbox, wait_until

__all__ = ["endpoint"]
PHONE = "+56911111111"


@dataclass(frozen=True, slots=True)
class Desk:
    """An inbox, and calls of its API with the token of the bridge."""

    sandbox: Sandbox
    opened: Mapping[str, Any]

    def call(self, method: str, path: str, body: object = None, *, token: str = "token") -> tuple[int, Any]:
        """Status and answer."""
        headers = {"api_access_token": self.opened.get(token, token), "Content-Type": "application/json"}
        data = None if body is None else json.dumps(body).encode()
        url = f"{self.opened['url']}/api/v1/accounts/{self.opened['account']}/{path}"
        try:
            with urlopen(Request(url, data, headers, method=method)) as response:
                content = response.read()
                return response.status, json.loads(content) if content else None
        except HTTPError as error:
            with error:
                content = error.read()
                is_json = error.headers.get_content_type() == "application/json"
                return error.code, json.loads(content) if content and is_json else content.decode()

    def done(self, method: str, path: str, body: object = None) -> Any:
        status, answer = self.call(method, path, body)
        assert status == 200, answer
        return answer

    def contact(self, source_id: str = "key-1", phone: str | None = PHONE) -> int:
        fields = {"inbox_id": self.opened["inbox"], "source_id": source_id, "name": "Ana", "phone_number": phone}
        return int(self.done("POST", "contacts", fields)["payload"]["contact"]["id"])

    def conversation(self) -> int:
        inbox = {"inbox_id": self.opened["inbox"], "source_id": "key-1", "contact_id": self.contact()}
        return int(self.done("POST", "conversations", inbox)["id"])


def opened(sandbox: Sandbox, **fields: object) -> Desk:
    return Desk(sandbox, sandbox.ask("POST", "desk/inboxes", fields))


@pytest.fixture
def desk(sandbox: Sandbox, endpoint: Endpoint) -> Desk:
    return opened(sandbox, webhook_url=endpoint.url)


def test_tokens_open_what_their_owners_may(desk: Desk) -> None:
    inbox = f"inboxes/{desk.opened['inbox']}"
    assert desk.call("GET", inbox, token="wrong") == (401, {"error": "Invalid Access Token"})
    assert "secret" not in desk.done("GET", inbox)
    assert desk.call("GET", inbox, token="admin_token")[1]["secret"] == desk.opened["secret"]
    assert desk.call("PATCH", inbox, {"name": "x"})[0] == 401
    assert desk.done("GET", f"{inbox}/agent_bot")["agent_bot"]["id"] == desk.opened["bot"]
    bots = desk.call("GET", "agent_bots", token="admin_token")[1]
    of_bots = (401, {"error": "Access to this endpoint is not authorized for bots"})
    assert desk.call("GET", "contacts/search?q=Ana", token=bots[0]["access_token"]) == of_bots
    other = opened(desk.sandbox, account=2)
    assert desk.call("GET", inbox, token=other.opened["token"])[0] == 401
    assert other.call("GET", inbox)[0] == 404


def test_a_contact_is_known_by_its_phone_and_an_inbox_by_its_key(desk: Desk) -> None:
    contact, inbox = desk.contact(), desk.opened["inbox"]
    again = {"inbox_id": inbox, "source_id": "key-2", "name": "Ana", "phone_number": PHONE}
    taken = {"message": "Phone number has already been taken", "attributes": ["phone_number"]}
    assert desk.call("POST", "contacts", again) == (422, taken)
    assert desk.done("POST", "contact_inboxes/filter", {"inbox_id": inbox, "source_id": "key-1"})["id"] == contact
    assert desk.call("POST", "contact_inboxes/filter", {"inbox_id": inbox, "source_id": "key-2"}) == (404, "")
    other = desk.contact("key-3", phone=None)
    assert desk.call("POST", f"contacts/{other}/contact_inboxes", {"inbox_id": inbox, "source_id": "key-1"})[0] == 500
    found = desk.done("GET", "contacts/search?q=%2B569")
    assert [row["id"] for row in found["payload"]] == [contact]
    for _ in range(99):
        desk.call("GET", "contacts/search?q=x")
    assert desk.call("GET", "contacts/search?q=x") == (429, "Retry later")


def test_a_bots_conversation_is_pending_until_people_open_it(desk: Desk) -> None:
    conversation = desk.conversation()
    path = f"conversations/{conversation}"
    assert desk.done("GET", path)["status"] == "pending"
    desk.done("POST", f"{path}/toggle_status", {"status": "open"})
    assert desk.done("GET", path)["meta"]["assignee"]["name"] == "Puente"  # an agent who opens takes it
    desk.done("POST", f"{path}/toggle_status", {"status": "resolved"})
    desk.done("POST", f"{path}/messages", {"content": "¿Siguen ahí?", "message_type": "incoming"})
    assert desk.done("GET", path)["status"] == "pending"


def test_messages_are_numbers_in_rest_and_words_in_webhooks(desk: Desk, endpoint: Endpoint) -> None:
    path = f"conversations/{desk.conversation()}/messages"
    made = desk.done("POST", path, {"content": "Hola", "source_id": "hz:1", "echo_id": "e", "sender_id": 5})
    assert (made["message_type"], made["status"], made["sender"]["type"], made["echo_id"]) == (1, "sent", "user", "e")
    bot = {"content": "Hola", "sender_type": "AgentBot", "sender_id": desk.opened["bot"]}
    assert desk.done("POST", path, bot)["sender"]["type"] == "agent_bot"
    wait_until(lambda: len(events(endpoint, "message_created")) == 2)
    event = min(events(endpoint, "message_created"), key=lambda item: int(item["id"]))
    assert (event["message_type"], event["source_id"], event["sender"]["type"]) == ("outgoing", "hz:1", "user")
    assert "status" not in event
    assert event["created_at"].endswith("Z")
    assert event["conversation"]["contact_inbox"]["source_id"] == "key-1"
    headers, body = endpoint.received[0]
    signed = f"{headers['x-chatwoot-timestamp']}.".encode() + body
    digest = hmac.digest(desk.opened["secret"].encode(), signed, "sha256").hex()
    assert headers["x-chatwoot-signature"] == f"sha256={digest}"


def test_listing_pages_by_a_hundred(desk: Desk) -> None:
    path = f"conversations/{desk.conversation()}/messages"
    ids = [desk.done("POST", path, {"content": str(number)})["id"] for number in range(102)]
    assert [row["id"] for row in desk.done("GET", path)["payload"]] == ids[-20:]
    assert [row["id"] for row in desk.done("GET", f"{path}?after={ids[0]}")["payload"]] == ids[1:101]
    for _ in range(98):
        desk.done("POST", path, {"content": "más"})
    assert desk.call("POST", path, {"content": "x"}) == (422, {"error": "Validation failed: Too many messages"})


def test_a_delivery_status_follows_chatwoots_rules(desk: Desk, endpoint: Endpoint) -> None:
    path = f"conversations/{desk.conversation()}/messages"
    message = f"{path}/{desk.done('POST', path, {'content': 'Hola'})['id']}"
    assert desk.done("PATCH", message, {"status": "read"})["status"] == "read"
    assert desk.done("PATCH", message, {"status": "delivered"})["status"] == "read"
    failed = desk.done("PATCH", message, {"status": "failed", "external_error": "63016"})
    assert failed["content_attributes"] == {"external_error": "63016"}
    wait_until(lambda: len(events(endpoint, "message_updated")) == 2)


def test_a_webhook_that_is_refused_paints_the_message_red(desk: Desk, endpoint: Endpoint) -> None:
    endpoint.status = 403
    path = f"conversations/{desk.conversation()}/messages"
    desk.done("POST", path, {"content": "Hola", "message_type": "incoming"})
    wait_until(lambda: desk.done("GET", path)["payload"][0]["status"] == "failed")
    assert len(desk.sandbox.ledger(kind="desk_webhook")) >= 2
    assert len(events(endpoint, "message_created")) == 1  # one attempt


def test_webhooks_get_lost_and_come_twice_on_demand(desk: Desk, endpoint: Endpoint) -> None:
    path = f"conversations/{desk.conversation()}/messages"
    desk.sandbox.faults(
        {"kind": "drop_webhook", "provider": "chatwoot", "containing": '"content": "uno"'},
        {"kind": "duplicate_webhook", "provider": "chatwoot", "containing": '"content": "dos"'},
    )
    for word in ("uno", "dos"):
        desk.done("POST", path, {"content": word, "private": True})
    wait_until(lambda: len(events(endpoint, "message_created")) == 2)
    assert {event["content"] for event in events(endpoint, "message_created")} == {"dos"}
    assert len({headers["x-chatwoot-delivery"] for headers, _ in endpoint.received}) == len(endpoint.received)


def test_an_old_version_signs_nothing(desk: Desk, endpoint: Endpoint) -> None:
    desk.sandbox.settings(desk_version="4.12.1")
    desk.conversation()
    wait_until(lambda: bool(endpoint.received))
    assert "x-chatwoot-signature" not in endpoint.received[0][0]
    with urlopen(f"{desk.opened['url']}/api") as response:
        assert json.load(response)["version"] == "4.12.1"


def test_an_operators_file_is_behind_a_redirect_and_not_there_at_once(desk: Desk) -> None:
    conversation = desk.conversation()
    desk.sandbox.settings(desk_upload_seconds=0.5)
    file = {"filename": "menu.pdf", "content_type": "application/pdf", "base64": b64encode(b"%PDF-1.7").decode()}
    body = {"to": PHONE, "content": "El menú", "attachments": [file]}
    written = desk.sandbox.ask("POST", "desk/messages", body)
    assert (written["sender"]["name"], written["attachments"][0]["file_type"]) == ("Carla", "file")
    url = written["attachments"][0]["data_url"]
    with pytest.raises(HTTPError, match="404"):
        urlopen(url)
    desk.sandbox.settings(desk_upload_seconds=0.0)
    with urlopen(url) as response:
        assert (response.read(), "/disk/" in response.url) == (b"%PDF-1.7", True)
    assert desk.sandbox.ask("POST", "desk/status", {"to": PHONE, "status": "resolved"}) == {"status": "resolved"}
    shown = desk.sandbox.ask("GET", "desk/conversations")["conversations"]
    assert [(row["id"], row["status"], len(row["messages"])) for row in shown] == [(conversation, "resolved", 1)]


def events(endpoint: Endpoint, name: str) -> list[Mapping[str, Any]]:
    bodies = [json.loads(body) for _, body in list(endpoint.received)]
    return [body for body in bodies if body["event"] == name]
