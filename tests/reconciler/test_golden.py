"""What a plan looks like, to the letter, in each format. UPDATE_GOLDEN=1 writes the files again: review their diff."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from reconciler.model import Change, FieldChange, Finding, Orphan, Outcome, Plan
from reconciler.render.json import plan_json
from reconciler.render.markdown import plan_markdown
from reconciler.render.text import outcomes_text, plan_text
from runtime.store.history_records import EditRecord

GOLDEN = Path(__file__).parent / "golden"
OLD_PROMPT = "Eres el asistente de La Cocina.\nResponde en español.\n\nNo inventes precios.\n"
NEW_PROMPT = "Eres el asistente de La Cocina.\nResponde en español, en pocas frases.\n\nNo inventes precios.\n"

PROMPT = Change(
    client="la-cocina",
    kind="assistant",
    action="update",
    key="responses",
    live_id="la-cocina",
    fields=(
        FieldChange(("instructions",), OLD_PROMPT, NEW_PROMPT),
        FieldChange(("tools", 0, "name"), "reservar", "crear_reserva"),
    ),
    after={"instructions": NEW_PROMPT},
    reason="config",
)
WEBHOOK = Change(
    client="la-cocina",
    kind="sender",
    action="update",
    key="+56998765000",
    live_id="XE1",
    fields=(FieldChange(("webhook", "callback_url"), "https://otro.cl", "https://agencia.cl/webhook/whatsapp"),),
    after={"webhook": {"callback_url": "https://agencia.cl/webhook/whatsapp"}},
    reason="drift",
    depends_on=(PROMPT.id,),
)
RENAMED = Change(
    client="la-cocina",
    kind="bot",
    action="update",
    key="+56998765000",
    live_id="la-cocina",
    fields=(FieldChange(("name",), "Otra", "La Cocina"),),
    after={"name": "La Cocina"},
    reason="drift",
    edit=EditRecord("bot", "la-cocina", "change", "ana@agencia.cl", "2026-11-22T10:00:00Z", fields=("name",)),
)
NEW_BOT = Change(
    client="cliente-a",
    kind="bot",
    action="create",
    key="+56998765001",
    live_id=None,
    fields=(
        FieldChange(("assistant_id",), None, "(known after apply)"),
        FieldChange(("metadata", "nota"), None, "a | b `c` <b>d</b> @equipo #12"),
    ),
    after={"assistant_id": "(known after apply)"},
    reason="both",
)
GONE = Change(
    client="el-viejo",
    kind="sender",
    action="detach",
    key="+56998765002",
    live_id="XE2",
    fields=(),
    after={},
    reason="config",
)
PLAN = Plan(
    changes=(NEW_BOT, GONE, PROMPT, RENAMED, WEBHOOK),
    findings=(
        Finding("error", "the model 'gpt-nada' is not available to this OpenAI key", "cliente-e", "assistant"),
        Finding("withheld", "the sender +56998765003 is OFFLINE, not ONLINE", "cliente-c", "sender"),
        Finding("warning", "the model 'gpt-4o-mini' is shut down on 2027-01-14", "la-cocina", "assistant"),
        Finding("notice", "nothing of it is left, so clients.d/x.yaml can be removed", "x"),
    ),
    orphans=(Orphan("sin-ficha", "bot", "+56998765004", "sin-ficha"),),
    unresolved=("cliente-d",),
    clients=6,
)
EMPTY = Plan(changes=(), findings=(), orphans=(), unresolved=(), clients=3)
OUTCOMES = (
    Outcome(NEW_BOT, "applied", None, "cliente-a"),
    Outcome(GONE, "failed", "Twilio answered 400, error 63100: Validation error"),
    Outcome(PROMPT, "applied", None, "la-cocina"),
    Outcome(RENAMED, "applied", None, "la-cocina"),
    Outcome(WEBHOOK, "skipped", "the run was stopped"),
)
SHOWN = {
    "plan.txt": lambda: plan_text(PLAN),
    "plan-verbose.txt": lambda: plan_text(PLAN, verbose=True),
    "plan-colour.txt": lambda: plan_text(PLAN, colour=True),
    "plan.json": lambda: plan_json(PLAN),
    "plan.md": lambda: plan_markdown(PLAN),
    "empty.txt": lambda: plan_text(EMPTY),
    "empty.json": lambda: plan_json(EMPTY),
    "empty.md": lambda: plan_markdown(EMPTY),
    "applied.txt": lambda: outcomes_text(OUTCOMES),
    "applied.json": lambda: plan_json(PLAN, OUTCOMES),
}


@pytest.mark.parametrize("name", SHOWN)
def test_looks_as_agreed(name: str) -> None:
    equals_golden(name, SHOWN[name]())


@pytest.mark.parametrize("name", ["plan.md", "empty.md", "plan.txt", "applied.txt"])
def test_looks_as_agreed_in_spanish(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HORIZONAI_LANG", "es")
    stem, _, ending = name.partition(".")
    equals_golden(f"{stem}.es.{ending}", SHOWN[name]())


def equals_golden(name: str, shown: str) -> None:
    path = GOLDEN / name
    if os.environ.get("UPDATE_GOLDEN"):
        path.write_text(shown, encoding="utf-8")
    assert shown == path.read_text(encoding="utf-8")
