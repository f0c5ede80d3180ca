"""A store with STORE_KEY holds no word of people or assistants, and works as before; keys come, change and go while it
is served. On both databases."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from runtime.store_keys import key_id_of
from tests.drivers.fleet import Fleet, fleet_on
from tests.function_endpoint import TOOL, Endpoint
from tests.runtime.template_shop import TEMPLATES, made
from tests.runtime_process import Answer, Json, Line
from tests.sandbox_process import Sandbox, wait_until

STORES = ["sqlite", pytest.param("postgresql", marks=[pytest.mark.postgres, pytest.mark.long])]
FIRST, SECOND = (base64.b64encode(letter * 32).decode() for letter in (b"1", b"2"))
IDS = {key: key_id_of(base64.b64decode(key)) for key in (FIRST, SECOND)}
USER = "+56912345678"
WORDS = ["azulejo", "Berenice", "calabaza", "damasco", "espinaca", "frambuesa", "guindado", "huacatay", "iguana"]
"""What people, assistants and programs say here, one a column or two."""
BROKEN = {"provider": "openai", "method": "POST", "path": "/v1/responses", "kind": "status", "status": 400, "times": 1}


@pytest.fixture(scope="module", params=STORES)
def fleet(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, sandbox_process: Sandbox
) -> Iterator[Fleet]:
    folder = tmp_path_factory.mktemp("encrypted")
    with fleet_on(request.param, folder, sandbox_process, STORE_KEY=FIRST, REPLY_WITHIN_SECONDS="5") as fleet:
        yield fleet


def cells(fleet: Fleet) -> dict[tuple[str, str], list[object]]:
    """Every cell of the store, by table and column."""
    found: dict[tuple[str, str], list[object]] = {}
    if fleet.database_url.startswith("sqlite:///"):
        listed = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
    else:
        listed = "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
    for (table,) in fleet.rows(listed):
        for row in fleet.rows(f"SELECT * FROM {table}"):
            for number, cell in enumerate(row):
                found.setdefault((table, str(number)), []).append(cell)
    return found


def said_in(fleet: Fleet, words: list[str]) -> list[tuple[str, tuple[str, str]]]:
    """Which of these words stand where in the store."""
    return [
        (word, place)
        for place, column in cells(fleet).items()
        for word in words
        if any(word.encode() in (cell if isinstance(cell, bytes) else str(cell).encode()) for cell in column)
    ]


def token(fleet: Fleet, *scopes: str) -> str:
    given = [argument for scope in scopes for argument in ("--scope", scope)]
    name = f"{'-'.join(scopes)}-{len(fleet.rows('SELECT name FROM tokens'))}"
    return fleet.replicas[0].command("token", "create", name, *given).out.strip()


def call(fleet: Fleet, own: str, method: str, path: str, document: object = None) -> Answer:
    answer = fleet.replicas[-1].api(method, path, document, own)
    assert answer.status < 300, answer.body
    return answer


def a_life(fleet: Fleet, endpoint: Endpoint) -> tuple[Line, Json]:
    """A client whose people and assistant say all of WORDS, in every way there is; and the conversation as an operator
    reads it."""
    endpoint.answer = json.dumps({"codigo": "damasco"}).encode()
    sids = {name: made(fleet.sandbox, name, document) for name, document in TEMPLATES.items()}
    assistant = {"name": "Tienda", "instructions": "Atiendes.", "model": "gpt-6-luna", "tools": [TOOL]}
    shop = fleet.open_line(
        assistant_id=fleet.replicas[0].made("/assistants/", assistant)["id"],
        functions={"crear_reserva": {"url": endpoint.url}},
        policy={"templates": TEMPLATES, "template_sids": sids, "handoff": {"resume_after": "4h"}},
    )
    shop.ask("Hola azulejo", profile_name="Berenice")
    shop.ask('llama a crear_reserva {"personas": 4, "nota": "calabaza"}')
    fleet.sandbox.faults(BROKEN)
    shop.write("espinaca", "+56922222222")
    shop.ask('llama a hand_over {"reason": "frambuesa", "summary": "quiere guindado"}')
    own = token(fleet, "messages", "write", "campaigns")
    [(id_,)] = fleet.rows(
        f"SELECT id FROM conversations WHERE bot_id = '{shop.bot['id']}' AND user_key = 'whatsapp:{USER}'"
    )
    call(fleet, own, "POST", f"/conversations/{id_}/take")
    call(fleet, own, "POST", f"/conversations/{id_}/notes", {"text": "huacatay"})
    call(fleet, own, "POST", f"/conversations/{id_}/messages", {"text": "damasco, dice Carla"})
    row = {"to": "+56933333333", "variables": {"nombre": "iguana", "dia": "martes"}}
    listed = {"id": f"lista-{shop.number[1:]}", "bot_id": shop.bot["id"], "template": "recordatorio", "rows": [row]}
    call(fleet, own, "POST", "/campaigns/", {**listed, "basis": "pidió calabaza", "quiet_hours": False})
    wait_until(lambda: len(shop.outbound("+56933333333")) == 1, what="the campaign's message")
    document: Json = call(fleet, own, "GET", f"/conversations/{id_}").json
    return shop, document


def test_no_word_of_people_or_assistants_is_in_the_store_and_all_of_it_is_read_as_before(
    fleet: Fleet, endpoint: Endpoint
) -> None:
    shop, conversation = a_life(fleet, endpoint)

    assert said_in(fleet, WORDS) == []
    texts = [message["text"] for message in conversation["messages"]]
    assert "Hola azulejo" in texts
    assert "damasco, dice Carla" in texts
    assert conversation["conversation"]["name"] == "Berenice"
    assert "guindado" in conversation["conversation"]["summary"]
    assert [note["body"] for note in conversation["notes"]] == ["huacatay"]
    reservation = conversation["calls"][0]
    assert ("calabaza" in reservation["arguments"], "damasco" in reservation["output"]) == (True, True)
    assert shop.outbound("+56933333333")[0]["body"] == "Hola iguana, te esperamos el martes."
    assert "OpenAI refused the request" in fleet.replicas[0].command("dead-letters", "list").out


def test_without_its_key_or_with_another_one_nothing_starts(fleet: Fleet) -> None:
    fleet.replicas[0].command("token", "list")
    for given, has in (("", "is not set"), (SECOND, f"has {IDS[SECOND]}")):
        ran = fleet.replicas[0].command("dead-letters", "list", STORE_KEY=given)
        said = f"Texts in the store are encrypted with the key {IDS[FIRST]}, and STORE_KEY {has}. Set STORE_KEY to that"
        assert (ran.code, said in ran.err) == (1, True), ran.err
    wrong = fleet.replicas[0].command("dead-letters", "list", STORE_KEY=FIRST[:-9])
    assert "STORE_KEY: key 1 is not 32 bytes in base64" in wrong.err


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=[pytest.mark.postgres, pytest.mark.long])])
def plain(request: pytest.FixtureRequest, tmp_path: Path, sandbox: Sandbox) -> Iterator[Fleet]:
    """A fleet without keys."""
    with fleet_on(request.param, tmp_path, sandbox, STORE_KEY="", REPLY_WITHIN_SECONDS="5") as fleet:
        yield fleet


def restart(fleet: Fleet, setting: str) -> None:
    """Restarts the replicas one after the other with another STORE_KEY."""
    for replica in fleet.replicas:
        replica.stop()
        replica.environment["STORE_KEY"] = setting
        replica.start_again()


def rewritten(fleet: Fleet) -> str:
    ran = fleet.replicas[0].command("store-key", "rewrite")
    assert ran.code == 0, ran.err
    return ran.out


def test_keys_come_change_and_go_while_the_store_is_served(plain: Fleet) -> None:
    (first, *_), shop = plain.replicas, plain.open_line()
    shop.ask("Hola azulejo")
    assert said_in(plain, ["azulejo"]) != []

    restart(plain, f"plain,{FIRST}")
    restart(plain, FIRST)
    shop.ask("Hola calabaza")
    assert said_in(plain, ["calabaza"]) == []
    assert "all texts are encrypted with the key " + IDS[FIRST] in rewritten(plain)
    assert said_in(plain, ["azulejo", "calabaza"]) == []

    restart(plain, f"{FIRST},{SECOND}")
    restart(plain, f"{SECOND},{FIRST}")
    assert f"Nothing needs the key {IDS[FIRST]} any more" in rewritten(plain)
    status = first.command("store-key", "status")
    assert f"{IDS[FIRST]}\t0\told texts\nplain\t0\told texts\n" in status.out, status.err
    restart(plain, SECOND)
    assert "turn 3" in shop.ask("¿Te acuerdas?")

    restart(plain, f"plain,{SECOND}")
    assert f"all texts are plain.\nNothing needs the key {IDS[SECOND]} any more" in rewritten(plain)
    assert said_in(plain, ["azulejo"]) != []
    restart(plain, "")
    assert "turn 4" in shop.ask("¿Y ahora?")
    assert "STORE_KEY is not set" in first.command("store-key", "rewrite").err


def test_a_key_that_others_at_work_cannot_read_is_not_used(plain: Fleet) -> None:
    first = plain.replicas[0]

    ran = first.command("dead-letters", "list", STORE_KEY=FIRST)

    assert ran.code == 1
    assert f"The first key of STORE_KEY, {IDS[FIRST]}, was never used in this store, and " in ran.err
    assert first.command("dead-letters", "list", STORE_KEY=f"plain,{FIRST}").code == 0
    assert plain.rows("SELECT count(*) FROM encryption_keys") == [(0,)]
