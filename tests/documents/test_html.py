"""The plan as one HTML file: readable in a real browser, and inert whatever it shows."""

from __future__ import annotations

import base64
import hashlib
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given, settings

from reconciler.model import Change, FieldChange, Finding, Orphan, Outcome, Plan
from reconciler.planning.digest import digest
from reconciler.render.html import plan_html
from tests.documents.browser import dom, needs_browser
from tests.documents.plans import HOSTILE, a_change, a_plan, plans, prompt

OURS = {
    *("html", "head", "meta", "title", "style", "body", "header", "footer", "section", "article", "h1", "h2", "h3"),
    *("p", "b", "ul", "li", "dl", "dt", "dd", "ins", "del", "code", "details", "summary", "pre", "span", "bdi"),
}
OUR_ATTRIBUTES = {"lang", "charset", "http-equiv", "content", "name", "class", "id", "open"}


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
