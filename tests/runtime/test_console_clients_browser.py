"""The pages of a client and of plans in a real browser, after `reconcile` has recorded what it found and did."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any, Final

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import BrowserContext, Page, sync_playwright

from tests.documents.browser import CHROMIUM, needs_browser
from tests.reconciler.agency import Agency
from tests.reconciler.processes import Commands
from tests.runtime.console import sign_in
from tests.runtime_process import API_TOKEN, Runtime, start_runtime
from tests.sandbox_process import Sandbox

pytestmark = [pytest.mark.long, needs_browser]
SERIOUS: Final = {"serious", "critical"}
PATHS: Final = ("/console/clients/la-cocina", "/console/plans")


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory, sandbox_process: Sandbox) -> Iterator[Runtime]:
    """A service whose client was applied, changed by hand, and changed in git, each recorded."""
    runtime = start_runtime(tmp_path_factory.mktemp("service"), sandbox_process)
    folder = tmp_path_factory.mktemp("agency")
    (folder / "clients.d").mkdir()
    environment = {
        "PATH": os.environ["PATH"],
        "PUBLIC_URL": runtime.url,
        "API_TOKEN": API_TOKEN,
        "BOT_STORE_URL": runtime.url,
        "OPENAI_LIST_LAG": "0",
        **sandbox_process.environment(),
    }
    agency = Agency(folder, sandbox_process, Commands(tmp_path_factory.mktemp("commands")), environment)
    agency.declare("la-cocina", name="Restaurante La Cocina")
    agency.apply("--report")
    runtime.api("PUT", "/bots/la-cocina?override=true", {"name": "Otro nombre"})
    assert agency.reconcile("drift", "--report").code == 2
    agency.declare("la-cocina", name="Restaurante La Cocina", assistant={"instructions": "Texto nuevo de La Cocina."})
    assert agency.reconcile("--dry-run", "--report").code == 0
    agency.reconcile("doctor", "la-cocina", "--report")
    agency.reconcile("status", "--checklist", "la-cocina", "--report")
    yield runtime
    runtime.stop()


@pytest.fixture(scope="module")
def reported() -> list[str]:
    """What browsers reported in their consoles."""
    return []


@pytest.fixture(scope="module")
def context(installation: Runtime, reported: list[str]) -> Iterator[BrowserContext]:
    """Ana's browser."""
    ana = sign_in(installation, "ana@horizonai.cl", "--role", "admin")
    cookies: list[Any] = [
        {"name": name, "value": value, "url": installation.url} for name, value in ana.cookies.items()
    ]
    with sync_playwright() as playwright:
        # --no-sandbox: Chromium's own cannot be set up in a container or as root, and the pages are ours.
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        made = browser.new_context(viewport={"width": 1440, "height": 900})
        made.add_cookies(cookies)
        made.on("console", lambda message: reported.append(message.text))
        yield made
        browser.close()


@pytest.fixture
def page(context: BrowserContext, reported: list[str]) -> Iterator[Page]:
    """A page in it, of which its console reports nothing."""
    made = context.new_page()
    yield made
    made.close()
    assert reported == []


def test_from_the_fleet_to_the_client_and_its_plan(installation: Runtime, page: Page) -> None:
    walk(installation, page)


def test_the_same_without_javascript(installation: Runtime, context: BrowserContext) -> None:
    assert context.browser is not None
    plain = context.browser.new_context(java_script_enabled=False, storage_state=context.storage_state())
    walk(installation, plain.new_page())
    plain.close()


def walk(installation: Runtime, page: Page) -> None:
    """From the fleet to what differs of the client, to the last plan, to the plan that was applied."""
    page.goto(f"{installation.url}/console")
    page.get_by_role("link", name="Otro nombre").click()
    page.get_by_role("heading", name="Declarado y en vivo").wait_for()
    differing = page.locator(".resources li", has_text="Bot")
    assert "Otro nombre" in differing.locator("del").all_inner_texts()
    assert "Restaurante La Cocina" in differing.locator("ins").all_inner_texts()
    assert "Difiere" in page.locator("section[aria-labelledby=plan]").inner_text()

    page.get_by_role("link", name="Planes").click()
    shown = page.frame_locator("iframe.document")
    shown.get_by_text("Texto nuevo de La Cocina.").first.wait_for()
    page.get_by_role("link", name="Aplicado").first.click()
    page.get_by_text("El plan tal como se aplicó").wait_for()
    shown.get_by_text("la-cocina").first.wait_for()


@pytest.mark.parametrize("path", PATHS)
def test_no_page_is_wider_than_a_small_phone(installation: Runtime, page: Page, path: str) -> None:
    page.set_viewport_size({"width": 360, "height": 740})
    page.goto(f"{installation.url}{path}")
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


@pytest.mark.parametrize("language", ["es", "en"])
@pytest.mark.parametrize("path", PATHS)
def test_axe_finds_nothing_serious(installation: Runtime, page: Page, path: str, language: str) -> None:
    page.goto(f"{installation.url}{path}?lang={language}")
    found = [one for one in Axe().run(page).response["violations"] if one["impact"] in SERIOUS]
    page.goto(f"{installation.url}/console?lang=es")
    assert [(one["id"], [node["html"][:120] for node in one["nodes"]]) for one in found] == []
