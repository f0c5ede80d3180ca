"""The audit: whatever reads what people wrote or changes something is in it, and it is only added to."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import click
import pytest
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from runtime.cli import main
from runtime.content.parts import Content, Text, Voice
from runtime.store.audit import Actor, Entry, delete_before, record
from runtime.store.audit_reading import AuditEntry, AuditFilter, list_entries
from runtime.store.client.sql_writer import SqlWriter
from runtime.store.database.engine import open_engine
from runtime.store.database.migrate import migrate
from runtime.store.database.once import run_once
from runtime.store.database.times import timestamp
from runtime.store.incidents import read_incident
from runtime.store.messages import desk
from runtime.store.messages.desk import DeskConversation
from runtime.store.messages.inbox import InboundMessage, store_message
from runtime.store.records import ATTEMPTS_OF_SENDER as KIND
from runtime.store.records import AppliedRecord, AssistantRecord, BotRecord
from runtime.store.tokens import NewToken, Scope, create_token
from tests import media_files
from tests.runtime.stores import new_store
from tests.runtime.template_shop import shop_with_templates
from tests.runtime.test_media import rows, sent
from tests.runtime_process import Answer, Json, Runtime, start_runtime
from tests.sandbox_process import Sandbox, wait_until

OLD = "2026-01-01T00:00:00.000Z"
ANA = Actor("ana", "api", "203.0.113.5")


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    with new_store(request.param, tmp_path) as made:
        yield made


@pytest.fixture
def store(url: str) -> Iterator[Engine]:
    engine = open_engine(url)
    yield engine
    engine.dispose()


def test_an_entry_is_neither_changed_nor_deleted_before_ninety_days(store: Engine) -> None:
    with store.begin() as connection:
        record(connection, ANA, Entry("read", "conversation", "shop", "shop", [2, 1]))
        insert = "INSERT INTO audit (at, actor, action, kind, object_id, fields) VALUES ('{}', 'x', 'y', 'z', '', '[]')"
        connection.exec_driver_sql(insert.format(OLD))
    refused = [
        "UPDATE audit SET actor = 'nobody'",
        "DELETE FROM audit WHERE actor = 'ana'",
        "INSERT OR REPLACE INTO audit SELECT 1, '', '', '', '', '', '', '', '', '', '', ''"
        if store.dialect.name == "sqlite"
        else "TRUNCATE audit",
    ]
    for statement in refused:
        with pytest.raises(DBAPIError, match="the audit"), store.begin() as connection:
            connection.exec_driver_sql(statement)
    with store.begin() as connection:
        connection.exec_driver_sql(f"DELETE FROM audit WHERE at = '{OLD}'")
        [entry] = list_entries(connection, AuditFilter())
    assert (entry.actor, entry.via, entry.address) == ("ana", "api", "203.0.113.5")
    assert (entry.client, entry.conversations) == ("shop", [1, 2])


def test_entries_past_their_time_are_deleted_but_for_the_last_change_by_hand_of_a_declared_object(
    store: Engine,
) -> None:
    insert = (
        "INSERT INTO audit (at, actor, action, kind, object_id, overridden, fields)"
        " VALUES ('{}', 'ana', 'change', 'bot', 'shop', {}, '[]')"
    )
    with store.begin() as connection:
        for overridden in ("'shop.yaml'", "'shop.yaml'", "NULL", "NULL"):
            connection.exec_driver_sql(insert.format(OLD, overridden))
        record(connection, ANA, Entry("read", "conversation", "shop"))
    with store.begin() as connection:
        before = timestamp(time.time() - 91 * 86_400)
        assert [delete_before(connection, before, 2) for _ in range(3)] == [2, 1, 0]
        assert [entry.overridden for entry in list_entries(connection, AuditFilter())] == ["shop.yaml", None]


def test_a_service_deletes_what_is_older_than_audit_days(tmp_path: Path, sandbox_process: Sandbox) -> None:
    folder, url = tmp_path, f"sqlite:///{tmp_path}/runtime.db"
    engine = open_engine(url)
    migrate(engine)
    with engine.begin() as connection:
        insert = (
            "INSERT INTO audit (at, actor, action, kind, object_id, fields) VALUES ('{}', 'x', 'read', 'z', '', '[]')"
        )
        connection.exec_driver_sql(insert.format(OLD))
        record(connection, ANA, Entry("read", "conversation", "shop"))
    engine.dispose()
    runtime = start_runtime(folder, sandbox_process, AUDIT_DAYS="90")
    try:
        wait_until(lambda: rows(runtime, "SELECT actor FROM audit") == [("ana",)], what="the old entry to be deleted")
    finally:
        runtime.stop()


def test_what_an_incident_touched_is_counted_on_either_database(store: Engine) -> None:
    with store.begin() as connection:
        for number, (sid, user) in enumerate((("SM1", "1"), ("SM2", "2"), ("SM3", "1")), 1):
            address = f"whatsapp:+5691234567{user}"
            content = Content((Text("Hola"), Voice("", "audio/ogg")) if number == 2 else (Text("Hola"),))
            store_message(connection, InboundMessage("AC", sid, f"bot-{number % 2}", address, address, content, "{}"))
        ids = [id_ for (id_,) in connection.exec_driver_sql("SELECT id FROM conversations ORDER BY id")]
        record(connection, ANA, Entry("read", "conversation", "shop", "shop", ids, ["2 conversations"]))
        record(connection, ANA, Entry("read", "conversation", "shop", "shop", ids[1:], [f"conversation {ids[1]}"]))
        record(connection, ANA, Entry("change", "bot", "b", "shop"))
        record(connection, ANA, Entry("created", "token", "t"))
        found = read_incident(connection, "2026", "2999")
    [touched] = found.clients
    assert (touched.people, touched.conversations, touched.opened, touched.reads) == (2, 2, 1, 2)
    assert {"text", "voice"} <= set(touched.categories)
    assert (touched.changes, found.elsewhere) == ({"change bot": 1}, {"created token": 1})


def test_a_client_s_entries_are_found_by_its_new_id_too(store: Engine) -> None:
    with store.begin() as connection:
        record(connection, ANA, Entry("change", "bot", "b", "first"))
        for former, client in (("first", "second"), ("second", "third")):
            record(connection, ANA, Entry("renamed", "client", client, client, fields=[f"formerly {former}"]))
        record(connection, ANA, Entry("change", "bot", "c", "other"))
        found = list_entries(connection, AuditFilter(clients=["third"]))
        assert [entry.client for entry in found] == ["first", "second", "third"]
        assert [entry.client for entry in list_entries(connection, AuditFilter(clients=["first"]))] == ["first"]


def test_what_an_operator_does_at_the_desk_is_recorded_as_from_there(store: Engine) -> None:
    address = "whatsapp:+56912345678"
    with store.begin() as connection:
        message = InboundMessage("AC", "SM1", "shop", address, address, Content((Text("Hola"),)), "{}")
        store_message(connection, message)
        ((id_,),) = connection.exec_driver_sql("SELECT id FROM conversations").fetchall()
        nothing = dict.fromkeys(DeskConversation._fields)
        shown = DeskConversation(**{**nothing, "id": id_, "bot_id": "shop", "user_key": address, "state": "assistant"})
        desk.follow(connection, shown, "open", "Carla", None)
        [entry] = list_entries(connection, AuditFilter())
    assert (entry.actor, entry.via, entry.action, entry.conversations) == ("Carla", "desk", "taken", [id_])


WRITES: Final[Mapping[str, Callable[[SqlWriter], object]]] = {
    "declare assistant": lambda writer: writer.put_assistant(
        AssistantRecord("a", "A", "x", "gpt-6-luna", client="shop")
    ),
    "declare bot": lambda writer: writer.put_bot(bot("shop", "+15550000001")),
    "rename": lambda writer: writer.rename_client("shop", "tienda", None),
    "file": lambda writer: writer.put_file(hashlib.sha256(b"x").hexdigest(), [b"x"]),
    "files": lambda writer: writer.delete_unnamed_files(),
    "lease": lambda writer: writer.release_lease("nobody", force=True),
    "numbers": lambda writer: writer.move_numbers({"shop": "+15550000002"}),
    "delete bot": lambda writer: writer.delete_bot("shop"),
    "delete assistant": lambda writer: writer.delete_assistant("a"),
    "register a sender": lambda writer: writer.record_applied(AppliedRecord("+15550000001", KIND, "+15550000001", {})),
}


def bot(name: str, number: str) -> BotRecord:
    return BotRecord(name, name, number, instructions="x", model="gpt-6-luna", client=name)


def test_what_reconcile_writes_without_the_api_is_recorded_with_who_ran_it(url: str) -> None:
    writer = SqlWriter(url)
    try:
        for name, write in WRITES.items():
            before = len(run_once(url, list_entries, AuditFilter()))
            write(writer)
            new = run_once(url, list_entries, AuditFilter())[before:]
            assert [(entry.via, "@" in entry.actor) for entry in new] == [("reconcile", True)], name
    finally:
        writer.close()


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory, sandbox_process: Sandbox) -> Iterator[Office]:
    runtime = start_runtime(tmp_path_factory.mktemp("audited"), sandbox_process)
    try:
        yield Office(runtime, sandbox_process)
    finally:
        sandbox_process.faults()
        runtime.stop()


class Office:
    """A client whose user sent a file, with four dead letters and templates."""

    def __init__(self, runtime: Runtime, sandbox: Sandbox) -> None:
        self.runtime, self.url = runtime, runtime.environment["DATABASE_URL"]
        self.token = self.allow("walker", "messages", "write", "campaigns", "privacy")
        self.shop = shop_with_templates(runtime, sandbox, version=1, data={"replay": True})
        self.bot = self.shop.bot["id"]
        self.shop.ask("mira", media=sent("application/pdf", media_files.pdf()))
        ((self.conversation, self.message),) = rows(runtime, "SELECT conversation_id, id FROM inbox")
        self.shop.ask("BAJA", "+56922220000")
        self.shop.ask("Hola", "+56922221111")
        sandbox.faults({"kind": "status", "status": 400, "provider": "openai", "path": "/v1/responses"})
        for number in range(4):
            self.shop.write("¿Hola?", f"+5691111000{number}")
        dead = "SELECT id FROM turns WHERE state = 'dead' ORDER BY id"
        wait_until(lambda: len(rows(runtime, dead)) == 4, what="dead letters")
        sandbox.faults()
        self.dead = [str(turn_id) for (turn_id,) in rows(runtime, dead)]
        self.file = media_files.pdf()
        self.sha256 = hashlib.sha256(self.file).hexdigest()

    def allow(self, name: str, *scopes: Scope) -> str:
        """A token."""
        shown: list[str] = []
        run_once(self.url, create_token, NewToken(name, scopes), shown.append)
        return shown[0]

    def entries(self, after: int = 0) -> Sequence[AuditEntry]:
        """What the audit has after an entry."""
        return run_once(self.url, list_entries, AuditFilter(), after=after)

    def last(self) -> int:
        """The id of the newest entry."""
        return max((entry.id for entry in self.entries()), default=0)

    def one(self) -> str:
        """The path of the user's conversation."""
        return f"/conversations/{self.conversation}"

    def campaign(self, name: str) -> str:
        """A campaign that is there, with more people than are written to before it is stopped, by its id."""
        rows = [{"to": f"+569557{number:05d}"} for number in range(100)]
        answer = self.call("POST", "/campaigns/", {**CAMPAIGN, "id": name, "rows": rows, "bot_id": self.bot})
        assert answer.status == 201, answer.body
        return name

    def made_bot(self) -> str:
        """A bot to delete."""
        return str(self.runtime.made("/bots/", {**BOT, "twilio_phone_number": "+15557770002"})["id"])

    def former_bot(self) -> str:
        """A bot that was deleted after someone was asked to be let alone by it."""
        bot = str(self.runtime.made("/bots/", {**BOT, "twilio_phone_number": "+15557770011"})["id"])
        self.call("POST", f"/people/+56922223333/block?client={bot}", {})
        self.runtime.api("DELETE", f"/bots/{bot}")
        return bot

    def made_assistant(self) -> str:
        """An assistant to change."""
        made = self.runtime.made("/assistants/", {"name": "A", "instructions": "I", "model": "gpt-6-luna"})
        return str(made["id"])

    def call(self, method: str, path: str, body: object) -> Answer:
        """A call with every scope."""
        if isinstance(body, bytes):
            headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/octet-stream"}
            return self.runtime.request(method, path, body, headers)
        return self.runtime.api(method, path, body, self.token, X_Forwarded_For="203.0.113.9")


Sample = Callable[[Office], tuple[str, object]]
BOT: Final[Json] = {"name": "B", "instructions": "I", "model": "gpt-6-luna", "twilio_phone_number": "+15557770001"}
CAMPAIGN: Final[Json] = {
    "id": "lista",
    "template": "promo",
    "rows": [{"to": "+56955600001"}],
    "basis": "pidieron avisos",
    "quiet_hours": False,
}
SAMPLES: Final[Mapping[str, Sample]] = {
    "POST /bots/": lambda _: ("/bots/", BOT),
    "PUT /bots/{id}": lambda office: (f"/bots/{office.bot}", {"name": "Otro"}),
    "DELETE /bots/{id}": lambda office: (f"/bots/{office.made_bot()}", None),
    "POST /assistants/": lambda _: ("/assistants/", {"name": "A", "instructions": "I", "model": "gpt-6-luna"}),
    "PUT /assistants/{id}": lambda office: (f"/assistants/{office.made_assistant()}", {"name": "Otro"}),
    "DELETE /assistants/{id}": lambda office: (f"/assistants/{office.made_assistant()}", None),
    "POST /messages/": lambda office: ("/messages/", {"to": "+56912345678", "body": "Hola", "bot_id": office.bot}),
    "POST /campaigns/": lambda office: ("/campaigns/", {**CAMPAIGN, "bot_id": office.bot}),
    "POST /campaigns/{id}/stop": lambda _: ("/campaigns/lista/stop", {}),
    "GET /dead-letters/": lambda _: ("/dead-letters/", None),
    "POST /dead-letters/{id}/retry": lambda office: (f"/dead-letters/{office.dead[0]}/retry", {}),
    "DELETE /dead-letters/{id}": lambda office: (f"/dead-letters/{office.dead[1]}", None),
    "GET /opt-outs/": lambda _: ("/opt-outs/", None),
    "GET /replays/": lambda office: (f"/replays/?client={office.bot}", None),
    "GET /conversations/{id}/media/{n}": lambda office: (f"{office.one()}/media/{office.message}", None),
    "GET /conversations/": lambda _: ("/conversations/", None),
    "GET /conversations/{id}": lambda office: (office.one(), None),
    "POST /conversations/{id}/messages": lambda office: (f"{office.one()}/messages", {"text": "Hola"}),
    "PUT /conversations/{id}/files/{sha256}": lambda office: (
        f"{office.one()}/files/{office.sha256}?name=carta.pdf",
        office.file,
    ),
    "POST /conversations/{id}/take": lambda office: (f"{office.one()}/take", {}),
    "POST /conversations/{id}/release": lambda office: (f"{office.one()}/release", {}),
    "POST /conversations/{id}/close": lambda office: (f"{office.one()}/close", {}),
    "POST /conversations/{id}/notes": lambda office: (f"{office.one()}/notes", {"text": "Es alérgica"}),
    "PUT /reconcile/clients/{id}": lambda _: ("/reconcile/clients/nuevo", {"formerly": "viejo", "managed_by": None}),
    "PUT /reconcile/applied/{client}/{kind}": lambda _: (
        f"/reconcile/applied/+15557770003/{KIND}",
        {"live_id": "+15557770003", "values": {}},
    ),
    "PUT /reconcile/numbers": lambda office: ("/reconcile/numbers", {"numbers": {office.made_bot(): "+15557770009"}}),
    "DELETE /reconcile/lease": lambda _: ("/reconcile/lease?force=true", None),
    "PUT /files/{sha256}": lambda office: (f"/files/{office.sha256}", office.file),
    "DELETE /files/": lambda _: ("/files/", None),
    "POST /people/{user}/block": lambda _: ("/people/+56922221111/block", {}),
    "POST /people/{user}/unblock": lambda _: ("/people/+56922221111/unblock", {}),
    "POST /people/{user}/rectify": lambda _: ("/people/+56922221111/rectify", {"name": "Ana"}),
    "POST /people/{user}/export": lambda _: ("/people/+56922221111/export", None),
    "POST /people/{user}/requests": lambda office: (
        "/people/+56922221111/requests",
        {"kind": "access", "client": office.bot},
    ),
    "POST /privacy-requests/{id}/acknowledge": lambda _: ("/privacy-requests/1/acknowledge", {}),
    "POST /privacy-requests/{id}/extend": lambda _: ("/privacy-requests/1/extend", {"because": "ticket 7"}),
    "POST /privacy-requests/{id}/answer": lambda _: (
        "/privacy-requests/1/answer",
        {"outcome": "granted", "proof": "ticket 7"},
    ),
    "DELETE /people/{user}": lambda _: ("/people/+56922221111", None),
    "DELETE /users/{user}": lambda _: ("/users/+56911110001", None),
}
"""Of each endpoint that reads what people wrote, or changes something: a call that succeeds."""
NOT_AUDITED: Final[Mapping[str, str]] = {
    "DELETE /reconcile/applied/{client}/{kind}": "what a run applied: each change is in the audit by itself",
    "POST /reconcile/lease": "the history has each run",
    "PUT /reconcile/lease": "likewise",
    "POST /reconcile/runs": "it is the history",
    "PUT /reconcile/runs/{id}": "likewise",
    "POST /reconcile/reports": "what a run found: it changes nothing but what the console shows of it",
    "PUT /reconcile/notices/{channel}/{finding}": "which findings of drift were sent",
    "DELETE /reconcile/notices/{channel}/{finding}": "likewise",
    "POST /reconcile/notices/{channel}/{finding}/claim": "likewise",
    "DELETE /reconcile/notices/{channel}/{finding}/claim": "likewise",
    "GET /audit/": "it is the audit",
    "GET /people/{user}": "counts, nothing of what was said",
    "GET /people/{user}/requests": "what was asked for, and when",
    "GET /privacy-requests/": "likewise",
    "GET /erasures/": "what is left elsewhere, and why",
    "GET /receipts/": "what was done for people, and when",
}
"""Endpoints that change or read none of people's and clients' data, each with the reason."""
READING: Final = {"messages", "privacy"}
"""Scopes of endpoints that read what people wrote."""
READING_TOO: Final = {"GET /dead-letters/"}
"""Those that leave the words out for a token without the scope."""


def walked(office: Office) -> Iterator[str]:
    """Every endpoint that reads what people wrote, or changes something, as the service describes itself."""
    for path, found in office.runtime.api("GET", "/openapi.json").json["paths"].items():
        for method, operation in found.items():
            endpoint = f"{method.upper()} {path}"
            if method != "get" or endpoint in READING_TOO or READING & set(operation["security"][0]["token"]):
                yield endpoint


def test_each_endpoint_that_reads_what_people_wrote_or_changes_something_is_in_the_audit(office: Office) -> None:
    endpoints = set(walked(office))
    unknown = endpoints - set(SAMPLES) - set(NOT_AUDITED)
    assert not unknown, f"no sample of {sorted(unknown)}: give SAMPLES a call of it, which the audit must then have"
    for endpoint, sample in SAMPLES.items():
        path, body = sample(office)
        before = office.last()
        answer = office.call(endpoint.split()[0], path, body)
        assert answer.status < 300, (endpoint, answer.body)
        new = [entry for entry in office.entries(before) if entry.actor == "walker"]
        assert new, f"{endpoint} left no entry in the audit"
        assert {entry.via for entry in new} == {"api"}, endpoint
    assert set(SAMPLES) <= endpoints
    by = {entry.address for entry in office.entries() if entry.actor == "walker"}
    assert by == {"203.0.113.9", "127.0.0.1"}


COMMANDS: Final[Mapping[str, Callable[[Office], Sequence[str]]]] = {
    "send": lambda office: ("send", "+56912345678", "Hola", "--bot", office.bot),
    "token create": lambda _: ("token", "create", "nuevo"),
    "token rotate": lambda _: ("token", "rotate", "nuevo"),
    "token revoke": lambda _: ("token", "revoke", "nuevo"),
    "dead-letters list": lambda _: ("dead-letters", "list"),
    "dead-letters retry": lambda office: ("dead-letters", "retry", office.dead[2]),
    "dead-letters drop": lambda office: ("dead-letters", "drop", office.dead[3]),
    "conversations list": lambda _: ("conversations", "list"),
    "conversations show": lambda office: ("conversations", "show", str(office.conversation)),
    "conversations take": lambda office: ("conversations", "take", str(office.conversation), "--force"),
    "conversations reply": lambda office: ("conversations", "reply", str(office.conversation), "Hola"),
    "conversations note": lambda office: ("conversations", "note", str(office.conversation), "Llamar"),
    "conversations release": lambda office: ("conversations", "release", str(office.conversation)),
    "conversations close": lambda office: ("conversations", "close", str(office.conversation)),
    "opt-outs": lambda _: ("opt-outs",),
    "incident report": lambda _: ("incident", "report", "--since", "1h"),
    "restored": lambda _: ("restored",),
    "client erase": lambda office: ("client", "erase", office.former_bot(), "--yes", "--without-export"),
    "person block": lambda _: ("person", "block", "+56911110002"),
    "person unblock": lambda _: ("person", "unblock", "+56911110002"),
    "person requests": lambda office: (
        "person",
        "requests",
        "+56911110002",
        "--register",
        "access",
        "--client",
        office.bot,
    ),
    "campaigns stop": lambda office: ("campaigns", "stop", office.campaign("otra-lista")),
    "client export": lambda office: ("client", "export", office.bot),
    "person rectify": lambda _: ("person", "rectify", "+56911110002", "--name", "Ana"),
    "person export": lambda _: ("person", "export", "+56911110002"),
    "person erase": lambda _: ("person", "erase", "+56911110002", "--yes"),
    "forget": lambda _: ("forget", "+56911110000", "--yes"),
    "operator invite": lambda _: ("operator", "invite", "ana@horizonai.cl", "--name", "Ana"),
    "operator reset": lambda _: ("operator", "reset", "ana@horizonai.cl"),
    "operator disable": lambda _: ("operator", "disable", "ana@horizonai.cl"),
    "operator link": lambda office: ("operator", "link", office.bot, "--for", "Dueña"),
    "operator unlink": lambda _: ("operator", "unlink", "1"),
}
"""Of each command that reads what people wrote, or changes something: its arguments."""
WITHOUT: Final[Mapping[str, str]] = {
    "serve": "what it does is caused by messages, or over the API",
    "migrate": "the schema, nothing of a client",
    "token list": "names of tokens",
    "operator list": "names of operators",
    "operator links": "for whom links are",
    "costs": "sums",
    "costs compare": "sums",
    "report": "figures of a month",
    "audit": "it is the audit",
    "campaigns list": "counts",
    "campaigns show": "counts",
    "conversations test": "needs a terminal: `tests/runtime/test_replays.py`",
    "person find": "counts, nothing of what was said",
    "person receipts": "what was done for people, and when",
    "store-key new": "prints a key, reads nothing",
    "store-key status": "counts",
    "store-key rewrite": "what is written stays the same, encrypted with another key",
}


def commands(group: click.Group, prefix: str = "") -> Iterator[str]:
    """Every command below a group; a group that does something itself as well."""
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, f"{prefix}{name} ")
        if not isinstance(command, click.Group) or command.invoke_without_command:
            yield f"{prefix}{name}"


def test_each_command_that_reads_what_people_wrote_or_changes_something_is_in_the_audit(office: Office) -> None:
    unknown = set(commands(main)) - set(COMMANDS) - set(WITHOUT)
    assert not unknown, f"not known what {sorted(unknown)} leaves in the audit: add it to COMMANDS"
    for name, arguments in COMMANDS.items():
        given = arguments(office)
        before = office.last()
        done = office.runtime.command(*given, PUBLIC_URL=office.runtime.url)
        assert done.code == 0, (name, done.err)
        new = [entry for entry in office.entries(before) if entry.via == "cli"]
        assert new, f"{name} left no entry in the audit"
        assert all("@" in entry.actor for entry in new), name
