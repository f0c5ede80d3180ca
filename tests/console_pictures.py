"""Draws the console: `docs/console/`, each screen in Spanish as a browser shows it, a strip of one conversation that is
taken over and given back, and the page `docs/console/README.md` with all of them. A screen is a line of SCREENS.
"""

from __future__ import annotations

import re
import shutil
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pyotp
from playwright.sync_api import Browser, Page, sync_playwright

from demo.lively import WRITTEN, conversation_of, invite, make_lively, turn_of
from demo.processes import Failed, Installation, installation

FOLDER: Final = Path("var/console")
PICTURES: Final = Path("docs/console")
PAGE: Final = PICTURES / "README.md"
MOST_BYTES: Final = 150_000
PASSWORD: Final = "una frase bastante larga"
SECRET: Final = re.compile(r"secret=([A-Z2-7]+)")
WIDE: Final = (1280, 800)
SMALL: Final = (1180, 600)
PHONE: Final = (390, 780)


@dataclass(frozen=True, slots=True)
class Screen:
    """A page to be drawn."""

    name: str
    """Of its picture."""
    path: str
    """`{id}` is a conversation, `{turn}` its last turn, `{link}` a link to a report."""
    says: str
    """Below its picture, in Spanish."""
    size: tuple[int, int] = WIDE
    account: str = "ana"


SCREENS: Final = (
    Screen("entrar", "/console/sign-in", "Entrar: correo y contraseña, después el código de 6 cifras.", account=""),
    Screen("flota", "/console", "La flota: quién responde, si está como en git, quién espera, cuánto cuesta."),
    Screen("flota-telefono", "/console", "Lo mismo en un teléfono.", PHONE),
    Screen("cliente", "/console/clients/la-cocina", "Un cliente: qué está aplicado, qué difiere y cuándo.", SMALL),
    Screen("planes", "/console/plans", "El último plan, qué está pendiente y quién aplicó qué."),
    Screen("conversaciones", "/console/conversations?list=all", "Las conversaciones, por estado, persona o texto."),
    Screen("conversacion", "/console/conversations/{id}?list=all", "Una conversación, con la ventana de 24 horas."),
    Screen("turno", "/console/conversations/{id}/turns/{turn}", "Un turno: qué recibió el modelo y cuánto costó."),
    Screen("ensayo", "/console/trying?client=la-cocina", "Ensayar con el asistente: no se envía nada."),
    Screen("espera", "/console/waiting", "La sala de espera: personas, mensajes sin respuesta, solicitudes."),
    Screen("reporte", "/console/reports?client=la-cocina", "El mes de un cliente; cada cifra lleva a su origen."),
    Screen("detras", "/console/reports/conversations?client=la-cocina&figure=received", "Lo que hay tras una cifra."),
    Screen("auditoria", "/console/audit", "La auditoría: quién leyó y quién cambió qué.", SMALL),
    Screen("accesos", "/console/access", "Quién puede entrar, y los enlaces a reportes."),
    Screen("tokens", "/console/tokens", "Los tokens de la API."),
    Screen("cliente-reporte", "/console/own", "Lo que ve el restaurante: su reporte.", account="rosa"),
    Screen("cliente-conversacion", "/console/own/conversations/{id}", "Sus conversaciones, solo para leer.",
           account="rosa"),
    Screen("enlace", "{link}", "El reporte por un enlace, sin cuenta, en un teléfono.", PHONE, account=""),
)  # fmt: skip
ACCOUNTS: Final = {
    "ana": ("ana@horizonai.cl", "--name", "Ana Rojas", "--role", "admin"),
    "rosa": ("rosa@lacocina.cl", "--name", "Rosa Díaz", "--role", "client", "--client", "la-cocina"),
}
STRIP: Final = (
    ("La lleva el asistente", None),
    ("Ana la toma", "Tomar"),
    ("Responde", "Enviar"),
    ("La devuelve", "Devolver al asistente"),
)
"""What each picture of the strip shows, and the button before it."""
ANSWER: Final = "Hola, soy Ana, del equipo. ¿En qué te ayudo?"


def console_pictures() -> None:
    """Draws all of them."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    PICTURES.mkdir(parents=True, exist_ok=True)
    with installation(FOLDER) as running, _chromium() as browser:
        make_lively(running)
        pages = {name: _signed_in(browser, running, name) for name in ACCOUNTS}
        pages[""] = browser.new_context(locale="es-CL", color_scheme="light").new_page()
        link, id_ = _link(pages["ana"], running), conversation_of(running, WRITTEN[0])
        for screen in SCREENS:
            path = screen.path.format(id=id_, link=link, turn=turn_of(running, id_))
            _draw(pages[screen.account], running.runtime_url + path, screen)
        _draw_strip(browser, pages["ana"], f"{running.runtime_url}/console/conversations/{id_}?list=all")
    PAGE.write_text(_document(), encoding="utf-8")


@contextmanager
def _chromium() -> Iterator[Browser]:
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if found is None:
        raise Failed("The console is not drawn: there is no Chromium. On Debian: apt-get install chromium")
    with sync_playwright() as playwright:
        # --no-sandbox: Chromium's own cannot be set up in a container or as root, and the pages are ours.
        browser = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield browser
        browser.close()


def _signed_in(browser: Browser, running: Installation, name: str) -> Page:
    """The page of someone who accepts an invitation."""
    link = invite(running, *ACCOUNTS[name])
    page = browser.new_context(locale="es-CL", color_scheme="light").new_page()
    page.goto(link or "")
    found = SECRET.search(page.content())
    if found is None:
        raise Failed(f"The invitation of {name} shows no secret.")
    page.fill("#password", PASSWORD)
    page.fill("#again", PASSWORD)
    page.fill("#code", pyotp.TOTP(found[1]).now())
    page.keyboard.press("Enter")
    page.wait_for_selector("nav")
    return page


def _link(page: Page, running: Installation) -> str:
    """Makes a link to a report, as an administrator does: its path."""
    page.goto(f"{running.runtime_url}/console/access")
    page.select_option("select[name=client]", "la-cocina")
    page.fill("input[name=label]", "Los socios")
    page.get_by_role("button", name="Crear enlace").click()
    return page.locator("[role=status] code").inner_text().removeprefix(running.runtime_url)


def _draw(page: Page, url: str, screen: Screen) -> None:
    width, height = screen.size
    page.set_viewport_size({"width": width, "height": height})
    answer = page.goto(url)
    if answer is None or not answer.ok:
        raise Failed(f"{url} answered {answer.status if answer else 'nothing'}.")
    _keep(page, PICTURES / f"{screen.name}.png")


def _keep(page: Page, picture: Path) -> None:
    """A picture that is small enough to be kept in git."""
    taken = page.screenshot(path=picture)
    if len(taken) > MOST_BYTES:
        raise Failed(f"{picture} has {len(taken):,} bytes, {MOST_BYTES:,} at most: make its screen smaller.")
    print(f"{picture} is drawn ({len(taken) // 1000} kB).")


def _draw_strip(browser: Browser, page: Page, url: str) -> None:
    """The pictures of a conversation that is taken over and given back, side by side."""
    page.set_viewport_size({"width": 420, "height": 720})
    page.goto(url)
    frames = []
    for says, button in STRIP:
        if button == "Enviar":
            page.get_by_label("Respuesta").fill(ANSWER)
        if button is not None:
            page.get_by_role("button", name=button).click()
            page.wait_for_load_state("load")
        frames.append((says, b64encode(page.screenshot()).decode()))
    figures = "".join(
        f'<figure><figcaption>{number}. {says}</figcaption><img src="data:image/png;base64,{taken}"></figure>'
        for number, (says, taken) in enumerate(frames, start=1)
    )
    style = "body{margin:12px;display:flex;gap:12px;font:600 15px sans-serif;background:#fff}figure{margin:0}"
    style += "img{width:250px;border:1px solid #ccc;border-radius:8px;margin-top:6px}"
    strip = browser.new_page(viewport={"width": 1072, "height": 482})
    strip.set_content(f"<style>{style}</style>{figures}")
    _keep(strip, PICTURES / "relevo.png")


def _document() -> str:
    """The page with all pictures."""
    head = (
        "# La consola, en imágenes\n\n`make picture` las dibuja de nuevo, de una instalación de ejemplo. Qué hace cada"
        " página está en la [guía](../guia.es.md), y cómo se cuida, en [operations.md](../operations.md#console).\n"
    )
    screens = "".join(f"\n## {one.says}\n\n![{one.says}]({one.name}.png)\n" for one in SCREENS)
    strip = "Una conversación que una persona toma y devuelve"
    return f"{head}\n## {strip}\n\n![{strip}](relevo.png)\n{screens}"


if __name__ == "__main__":
    console_pictures()
