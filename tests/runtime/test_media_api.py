"""A person who reads a conversation sees what was sent in it, from Twilio, and that they did is recorded."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path

import pytest

from runtime.media.folder import PREFIX
from tests import media_files
from tests.runtime.test_media import Open, rows, sent
from tests.runtime.test_scopes import made
from tests.runtime_process import Answer, Line, Runtime, open_line
from tests.sandbox_process import Sandbox, wait_until

PHOTO = media_files.jpeg(640, 480, "receta")


def place(shop: Line) -> str:
    """The path of the newest file that was sent to a bot."""
    query = f"SELECT conversation_id, id FROM inbox WHERE bot_id = '{shop.bot['id']}' ORDER BY id DESC LIMIT 1"
    ((conversation, message),) = rows(shop.runtime, query)
    return f"/conversations/{conversation}/media/{message}"


@pytest.fixture(scope="module")
def token(runtime_process: Runtime) -> str:
    return made(runtime_process, "lectora", "--scope", "messages")


def shown(shop: Line, token: str, path: str | None = None) -> Answer:
    return shop.runtime.api("GET", path or place(shop), token=token)


@pytest.mark.parametrize(
    ("declared", "content", "content_type", "disposition"),
    [
        ("image/jpeg", PHOTO, "image/jpeg", 'inline; filename="archivo.jpg"'),
        ("audio/ogg", media_files.voice_note("hola"), "audio/ogg", 'inline; filename="archivo.ogg"'),
        ("application/pdf", media_files.pdf(), "application/pdf", 'inline; filename="archivo.pdf"'),
        ("image/webp", media_files.animated_webp(), "image/webp", 'inline; filename="archivo.webp"'),
        (
            "image/jpeg",
            b"<html><script>alert(1)</script>",
            "application/octet-stream",
            'attachment; filename="archivo.bin"',
        ),
        (
            "image/svg+xml",
            b"<svg onload='alert(1)'/>",
            "application/octet-stream",
            'attachment; filename="archivo.bin"',
        ),
        ("text/csv", b"a,b\n", "text/csv", 'attachment; filename="archivo.csv"'),
        ("video/mp4", media_files.mp4(), "video/mp4", 'attachment; filename="archivo.mp4"'),
    ],
)
def test_a_file_is_shown_as_what_its_bytes_are(
    line: Open, token: str, declared: str, content: bytes, content_type: str, disposition: str
) -> None:
    shop = line()
    shop.ask("mira", media=sent(declared, content))

    answer = shown(shop, token)

    assert (answer.status, answer.body) == (200, content)
    assert answer.headers["content-type"] == content_type
    assert answer.headers["content-disposition"] == disposition
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "private, no-store"


def test_who_looked_at_what_of_whose_is_recorded(line: Open, token: str) -> None:
    shop = line()
    shop.ask("mira", media=sent("image/jpeg", PHOTO))
    _, _, conversation, _, message = place(shop).split("/")

    shown(shop, token)

    query = f"SELECT actor, action, kind, fields FROM audit WHERE object_id = '{shop.bot['id']}' AND action = 'read'"
    ((actor, action, kind, fields),) = rows(shop.runtime, query)
    assert (actor, action, kind) == ("lectora", "read", "media")
    assert json.loads(fields) == [f"conversation {conversation}", f"message {message}"]


def test_it_takes_the_scope_and_the_client(line: Open, runtime: Runtime) -> None:
    shop = line()
    shop.ask("mira", media=sent("image/jpeg", PHOTO))
    others = made(runtime, "otra-lectora", "--scope", "messages", "--client", "otro-cliente")
    writer = made(runtime, "escritora", "--scope", "write")

    assert shown(shop, others).status == 404
    assert shown(shop, writer).status == 403
    assert runtime.api("GET", place(shop), token=None).status == 401
    assert rows(runtime, f"SELECT count(*) FROM audit WHERE object_id = '{shop.bot['id']}'  AND action = 'read'") == [
        (0,)
    ]


def test_there_is_nothing_else(line: Open, token: str) -> None:
    shop, other = line(), line()
    shop.ask("mira", media=sent("image/jpeg", PHOTO))
    path = place(shop)
    other.ask("Hola")
    conversation = place(other).split("/")[2]

    assert shown(shop, token, f"{path}?file=1").status == 404
    assert shown(shop, token, place(other)).status == 404
    assert shown(shop, token, f"/conversations/{conversation}/media/{path.rpartition('/')[2]}").status == 404
    assert shown(shop, token, f"{path}?file=x").status == 400
    assert shown(shop, token, "/conversations/1/media/..%2f..%2fetc%2fpasswd").status == 400


def test_a_file_that_twilio_no_longer_has_is_said_to_be_deleted(line: Open, token: str) -> None:
    shop = line()
    shop.ask("mira", media=sent("image/jpeg", PHOTO))
    shop.sandbox.faults({"provider": "twilio", "path": "/2010-04-01/*/Media/*", "kind": "status", "status": 404})

    answer = shown(shop, token)

    assert (answer.status, answer.error["code"]) == (410, "gone")


def test_a_file_is_not_fetched_from_anywhere_else(line: Open, token: str) -> None:
    shop = line()
    shop.ask("mira", media=[{"url": "http://169.254.169.254/latest", "content_type": "image/jpeg"}])
    answer = shown(shop, token)
    assert (answer.status, answer.error["code"]) == (502, "not_fetched")


def test_nothing_of_it_stays(runtime_factory: Callable[..., Runtime], sandbox: Sandbox, tmp_path: Path) -> None:
    runtime = runtime_factory(MEDIA_DIR=str(tmp_path / "media"))
    shop = open_line(runtime, sandbox)
    shop.ask("mira", media=[{"content_type": "image/jpeg", "base64": b64encode(PHOTO).decode()}])
    reader = made(runtime, "lectora", "--scope", "messages")

    assert shown(shop, reader).body == PHOTO

    # The file goes after the last byte of the answer does, which the reader has first.
    wait_until(lambda: not list((tmp_path / "media").glob(f"{PREFIX}*/[0-9]*")), what="the file to be deleted")
