"""A stolen token: what it has read, of how many people, from where, as a draft for the client and the Agency."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import count

import pytest

from tests import media_files
from tests.runtime.test_media import rows, sent
from tests.runtime.test_scopes import made
from tests.runtime_process import Json, Line, Runtime
from tests.sandbox_process import Sandbox

WORDS = "Mi hijo es alérgico al maní"
THERE = "198.51.100.7"
_names = count(1)


@pytest.fixture
def thief(runtime: Runtime) -> tuple[str, Callable[[str], int]]:
    """The name of a token that was stolen, and how the thief calls with it: gives the status."""
    name = f"robado-{next(_names)}"
    token = made(runtime, name, "--scope", "messages", "--scope", "write")

    def get(path: str) -> int:
        return runtime.api("GET", path, token=token, X_Forwarded_For=THERE).status

    return name, get


def reported(runtime: Runtime, *arguments: str) -> str:
    done = runtime.command("incident", "report", "--since", "1h", *arguments)
    assert done.code == 0, done.err
    return done.out


def of_json(runtime: Runtime, *arguments: str) -> Json:
    found: Json = json.loads(reported(runtime, *arguments, "--format", "json"))
    return found


def conversations(runtime: Runtime, shop: Line) -> list[int]:
    query = f"SELECT id FROM conversations WHERE bot_id = '{shop.bot['id']}' ORDER BY id"
    return [id_ for (id_,) in rows(runtime, query)]


def test_what_a_stolen_token_read_is_counted_by_people_and_categories(
    runtime: Runtime, line: Callable[..., Line], sandbox: Sandbox, thief: tuple[str, Callable[[str], int]]
) -> None:
    name, get = thief
    clinic, shop = line(policy={"version": 1, "data": {"sensitive": ["health"]}}), line()
    for user in ("+56911110000", "+56922220000", "+56933330000"):
        clinic.ask(WORDS, user)
    clinic.ask("mira", "+56911110000", media=sent("image/jpeg", media_files.jpeg(64, 48, "receta")))
    shop.ask("Hola", "+56911110000")
    first, second, _third = conversations(runtime, clinic)

    assert get(f"/conversations/?client={clinic.bot['id']}") == 200
    assert [get(f"/conversations/{id_}") for id_ in (first, second, first)] == [200] * 3

    found = of_json(runtime, "--token", name)
    [touched] = found["clients"]
    assert (touched["client"], touched["people"], touched["conversations"]) == (clinic.bot["id"], 3, 3)
    assert (touched["reads"], touched["opened"], touched["sensitive"]) == (4, 2, ["health"])
    assert {"address", "text", "image", "state"} <= set(touched["categories"])
    assert "voice" not in touched["categories"]
    [actor] = found["actors"]
    assert (actor["name"], actor["via"], actor["addresses"], actor["changes"]) == (name, ["api"], [THERE], 0)

    draft = reported(runtime, "--token", name)
    assert "BORRADOR" in draft
    assert "Personas (aproximado): 3, en 3 conversaciones" in draft
    assert "**Datos sensibles declarados para este asistente: salud.**" in draft
    assert f"| {name} | API | {THERE} |" in draft
    assert f"token rotate {name} --overlap 0" in draft
    assert WORDS not in draft
    assert "5691111" not in draft
    assert shop.bot["id"] not in draft


def test_each_client_s_sheet_names_no_other_client(
    runtime: Runtime, line: Callable[..., Line], thief: tuple[str, Callable[[str], int]]
) -> None:
    name, get = thief
    shops = [line(), line()]
    for shop in shops:
        shop.ask("Hola")
        assert get(f"/conversations/{conversations(runtime, shop)[0]}") == 200

    sheets = reported(runtime, "--token", name).split("\n---\n")
    ids = sorted(shop.bot["id"] for shop in shops)
    assert [[id_ in sheet for id_ in ids] for sheet in sheets] == [[True, True], [True, False], [False, True]]
    [_, only] = reported(runtime, "--token", name, "--client", ids[1]).split("\n---\n")
    assert ids[0] not in only


def test_of_a_person_who_was_erased_since_it_is_known_that_there_was_one(
    runtime: Runtime, line: Callable[..., Line], thief: tuple[str, Callable[[str], int]]
) -> None:
    name, get = thief
    shop, user = line(), "+56944440009"
    shop.ask(WORDS, user)
    assert get(f"/conversations/{conversations(runtime, shop)[0]}") == 200
    assert runtime.command("forget", user, "--yes").code == 0

    [touched] = of_json(runtime, "--token", name)["clients"]
    assert (touched["people"], touched["erased"], touched["reads"]) == (1, 1, 1)
    assert "text" not in touched["categories"]


def test_a_token_that_read_nothing_is_said_to_have_read_nothing(
    runtime: Runtime, thief: tuple[str, Callable[[str], int]]
) -> None:
    name, _ = thief
    runtime.command("token", "revoke", name)
    draft = reported(runtime, "--token", name)
    assert "no tiene ninguna lectura ni cambio en ese período" in draft
    assert f"El token `{name}` (messages write; todos los clientes) sin validez desde 20" in draft


def test_a_time_that_is_none_is_refused_with_how_to_write_one(runtime: Runtime) -> None:
    done = runtime.command("incident", "report", "--since", "ayer")
    assert (done.code, "write 2026-11-30, 2026-11-30T14:00, or how long ago: 36h, 7d" in done.err) == (2, True)


def test_the_audit_is_listed_for_a_client_and_over_the_api_by_the_scope_privacy(
    runtime: Runtime, line: Callable[..., Line], thief: tuple[str, Callable[[str], int]]
) -> None:
    name, get = thief
    shop = line()
    shop.ask("Hola")
    (id_,) = conversations(runtime, shop)
    get(f"/conversations/{id_}")

    listed = runtime.command("audit", "--client", shop.bot["id"], "--since", "1h", "--actor", name).out
    [cells] = [row.split("\t") for row in listed.splitlines()]
    assert cells[1:] == [
        shop.bot["id"], name, "api", THERE, "read", f"conversation {shop.bot['id']}", "1 conversations",
        f"conversation {id_}",
    ]  # fmt: skip
    officer = made(runtime, f"delegada-{name}", "--scope", "privacy", "--client", shop.bot["id"])
    [entry] = runtime.api("GET", f"/audit/?actor={name}", token=officer).json
    assert (entry["conversations"], entry["address"]) == ([id_], THERE)
    assert {one["client"] for one in runtime.api("GET", "/audit/?limit=1000", token=officer).json} == {shop.bot["id"]}
    assert get("/audit/") == 403
