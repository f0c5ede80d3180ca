"""The console in a real browser: Debian's Chromium, driven by Playwright. Nothing it shows breaks its own policy."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import pyotp
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser as Chromium
from playwright.sync_api import BrowserContext, Page, sync_playwright

from tests.documents.browser import CHROMIUM, needs_browser
from tests.runtime.console import PASSWORD, SECRET, invite
from tests.runtime.test_console import closed, opened
from tests.runtime.test_media import rows
from tests.runtime_process import Line, Runtime, start_runtime
from tests.sandbox_process import Sandbox, wait_until

pytestmark = [pytest.mark.long, needs_browser]
SERIOUS: Final = {"serious", "critical"}


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory, sandbox_process: Sandbox) -> Iterator[Runtime]:
    runtime = start_runtime(tmp_path_factory.mktemp("browser"), sandbox_process)
    yield runtime
    runtime.stop()


@pytest.fixture(scope="module")
def shop(installation: Runtime, sandbox_process: Sandbox) -> tuple[Line, int]:
    return opened(installation, sandbox_process, name="Restaurante La Cocina")


@pytest.fixture(scope="module")
def chromium() -> Iterator[Chromium]:
    with sync_playwright() as playwright:
        # --no-sandbox: Chromium's own cannot be set up in a container or as root, and the pages are ours.
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


class Watched:
    """A page whose console is watched: what a browser reports there, a violation of the policy as well, is a defect."""

    def __init__(self, context: BrowserContext, url: str) -> None:
        self.url = url
        self.reported: list[str] = []
        self.page: Page = self._watched(context)

    def _watched(self, context: BrowserContext) -> Page:
        page = context.new_page()
        page.on("console", lambda message: self.reported.append(f"{page.url}: {message.text}"))
        page.on("pageerror", lambda error: self.reported.append(f"{page.url}: {error}"))
        return page

    def open(self, path: str) -> Page:
        """The path in a tab of its own, as large as the one before: what that one still loads cannot interrupt it."""
        before, self.page = self.page, self._watched(self.page.context)
        assert before.viewport_size is not None
        self.page.set_viewport_size(before.viewport_size)
        before.close()
        self.page.goto(self.url + path)
        return self.page


def entered(chromium: Chromium, installation: Runtime, email: str, *options: str, home: str) -> Watched:
    """Someone who has accepted an invitation with the keyboard, in Spanish, and is shown a page."""
    context = chromium.new_context(viewport={"width": 1440, "height": 900})
    watched = Watched(context, installation.url)
    page = watched.open(invite(installation, email, *options))
    found = SECRET.search(page.content())
    assert found is not None
    page.focus("#password")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Tab")
    page.keyboard.type(PASSWORD)
    page.fill("#code", pyotp.TOTP(found[1]).now())
    page.keyboard.press("Enter")
    page.wait_for_url(installation.url + home)
    return watched


@pytest.fixture(scope="module")
def signed_in(chromium: Chromium, installation: Runtime, shop: tuple[Line, int]) -> Iterator[Watched]:
    """Ana, of the agency."""
    watched = entered(chromium, installation, "ana@horizonai.cl", "--role", "admin", home="/console")
    yield watched
    assert watched.reported == []
    watched.page.context.close()


@pytest.fixture(scope="module")
def owner(chromium: Chromium, installation: Runtime, shop: tuple[Line, int]) -> Iterator[Watched]:
    """Dora, of the restaurant itself."""
    options = ("--role", "client", "--client", str(shop[0].bot["id"]))
    watched = entered(chromium, installation, "dora@lacocina.cl", *options, home="/console/own")
    yield watched
    assert watched.reported == []
    watched.page.context.close()


def paths(shop: tuple[Line, int]) -> list[str]:
    line, id_ = shop
    ((turn,),) = rows(line.runtime, f"SELECT min(id) FROM turns WHERE conversation_id = {id_} AND state = 'answered'")
    return [
        "/console",
        "/console/conversations?list=all",
        f"/console/conversations/{id_}?list=all",
        f"/console/conversations/{id_}/templates",
        f"/console/conversations/{id_}/turns/{turn}",
        f"/console/conversations/{id_}/turns/{turn}/test",
        "/console/trying",
        f"/console/trying?client={line.bot['id']}",
        "/console/waiting",
        f"/console/reports?client={line.bot['id']}",
        "/console/audit",
        f"/console/reports/conversations?client={line.bot['id']}&figure=received",
        "/console/tokens",
        "/console/access",
        "/console/sign-in",
    ]


def test_a_person_is_taken_over_and_given_back_by_keys_while_the_page_updates_itself(
    signed_in: Watched, shop: tuple[Line, int]
) -> None:
    line, id_ = shop
    page = signed_in.open(f"/console/conversations/{id_}?list=all")
    page.get_by_text("se actualiza sola").wait_for()
    page.keyboard.press("t")
    page.get_by_text("La tienes tú").first.wait_for()
    page.keyboard.press("r")
    page.keyboard.type("Hola, soy Ana")
    page.keyboard.press("Control+Enter")
    wait_until(lambda: "Hola, soy Ana" in line.shown(), what="the reply on the phone")
    mine = page.locator(".msg.team").filter(has_text="Hola, soy Ana")
    mine.get_by_text("entregado").or_(mine.get_by_text("leído")).wait_for(timeout=20_000)
    page.get_by_label("Respuesta").fill("un borrador")
    line.write("¿Hay mesa?", wait=0)
    page.get_by_role("log").get_by_text("¿Hay mesa?").wait_for(timeout=20_000)
    assert page.get_by_label("Respuesta").input_value() == "un borrador"
    page.keyboard.press("Escape")
    page.keyboard.press("d")
    wait_until(lambda: any("¿Hay mesa?" in text for text in line.shown()), what="the assistant's answer")


def test_keys_are_shown_go_through_the_list_and_can_be_switched_off(signed_in: Watched, shop: tuple[Line, int]) -> None:
    page = signed_in.open("/console")
    page.keyboard.press("g")
    page.keyboard.press("c")
    page.wait_for_url("**/console/conversations")
    page.goto(f"{signed_in.url}/console/conversations?list=all")
    page.keyboard.press("?")
    page.get_by_role("dialog").get_by_role("button", name="Cerrar").click()
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/console/conversations/{shop[1]}?**")
    page.keyboard.press("?")
    page.get_by_role("button", name="Apagar los atajos").click()
    page.get_by_role("dialog").get_by_role("button", name="Cerrar").click()
    page.keyboard.press("?")
    assert not page.get_by_role("dialog").is_visible()
    page.evaluate("localStorage.clear()")


def test_a_template_is_sent_where_the_window_is_closed(
    signed_in: Watched, installation: Runtime, sandbox_process: Sandbox
) -> None:
    line, id_ = closed(installation, sandbox_process)
    page = signed_in.open(f"/console/conversations/{id_}?list=all")
    assert page.get_by_role("button", name="Enviar", exact=True).is_disabled()
    page.get_by_text("recordatorio").click()
    page.get_by_label("nombre").fill("Ana")
    page.get_by_label("dia").fill("martes")
    page.get_by_role("button", name="Enviar plantilla").first.click()
    wait_until(lambda: "Hola Ana, te esperamos el martes." in line.shown(), what="the template on the phone")


def test_a_wrong_answer_becomes_a_test_from_its_turn(signed_in: Watched, shop: tuple[Line, int]) -> None:
    page = signed_in.open(f"/console/conversations/{shop[1]}?list=all")
    page.get_by_role("link", name="turno", exact=True).first.click()
    page.get_by_role("link", name="Crear prueba").click()
    page.get_by_label("Una buena respuesta contiene").fill("mesa")
    page.get_by_role("button", name="Actualizar la prueba").click()
    page.get_by_role("region", name="Prueba en YAML").get_by_text("mesa").wait_for()
    page.get_by_label("La leí").check()
    with page.expect_download() as download:
        page.get_by_role("button", name="Descargar").click()
    assert download.value.suggested_filename == "caso.yaml"


def test_an_assistant_is_tried_in_a_chat_that_sends_nothing(signed_in: Watched, shop: tuple[Line, int]) -> None:
    line, _ = shop
    sent = len(line.outbound())
    page = signed_in.open("/console/trying")
    page.get_by_label("Cliente", exact=True).select_option("Restaurante La Cocina")
    page.get_by_role("button", name="Empezar").click()
    page.get_by_label("Mensaje de ensayo").fill("¿Hay menú vegano?")
    page.keyboard.press("Control+Enter")
    page.get_by_role("log").locator(".msg.out").get_by_text("¿Hay menú vegano?").wait_for()
    assert len(line.outbound()) == sent


def too_wide(watched: Watched, paths: list[str]) -> dict[str, int]:
    """Pages that are wider than a small phone."""
    watched.page.set_viewport_size({"width": 360, "height": 740})
    widths: dict[str, int] = {}
    for path in paths:
        widths[path] = watched.open(path).evaluate("document.documentElement.scrollWidth")
    watched.page.set_viewport_size({"width": 1440, "height": 900})
    return {path: width for path, width in widths.items() if width > 360}


def serious(watched: Watched, paths: list[str], language: str) -> dict[str, list[Any]]:
    """What axe finds on pages."""
    found: dict[str, list[Any]] = {}
    for path in paths:
        page = watched.open(f"{path}{'&' if '?' in path else '?'}lang={language}")
        violations = [one for one in Axe().run(page).response["violations"] if one["impact"] in SERIOUS]
        if violations:
            found[path] = [(one["id"], [node["html"][:120] for node in one["nodes"]]) for one in violations]
    watched.open(f"{paths[0]}?lang=es")
    return found


def test_no_page_is_wider_than_a_small_phone(signed_in: Watched, shop: tuple[Line, int]) -> None:
    assert too_wide(signed_in, paths(shop)) == {}


@pytest.mark.parametrize("language", ["es", "en"])
def test_axe_finds_nothing_serious(signed_in: Watched, shop: tuple[Line, int], language: str) -> None:
    assert serious(signed_in, paths(shop), language) == {}


def test_a_client_s_own_people_read_theirs_on_a_phone_and_write_nothing(owner: Watched, shop: tuple[Line, int]) -> None:
    thread = f"/console/own/conversations/{shop[1]}"
    page = owner.open("/console/own")
    page.get_by_role("link", name="Conversaciones").first.click()
    page.wait_for_url("**/console/own/conversations*")
    page.locator(f"a[href^='{thread}']").first.click()
    page.wait_for_url(f"**{thread}*")
    assert page.get_by_role("textbox").count() == 0
    own = ["/console/own", "/console/own/waiting", "/console/own/conversations", thread]
    assert too_wide(owner, own) == {}
    assert {language: serious(owner, own, language) for language in ("es", "en")} == {"es": {}, "en": {}}
    assert page.request.get(f"{owner.url}/console/conversations/{shop[1]}").status == 404


def test_pages_are_read_without_javascript(
    chromium: Chromium, installation: Runtime, signed_in: Watched, shop: tuple[Line, int]
) -> None:
    context = chromium.new_context(java_script_enabled=False, storage_state=signed_in.page.context.storage_state())
    page = context.new_page()
    page.goto(f"{installation.url}/console")
    page.get_by_role("link", name="Restaurante La Cocina").click()
    page.locator("main").get_by_role("link", name="Conversaciones").click()
    assert "Conversaciones" in page.title()
    context.close()
