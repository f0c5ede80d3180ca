"""The register of what people ask for: it knows what the law allows, keeps the proof, and reminds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from urllib.parse import quote
from uuid import uuid4

import pytest

from tests.mail_server import MailServer, serving_mail
from tests.runtime_process import NO_NOTE, Line, Runtime, open_line
from tests.sandbox_process import Sandbox, wait_until

OLD = "2026-01-05T10:30:00-03:00"


@pytest.fixture
def user() -> str:
    """A person of this test only."""
    return f"+569{uuid4().int % 10**8:08d}"


@pytest.fixture
def shop(runtime: Runtime, sandbox: Sandbox) -> Line:
    return open_line(runtime, sandbox, policy=NO_NOTE)


@pytest.fixture
def token(runtime: Runtime) -> str:
    return runtime.command("token", "create", f"requests-{uuid4()}", "--scope", "privacy").out.strip()


def test_a_request_has_its_day_by_law_and_its_proof(runtime: Runtime, shop: Line, token: str, user: str) -> None:
    client = shop.bot["id"]
    body = {"client": client, "kind": "access", "received": OLD}
    made = runtime.api("POST", f"/people/{quote(user)}/requests", body, token)
    assert (made.status, made.json["due_at"]) == (201, "2026-02-05T02:59:59.000Z"), made.body
    one = f"/privacy-requests/{made.json['id']}"
    assert runtime.api("POST", f"{one}/acknowledge", None, token).json["acknowledged_at"]
    extended = runtime.api("POST", f"{one}/extend", {"because": "ticket 4"}, token)
    assert extended.json["due_at"] == "2026-03-07T02:59:59.000Z"
    assert runtime.api("POST", f"{one}/extend", {"because": "ticket 4"}, token).status == 404
    refused = runtime.api("POST", f"{one}/answer", {"outcome": "granted", "proof": f"carta a {user}"}, token)
    assert (refused.status, refused.error["field"]) == (400, "proof")
    answered = runtime.api("POST", f"{one}/answer", {"outcome": "granted", "proof": "ticket 5"}, token)
    assert (answered.json["outcome"], answered.json["proof"]) == ("granted", "ticket 5")
    assert runtime.api("POST", f"{one}/answer", {"outcome": "refused", "proof": "ticket 6"}, token).status == 404


def test_the_requests_of_a_person_outlive_their_erasure(runtime: Runtime, shop: Line, token: str, user: str) -> None:
    shop.ask("Hola", user)
    listed = runtime.command("person", "requests", user, "--client", shop.bot["id"], "--register", "erasure")
    assert listed.code == 0, listed.err
    assert runtime.command("person", "erase", user, "--yes").code == 0
    found = runtime.api("GET", f"/people/{quote(user)}/requests", None, token).json
    assert [(one["kind"], one["answered_at"]) for one in found] == [("erasure", None)]


def test_a_block_is_due_in_two_working_days(runtime: Runtime, shop: Line, user: str) -> None:
    flags = ("--client", shop.bot["id"], "--register", "blocking", "--received", "2026-12-03T10:30")
    made = runtime.command("person", "requests", user, *flags)
    assert (made.code, made.out.split("\t")[4]) == (0, "2026-12-08T02:59:59.000Z"), (made.out, made.err)


def test_a_client_that_there_is_not_is_asked_nothing(runtime: Runtime, user: str) -> None:
    made = runtime.command("person", "requests", user, "--client", "no-hay", "--register", "access")
    assert (made.code, "There is no client 'no-hay'" in made.err) == (1, True)


def test_what_is_overdue_is_in_the_metrics(runtime: Runtime, shop: Line, token: str, user: str) -> None:
    body = {"client": shop.bot["id"], "kind": "access", "received": OLD}
    runtime.api("POST", f"/people/{quote(user)}/requests", body, token)
    page = runtime.api("GET", "/metrics").body.decode()
    assert f'horizonai_privacy_requests{{client="{shop.bot["id"]}",state="overdue"}} 1.0' in page


@pytest.fixture(scope="module")
def mail() -> Iterator[MailServer]:
    with serving_mail() as server:
        yield server


def test_the_agency_is_reminded_of_what_is_due_without_the_person_s_number(
    runtime_factory: Callable[..., Runtime], sandbox: Sandbox, mail: MailServer, user: str
) -> None:
    runtime = runtime_factory(ALERT_NOTIFY=mail.url, SWEEP_SECONDS="0")
    shop = open_line(runtime, sandbox)
    flags = ("--client", shop.bot["id"], "--register", "access", "--received", "2026-01-05")
    assert runtime.command("person", "requests", user, *flags).code == 0
    wait_until(lambda: bool(mail.texts_to("agencia@agencia.cl")), what="a reminder")
    [(subject, body)] = mail.texts_to("agencia@agencia.cl")
    assert subject == f"{shop.bot['id']}: la solicitud 1 (acceso a sus datos) venció el 04-02-2026"
    assert user.removeprefix("+") not in subject + body
