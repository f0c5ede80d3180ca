"""Clients with Twilio accounts of their own: whose sender is whose, and who is let in."""

from __future__ import annotations

import threading
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.request import Request, urlopen

import pytest

from tests.reconciler import live
from tests.reconciler.agency import WEBHOOK, Agency
from tests.reconciler.kitchen import MENU, declare
from tests.sandbox_process import Json

SID, TOKEN, NEW_NUMBER = "AC" + "7" * 32, "token-of-la-cocina", "+56998760001"


def own(variable: str = "LA_COCINA_TWILIO_TOKEN") -> Json:
    """A manifest's key `sender` that names the client's own account."""
    return {"account": {"sid": SID, "auth_token": {"env": variable}}}


@pytest.fixture
def accounts(agency: Agency) -> Agency:
    """Beside the shared account there is one of the restaurant's own."""
    agency.sandbox.ask("POST", "accounts", {"sid": SID, "auth_token": TOKEN})
    agency.environment["LA_COCINA_TWILIO_TOKEN"] = TOKEN
    return agency


@pytest.fixture
def moving(accounts: Agency) -> Agency:
    """A client of the shared account that shall have a number in an account of its own."""
    accounts.declare("la-cocina")
    accounts.apply()
    accounts.sandbox.register(NEW_NUMBER, profile={"name": "La Cocina"}, account_sid=SID)
    accounts.declare("la-cocina", registered=False, number=NEW_NUMBER, sender=own())
    return accounts


def test_a_client_that_moves_to_another_account_is_detached_in_the_former_one(moving: Agency) -> None:
    former = moving.number("la-cocina")
    assert moving.changes()[-1] == f"la-cocina/sender/detach/{former}"
    moving.apply()
    assert moving.senders()[former]["webhook"]["callback_url"] == ""
    assert moving.changes() == []


def test_a_former_account_that_does_not_answer_is_waited_for(moving: Agency) -> None:
    account = moving.sandbox.account_sid
    with closed_to(moving, account) as twilio:
        result = moving.reconcile("--dry-run", TWILIO_BASE_URL=twilio)
    assert result.code == 1
    assert f"error: Twilio account {account}: " in result.out
    assert "unresolved: la-cocina: left unchanged" in result.out


@contextmanager
def closed_to(agency: Agency, account: str) -> Iterator[str]:
    """Twilio as it is, but that it answers 400 to one account; gives its address."""
    theirs = f"Basic {b64encode(f'{account}:{agency.sandbox.auth_token}'.encode()).decode()}"

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            said = self.headers["Authorization"]
            asked = Request(agency.sandbox.twilio_url + self.path, headers={"Authorization": said})
            if said == theirs:
                status, body = 400, b'{"message": "closed"}'
            else:
                with urlopen(asked, timeout=30) as answer:
                    status, body = answer.status, answer.read()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
            """Nothing on stderr."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as listening:
        thread = threading.Thread(target=listening.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{listening.server_port}"
        finally:
            listening.shutdown()
            thread.join()


def test_a_former_account_that_lets_us_in_no_more_is_left_with_a_warning(moving: Agency) -> None:
    former = moving.number("la-cocina")
    result = moving.apply(TWILIO_AUTH_TOKEN=None)
    assert "warning: la-cocina: sender: its former sender XE" in result.out
    assert "may still call the runtime, and cannot be detached: TWILIO_AUTH_TOKEN, the auth token of AC" in result.out
    assert moving.senders()[former]["webhook"] == WEBHOOK
    assert moving.changes() == []


def test_one_account_with_two_tokens_lets_in_who_has_the_right_one(accounts: Agency) -> None:
    for client, variable in (("la-cocina", "LA_COCINA_TWILIO_TOKEN"), ("otro", "FORGOTTEN_TOKEN")):
        number = accounts.number(client)
        accounts.sandbox.register(number, profile={"name": client}, account_sid=SID)
        accounts.declare(client, registered=False, sender=own(variable))
    result = accounts.reconcile("--yes")
    assert result.code == 4
    assert f"FORGOTTEN_TOKEN, the auth token of {SID}, is not set." in result.out
    assert "unresolved: otro: left unchanged" in result.out
    assert [bot.id for bot in accounts.snapshot().bots] == ["la-cocina"]


def test_documents_of_nobody_are_pruned_where_no_client_is_in_the_shared_account(accounts: Agency) -> None:
    accounts.sandbox.register(accounts.number("la-cocina"), profile={"name": "La Cocina"}, account_sid=SID)
    accounts.document(MENU, "Empanadas a 3500 pesos.")
    declare(accounts, MENU, registered=False, sender=own())
    accounts.apply()
    live.vector_store(accounts.sandbox, metadata={"managed-by": "horizonai-reconciler", "client": "fantasma"})
    assert accounts.changes("--prune") == ["fantasma/knowledge/delete/documents"]


def test_a_sender_that_a_cut_off_run_attached_is_detached_when_its_client_goes(agency: Agency) -> None:
    agency.declare("la-cocina")
    agency.apply()
    agency.break_in("DELETE FROM applied WHERE kind = 'sender'")
    agency.declare("la-cocina", state="absent")
    assert agency.changes()[0] == f"la-cocina/sender/detach/{agency.number('la-cocina')}"


def test_a_number_that_is_registered_in_another_account_is_named_with_it(accounts: Agency) -> None:
    accounts.declare("cliente-a")
    accounts.declare("la-cocina", sender=own())  # registered in the shared account

    out = accounts.reconcile("--dry-run").out

    shared = accounts.sandbox.account_sid
    number = accounts.number("la-cocina")
    assert f"{number} is a WhatsApp sender of Twilio account {shared}" in out
    assert "declare its account as sender.account, or correct the number" in out
