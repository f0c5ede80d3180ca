"""A message with a MediaUrl: Twilio fetches the file first, and refuses what WhatsApp does not take."""

import hashlib
from typing import Any

import pytest
from twilio.rest import Client
from twilio.rest.content.v1.content import ContentList

from tests import media_files
from tests.bare_server import Serve, answer, head
from tests.sandbox.conftest import NUMBER, USER
from tests.sandbox.test_contents import ended
from tests.sandbox_process import Sandbox

FROM, TO = f"whatsapp:{NUMBER}", f"whatsapp:{USER}"
MENU = media_files.pdf("Cazuela a 6.900")
OK = "200 OK"


@pytest.fixture(autouse=True)
def open_window(sandbox: Sandbox, sender: Any) -> None:
    sandbox.inbound(NUMBER, "hola", USER, wait=0)


def served(serve: Serve, content: bytes, kind: str, *headers: str) -> str:
    """The URL of a file, which is fetched once."""
    lines = (f"Content-Type: {kind}", *headers)
    return serve(head(OK, f"Content-Length: {len(content)}", *lines), answer(OK, content, *lines)) + "/menu"


def send(client: Client, url: str, body: str = "") -> Any:
    return client.messages.create(to=TO, from_=FROM, body=body, media_url=[url])


def test_a_file_is_asked_for_then_fetched_then_delivered(sandbox: Sandbox, twilio: Client, serve: Serve) -> None:
    url = served(serve, MENU, "application/pdf")
    message = send(twilio, url)
    assert ended(twilio, message) == ("delivered", None)
    fetched = [(entry["method"], entry["status"], entry["url"]) for entry in sandbox.ledger(kind="media")]
    assert fetched == [("HEAD", 200, url), ("GET", 200, url)]
    got = sandbox.ledger(kind="media")[1]
    assert (got["sha256"], got["filename"]) == (hashlib.sha256(MENU).hexdigest(), "menu")
    [medium] = twilio.messages(message.sid).media.list()
    assert medium.content_type == "application/pdf"


def test_the_file_of_a_content_is_fetched_too(sandbox: Sandbox, twilio: Client, serve: Serve) -> None:
    url = served(serve, media_files.jpeg(), "image/jpeg")
    types = {"twilio/media": {"body": "{{1}}", "media": [url.replace("/menu", "/{{2}}")]}}
    document = ContentList.ContentCreateRequest({"language": "es", "types": types})
    sid = twilio.content.v1.contents.create(document).sid
    variables = '{"1": "La carta", "2": "menu"}'
    message = twilio.messages.create(to=TO, from_=FROM, content_sid=sid, content_variables=variables)
    assert (message.body, message.num_media, ended(twilio, message)) == ("La carta", "1", ("delivered", None))
    assert sandbox.ledger(kind="media")[1]["url"] == url


@pytest.mark.parametrize(
    ("content", "kind", "code"),
    [
        (MENU, "application/octet-stream", 63021),
        (MENU, "text/html", 63021),
        (MENU, "image/jpeg", 63021),
        (b"<html>", "application/pdf", 63021),
        (b"", "application/pdf", 63021),
        (media_files.jpeg() + bytes(5 * 2**20), "image/jpeg", 63019),
        (MENU + bytes(16 * 2**20), "application/pdf", 63019),
    ],
    ids=["no type", "a page", "wrong type", "not a PDF", "empty", "image over 5 MB", "file over 16 MB"],
)
def test_a_file_that_whatsapp_does_not_take_fails_its_message(
    twilio: Client, serve: Serve, content: bytes, kind: str, code: int
) -> None:
    assert ended(twilio, send(twilio, served(serve, content, kind))) == ("failed", code)


def test_a_document_has_the_name_that_the_server_gives_it(sandbox: Sandbox, twilio: Client, serve: Serve) -> None:
    url = served(serve, MENU, "application/pdf", 'Content-Disposition: inline; filename="carta.pdf"')
    assert ended(twilio, send(twilio, url)) == ("delivered", None)
    assert sandbox.ledger(kind="media")[1]["filename"] == "carta.pdf"


def test_a_parameter_of_the_type_changes_nothing(twilio: Client, serve: Serve) -> None:
    url = served(serve, media_files.voice_note(), "audio/ogg; codecs=opus")
    assert ended(twilio, send(twilio, url)) == ("delivered", None)


def test_a_server_that_does_not_answer_head_fails_the_message(twilio: Client, serve: Serve) -> None:
    refused = head("405 Method Not Allowed", "Content-Length: 0")
    assert ended(twilio, send(twilio, serve(refused) + "/menu")) == ("failed", 63019)


def test_a_server_that_is_not_there_fails_the_message(twilio: Client) -> None:
    assert ended(twilio, send(twilio, "http://127.0.0.1:9/menu.pdf")) == ("failed", 63019)


def test_an_endless_file_is_not_read_to_its_end(twilio: Client, serve: Serve) -> None:
    kind = "Content-Type: application/pdf"
    endless = (piece for piece in (head(OK, "Connection: close", kind), MENU, *[bytes(2**20)] * 64))
    url = serve(head(OK, "Content-Length: 9", kind), endless)
    assert ended(twilio, send(twilio, url)) == ("failed", 63019)


def test_fetching_can_be_turned_off(sandbox: Sandbox, twilio: Client) -> None:
    sandbox.settings(fetch_media=False)
    assert ended(twilio, send(twilio, "http://127.0.0.1:9/menu.pdf")) == ("delivered", None)
    assert sandbox.ledger(kind="media") == []
