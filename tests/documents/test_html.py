"""The plan as one HTML file: readable in a real browser, and inert whatever it shows."""

from __future__ import annotations

import base64
import hashlib
import re
from datetime import datetime, timedelta, timezone
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given, settings

from reconciler.model import Change, FieldChange, Finding, Orphan, Outcome, Plan
from reconciler.planning.digest import digest
from reconciler.render.html import Made, plan_html
from reconciler.render.spanish import field_name
from runtime.store.records import BotRecord
from schemas.client import Profile
from tests.documents.browser import dom, needs_browser
from tests.documents.plans import HOSTILE, a_change, a_plan, plans, prompt
from tests.reconciler.agency import WEBHOOK

OURS = {
    *("html", "head", "meta", "title", "style", "body", "header", "footer", "section", "article", "h1", "h2", "h3"),
    *("p", "b", "ul", "ol", "li", "ins", "del", "code", "details", "summary", "pre", "span", "bdi", "h4"),
    *("table", "thead", "tbody", "tr", "th", "td"),
}
OUR_ATTRIBUTES = {"lang", "charset", "http-equiv", "content", "name", "class", "id", "open", "scope"}


class Markup(HTMLParser):
    """What a document is made of."""

    def __init__(self, document: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.open: list[str] = []
        self.text = ""
        self.feed(document)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def hostile_plan() -> Plan:
    return a_plan(
        *(
            a_change(text, prompt(f"{text}\nantes", f"{text}\ndespués"), prompt(None, text), key=text)
            for text in HOSTILE
        ),
        findings=[Finding("error", text, client=text) for text in HOSTILE],
        orphans=[Orphan(text, "sender", text, text) for text in HOSTILE],
        unresolved=HOSTILE,
    )


@given(plans())
@settings(max_examples=25, deadline=None, derandomize=True)
def test_whatever_a_plan_holds_the_document_has_our_own_elements_only(plan: Plan) -> None:
    markup = Markup(plan_html(plan))
    assert markup.open == []
    assert markup.tags <= OURS
    assert markup.attributes <= OUR_ATTRIBUTES
    assert digest(plan) in markup.text


def test_nothing_is_loaded_from_anywhere() -> None:
    document = plan_html(hostile_plan())
    [policy] = re.findall(r'Content-Security-Policy" content="([^"]+)"', document)
    [style] = re.findall(r"<style>(.*?)</style>", document, re.DOTALL)
    style_hash = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert policy == f"default-src 'none'; style-src 'sha256-{style_hash}'; base-uri 'none'; form-action 'none'"
    assert "src=" not in re.sub(r"&lt;.*?&gt;", "", document)
    assert "@import" not in document
    assert "url(" not in document


def test_changes_stand_under_their_client_with_prompts_as_diffs_that_open() -> None:
    plan = a_plan(
        a_change("la-cocina", prompt("Hola.\nAdiós.", "Hola.\nHasta luego.")),
        a_change("la-cocina", kind="bot", key="+56912345678", reason="drift"),
        a_change("cliente-a", action="create"),
    )
    document = plan_html(plan)
    kitchen, client_a = document.split("<section>")[1:]
    assert kitchen.count("<article>") == 2
    assert "<h2><bdi>cliente-a</bdi></h2>" in client_a
    assert '<span class="drop">-Adiós.</span><span class="add">+Hasta luego.</span>' in kitchen
    assert "alguien lo cambió por fuera del manifiesto" in kitchen


def test_fields_have_spanish_names_and_clients_their_own() -> None:
    change = a_change(
        "la-cocina",
        FieldChange(("settings", "max_output_tokens"), 800, 12000),
        FieldChange(("profile", "emails"), None, ["hola@lacocina.cl"]),
        FieldChange(("protected",), True, False),
        FieldChange(("fallback_message",), "Ya volvemos.", None),
        FieldChange(("policy", "memory", "items"), 20, 1000),
        FieldChange(("x_unknown",), "a", "b"),
    )
    document = plan_html(a_plan(change, names={"la-cocina": "Restaurante La Cocina"}))
    assert '<h2><bdi>Restaurante La Cocina</bdi> <code class="aside">la-cocina</code></h2>' in document
    for name, path, old, new in [
        ("Largo máximo de una respuesta, en tokens", "settings.max_output_tokens", "800", "12.000"),
        ("Protegido contra borrado", "protected", "sí", "no"),
        ("Memoria: cuántos mensajes recuerda", "policy.memory.items", "20", "1.000"),
        ("", "x_unknown", "a", "b"),
    ]:
        values = f"<td><del><bdi>{old}</bdi></del></td><td><ins><bdi>{new}</bdi></ins></td>"
        assert f"{name}<code>{path}</code></th>{values}" in document
    assert '<td><span class="faint">no existía</span></td><td><ins><bdi>hola@lacocina.cl</bdi></ins></td>' in document
    assert '<td><del><bdi>Ya volvemos.</bdi></del></td><td><span class="faint">se quita</span></td>' in document
    assert "(nada)" not in document


PLATO = {"type": "string", "description": "El plato"}
CARTA = {
    "type": "function",
    "name": "consultar_carta",
    "description": "Dice si un plato se sirve hoy",
    "parameters": {"type": "object", "properties": {"plato": PLATO, "dia": {"type": "integer"}}, "required": ["plato"]},
}


def rows(document: str) -> list[tuple[str, str]]:
    """Name and new value of each field."""
    found = re.findall(r'<th scope="row">(.*?)<code>.*?<ins><bdi>(.*?)</bdi></ins></td></tr>', document, re.DOTALL)
    return [(name, value) for name, value in found]


@pytest.mark.parametrize("steps", [("tools",), ("tools", 0)])
def test_a_new_function_is_told_by_its_name_and_a_line_for_each_datum(steps: tuple[str | int, ...]) -> None:
    new = [CARTA] if len(steps) == 1 else CARTA
    document = plan_html(a_plan(a_change("la-cocina", FieldChange(steps, None, new))))
    assert "<h4><bdi>Función consultar_carta</bdi></h4>" in document
    assert rows(document) == [
        ("Tipo", "function"),
        ("Nombre", "consultar_carta"),
        ("Qué hace", "Dice si un plato se sirve hoy"),
        ("Pide plato", "texto, obligatorio: El plato"),
        ("Pide dia", "número entero, opcional"),
    ]


def test_a_datum_with_more_to_it_than_a_line_is_shown_part_by_part() -> None:
    data = {"plato": {**PLATO, "minLength": 3}, "dia": {"type": "integer"}}
    tool = {**CARTA, "parameters": {"type": "object", "properties": data, "required": ["plato"]}}
    document = plan_html(a_plan(a_change("la-cocina", FieldChange(("tools", 0), None, tool))))
    shown = [value for _, value in rows(document)]
    assert shown[-6:] == ["object", "string", "El plato", "3", "integer", "plato"]


def test_a_change_within_a_tool_is_told_with_its_tool() -> None:
    field = FieldChange(("tools", 0, "description"), "Antes", CARTA["description"])
    document = plan_html(a_plan(a_change("la-cocina", field, after={"tools": [CARTA]})))
    assert "<h4><bdi>Función consultar_carta</bdi></h4>" in document
    assert rows(document) == [("Qué hace", "Dice si un plato se sirve hoy")]


def test_it_says_when_it_was_made_from_which_commit_and_what_comes_next() -> None:
    santiago = datetime(2026, 11, 22, 9, 5, tzinfo=timezone(timedelta(hours=-3)))
    plan = a_plan(a_change("a"), a_change("b"), findings=[Finding("warning", "look", "a")])
    document = plan_html(plan, made=Made(santiago, "0123456789abcdef0123"))
    assert "Plan del 22 de noviembre de 2026, 09:05, hora de " in document
    assert " · commit 0123456789ab · 2 clientes revisados" in document
    assert "<li>Leer los 2 cambios y el aviso de abajo.</li>" in document
    failed = [Outcome(plan.changes[0], "applied"), Outcome(plan.changes[1], "failed", "no")]
    assert "<li>Correr reconcile otra vez: sigue donde quedó.</li>" in plan_html(plan, failed)
    assert "Qué sigue" not in plan_html(a_plan(clients=3))


def test_every_field_that_a_manifest_declares_has_a_spanish_name() -> None:
    declared = {
        *("name", "model", "instructions", "engine", "tools", "settings", "files", "expires_after"),
        *(*BotRecord.__dataclass_fields__, "webhook", "profile"),
    } - {"id", "client", "managed_by", "version", "created_at", "updated_at"}
    nested = [("settings", key) for key in ("reasoning_effort", "max_output_tokens")]
    nested += [("profile", key) for key in Profile.model_fields] + [("webhook", key) for key in WEBHOOK]
    paths = [(key,) for key in declared - {"settings", "webhook"}] + nested
    assert [path for path in paths if field_name(path) is None] == []


def test_after_an_apply_it_says_what_became_of_each_change() -> None:
    good, bad = a_change("a"), a_change("b")
    plan = a_plan(good, bad)
    document = plan_html(plan, [Outcome(good, "applied"), Outcome(bad, "failed", "Twilio: no <b>")])
    assert "<h1>Aplicado: 1 de 2 cambios en 2 clientes</h1>" in document
    assert "Twilio: no &lt;b&gt;" in document
    assert "Nada de esto se ha hecho" not in document


def an_adoption(client: str, *fields: FieldChange) -> Change:
    return a_change(client, *fields, kind="sender", action="adopt", key="+56912345678")


def test_what_is_adopted_is_counted_and_what_an_adoption_writes_besides_is_shown() -> None:
    later = FieldChange(("webhook", "fallback_url"), None, "https://w.cl/webhook/whatsapp")
    document = plan_html(a_plan(adoptions=[an_adoption("cliente-a"), an_adoption("cliente-b", later)]))
    [adopted] = document.split("<section>")[1:]
    assert "<h2>2 objetos hechos a mano ya están como se declara</h2>" in adopted
    assert "quedan registrados como nuestros.</p>" in adopted
    assert adopted.count("<article>") == 1
    assert "hecho a mano, de cliente-b" in adopted
    assert "<ins><bdi>https://w.cl/webhook/whatsapp</bdi></ins>" in adopted


def test_an_adoption_that_writes_nothing_else_says_nothing_of_it() -> None:
    document = plan_html(a_plan(adoptions=[an_adoption("cliente-a")]))
    assert "<h2>1 objeto hecho a mano ya está como se declara</h2>" in document
    assert "Al aplicar queda registrado como nuestro.</p>" in document
    assert "Además" not in document
    assert "<article>" not in document


def test_an_adoption_that_failed_is_shown() -> None:
    adoption = an_adoption("cliente-a")
    document = plan_html(a_plan(adoptions=[adoption]), [Outcome(adoption, "failed", "Twilio answered 500")])
    assert "Twilio answered 500" in document


@pytest.mark.parametrize("clients", [0, 1, 3])
def test_an_empty_plan_says_that_nothing_changes(clients: int) -> None:
    assert "<h1>Sin cambios: " in plan_html(a_plan(clients=clients))


@needs_browser
def test_in_a_browser_the_summary_is_there_and_a_hostile_plan_does_nothing(tmp_path: Path) -> None:
    page = tmp_path / "plan.html"
    page.write_text(plan_html(hostile_plan()), encoding="utf-8")
    loaded = dom(page, tmp_path / "profile")
    count = len(HOSTILE)
    assert f"<title>Plan: {count} cambios en {count} clientes</title>" in loaded
    assert f"<h1>Plan: {count} cambios en {count} clientes</h1>" in loaded
    assert "<script" not in loaded
    assert "<img" not in loaded


@needs_browser
def test_the_browser_would_have_run_what_is_not_escaped(tmp_path: Path) -> None:
    page = tmp_path / "control.html"
    page.write_text(f"<!doctype html><title>before</title>{HOSTILE[0]}", encoding="utf-8")
    assert "<title>x</title>" in dom(page, tmp_path / "profile")
