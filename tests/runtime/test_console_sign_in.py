"""Signing in to the console: two steps, a bound on tries, sessions that end, forms of this site only."""

from __future__ import annotations

import asyncio
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path

import pyotp
import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from runtime.console.cookies import SESSION, cookie_of, set_cookie
from runtime.console.page import Declined
from runtime.console.passwords import AT_ONCE, MOST_WAITING, Passwords, step_of
from runtime.console.sign_in import is_ours
from runtime.console.site import is_own
from tests.runtime.console import PASSWORD, Browser, accept, invite, sign_in, text_of
from tests.runtime.test_media import rows
from tests.runtime_process import Answer, Runtime, start_runtime
from tests.sandbox_process import ROOT, Sandbox

WRONG = "El correo o la contraseña no coinciden."


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory, sandbox_process: Sandbox) -> Iterator[Runtime]:
    """A runtime with a console."""
    runtime = start_runtime(tmp_path_factory.mktemp("door"), sandbox_process)
    yield runtime
    runtime.stop()


def change(runtime: Runtime, statement: str) -> None:
    with closing(sqlite3.connect(runtime.folder / "runtime.db", timeout=20)) as store:
        store.execute(statement)
        store.commit()


def password_given(runtime: Runtime, email: str, password: str = PASSWORD, **fields: str) -> tuple[Browser, Answer]:
    """A browser whose person has given a password."""
    browser = Browser(runtime)
    browser.get("/console/sign-in")
    return browser, browser.post("/console/sign-in", email=email, password=password, **fields)


def next_code(secret: str) -> str:
    """The code of the next half minute, which is valid already: the present one was used."""
    return pyotp.TOTP(secret).at(time.time() + 30)


def test_who_has_accepted_an_invitation_has_signed_in(door: Runtime) -> None:
    admin = sign_in(door, "primera@horizonai.cl", "--role", "admin")
    invite(door, "nadie@horizonai.cl")

    page = admin.get("/console/access").body.decode()

    rows_of = {email: page[page.index(email) :].partition("</tr>")[0] for email in ("primera@", "nadie@")}
    assert ["nunca" in row for row in rows_of.values()] == [False, True]


def test_a_password_and_a_code_let_in_and_neither_alone(door: Runtime) -> None:
    secret = sign_in(door, "dos@horizonai.cl").secret
    browser, page = password_given(door, "Dos@Horizonai.cl ")
    assert "Código de tu aplicación" in text_of(page)
    halfway = dict(browser.cookies)
    assert browser.send("GET", "/console").status == 303
    wrong = browser.post("/console/sign-in/code", code="000000", next="")
    assert (wrong.status, "El código no coincide" in text_of(wrong)) == (403, True)
    assert "Flota" in text_of(browser.post("/console/sign-in/code", code=next_code(secret), next=""))
    assert browser.cookies[SESSION] != halfway[SESSION]
    assert Browser(door, halfway).send("GET", "/console").status == 303


def test_a_code_is_valid_once(door: Runtime) -> None:
    first = sign_in(door, "once@horizonai.cl")
    used = rows(door, "SELECT totp_used FROM operators WHERE email = 'once@horizonai.cl'")[0][0]
    browser, _ = password_given(door, "once@horizonai.cl")
    again = browser.post("/console/sign-in/code", code=pyotp.TOTP(first.secret).at(used * 30), next="")
    assert (again.status, "El código no coincide" in text_of(again)) == (403, True)


def test_what_is_wrong_is_not_shown(door: Runtime) -> None:
    sign_in(door, "real@horizonai.cl")
    _, wrong = password_given(door, "real@horizonai.cl", "otra frase bastante larga")
    _, unknown = password_given(door, "nadie@horizonai.cl")
    assert (wrong.status, unknown.status) == (403, 403)
    assert WRONG in text_of(wrong)
    assert text_of(wrong) == text_of(unknown)


def test_too_many_failures_lock_an_account_for_a_while_also_for_the_right_password(door: Runtime) -> None:
    sign_in(door, "cerrada@horizonai.cl")
    change(door, "DELETE FROM sign_in_failures")
    for _ in range(10):
        _, answer = password_given(door, "cerrada@horizonai.cl", "no es esta frase")
    _, locked = password_given(door, "cerrada@horizonai.cl")
    assert (answer.status, locked.status) == (403, 429)
    assert "Demasiados intentos. Se puede probar de nuevo a las" in text_of(locked)
    assert rows(door, "SELECT action FROM audit WHERE object_id = 'cerrada@horizonai.cl' AND action = 'locked'")
    change(door, "UPDATE sign_in_failures SET until = '2026-01-01T00:00:00.000Z'")
    _, open_again = password_given(door, "cerrada@horizonai.cl")
    assert "Código de tu aplicación" in text_of(open_again)
    change(door, "DELETE FROM sign_in_failures")


def test_an_invitation_works_once_and_for_three_days(door: Runtime) -> None:
    path = invite(door, "nueva@horizonai.cl")
    accept(door, path)
    assert Browser(door).get(path).status == 404
    late = invite(door, "tarde@horizonai.cl")
    change(door, "UPDATE operators SET invited_until = '2026-01-01T00:00:00.000Z' WHERE email = 'tarde@horizonai.cl'")
    assert Browser(door).get(late).status == 404


@pytest.mark.parametrize(
    ("password", "again", "says"),
    [
        ("corta", "corta", "al menos 12 caracteres"),
        (PASSWORD, PASSWORD + "x", "Las dos contraseñas son distintas"),
        ("debil@horizonai.cl", "debil@horizonai.cl", "no puede ser tu correo"),
    ],
)
def test_a_password_that_is_not_taken_leaves_the_invitation_valid(
    door: Runtime, weak: str, password: str, again: str, says: str
) -> None:
    browser = Browser(door)
    browser.get(weak)
    answer = browser.post(weak, password=password, again=again, code="000000")
    assert (answer.status, says in text_of(answer)) == (400, True)


@pytest.fixture(scope="module")
def weak(door: Runtime) -> str:
    return invite(door, "debil@horizonai.cl")


def test_passwords_are_kept_as_argon2_hashes_and_sessions_as_digests(door: Runtime) -> None:
    browser = sign_in(door, "hash@horizonai.cl")
    ((stored,),) = rows(door, "SELECT password FROM operators WHERE email = 'hash@horizonai.cl'")
    assert stored.startswith("$argon2id$")
    kept = b"".join(path.read_bytes() for path in door.folder.glob("runtime.db*"))
    assert PASSWORD.encode() not in kept
    assert browser.cookies[SESSION].encode() not in kept


def test_signing_out_ends_the_session(door: Runtime) -> None:
    browser = sign_in(door, "sale@horizonai.cl")
    browser.get("/console")
    kept = dict(browser.cookies)
    assert "Entrar a la consola" in text_of(browser.post("/console/sign-out"))
    assert Browser(door, kept).send("GET", "/console").status == 303


@pytest.mark.parametrize("action", ["disable", "reset"])
def test_an_operator_who_is_disabled_or_reset_is_out_at_once(door: Runtime, action: str) -> None:
    email = f"{action}@horizonai.cl"
    browser = sign_in(door, email)
    assert door.command("operator", action, email).code == 0
    assert browser.send("GET", "/console").status == 303
    _, answer = password_given(door, email)
    assert WRONG in text_of(answer)


def test_a_session_ends_by_itself(door: Runtime) -> None:
    for column in ("expires_at", "seen_at"):
        browser = sign_in(door, f"{column}@horizonai.cl")
        assert browser.send("GET", "/console").status == 200
        change(
            door,
            f"UPDATE console_sessions SET {column} = '2026-01-01T00:00:00.000Z' WHERE email = '{column}@horizonai.cl'",
        )
        assert browser.send("GET", "/console").status == 303


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
    ids=str,
)
def test_a_form_of_another_site_does_nothing(door: Runtime, ana: Browser, headers: dict[str, str]) -> None:
    ana.get("/console")
    foreign = Browser(door, dict(ana.cookies), headers, ana.token)
    answer = foreign.post("/console/sign-out")
    assert (answer.status, "Este formulario no viene de la consola" in text_of(answer)) == (403, True)
    assert ana.get("/console").status == 200


def test_a_form_without_the_token_of_its_session_does_nothing(door: Runtime, ana: Browser) -> None:
    other = sign_in(door, "otra@horizonai.cl")
    other.get("/console")
    for token in ("", "0" * 64, other.token):
        assert ana.send("POST", "/console/sign-out", {"token": token}).status == 403
    assert ana.get("/console").status == 200


@pytest.fixture(scope="module")
def ana(door: Runtime) -> Browser:
    return sign_in(door, "ana@horizonai.cl", "--role", "admin")


def test_pages_allow_nothing_inline_and_are_not_kept(door: Runtime, ana: Browser) -> None:
    answer = ana.get("/console")
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'")
    assert "unsafe" not in policy
    assert answer.headers["cache-control"] == "no-store"
    page = answer.body.decode()
    assert "style=" not in page
    assert "<style" not in page
    assert " onclick" not in page
    cookie = Browser(door).send("GET", "/console/sign-in").headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie


def test_a_link_of_another_site_is_asked_for_again_by_the_console_itself(door: Runtime, ana: Browser) -> None:
    stranger = Browser(door, {}, {"Sec-Fetch-Site": "cross-site"})
    assert b'http-equiv="refresh"' in stranger.send("GET", "/console").body


def test_the_language_is_chosen_and_kept(door: Runtime, ana: Browser) -> None:
    assert "Waiting room" in text_of(ana.get("/console?lang=en"))
    assert "Waiting room" in text_of(ana.get("/console"))
    assert "Sala de espera" in text_of(ana.get("/console?lang=es"))


def test_signing_in_leads_to_the_page_that_was_asked_for(door: Runtime) -> None:
    secret = sign_in(door, "sigue@horizonai.cl").secret
    browser = Browser(door)
    assert "next=%2Fconsole%2Fwaiting" in browser.send("GET", "/console/waiting").headers["location"]
    browser, _ = password_given(door, "sigue@horizonai.cl", next="/console/waiting")
    entered = browser.post("/console/sign-in/code", code=next_code(secret), next="/console/waiting")
    assert "Sala de espera" in text_of(entered)


@pytest.mark.parametrize(
    ("path", "ours"),
    [
        ("/console", True),
        ("/console/waiting?client=x", True),
        ("/console?only=silent", True),
        ("//evil.example", False),
        ("https://evil.example/console", False),
        ("/console.evil", False),
        ("/console/\\evil.example", False),
        ("", False),
    ],
)
def test_no_other_site_is_led_to(path: str, ours: bool) -> None:
    assert is_ours(path) is ours


def request_with(headers: Mapping[str, str], host: str = "bot.horizonai.cl") -> web.Request:
    return make_mocked_request("POST", "/console/sign-out", headers={"Host": host, **headers})


@pytest.mark.parametrize(
    ("headers", "own"),
    [
        ({"Origin": "https://bot.horizonai.cl"}, True),
        ({"Origin": "https://bot.horizonai.cl", "Sec-Fetch-Site": "same-origin"}, True),
        ({"Sec-Fetch-Site": "same-origin"}, True),
        ({"Origin": "https://bot.horizonai.cl", "Sec-Fetch-Site": "cross-site"}, False),
        ({"Origin": "https://bot.horizonai.cl.evil.example"}, False),
        ({"Origin": "https://bot.horizonai.cl:8443"}, False),
        ({"Origin": "https://wa.horizonai.cl"}, True),
        ({"Origin": "null"}, False),
        ({}, False),
    ],
)
def test_whose_form_it_is(headers: dict[str, str], own: bool) -> None:
    assert is_own(request_with(headers), "wa.horizonai.cl") is own


def test_over_https_the_cookie_is_one_that_no_other_host_can_set() -> None:
    response, request = web.Response(), request_with({})
    set_cookie(response, request, SESSION, "x", is_https=True)
    (morsel,) = response.cookies.values()
    assert (morsel.key, bool(morsel["secure"]), morsel["path"], morsel["domain"]) == (
        f"__Host-{SESSION}",
        True,
        "/",
        "",
    )
    here = request_with({"Cookie": f"{SESSION}=y"}, "127.0.0.1:8080")
    assert cookie_of(here, SESSION, is_https=True) == "y"
    assert cookie_of(request_with({"Cookie": f"{SESSION}=y"}), SESSION, is_https=True) is None


async def test_more_sign_ins_at_once_than_the_bound_are_refused() -> None:
    passwords = Passwords()
    stored = await passwords.hashed(PASSWORD)
    tries = (passwords.fits(stored, PASSWORD) for _ in range(AT_ONCE + MOST_WAITING + 5))
    outcomes = await asyncio.gather(*tries, return_exceptions=True)
    refused = [outcome for outcome in outcomes if isinstance(outcome, Declined)]
    assert refused
    assert all(outcome is True for outcome in outcomes if not isinstance(outcome, Declined))
    assert await passwords.fits(None, "") is False


def test_a_code_is_valid_in_its_half_minute_and_in_the_neighbouring_ones() -> None:
    secret = pyotp.random_base32()
    code = pyotp.TOTP(secret).at(1_000 * 30)
    found = [step_of(secret, code, clock=lambda step=step: step * 30.0) for step in range(998, 1003)]
    assert found == [None, 1_000, 1_000, 1_000, None]


def test_commands_for_operators(door: Runtime) -> None:
    sign_in(door, "lista@horizonai.cl", "--role", "privacy", "--client", "la-cocina")
    listed = door.command("operator", "list").out
    assert "lista@horizonai.cl\tLista\tprivacy\tactive\tla-cocina\tsigned in 20" in listed
    again = door.command("operator", "invite", "lista@horizonai.cl", "--name", "L")
    assert (again.code, "operator reset lista@horizonai.cl" in again.err) == (1, True)
    assert "no operator 'quien@horizonai.cl'" in door.command("operator", "disable", "quien@horizonai.cl").err
    assert "not an address of mail" in door.command("operator", "invite", "quien", "--name", "Q").err


def test_a_service_without_a_console_loads_nothing_of_what_pages_need(tmp_path: Path) -> None:
    heavy = {"jinja2", "argon2", "pyotp", "segno"}
    program = f"import sys, runtime.app; print(sorted({heavy!r} & set(sys.modules)))"

    done = subprocess.run(
        [sys.executable, "-c", program], env={"PYTHONPATH": str(ROOT)}, cwd=tmp_path, capture_output=True, text=True
    )

    assert done.stdout == "[]\n", done.stderr
