"""The console shows an operator of one client nothing of another's, on any route; and what people wrote changes no
page."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import fields
from html.parser import HTMLParser
from typing import Any, Final, cast, get_args
from urllib.parse import urlsplit

import pytest

from runtime.console.page import OpenPage, OperatorPage
from runtime.console.pages import ConsoleParts, console
from runtime.content.parts import Content, Text
from runtime.settings import Settings
from runtime.store.messages.content import dump_content
from schemas.reconcile_reports import (
    TEXT_CHARACTERS,
    CheckedLink,
    ChecklistBox,
    FoundOfClient,
    ReportKind,
    SeenChange,
    SeenField,
    SeenFinding,
    TriedCase,
)
from tests.runtime.console import Browser, change, sign_in, text_of
from tests.runtime.test_console import opened
from tests.runtime_process import Runtime, start_runtime
from tests.sandbox_process import Sandbox

NOTHING: Final = cast(Any, None)
PARTS: Final = ConsoleParts(*[NOTHING] * len(fields(ConsoleParts)))
PAGES: Final = console(NOTHING, PARTS, Settings(), None, lambda _: None).pages
GUARDED: Final = [page for page in PAGES if isinstance(page, OperatorPage)]
EVIL: Final = "<script>alert(1)</script>'\"&amp;\u202eevil\u2066\u2069\u2069" + "x" * 10_000


def report_saying(text: str) -> str:
    """A report with a text in each of its places."""
    field = SeenField(path=text, live=text, declared=text)
    change = SeenChange(kind="bot", action="update", key=text, reason="drift", fields=[field], error=text)
    return FoundOfClient(
        state="differs",
        changes=[change],
        findings=[SeenFinding(severity="warning", message=text)],
        links=[CheckedLink(name=text, ok=False, says=text, fix=text)],
        cases=[TriedCase(name=text, state="red", reasons=[text])],
        boxes=[ChecklistBox(section=text, is_ticked=False, text=text)],
    ).model_dump_json()


EVIL_REPORT: Final = report_saying(EVIL[:TEXT_CHARACTERS])


class Town:
    """Two clients: one has a conversation, a dead letter and a privacy request; an operator sees the other only."""

    def __init__(self, runtime: Runtime, sandbox: Sandbox) -> None:
        self.runtime = runtime
        self.shop, self.conversation = opened(runtime, sandbox, name="Panadería Sol")
        self.shop.ask("¿Están abiertos?")
        self.other, _ = opened(runtime, sandbox, name="Hostal Mar")
        self.client, self.other_client = self.shop.bot["id"], self.other.bot["id"]
        self.ana = sign_in(runtime, "ana@horizonai.cl", "--role", "admin")
        self.sol = sign_in(runtime, "sol@panaderia.cl", "--role", "client", "--client", self.client)
        self.mar = sign_in(runtime, "mar@hostal.cl", "--role", "client", "--client", self.other_client)
        self.luis = sign_in(runtime, "luis@horizonai.cl", "--role", "admin", "--client", self.other_client)
        registered = runtime.command(
            "person", "requests", "+56912345678", "--register", "access", "--client", self.client
        )
        assert registered.code == 0, registered.err
        self.ana.get(f"/console/conversations/{self.conversation}")
        self.ana.post(f"/console/conversations/{self.conversation}/note", text="Cliente frecuente")
        made = runtime.command("operator", "link", self.client, "--for", "Los socios")
        assert made.code == 0, made.err
        self.shared = urlsplit(made.out.strip()).path
        self.change(
            "INSERT INTO turns (conversation_id, bot_id, state, starts, error, started_at, finished_at)"
            f" VALUES ({self.conversation}, '{self.client}', 'dead', 1, 'x', '2026-11-01', '2026-11-01T10:00:00.000Z')"
        )
        self.change(
            "UPDATE inbox SET turn_id = (SELECT max(id) FROM turns WHERE state = 'dead'), state = 'dead'"
            " WHERE id = (SELECT min(id) FROM inbox WHERE bot_id = ?)",
            self.client,
        )
        self.dead = self.ask("SELECT max(id) FROM turns WHERE state = 'dead'")
        self.turn = self.ask(
            f"SELECT max(id) FROM turns WHERE conversation_id = {self.conversation} AND state = 'answered'"
        )
        self.message = self.ask(f"SELECT min(id) FROM inbox WHERE bot_id = '{self.client}'")
        self.link = self.ask("SELECT max(id) FROM report_links")
        self.request = self.ask("SELECT max(id) FROM privacy_requests")

    def reconcile(self) -> None:
        """Records of applies and plans of the client, as `reconcile` leaves them."""
        kept = {"live_id": "x", "values": {"name": "Sol"}}
        assert self.runtime.api("PUT", f"/reconcile/applied/{self.client}/bot", kept).status == 204
        done = {"client": self.client, "kind": "bot", "action": "update", "key": "x", "outcome": "applied"}
        run: dict[str, object] = {"id": "a" * 32, "started_at": "2026-11-29T12:00:00Z", "actor": "ci", "digest": "0"}
        run |= {"git_sha": "abcdef0", "outcome": "applied", "changes": [done]}
        assert self.runtime.api("POST", "/reconcile/runs", run).status == 201
        for kind in get_args(ReportKind):
            report = {"kind": kind, "at": "2026-11-29T12:00:00.000Z", "actor": "ci", "commit": "abcdef0"}
            clients = {self.client: json.loads(report_saying("x"))}
            assert self.runtime.api("POST", "/reconcile/reports", report | {"clients": clients}).status == 204

    def change(self, statement: str, *values: object) -> None:
        """Changes the store as another process would."""
        change(self.runtime, statement, *values)

    def ask(self, query: str) -> int:
        with closing(sqlite3.connect(self.runtime.folder / "runtime.db")) as store:
            return int(store.execute(query).fetchone()[0])


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory, sandbox_process: Sandbox) -> Iterator[Town]:
    runtime = start_runtime(tmp_path_factory.mktemp("town"), sandbox_process)
    try:
        yield Town(runtime, sandbox_process)
    finally:
        runtime.stop()


IDS: Final[Mapping[str, Callable[[Town], int | str]]] = {
    "/console/clients/{id}": lambda town: town.client,
    "/console/conversations/{id}": lambda town: town.conversation,
    "/console/waiting/dead-letters/{id}": lambda town: town.dead,
    "/console/waiting/requests/{id}": lambda town: town.request,
    "/console/own/conversations/{id}": lambda town: town.conversation,
    "/console/access/links/{id}": lambda town: town.link,
}
"""What an id in a path is, by how the path begins."""
INSTALLATION: Final = {"/console/tokens", "/console/tokens/revoke", "/console/plans/document"}
"""Pages of the whole installation: 404 for an operator of some clients."""
WITHOUT_CLIENTS: Final = {"/console/sign-out"}
OWN: Final = "/console/own"
NEEDS_MORE: Final = {"/console/reports/conversations"}
"""404 without further parameters."""
NOT_PAGES: Final = {
    "/console/conversations/{id}/live",
    "/console/conversations/{id}/media/{message}/{file}",
    "/console/reports/csv",
    "/console/reports/conversations",
    "/console/own/conversations/{id}/media/{message}/{file}",
    "/console/plans/document",
}
FIELDS: Final = {"text": "Hola", "outcome": "granted", "proof": "ticket 4", "name": "x", "force": "true"}


def path_of(page: OperatorPage, town: Town) -> str:
    """The page's path, with the ids of the client that has something."""
    if "{" not in page.path:
        return page.path
    begins = next((begin for begin in IDS if page.path.startswith(begin)), None)
    assert begins is not None, f"give IDS an id for {page.path}: the operator of another client must get 404 for it"
    path = page.path.replace("{id}", str(IDS[begins](town)))
    path = path.replace("{turn}", str(town.turn))
    return path.replace("{message}", str(town.message)).replace("{file}", "0")


OF_CLIENTS: Final = [page for page in GUARDED if page.path not in WITHOUT_CLIENTS and page.needs != "own"]
OF_OWN: Final = [page for page in GUARDED if page.needs == "own"]


@pytest.mark.parametrize("page", OF_CLIENTS, ids=lambda page: f"{page.method} {page.path}")
def test_no_route_shows_another_s_client(page: OperatorPage, town: Town) -> None:
    path = path_of(page, town)
    if page.method == "POST":
        fields = {"token": town.luis.token, **FIELDS, "client": town.client, "label": "x", "days": "3"}
        assert town.luis.send("POST", path, fields).status == 404
        return
    answer = town.luis.send("GET", path)
    if path != page.path or path in INSTALLATION | NEEDS_MORE:
        assert answer.status == 404
        return
    assert answer.status == 200, text_of(answer)
    assert town.client not in answer.body.decode()
    assert "Panadería Sol" not in text_of(answer)
    asked = town.luis.send("GET", f"{path}?client={town.client}")
    assert asked.status == 404 or page.path == "/console"


@pytest.mark.parametrize("page", OF_CLIENTS, ids=lambda page: f"{page.method} {page.path}")
def test_an_account_of_a_client_finds_nothing_of_the_agency_s(page: OperatorPage, town: Town) -> None:
    """Not even of itself: its own pages are others."""
    fields = {"token": town.sol.token, **FIELDS, "client": town.client} if page.method == "POST" else None
    answer = town.sol.send(page.method, path_of(page, town), fields)
    if page.path == "/console":
        assert (answer.status, answer.headers["location"]) == (303, OWN)
    else:
        assert answer.status == 404


@pytest.mark.parametrize("page", OF_OWN, ids=lambda page: page.path)
def test_an_account_of_a_client_sees_its_own_only(page: OperatorPage, town: Town) -> None:
    path = path_of(page, town)
    if path == page.path:
        assert "Hostal Mar" in text_of(town.mar.send("GET", path))
        assert "Panadería Sol" not in text_of(town.mar.send("GET", f"{path}?client={town.client}"))
    else:
        assert town.mar.send("GET", path).status == 404
    assert town.ana.send("GET", path).status == 404


def test_another_s_conversation_and_one_that_does_not_exist_are_the_same_answer(town: Town) -> None:
    theirs = town.luis.get(f"/console/conversations/{town.conversation}")
    none = town.luis.get("/console/conversations/99999999")
    assert (theirs.status, theirs.body) == (none.status, none.body)


@pytest.mark.parametrize("page", GUARDED, ids=lambda page: f"{page.method} {page.path}")
def test_every_route_needs_a_session(page: OperatorPage, town: Town) -> None:
    stranger = Browser(town.runtime)
    answer = stranger.send(page.method, path_of(page, town), {"token": "0" * 64} if page.method == "POST" else None)
    if page.method == "POST":
        assert answer.status == 403
    else:
        assert (answer.status, answer.headers["location"].partition("?")[0]) == (303, "/console/sign-in")


@pytest.mark.parametrize(
    "page", [page for page in GUARDED if page.needs not in ("read", "own", None)], ids=lambda page: page.path
)
def test_a_viewer_only_reads(page: OperatorPage, town: Town, viewer: Browser) -> None:
    answer = viewer.send(page.method, path_of(page, town), {"token": viewer.token, **FIELDS})
    assert (answer.status, "Tu rol no permite esto" in text_of(answer)) == (403, True)


@pytest.fixture(scope="module")
def viewer(town: Town) -> Browser:
    return sign_in(town.runtime, "vera@horizonai.cl", "--role", "viewer")


def test_open_pages_are_those_of_signing_in_and_static_files() -> None:
    assert {page.path for page in PAGES if isinstance(page, OpenPage)} == {
        "/console/sign-in",
        "/console/sign-in/code",
        "/console/invitation/{invitation}",
        "/console/report/{link}",
        "/console/static/{name}",
    }


class _Skeleton(HTMLParser):
    """The tags of a page, in their order, with the names of their attributes."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append(f"{tag} {sorted(name for name, _ in attrs)}")

    def handle_endtag(self, tag: str) -> None:
        self.found.append(f"/{tag}")


def skeleton(page: bytes) -> list[str]:
    parser = _Skeleton()
    parser.feed(page.decode())
    return parser.found


def test_what_people_and_clients_write_changes_no_page(town: Town) -> None:
    town.change("UPDATE conversations SET state = 'human', state_since = '2026-11-01', state_summary = 'Quiere mesa'")
    call = {"type": "function_call", "call_id": "1", "name": "reservar", "arguments": "{}"}
    town.change(
        "INSERT INTO items (conversation_id, item, tokens, created_at) SELECT ?, ?, 1, received_at FROM inbox"
        " WHERE conversation_id = ?",
        town.conversation,
        json.dumps(call),
        town.conversation,
    )
    paths = [path_of(page, town) for page in OF_CLIENTS if page.method == "GET" and page.path not in NOT_PAGES]
    report = f"/console/reports?client={town.client}"
    behind = f"/console/reports/conversations?client={town.client}&figure="
    paths += ["/console/conversations?list=all", report, f"{behind}received", f"{behind}hour:9-9"]
    theirs = [path_of(page, town) for page in OF_OWN if page.path not in NOT_PAGES]
    readers = {**dict.fromkeys(paths, town.ana), **dict.fromkeys(theirs, town.sol), town.shared: Browser(town.runtime)}
    town.runtime.command("token", "create", "grafana")
    town.reconcile()
    pages = {path: skeleton(reader.get(path).body) for path, reader in readers.items()}
    for table, columns in {
        "bots": ("name", "model"),
        "conversations": ("profile_name", "state_summary", "phone"),
        "conversation_notes": ("body", "author"),
        "outbox": ("body",),
        "turns": ("error",),
        "operators": ("name",),
        "report_links": ("label",),
        "tokens": ("name",),
        "reconcile_reports": ("actor", "git_sha"),
        "runs": ("actor", "git_sha"),
        "applied": ("live_id",),
    }.items():
        for column in columns:
            town.change(f"UPDATE {table} SET {column} = ? WHERE {column} IS NOT NULL", EVIL)
    town.change("UPDATE reconcile_reports SET found = ? WHERE client <> ''", EVIL_REPORT)
    town.change("UPDATE runs SET changes = replace(changes, 'update', ?)", json.dumps(EVIL)[1:-1])
    town.change('UPDATE applied SET "values" = ?', json.dumps({EVIL: EVIL}))
    town.change("UPDATE inbox SET body = ?, content = ?", EVIL, dump_content(Content((Text(EVIL),))))
    town.change(
        "UPDATE items SET item = ? WHERE item LIKE '%function_call%'",
        json.dumps(call | {"name": EVIL, "arguments": EVIL}),
    )
    for path, reader in readers.items():
        answer = reader.get(path)
        assert answer.status == 200
        if path == "/console/audit":  # each page that is read adds a row to it
            assert set(skeleton(answer.body)) == set(pages[path])
        else:
            assert skeleton(answer.body) == pages[path], path
        shown = re.sub('value="[^"]*"', "", answer.body.decode())
        assert not re.search("[\u202a-\u202e\u2066-\u2069]", shown), path
        assert len(answer.body) < 150_000, path
