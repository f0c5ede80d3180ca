"""Twilio's copy of what a user sent is deleted when the manifest says so, and its reader learns of it."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable
from contextlib import closing

from tests import media_files
from tests.runtime.test_media import Open, rows, sent
from tests.runtime.test_media_api import place, shown
from tests.runtime.test_scopes import made
from tests.runtime_process import Line, Runtime
from tests.sandbox_process import wait_until

PHOTO = media_files.jpeg(640, 480, "receta")


def run_timers(runtime: Runtime, kind: str) -> None:
    """Makes the timers of a kind due, as time would."""
    with closing(sqlite3.connect(runtime.folder / "runtime.db", timeout=10)) as store, store:
        store.execute(f"UPDATE timers SET due_at = '2026-01-01T00:00:00.000Z' WHERE kind = '{kind}'")


def an_hour_passes(runtime: Runtime) -> None:
    with closing(sqlite3.connect(runtime.folder / "runtime.db", timeout=10)) as store, store:
        store.execute("UPDATE inbox SET received_at = '2026-01-01T00:00:00.000Z'")


def attempts(shop: Line) -> Callable[[], int]:
    message = place(shop).rpartition("/")[2]
    return lambda: sum(
        entry["event"] == "media_not_deleted" and entry["message"] == int(message) for entry in shop.runtime.log()
    )


def test_a_file_is_deleted_once_it_was_used_as_soon_as_twilio_lets_it_be(line: Open, runtime: Runtime) -> None:
    token = made(runtime, "lectora-tras-un-tiempo", "--scope", "messages")
    shop = line(policy={"version": 1, "data": {"retention": {"media": 0}}})
    keeping = line()
    for one in (shop, keeping):
        one.ask("mira", media=sent("image/jpeg", PHOTO))
    too_early = {"code": 20009, "message": "Delivery has not been completed.", "status": 409}
    where = {"provider": "twilio", "method": "DELETE", "path": "/2010-04-01/*/Media/*", "kind": "status"}
    shop.sandbox.faults(where | {"status": 409, "body": too_early, "times": 1})

    an_hour_passes(runtime)
    run_timers(runtime, "media_retention")
    wait_until(lambda: attempts(shop)() == 1, what="Twilio to refuse")
    assert shown(shop, token).body == PHOTO
    run_timers(runtime, "media_deletion")
    wait_until(lambda: shown(shop, token).status == 410, what="the file to be deleted")

    conversation = place(shop).split("/")[2]
    [message, *_] = runtime.api("GET", f"/conversations/{conversation}", token=token).json["messages"]
    [file] = message["files"]
    assert file["deleted_at"].endswith("Z")
    said = shown(shop, token)
    assert said.error["code"] == "deleted"
    assert re.fullmatch(
        r"The file was deleted at Twilio on \d{4}-\d\d-\d\d at \d\d:\d\d UTC, as data\.retention\.media of the client "
        r"says; there is no other copy\.",
        said.error["message"],
    )
    assert shown(keeping, token).body == PHOTO
    assert rows(runtime, "SELECT count(*) FROM timers WHERE kind = 'media_deletion'") == [(0,)]
