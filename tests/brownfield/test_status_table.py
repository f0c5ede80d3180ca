"""The status of a fleet as a table: what fits which width, what is never cut, and what its words follow from."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from reconciler.model import Finding
from reconciler.status.attention import attention
from reconciler.status.budget import BudgetStatus
from reconciler.status.detail import detail_text
from reconciler.status.facts import answers
from reconciler.status.row import Attention, ClientStatus
from reconciler.status.table import table_text
from reconciler.status.undeclared import UndeclaredBot, undeclared_text
from runtime.store.activity_records import ActivityRecord, ReplyCounts
from tests.brownfield.golden import equals_golden

HEARD = "2026-11-22T12:05:00.000Z"
NOW = datetime(2026, 11, 29, tzinfo=UTC)


@pytest.fixture(autouse=True)
def in_santiago(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A machine whose clock is not UTC, and keeps one offset all year."""
    monkeypatch.setenv("TZ", "America/Punta_Arenas")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def row(client: str, **keys: object) -> ClientStatus:
    """A client that answers and needs nothing."""
    values: dict[str, object] = {
        "client": client,
        "name": "La Cocina",
        "state": "active",
        "number": "+56998765000",
        "sender_status": "ONLINE",
        "is_sender_read": True,
        "quality_rating": "HIGH",
        "messaging_limit": "10K Customers/24hr",
        "webhook": "ours",
        "assistant_id": client,
        "engine": "responses",
        "model": "gpt-6-luna",
        "model_days_left": None,
        "knowledge_files": 2,
        "knowledge_in_progress": 0,
        "knowledge_failed": 0,
        "bot_id": client,
        "bot_state": "active",
        "answers": "delivered",
        "last_message_at": HEARD,
        "last_turn": "answered",
        "last_error": None,
        "last_undelivered": None,
        "undelivered": {},
        "missing_secrets": {},
        "budget": None,
        "loops": 0,
        "loops_until": None,
        "last_applied_at": "2026-11-20T15:00:00Z",
        "sync": "in sync",
    }
    return ClientStatus(**{**values, **keys})  # type: ignore[arg-type]


def fleet() -> list[ClientStatus]:
    """Clients of every sort."""
    return [
        row("la-cocina"),
        row("clinica-sur", sync="differs", bot_state="paused"),
        row(
            "ferreteria",
            sender_status=None,
            webhook=None,
            sync="withheld",
            answers="none",
            last_message_at=None,
            assistant_id=None,
            bot_id=None,
            attention=(Attention("sender", "+56998765002 is not registered as a WhatsApp sender; register it"),),
        ),
        row(
            "panaderia",
            last_message_at="2026-01-22T12:05:00.000Z",
            answers="undelivered",
            undelivered={"63112": 3, "63014": 1},
            replies=ReplyCounts(198, 214, 24, 7),
            attention=(
                Attention(
                    "delivery", "3 messages of the last 24 hours reached no phone: Meta has disabled the account"
                ),
                Attention("secrets", "PANADERIA_SECRET is not set where the runtime runs (reservar: each call fails)"),
            ),
        ),
    ]


@pytest.mark.parametrize("width", [80, 60])
def test_six_columns_fit_a_terminal(width: int) -> None:
    shown = table_text(fleet(), now=NOW, width=width, colour=False)
    assert max(map(len, shown.splitlines())) <= width
    equals_golden(f"status-{width}.txt", shown)


def test_the_status_is_said_in_spanish(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HORIZONAI_LANG", "es")
    equals_golden("status-80.es.txt", table_text(fleet(), now=NOW, width=80, colour=False))
    equals_golden("status-one.es.txt", detail_text(fleet()[3], width=60))


def test_all_columns_are_as_wide_as_they_need_whatever_the_terminal() -> None:
    shown = table_text(fleet(), now=NOW, width=60, colour=False, wide=True)
    assert shown == table_text(fleet(), now=NOW, width=None, colour=False, wide=True)
    equals_golden("status-wide.txt", shown)


@pytest.mark.parametrize("width", [60, 80])
def test_an_id_is_never_cut_and_the_rest_still_fits(width: int) -> None:
    longest = "x".join(["centro-medico"] * 4) + "-lo-prado"
    lines = table_text([*fleet(), row(longest)], now=NOW, width=width, colour=False).splitlines()
    assert longest in lines
    assert all(len(line) <= width for line in lines if line != longest)


def test_where_six_columns_do_not_fit_each_client_has_lines_of_its_own() -> None:
    shown = table_text(fleet(), now=NOW, width=40, colour=False)
    assert shown.splitlines()[:4] == [
        "la-cocina",
        "  delivered · in sync · ONLINE · 22 Nov",
        "  09:05",
        "clinica-sur",
    ]


def test_everything_about_one_client_fits_a_narrow_terminal() -> None:
    equals_golden("status-one.txt", detail_text(fleet()[3], width=60))


@pytest.mark.parametrize("counts", [None, ReplyCounts(0, 0, 0, 0)], ids=["not known", "nothing yet"])
def test_a_client_without_answers_has_no_messages_per_answer(counts: ReplyCounts | None) -> None:
    shown = detail_text(row("la-cocina", replies=counts), width=None).splitlines()
    assert {"  messages        –", "  replies saved   –"} <= set(shown)


def test_bots_without_a_manifest_fit_a_narrow_terminal() -> None:
    bot = UndeclaredBot("bot_1", "El Viejo", "+56998760001", None, "active", None, HEARD, None)
    assert undeclared_text([bot], 60).splitlines() == [
        "",
        "Bots without a manifest:",
        "  +56998760001  bot_1 (El Viejo), last message 2026-11-22",
        "  09:05; made by hand, `reconcile import` writes its",
        "  manifest.",
    ]


@pytest.mark.parametrize(
    ("activity", "expected"),
    [
        (None, "none"),
        (ActivityRecord("b", HEARD), "none"),
        (ActivityRecord("b", HEARD, "unanswered"), "none"),
        (ActivityRecord("b", HEARD, "running"), "pending"),
        (ActivityRecord("b", HEARD, "dead", last_delivery="delivered"), "failed"),
        (ActivityRecord("b", HEARD, "answered", last_delivery="delivered"), "delivered"),
        (ActivityRecord("b", HEARD, "answered", last_delivery="sent"), "sent"),
        (ActivityRecord("b", HEARD, "answered", last_delivery="undelivered"), "undelivered"),
        (ActivityRecord("b", HEARD, "answered", last_undelivered="63112"), "undelivered"),
        (ActivityRecord("b", HEARD, "answered"), None),
    ],
)
def test_answers_follow_from_what_happened_to_the_customer(activity: ActivityRecord | None, expected: str) -> None:
    assert answers(activity) == expected


@pytest.mark.parametrize(
    ("keys", "findings", "topics"),
    [
        ({}, [], []),
        ({}, [Finding("notice", "noted", "a"), Finding("warning", "look", "a", "assistant")], ["assistant"]),
        ({"sync": "unresolved", "is_sender_read": False, "sender_status": None, "webhook": None}, [], ["reading"]),
        ({"sender_status": "OFFLINE"}, [], ["sender"]),
        ({"sender_status": None, "webhook": None}, [Finding("withheld", "register it", "a", "sender")], ["sender"]),
        ({"webhook": "https://otro.cl"}, [], ["webhook"]),
        ({"webhook": "", "quality_rating": "LOW"}, [], ["webhook", "quality"]),
        ({"answers": "failed", "last_error": "the model is gone"}, [], ["answers"]),
        ({"undelivered": {"63014": 1}}, [], []),
        ({"undelivered": {"63112": 1}, "missing_secrets": {"X": "fails"}}, [], ["delivery", "secrets"]),
        ({"model_days_left": 90, "knowledge_failed": 1}, [], ["model", "documents"]),
        ({"model_days_left": 91}, [], []),
        (
            {"model_days_left": 9},
            [Finding("warning", f"the model {row('a').model!r} is shut down", "a", "assistant")],
            ["assistant"],
        ),
        ({"loops": 1, "loops_until": HEARD}, [], ["loops"]),
    ],
)
def test_what_needs_attention(keys: dict[str, object], findings: list[Finding], topics: list[str]) -> None:
    assert [item.topic for item in attention(row("a", **keys), findings)] == topics


@pytest.mark.parametrize(
    ("action", "effect"),
    [
        ("notify", "nothing stops"),
        ("pause", "it gets no answers, and proactive messages are refused, until the next month or a higher budget"),
        ("cheaper_model", "its cheaper model answers until the next month"),
    ],
)
def test_a_budget_that_is_used_up_needs_attention(action: str, effect: str) -> None:
    used = BudgetStatus("2026-11", 40.0, "USD", 41.2, 103.0, action, 0)
    [item] = attention(row("la-cocina", budget=used), [])
    assert item.topic == "budget"
    assert item.text == f"the budget of 2026-11 is used up: 41.20 of 40.00 USD (103 %) in 2026-11; {effect}"
    assert list(attention(row("la-cocina", budget=replace(used, percent=99.9)), [])) == []
