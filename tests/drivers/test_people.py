"""Both drivers: who asks to be erased is nowhere any more, whatever their life here was; of who is blocked no processor
hears."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from threading import Thread
from urllib.parse import quote
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openai import OpenAI

from runtime.store.messages.unfinished_erasures import FIRST_SECONDS
from tests import media_files
from tests.drivers.desks import ASK, MOST_DESKS, SETTINGS, Desk, opened
from tests.drivers.fleet import SETTINGS as FLEET_SETTINGS
from tests.drivers.fleet import Fleet, fleet_on
from tests.runtime_process import Answer, start_runtime
from tests.sandbox_process import PATIENCE, Json, Sandbox, wait_until

STORES = ["sqlite", pytest.param("postgresql", marks=[pytest.mark.postgres, pytest.mark.long])]
ADMINISTRATORS = {f"DESK_TOKEN_{one}": f"desk-administrator-{one}" for one in range(2, MOST_DESKS, 2)}
"""The tokens of every second desk; an agent's, of the others, may empty a conversation and not delete it."""
ACTS = (
    "says",
    "says",
    "shows",
    "speaks",
    "asks",
    "stops",
    "is_reminded",
    "is_noted",
    "is_read",
    "is_blocked",
    "thinks",
)
"""What may happen in the life of a person here."""
ENGINES = ("responses", "agents", "assistants")


@pytest.fixture(scope="module", params=STORES)
def served(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, sandbox_process: Sandbox
) -> Iterator[Fleet]:
    folder = tmp_path_factory.mktemp("people")
    with fleet_on(request.param, folder, sandbox_process, **(SETTINGS | ADMINISTRATORS)) as fleet:
        yield fleet


@pytest.fixture(scope="module")
def tokens(served: Fleet) -> dict[str, str]:
    """By scope."""
    made = {}
    for scopes in (["privacy"], ["messages", "write"]):
        flags = [flag for scope in scopes for flag in ("--scope", scope)]
        made[scopes[0]] = served.replicas[0].command("token", "create", scopes[0], *flags).out.strip()
    return made


@dataclass(slots=True)
class Life:
    """A person, and what they and others do."""

    desk: Desk
    tokens: dict[str, str]
    marker: str = field(default_factory=lambda: f"clave{uuid4().hex[:12]}")
    """In everything that they write."""
    written: int = 0
    """Number of their messages."""

    @property
    def traces(self) -> list[str]:
        """What must not be found of them."""
        return [self.marker, self.desk.user.removeprefix("+"), self.user_id, f"Nombre{self.marker}"]

    @property
    def user_id(self) -> str:
        return f"CL.{self.marker}"

    def lives(self, acts: Sequence[str]) -> None:
        """Does these in turn."""
        for act in acts:
            getattr(self, act)()

    def says(self) -> None:
        self._write(f"Hola, {self.marker}")

    def thinks(self) -> None:
        self._write(f"piensa 1s {self.marker}")

    def shows(self) -> None:
        photo = b64encode(media_files.jpeg(64, 48, self.marker)).decode()
        self._write(f"Mire {self.marker}", media=[{"content_type": "image/jpeg", "base64": photo}])

    def speaks(self) -> None:
        note = b64encode(media_files.voice_note(f"Digo {self.marker}")).decode()
        self._write("", media=[{"content_type": "audio/ogg", "base64": note}])

    def asks(self) -> None:
        self._write(ASK)

    def stops(self) -> None:
        self._write("stop")

    def is_reminded(self) -> None:
        body = {"to": self.desk.user, "body": f"Recuerde {self.marker}", "bot_id": self.desk.line.bot["id"]}
        self._api("POST", "/messages/", body)

    def is_noted(self) -> None:
        for conversation in self.conversations():
            self._api("POST", f"/conversations/{conversation}/notes", {"body": f"Nota {self.marker}"}, "messages")

    def is_read(self) -> None:
        for conversation in self.conversations():
            self._api("GET", f"/conversations/{conversation}", None, "messages")

    def is_blocked(self) -> None:
        self.about("POST", "/block")
        self._write(f"¿Hola? {self.marker}")
        self.about("POST", "/unblock")

    def conversations(self) -> list[int]:
        """The ids of theirs."""
        bot = self.desk.line.bot["id"]
        return [id_ for (id_,) in self.desk.fleet.rows(f"SELECT id FROM conversations WHERE bot_id = '{bot}'")]

    def about(self, method: str, rest: str = "") -> Answer:
        """A call about them, to the last replica."""
        path = f"/people/{quote(self.desk.user)}{rest}"
        return self.desk.fleet.replicas[-1].api(method, path, token=self.tokens["privacy"])

    def is_quiet(self) -> bool:
        """Whether all that they wrote has arrived, and nothing of theirs is being answered or sent."""
        bot = f"bot_id = '{self.desk.line.bot['id']}'"
        waiting = f"SELECT count(*) FROM inbox WHERE state = 'open' AND {bot}"
        sending = f"SELECT count(*) FROM outbox WHERE state IN ('ready', 'sending', 'postponed') AND {bot}"
        arrived = f"SELECT count(*) FROM inbox WHERE {bot}"
        return self.desk.fleet.rows(f"SELECT ({waiting}), ({sending}), ({arrived})") == [(0, 0, self.written)]

    def erased(self) -> Answer:
        """Erases them until nothing is left elsewhere: Twilio keeps what is on its way."""
        answers: list[Answer] = []

        def is_complete() -> bool:
            answers.append(self.about("DELETE"))
            return answers[-1].status in (200, 404)

        wait_until(is_complete, what="a complete erasure")
        return next(answer for answer in answers if answer.status != 404)

    def _write(self, text: str, **fields: object) -> None:
        self.written += 1
        self.desk.write(text, external_user_id=self.user_id, profile_name=f"Nombre{self.marker}", **fields)

    def _api(self, method: str, path: str, body: object = None, scope: str | None = None) -> None:
        token = {} if scope is None else {"token": self.tokens[scope]}
        self.desk.fleet.replicas[0].api(method, path, body, **token)


@pytest.fixture
def life(served: Fleet, sandbox: Sandbox, tokens: dict[str, str]) -> Callable[..., Life]:
    """`life()` opens a client with a desk, and a person who has not written yet; the model's provider keeps what was
    said with the engines `agents` and `assistants`."""

    sandbox.settings(usage_seconds=0.0)

    def begin(engine: str = "responses") -> Life:
        return Life(opened(served, sandbox, "always", **answering(sandbox, engine)), tokens)

    return begin


def answering(sandbox: Sandbox, engine: str) -> Json:
    """The fields of a bot whose engine it is."""
    words: Json = {"model": "gpt-6-luna", "name": "Vivo", "instructions": "Eres un agente vivo."}
    with OpenAI(base_url=sandbox.openai_url, api_key=sandbox.api_key) as live:
        if engine == "agents":
            return {"assistant_id": live.beta.agents.create(**words).id}
        if engine == "assistants":
            with pytest.warns(DeprecationWarning, match="deprecated"):
                return {"assistant_id": live.beta.assistants.create(**words).id}
    return {}


def in_store(fleet: Fleet) -> str:
    """Everything that the tables say, decrypted where TEST_STORE_KEY is set."""
    sqlite = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
    postgresql = "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'"
    names = fleet.rows(sqlite if fleet.database_url.startswith("sqlite") else postgresql)
    return str([fleet.rows(f"SELECT * FROM {name}") for (name,) in names])


def in_files(fleet: Fleet) -> Iterator[tuple[str, bytes]]:
    """The files of the store and of each replica: database, its log, what was logged, what lies there for a while."""
    folders = [replica.folder for replica in fleet.replicas]
    if fleet.database_url.startswith("sqlite:///"):
        folders.append(Path(fleet.database_url.removeprefix("sqlite:///")).parent)
    for folder in folders:
        yield from ((str(path), path.read_bytes()) for path in folder.rglob("*") if path.is_file())


def at_providers(sandbox: Sandbox) -> Iterator[tuple[str, bytes]]:
    """What OpenAI, Twilio and Chatwoot keep: all tables of the stand-ins and the content of all files, as they lie in
    their folder, whether or not a call of an API would show them.

    `ledger.jsonl` beside them stands for no provider: it is the tests' own record of what crossed the sockets, by which
    they judge, and only a reset empties it. What real providers keep of calls (Meta its copies, OpenAI logs against
    abuse, Twilio what it deleted, for up to 30 days) is named in the receipt. The journal is written again before, as a
    start does, for it would list deleted objects too: what a provider deletes is deleted.
    """
    sandbox.ask("POST", "compact")
    for path in sandbox.state.rglob("*"):
        if path.is_file() and path.name != "ledger.jsonl":
            yield f"providers: {path.relative_to(sandbox.state)}", path.read_bytes()


def found(life: Life) -> list[str]:
    """Where traces of a person are."""
    desk = life.desk
    files = (*in_files(desk.fleet), *at_providers(desk.line.sandbox))
    places = {"store": in_store(desk.fleet)} | {path: content.decode("latin-1") for path, content in files}
    return [f"{place}: {trace}" for place, text in places.items() for trace in life.traces if trace in text]


def nothing_is_left_of(life: Life, acts: Sequence[str]) -> None:
    """The law, for one life."""
    life.says()
    life.lives(acts)
    wait_until(life.is_quiet, what="everything that was said to be answered")
    before = {trace.split(":")[0] for trace in found(life)}
    assert {"store", "providers"} <= before, "there was something to erase, here and elsewhere"
    receipt = json.dumps(life.erased().json["receipt"])
    assert [trace for trace in life.traces if trace in receipt] == []
    wait_until(lambda: found(life) == [], what=f"nothing of them: {found(life)[:5]}")


@pytest.mark.parametrize("engine", ["responses", pytest.param("agents", marks=pytest.mark.long)])
def test_nothing_is_left_of_a_person_who_is_erased(life: Callable[..., Life], engine: str) -> None:
    nothing_is_left_of(life(engine), [act for act in dict.fromkeys(ACTS) if act != "thinks"])


@pytest.mark.long
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(acts=st.lists(st.sampled_from(ACTS), max_size=8), engine=st.sampled_from(ENGINES))
def test_nothing_is_left_of_anyone_who_is_erased(life: Callable[..., Life], acts: list[str], engine: str) -> None:
    nothing_is_left_of(life(engine), acts)


def test_nothing_is_left_of_a_client_that_is_erased_after_its_bot_was_deleted(
    life: Callable[..., Life], served: Fleet
) -> None:
    person = life()
    person.lives(["says", "shows", "is_reminded", "is_noted"])
    wait_until(person.is_quiet, what="everything that was said to be answered")
    person.desk.shows(person.marker)
    client, replica = person.desk.line.bot["id"], served.replicas[-1]
    exported = replica.command("client", "export", client, "--out", str(replica.folder.parent), "--no-media")
    assert exported.code == 0, exported.err
    (replica.folder.parent / f"{client}.zip").unlink()
    refused = replica.command("client", "erase", client, "--yes")
    assert (refused.code, "still has bots" in refused.err, found(person) != []) == (1, True, True), refused.err
    assert served.replicas[0].api("DELETE", f"/bots/{client}").status == 204

    done = replica.command("client", "erase", client, "--yes")

    assert done.code in (0, 4), done.err
    assert f"{client}, exported: receipt " in done.out
    assert "Remains. In the ledger" in done.out
    wait_until(lambda: erased_in_time(served) and found(person) == [], what=f"nothing: {found(person)[:3]}")
    nothing = replica.command("client", "erase", client, "--yes")
    assert (nothing.code, "There is nothing of a client" in nothing.err) == (1, True)
    receipts = json.loads(replica.command("person", "receipts", "--format", "json").out)
    ended = [one["document"] for one in receipts if one["document"]["client"] == client]
    assert [one["action"] for one in ended][:2] == ["handed_back", "client_erased"]
    done_where = {one["where"] for one in ended[1]["done"]}
    assert {"store", "ledger", "desk", "twilio"} <= done_where


def erased_in_time(fleet: Fleet) -> bool:
    """Whether no erasure waits; what Twilio keeps while it is on its way is tried at once."""
    fleet.rows("UPDATE timers SET due_at = '2026-01-01T00:00:00.000Z' WHERE kind = 'erasure' RETURNING 1")
    return fleet.rows("SELECT count(*) FROM timers WHERE kind = 'erasure'") == [(0,)]


def test_no_processor_hears_of_a_person_who_is_blocked(life: Callable[..., Life], sandbox: Sandbox) -> None:
    person = life()
    person.says()
    person.desk.shows(person.marker)
    assert person.about("POST", "/block").status == 200
    heard, person.marker = len(sandbox.ledger()), f"clave{uuid4().hex[:12]}"
    person.lives(["says", "shows", "speaks", "asks", "stops"])
    wait_until(person.is_quiet, what="all of it to be stored")
    person.desk.line.write("Hola", (other := f"+{next(others)}"), wait=0)
    wait_until(lambda: bool(person.desk.line.outbound(other)), what="an answer to another person")
    wait_until(lambda: at_desk(person.desk, other), what="the other person at the desk")
    calls = [entry for entry in sandbox.ledger()[heard:] if entry["kind"] in ("call", "outbound")]
    assert [entry for entry in calls if person.marker in json.dumps(entry)] == []
    assert len([entry for entry in calls if entry.get("path") == "/v1/responses"]) == 1
    assert len([entry for entry in calls if "transcriptions" in str(entry.get("path"))]) == 0
    assert person.marker not in str(sandbox.ask("GET", f"desk/conversations?account={person.desk.account}"))
    assert person.desk.phone()[1:] == []


def test_what_a_blocked_person_writes_is_discarded_where_the_client_s_rule_says_so(
    served: Fleet, tokens: dict[str, str]
) -> None:
    shop = served.open_line(policy={"version": 1, "data": {"blocked": "discard"}})
    user, privacy, bot = f"+{next(others)}", tokens["privacy"], f"bot_id = '{shop.bot['id']}'"
    served.deliver(shop, "Hola", 0, user)
    wait_until(lambda: len(shop.outbound(user)) == 1, what="an answer")
    for act in ("block", "unblock"):
        assert served.replicas[-1].api("POST", f"/people/{quote(user)}/{act}", token=privacy).status == 200
        served.deliver(shop, f"Mi clave es {act}", 0, user)
    wait_until(lambda: len(shop.outbound(user)) == 2, what="an answer after the block")
    stored = served.rows(f"SELECT state, body, sender, coalesce(content, '') FROM inbox WHERE {bot} ORDER BY id")
    assert [row[0] for row in stored] == ["answered", "dropped", "answered"]
    assert stored[1] == ("dropped", "", "", "")
    assert "Mi clave es block" not in in_store(served)


others = count(56_950_000_001)


def at_desk(desk: Desk, user: str) -> bool:
    """Whether a person of this desk's client is there."""
    rows: list[Json] = desk.line.sandbox.ask("GET", f"desk/conversations?account={desk.account}")["conversations"]
    return any(row["contact"]["phone_number"] == user for row in rows)


@pytest.mark.long
def test_a_person_is_exported_and_erased_while_they_write(
    life: Callable[..., Life], served: Fleet, tmp_path: Path
) -> None:
    """On PostgreSQL three replicas, with an export and an erasure at each in turn."""
    with ExitStack() as cleanup:
        fleet = served
        if not served.database_url.startswith("sqlite"):
            home = tmp_path / "third"
            home.mkdir()
            settings_ = FLEET_SETTINGS | SETTINGS | {"DATABASE_URL": served.database_url}
            third = start_runtime(home, served.sandbox, **settings_)
            cleanup.callback(third.kill)
            fleet = Fleet([*served.replicas, third], served.sandbox, served.database_url)
        person = life()
        writing = Thread(target=write_much, args=(fleet, person, 40))
        writing.start()
        statuses = set()
        for turn in range(9):
            replica = fleet.replicas[turn % len(fleet.replicas)]
            path, token = f"/people/{quote(person.desk.user)}", person.tokens["privacy"]
            statuses.add(replica.api("POST", f"{path}/export", token=token).status)
            statuses.add(replica.api("DELETE", path, token=token).status)
        writing.join()
        assert statuses <= {200, 404, 502}
        wait_until(person.is_quiet, what="everything that was said to be answered or dropped")
        # What one of the erasures left, since another was at it, is deleted by its timer: each try later than the one
        # before by twice as much, and the first two may meet another, too.
        continued = (1 + 2 + 4) * FIRST_SECONDS + PATIENCE
        answers: list[Answer] = []

        def is_forgotten() -> bool:
            answers.append(person.about("DELETE"))
            return answers[-1].status == 404

        wait_until(is_forgotten, continued, lambda: f"a complete erasure: {answers[-1].status} {answers[-1].body!r}")
        wait_until(lambda: found(person) == [], continued, lambda: f"nothing of them: {found(person)[:5]}")


def write_much(fleet: Fleet, person: Life, messages: int) -> None:
    """Messages of a person, brought to each replica in turn."""
    names = {"ExternalUserId": person.user_id, "ProfileName": f"Nombre{person.marker}"}
    for number in range(messages):
        answer = fleet.deliver(person.desk.line, f"{person.marker} {number}", number, person.desk.user, **names)
        assert answer.status == 200
        person.written += 1
