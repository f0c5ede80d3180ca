"""A person who asks is found, blocked, erased; each with a receipt, in a chain that shows what was changed."""

from __future__ import annotations

import json
import sqlite3
from base64 import b64encode
from collections.abc import Callable
from contextlib import closing
from io import BytesIO
from pathlib import Path
from urllib.parse import quote
from uuid import uuid4
from zipfile import ZipFile

import pytest

from tests import media_files
from tests.runtime_process import NO_NOTE, Answer, Line, Runtime, open_line
from tests.sandbox_process import Json, Sandbox, wait_until


@pytest.fixture
def user() -> str:
    """A person of this test only."""
    return f"+569{uuid4().int % 10**8:08d}"


@pytest.fixture
def shop(runtime: Runtime, sandbox: Sandbox) -> Line:
    return open_line(runtime, sandbox, policy=NO_NOTE)


@pytest.fixture
def token(runtime: Runtime) -> str:
    """A token with the scope `privacy` alone."""
    made = runtime.command("token", "create", f"privacy-{uuid4()}", "--scope", "privacy")
    assert made.code == 0, made.err
    return made.out.strip()


@pytest.fixture
def people(runtime: Runtime, token: str) -> Callable[..., Answer]:
    """`people(method, user, rest, body)`: a call about a person."""

    def call(method: str, user: str, rest: str = "", body: object = None) -> Answer:
        return runtime.api(method, f"/people/{quote(user)}{rest}", body, token)

    return call


def test_find_lists_what_there_is_without_what_was_said(shop: Line, people: Callable[..., Answer], user: str) -> None:
    shop.ask("Mi clave es 1234", user, external_user_id="CL.Ana1234567", profile_name="Ana Secreta")
    found = people("GET", user)
    [conversation] = found.json["conversations"]
    assert (conversation["client"], conversation["counts"]["messages"], conversation["counts"]["answers"]) == (
        shop.bot["id"],
        1,
        1,
    )
    assert found.json["addresses"] == ["whatsapp:" + user, "whatsapp:CL.Ana1234567"]
    assert [word for word in ("clave", "Ana Secreta") if word in found.body.decode()] == []


@pytest.mark.parametrize("name", ["CL.Bea1234567", "whatsapp:CL.Bea1234567"])
def test_a_person_is_found_by_any_of_their_addresses(
    shop: Line, people: Callable[..., Answer], user: str, name: str
) -> None:
    own = f"{name[:-4]}{uuid4().hex}"
    shop.ask("Hola", user, external_user_id=own.removeprefix("whatsapp:"))
    assert "whatsapp:" + user in people("GET", own).json["addresses"]


def test_nothing_of_a_blocked_person_is_answered_or_reaches_a_model(
    shop: Line, people: Callable[..., Answer], user: str
) -> None:
    shop.ask("Hola", user)
    done = people("POST", user, "/block")
    assert (done.status, done.json["conversations"]) == (200, 1)
    before = len(shop.sandbox.calls("openai"))
    shop.write("Mi clave es 1234", user, wait=0)
    other = f"+569{uuid4().int % 10**8:08d}"
    shop.ask("Hola", other)
    wait_until(lambda: reasons(shop, user) == ["blocked"], what="a turn that is not answered")
    assert len(shop.sandbox.calls("openai")) == before + 1
    assert len(shop.outbound(user)) == 1


def test_the_turn_that_runs_ends_without_an_answer_and_without_a_further_call(
    shop: Line, people: Callable[..., Answer], user: str
) -> None:
    shop.write("piensa 2s", user, wait=0)
    shop.runtime.wait_for_turns(1)
    people("POST", user, "/block")
    wait_until(lambda: reasons(shop, user) == ["blocked"], what="the end of the turn")
    assert shop.outbound(user) == []


def test_what_is_written_during_a_block_stays_unknown_to_the_assistant(
    shop: Line, people: Callable[..., Answer], user: str
) -> None:
    shop.ask("Hola", user)
    people("POST", user, "/block")
    shop.write("Mi clave es 1234", user, wait=0)
    wait_until(lambda: reasons(shop, user) == ["blocked"], what="a turn that is not answered")
    assert people("POST", user, "/unblock").json["conversations"] == 1
    assert shop.ask("¿Sigues ahí?", user).endswith("turn 2")
    assert people("POST", user, "/unblock").error["code"] == "not_blocked"


def test_nothing_is_sent_to_a_blocked_person(shop: Line, people: Callable[..., Answer], user: str) -> None:
    shop.ask("Hola", user)
    people("POST", user, "/block")
    body = {"to": user, "body": "Le recuerdo su hora", "bot_id": shop.bot["id"]}
    refused = shop.runtime.api("POST", "/messages/", body)
    assert (refused.status, refused.error["code"]) == (409, "blocked")


def test_a_block_holds_for_a_person_who_has_not_written_yet(
    shop: Line, people: Callable[..., Answer], user: str
) -> None:
    assert people("POST", user, "/block").json["conversations"] == 0
    shop.write("Hola", user, wait=0)
    wait_until(lambda: reasons(shop, user) == ["blocked"], what="a turn that is not answered")


def test_a_block_for_one_client_leaves_the_others_as_they_are(
    shop: Line, people: Callable[..., Answer], sandbox: Sandbox, user: str
) -> None:
    other = open_line(shop.runtime, sandbox, policy=NO_NOTE)
    people("POST", user, f"/block?client={shop.bot['id']}")
    assert other.ask("Hola", user)
    shop.write("Hola", user, wait=0)
    wait_until(lambda: reasons(shop, user) == ["blocked"], what="a turn that is not answered")


def test_a_block_and_an_opt_out_outlive_an_erasure(shop: Line, people: Callable[..., Answer], user: str) -> None:
    shop.ask("Hola", user)
    shop.ask("stop", user)
    assert people("DELETE", user).status == 200
    body = {"to": user, "body": "Oferta", "bot_id": shop.bot["id"]}
    refused = shop.runtime.api("POST", "/messages/", body)
    assert (refused.status, refused.error["code"]) == (409, "opted_out")
    shop.write("Hola", user, wait=45)
    people("POST", user, "/block")
    assert people("DELETE", user).status == 200
    assert {mark["kind"] for mark in people("GET", user).json["marks"]} == {"blocked", "opted_out"}
    shop.write("Hola otra vez", user, wait=0)
    wait_until(lambda: reasons(shop, user) == ["blocked"], what="a turn that is not answered")


def test_an_erasure_ends_with_a_receipt_that_names_no_one(shop: Line, people: Callable[..., Answer], user: str) -> None:
    shop.ask("Mi clave es 1234", user, profile_name="Ana Secreta")
    done = people("DELETE", user)
    receipt = done.json["receipt"]
    assert (done.status, receipt["document"]["action"]) == (200, "erased")
    counts = {(one["where"], one["what"]): one["count"] for one in receipt["document"]["done"]}
    assert counts[("store", "messages")] == 1
    assert counts[("twilio", "messages and files")] == 2
    assert [word for word in (user, "clave", "Ana") if word in json.dumps(receipt)] == []


def test_receipts_are_a_chain_in_which_a_change_shows(runtime: Runtime, shop: Line, user: str) -> None:
    shop.ask("Hola", user)
    blocked = runtime.command("person", "block", user)
    assert blocked.code == 0, blocked.err
    whole = runtime.command("person", "receipts", user)
    assert (whole.code, whole.out.split("\t")[2]) == (0, "blocked")
    assert "The chain of receipts is whole." in whole.err


def test_the_scope_privacy_is_needed(runtime: Runtime, user: str) -> None:
    refused = runtime.api("GET", f"/people/{quote(user)}")
    assert (refused.status, refused.error["code"]) == (403, "forbidden")


def reasons(shop: Line, user: str) -> list[str]:
    """Why messages of a person got no answer."""
    listed: list[Json] = shop.runtime.api("GET", "/conversations/", token=reader(shop.runtime)).json
    found = [row["id"] for row in listed if row["user"].endswith(user) and row["bot_id"] == shop.bot["id"]]
    if not found:
        return []
    thread = shop.runtime.api("GET", f"/conversations/{found[0]}", token=reader(shop.runtime)).json
    return [row["reason"] for row in thread["messages"] if row["direction"] == "in" and row["reason"]]


_readers: dict[str, str] = {}


def reader(runtime: Runtime) -> str:
    """A token that reads conversations."""
    if runtime.url not in _readers:
        made = runtime.command("token", "create", f"reader-{uuid4()}", "--scope", "messages")
        _readers[runtime.url] = made.out.strip()
    return _readers[runtime.url]


def test_a_person_gets_all_of_theirs_as_a_package(
    runtime: Runtime, shop: Line, people: Callable[..., Answer], user: str, tmp_path: Path
) -> None:
    photo = b64encode(media_files.jpeg(64, 48)).decode()
    shop.ask("Mi mesa <b>", user, profile_name="Ana", media=[{"content_type": "image/jpeg", "base64": photo}])
    path = tmp_path / "ana.zip"
    done = runtime.command("person", "export", user, "--out", str(path))
    assert (done.code, done.out.splitlines()[0]) == (0, f"{path}: 2 messages in 1 conversations, 1 files."), done.err
    assert path.stat().st_mode & 0o077 == 0
    with ZipFile(path) as package:
        document = json.loads(package.read("person.json"))
        page = package.read("person.html").decode()
        [conversation] = document["conversations"]
        received, answer = conversation["messages"]
        assert (received["text"].splitlines()[0], answer["author"]) == ("Mi mesa <b>", "assistant")
        assert package.read(received["files"][0]["path"]) == media_files.jpeg(64, 48)
    assert (document["format"], document["format_version"], conversation["name"]) == ("horizonai-person", 1, "Ana")
    assert "Mi mesa &lt;b&gt;" in page
    assert people("GET", user).json["receipts"][-1]["document"]["action"] == "exported"


def test_the_package_of_a_blocked_person_is_whole_and_says_so(
    shop: Line, people: Callable[..., Answer], user: str
) -> None:
    shop.ask("Hola", user)
    people("POST", user, "/block")
    sent = people("POST", user, "/export")
    with ZipFile(BytesIO(sent.body)) as package:
        document = json.loads(package.read("person.json"))
        page = package.read("person.html").decode()
    assert (document["is_blocked"], len(document["conversations"][0]["messages"])) == (True, 2)
    assert "Esta persona está bloqueada" in page


def test_who_read_a_conversation_is_in_the_package(shop: Line, people: Callable[..., Answer], user: str) -> None:
    shop.ask("Hola", user)
    token = reader(shop.runtime)
    [own] = [
        row["id"] for row in shop.runtime.api("GET", "/conversations/", token=token).json if row["user"].endswith(user)
    ]
    shop.runtime.api("GET", f"/conversations/{own}", token=token)
    with ZipFile(BytesIO(people("POST", user, "/export").body)) as package:
        [conversation] = json.loads(package.read("person.json"))["conversations"]
    assert {read["what"] for read in conversation["seen_by"]} == {"read"}


def test_a_rectified_name_stands_before_whatsapp_s(shop: Line, people: Callable[..., Answer], user: str) -> None:
    shop.ask("Hola", user, profile_name="Ana Vieja")
    done = people("POST", user, "/rectify", {"name": "Ana Nueva"})
    assert (done.status, done.json["receipt"]["document"]["action"]) == (200, "rectified")
    shop.ask("Hola", user, profile_name="Ana Vieja")
    listed: list[Json] = shop.runtime.api("GET", "/conversations/", token=reader(shop.runtime)).json
    assert [row["name"] for row in listed if row["user"].endswith(user)] == ["Ana Nueva"]


def test_a_transcript_is_rectified_in_what_the_assistant_remembers_too(
    shop: Line, people: Callable[..., Answer], user: str
) -> None:
    note = b64encode(media_files.voice_note("Quiero cuatro empanadas")).decode()
    shop.ask("", user, media=[{"content_type": "audio/ogg", "base64": note}])
    [message] = exported(people, user)["messages"][:1]
    said = {"message": message["id"], "transcript": "Quiero catorce empanadas"}
    assert people("POST", user, "/rectify", said).status == 200
    whole = exported(people, user)
    assert whole["messages"][0]["files"][0]["transcript"] == "Quiero catorce empanadas"
    assert ("catorce" in str(whole["memory"]), "cuatro" in str(whole["memory"][:1])) == (True, False)
    assert people("POST", user, "/rectify", {"message": message["id"]}).error["code"] == "invalid_field"
    other = {"message": 2**40, "transcript": "x"}
    assert people("POST", user, "/rectify", other).status == 404


def exported(people: Callable[..., Answer], user: str) -> Json:
    """The one conversation of a person's package."""
    with ZipFile(BytesIO(people("POST", user, "/export").body)) as package:
        [conversation] = json.loads(package.read("person.json"))["conversations"]
    whole: Json = conversation
    return whole


def test_what_twilio_does_not_delete_is_named_with_exit_4_and_deleted_by_the_same_command(
    shop: Line, sandbox: Sandbox, user: str
) -> None:
    shop.ask("Hola", user)
    fault = {"provider": "twilio", "method": "DELETE", "path": "/2010-04-01/Accounts/*", "kind": "status"}
    sandbox.faults(fault | {"status": 409, "times": 1})
    listed = shop.runtime.command("person", "erase", user, "--dry-run")
    assert (listed.code, "messages at Twilio: 2" in listed.out) == (0, True)
    done = shop.runtime.command("person", "erase", user, "--yes")
    assert (done.code, "Left at twilio: Twilio refused the request (409" in done.err) == (4, True)
    assert user not in done.err
    again = shop.runtime.command("person", "erase", user, "--yes")
    assert (again.code, "Deleted. twilio: 1 messages and files" in again.out) == (0, True)


def test_what_a_provider_did_not_delete_is_deleted_by_a_timer_and_ends_with_the_receipt(
    shop: Line, sandbox: Sandbox, people: Callable[..., Answer], token: str, user: str
) -> None:
    shop.ask("Mi clave es 1234", user)
    fault = {"provider": "twilio", "method": "DELETE", "path": "/2010-04-01/Accounts/*", "kind": "status"}
    sandbox.faults(fault | {"status": 409, "times": 2})
    assert people("DELETE", user).status == 502
    sandbox.settings(clock_ahead_seconds=3600.0)
    shop.ask("Hola de nuevo", user)

    shown = shop.runtime.command("person", "requests", user).out
    [waiting] = people("GET", user).json["unfinished"]
    assert (waiting["attempts"], waiting["left"][0]["where"], user in str(waiting["left"])) == (1, "twilio", False)
    assert f"Erasure of receipt {waiting['receipt']}, all clients" in shown
    assert "attempt 2 at " in shown
    bot = shop.bot["id"]
    [activity] = [one for one in shop.runtime.api("GET", "/reconcile/activity").json if one["bot_id"] == bot]
    assert activity["erasures"] == 1
    assert shop.runtime.api("GET", "/erasures/", None, token).json == [waiting]

    make_due(shop.runtime, "erasure")

    wait_until(lambda: people("GET", user).json["unfinished"] == [], what="the rest to be deleted")
    receipt = people("GET", user).json["receipts"][-1]["document"]
    assert (receipt["action"], receipt["continues"], receipt["left"]) == ("erased", waiting["receipt"], [])
    assert receipt["done"] == [{"where": "twilio", "what": "messages and files", "count": 2}]
    assert shop.ask("¿Me conoces?", user).endswith("turn 2")
    assert shop.runtime.command("person", "receipts").code == 0


def make_due(runtime: Runtime, kind: str) -> None:
    """The time of timers has come."""
    with closing(sqlite3.connect(runtime.folder / "runtime.db")) as store, store:
        store.execute("UPDATE timers SET due_at = '2026-01-01T00:00:00.000Z' WHERE kind = ?", (kind,))


def test_no_person_is_found_where_no_account_is_configured(runtime_factory: Callable[..., Runtime], user: str) -> None:
    runtime = runtime_factory(TWILIO_ACCOUNT_SID="", TWILIO_AUTH_TOKEN="", SWEEP_SECONDS="0")
    made = runtime.command("token", "create", "privacy", "--scope", "privacy").out.strip()
    for query in ("", "?client=no-hay"):
        answer = runtime.api("DELETE", f"/people/{quote(user)}{query}", None, made)
        assert (answer.status, answer.error["code"]) == (404, "not_found"), answer.body
