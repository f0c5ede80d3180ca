"""A client's own view of its assistant: an account that only reads, and a link to the report alone."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from urllib.parse import urlsplit

import pytest

from runtime.console.own import safe_logo
from runtime.store.console.brand import ClientBrand
from tests.runtime.console import Browser, sign_in, text_of
from tests.runtime.test_console import opened
from tests.runtime.test_media import rows
from tests.runtime_process import Runtime, start_runtime
from tests.sandbox_process import Sandbox, wait_until

LOGO = "https://lacocina.cl/logo.png"


class Shop:
    """A client with one conversation, an administrator of the agency, and an account of the client's."""

    def __init__(self, runtime: Runtime, sandbox: Sandbox) -> None:
        self.runtime = runtime
        self.line, self.conversation = opened(runtime, sandbox, name="Restaurante La Cocina")
        self.client = self.line.bot["id"]
        self.ana = sign_in(runtime, "ana@horizonai.cl", "--role", "admin")
        self.owner = sign_in(runtime, "rosa@lacocina.cl", "--role", "client", "--client", self.client)

    def change(self, statement: str, *values: object) -> None:
        """Changes the store as another process would."""
        with closing(sqlite3.connect(self.runtime.folder / "runtime.db", timeout=20)) as store:
            store.execute(statement, values)
            store.commit()

    def link(self, *options: str) -> str:
        """Makes a link by command; its path."""
        made = self.runtime.command("operator", "link", self.client, "--for", "Los socios", *options)
        assert made.code == 0, made.err
        return urlsplit(made.out.strip()).path

    def audit(self, kind: str) -> list[tuple[str, str]]:
        """Who did what with objects of a kind, oldest first."""
        query = f"SELECT actor, action FROM audit WHERE kind = '{kind}' AND client = '{self.client}' ORDER BY id"
        return [(str(actor), str(action)) for actor, action in rows(self.runtime, query)]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory, sandbox_process: Sandbox) -> Iterator[Shop]:
    runtime = start_runtime(tmp_path_factory.mktemp("own"), sandbox_process)
    try:
        yield Shop(runtime, sandbox_process)
    finally:
        runtime.stop()


def test_signing_in_leads_a_client_to_its_report_in_its_own_name(shop: Shop) -> None:
    page = shop.owner.get("/console")
    said = text_of(page)
    assert "Restaurante La Cocina recibió mensajes de 1 persona en 1 conversación" in said
    assert "Horizonai" not in said
    assert b"/console/reports" not in page.body
    assert ("rosa@lacocina.cl", "read") in shop.audit("report")


def test_a_client_reads_its_conversations_without_notes_names_of_the_team_and_costs(shop: Shop) -> None:
    one = f"/console/conversations/{shop.conversation}"
    shop.ana.get(one)
    shop.ana.post(f"{one}/take")
    shop.ana.get(one)
    shop.ana.post(f"{one}/note", text="Prefiere la terraza")
    shop.ana.post(f"{one}/reply", text="Les escribo yo")
    wait_until(lambda: "Les escribo yo" in shop.line.shown(), what="the reply")

    listed = text_of(shop.owner.get("/console/own/conversations"))
    thread = shop.owner.get(f"/console/own/conversations/{shop.conversation}")
    said = text_of(thread)

    assert "La lleva el equipo" in listed
    assert "Les escribo yo" in said
    assert "Equipo" in said
    for hidden in ("Ana", "ana@horizonai.cl", "Prefiere la terraza", "US$", "Nota"):
        assert hidden not in said
    assert b"<textarea" not in thread.body
    assert ("rosa@lacocina.cl", "read") in shop.audit("conversation")
    shop.ana.get(one)
    assert "La tienes tú" not in text_of(shop.ana.post(f"{one}/release"))


def test_what_a_client_reads_stays_unread_for_the_agency(shop: Shop) -> None:
    shop.ana.get(f"/console/conversations/{shop.conversation}")
    shop.line.ask("Otra pregunta")
    query = f"SELECT seen_up_to FROM conversations WHERE id = {shop.conversation}"
    before = rows(shop.runtime, query)
    assert shop.owner.get(f"/console/own/conversations/{shop.conversation}").status == 200
    assert rows(shop.runtime, query) == before


def test_a_client_sees_who_waits_for_a_person(shop: Shop) -> None:
    assert "Nadie espera" in text_of(shop.owner.get("/console/own/waiting"))
    shop.change(
        "UPDATE conversations SET state = 'human', operator = NULL, operator_at = NULL, state_since = '2026-11-01',"
        " state_summary = 'Quiere una mesa para veinte' WHERE id = ?",
        shop.conversation,
    )
    assert "Quiere una mesa para veinte" in text_of(shop.owner.get("/console/own/waiting"))
    shop.change("UPDATE conversations SET state = 'assistant' WHERE id = ?", shop.conversation)


def test_its_logo_stands_on_its_pages_and_on_no_other(shop: Shop) -> None:
    assert LOGO not in shop.owner.get("/console/own").body.decode()
    applied = json.dumps({"profile": {"logo_url": LOGO}})
    shop.change(
        "INSERT INTO applied (client, kind, live_id, \"values\", applied_at) VALUES (?, 'sender', 'XE1', ?, '2026')",
        shop.client,
        applied,
    )
    page = shop.owner.get("/console/own")
    assert f'src="{LOGO}"' in page.body.decode()
    assert "img-src 'self' https://lacocina.cl;" in page.headers["content-security-policy"]
    assert "lacocina" not in shop.ana.get("/console").headers["content-security-policy"]


@pytest.mark.parametrize(
    "address",
    [
        "http://lacocina.cl/a.png",
        "https://a.cl;script-src *",
        "https://a.cl x/a.png",
        "https://[::1/a",
        "javascript:x",
        None,
    ],
)
def test_a_logo_that_could_change_the_policy_is_left_out(address: str | None) -> None:
    assert safe_logo(ClientBrand("X", address)) is None


def test_a_link_shows_the_report_alone_until_it_is_revoked(shop: Shop) -> None:
    path = shop.link()
    stranger = Browser(shop.runtime)
    page = stranger.get(path)
    assert "Restaurante La Cocina recibió mensajes" in text_of(page)
    assert (page.headers["cache-control"], page.headers["x-robots-tag"]) == ("no-store", "noindex")
    assert stranger.send("GET", "/console/own").status == 303
    (number,) = [line.split("\t")[0] for line in shop.runtime.command("operator", "links").out.splitlines()][:1]
    assert "opened" in shop.runtime.command("operator", "links", "--client", shop.client).out
    assert (f"link {number}", "read") in shop.audit("report")

    revoked = shop.runtime.command("operator", "unlink", number)

    assert revoked.code == 0, revoked.err
    refused = stranger.get(path)
    assert (refused.status, "venció o ya no sirve" in text_of(refused)) == (404, True)
    assert [action for _, action in shop.audit("report_link")][-2:] == ["created", "revoked"]
    assert shop.runtime.command("operator", "unlink", number).code == 1


def test_a_link_expires_and_only_its_digest_is_stored(shop: Shop) -> None:
    path = shop.link("--days", "1")
    token = path.rpartition("/")[2]
    assert Browser(shop.runtime).get(path).status == 200
    stored = rows(shop.runtime, "SELECT * FROM report_links") + rows(shop.runtime, "SELECT * FROM audit")
    assert token not in repr(stored)
    shop.change("UPDATE report_links SET expires_at = '2026-01-01T00:00:00.000Z'")
    assert Browser(shop.runtime).get(path).status == 404


def test_an_administrator_makes_and_revokes_links_in_the_console(shop: Shop) -> None:
    shop.ana.get("/console/access")
    wrong = shop.ana.post("/console/access/links", client=shop.client, label="", days="30")
    assert (wrong.status, "por cuántos días vale" in text_of(wrong)) == (400, True)
    page = shop.ana.post("/console/access/links", client=shop.client, label="Gerencia", days="30")
    made = next(word for word in text_of(page).split() if "/console/report/" in word)
    path = urlsplit(made).path
    assert "recibió mensajes" in text_of(Browser(shop.runtime).get(path))
    assert made.rpartition("/")[2] not in shop.ana.get("/console/access").body.decode()

    (number,) = rows(shop.runtime, "SELECT max(id) FROM report_links")[0]
    assert "Revocado" in text_of(shop.ana.post(f"/console/access/links/{number}/revoke"))

    assert Browser(shop.runtime).get(path).status == 404


def test_an_account_of_a_client_has_exactly_one(shop: Shop) -> None:
    for clients in ((), ("--client", "a", "--client", "b")):
        ran = shop.runtime.command("operator", "invite", "x@y.cl", "--name", "X", "--role", "client", *clients)
        assert (ran.code, "needs --client ID, once" in ran.err) == (2, True)
    assert "No bot belongs" in shop.runtime.command("operator", "link", "nadie", "--for", "X").err


def test_each_figure_of_a_report_leads_to_its_conversations(shop: Shop) -> None:
    path = f"/console/reports?client={shop.client}"
    page = shop.ana.get(path).body.decode()
    behind = f"/console/reports/conversations?client={shop.client}"
    assert 'figure=answered">' in page
    assert "figure=hour%3A" in page
    for figure, count in {"received": 1, "answered": 1, "failed": 0, "reason:budget": 0}.items():
        said = text_of(shop.ana.get(f"{behind}&figure={figure}"))
        assert f"{count} conversaci" in said, figure
    assert shop.ana.get(f"{behind}&figure=otra").status == 404
    assert f'"/console/conversations/{shop.conversation}?' in shop.ana.get(f"{behind}&figure=received").body.decode()


def test_a_month_is_compared_with_another(shop: Shop) -> None:
    said = text_of(shop.ana.get(f"/console/reports?client={shop.client}&with=2026-01"))
    assert "Comparación" in said
    assert "2026-01" in said
