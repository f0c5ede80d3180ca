"""The plan for one client out of its kinds, and the fleet's plan out of those: in memory, without any call."""

from __future__ import annotations

import datetime
import importlib
from dataclasses import fields
from types import SimpleNamespace
from typing import Any

import pytest

from reconciler.applying.writes import WRITES
from reconciler.kinds.client_plan import NOTHING, ClientPlan, joined
from reconciler.kinds.registry import KINDS
from reconciler.kinds.unmanaged_bots import bot_as_declared
from reconciler.model import KIND_ORDER, UNKNOWN_ID, Finding
from reconciler.observation.live_state import AccountSenders, Failed
from reconciler.ownership import own
from reconciler.planning.client import plan_client, plan_departure
from reconciler.planning.desired import desired_clients
from reconciler.planning.plan import Scope, make_plan
from reconciler.readers.openai import LiveAssistant, Model
from runtime.store.records import AppliedRecord, AssistantRecord, BotRecord
from tests.tables.in_memory import NUMBER, SETTINGS, SHARED, context, fleet, live_state, manifest, store

RECORD = AssistantRecord("la-cocina", "La Cocina", "Eres el asistente.", "gpt-6-luna", client="la-cocina")
BOT = BotRecord("la-cocina", "La Cocina", NUMBER, assistant_id="la-cocina", client="la-cocina")
AGENT_VALUES = {"name": "La Cocina", "model": "gpt-6-luna", "instructions": "Eres el asistente.", "tools": []}
AGENT = LiveAssistant("agent_1", AGENT_VALUES, {"managed-by": "horizonai-reconciler", "client": "la-cocina"}, "agents")


TEMPLATES = {"retomar": {"language": "es", "category": "utility", "body": "Responde para leerla."}}


def steps(plan: ClientPlan) -> list[str]:
    """What is done, in its order."""
    return [f"{change.action} {change.kind}" for change in plan.changes]


def test_kinds_and_their_writes_are_complete_and_in_the_fixed_order():
    assert tuple(KINDS) == KIND_ORDER
    assert {name: kind.name for name, kind in KINDS.items()} == {name: name for name in KIND_ORDER}
    assert set(WRITES) == set(KIND_ORDER)


@pytest.mark.parametrize("kind", KIND_ORDER)
@pytest.mark.parametrize("step", ["desired", "live", "plan", "write"])
def test_each_kind_has_a_folder_whose_modules_are_its_steps(kind, step):
    assert importlib.import_module(f"reconciler.kinds.{kind}.{step}").__doc__


def test_parts_are_joined_field_by_field_in_their_order():
    numbered = [ClientPlan(**{field.name: (field.name, n) for field in fields(ClientPlan)}) for n in (1, 2)]
    for field in fields(ClientPlan):
        expected: Any = (field.name, 1) if field.name == "withheld" else [field.name, 1, field.name, 2]
        assert getattr(joined([numbered[0], NOTHING, numbered[1]]), field.name) == expected
    assert joined([NOTHING, NOTHING]) is NOTHING
    assert joined([NOTHING, numbered[0]]) is numbered[0]


@pytest.mark.parametrize(
    ("marks", "last", "owned"),
    [
        (["mine"], None, ["mine"]),
        (["mine"], "wiped", ["mine"]),
        ([], "wiped", ["wiped"]),
        ([], "others", []),
        ([], None, []),
    ],
)
def test_objects_are_known_by_their_mark_or_by_the_last_apply_when_that_was_wiped(marks, last, owned):
    others = {"managed-by": "horizonai-reconciler", "client": "otro"}
    found = [SimpleNamespace(name=name, metadata={}) for name in marks]
    applied = SimpleNamespace(name=last, metadata=others if last == "others" else {}) if last else None
    assert [item.name for item in own(found, applied)] == owned


def test_what_is_desired_knows_no_id_that_only_a_provider_can_give():
    search = {"tools": [{"type": "file_search", "files": ["carta.md"]}]}
    [client] = desired_clients([manifest(assistant=search, replies={"buttons": True}, templates=TEMPLATES)], SETTINGS)
    assert list(client.resources) == list(KIND_ORDER)
    assert set(client.resources["bot"]["policy"]["contents"].values()) == {UNKNOWN_ID}
    assert client.resources["bot"]["assistant_id"] == UNKNOWN_ID
    assert client.resources["assistant"]["tools"][0]["vector_store_ids"] == [UNKNOWN_ID]
    assert (client.account, client.is_leaving) == (SHARED, False)


def test_a_client_without_documents_in_git_desires_none():
    search = {"tools": [{"type": "file_search", "vector_store": "vs_1"}]}
    [client] = desired_clients([manifest(assistant=search)], SETTINGS)
    assert "knowledge" not in client.resources
    assert client.resources["assistant"]["tools"][0]["vector_store_ids"] == ["vs_1"]


def test_a_client_that_shall_be_absent_desires_nothing():
    [client] = desired_clients([manifest(state="absent")], SETTINGS)
    assert (client.resources, client.is_leaving) == ({}, True)


def test_a_client_is_made_from_its_documents_to_its_number():
    search = {"tools": [{"type": "file_search", "files": ["carta.md"]}]}
    found = plan_client(context(manifest(assistant=search), live_state()))
    assert steps(found) == ["create knowledge", "create assistant", "create bot", "update sender"]


def test_what_stands_before_a_withheld_kind_is_planned_and_what_stands_after_it_is_not():
    models = {"gpt-otro": Model("gpt-otro", None)}
    search = {"tools": [{"type": "file_search", "files": ["carta.md"]}]}
    found = plan_client(context(manifest(assistant=search), live_state(models=models)))
    assert steps(found) == ["create knowledge"]
    assert found.withheld == "assistant"
    [finding] = found.findings
    assert (finding.severity, finding.kind) == ("error", "assistant")


@pytest.mark.parametrize(("numbers", "ends_with"), [([NUMBER], "delete assistant"), ([], "update bot")])
def test_what_was_replaced_is_deleted_last_and_not_while_a_kind_is_withheld(numbers, ends_with):
    live = live_state(store([BOT], [RECORD]), numbers=numbers)
    found = plan_client(context(manifest(assistant={"engine": "agents"}), live))
    assert steps(found)[:2] == ["create assistant", "update bot"]
    assert steps(found)[-1] == ends_with


def test_a_client_is_removed_from_its_number_to_its_documents_and_forgotten_where_nothing_is_left():
    applied = [AppliedRecord("la-cocina", kind, "x", {}) for kind in KIND_ORDER]
    live = live_state(store([BOT], [RECORD], applied), agents=[AGENT])
    [client] = desired_clients([manifest(state="absent")], SETTINGS)
    found = plan_departure(context(client, live))
    assert steps(found) == ["delete bot", "delete assistant", "delete assistant"]
    assert found.forgotten == ["knowledge", "template", "content", "sender"]


def test_an_assistant_that_an_adoption_has_made_ours_already_is_noted_once():
    later = datetime.date(2099, 1, 1)
    by_hand = BotRecord("bot_1", "La Cocina", NUMBER, assistant_id="la-cocina")
    live = live_state(store([by_hand], [RECORD]), models={"gpt-6-luna": Model("gpt-6-luna", later)})
    found = plan_client(context(manifest(), live))
    assert [change.kind for change in found.adoptions] == ["bot"]
    assert [finding.severity for finding in found.findings] == ["notice"]


@pytest.mark.parametrize(
    ("applied_model", "fallback", "said"),
    [
        ("gpt-6-luna", "gpt-5.6-luna", "its fallback model 'gpt-5.6-luna' answers"),
        ("gpt-5.5", "gpt-5.6-luna", None),
        ("gpt-6-luna", "gpt-5.5", None),
        ("gpt-6-luna", None, None),
    ],
    ids=["it had the model", "it never had the model", "that one is missing too", "without one"],
)
def test_a_client_whose_model_is_missing_is_planned_where_its_fallback_model_answers(applied_model, fallback, said):
    applied = [AppliedRecord("la-cocina", "assistant", "la-cocina", {"model": applied_model})]
    live = live_state(store([BOT], [RECORD], applied), models={"gpt-5.6-luna": Model("gpt-5.6-luna", None)})
    found = plan_client(context(manifest(assistant={"fallback_model": fallback}), live))
    assert found.withheld == (None if said else "assistant")
    assert any(said in finding.message for finding in found.findings) if said else found.findings


def test_an_unmanaged_bot_that_differs_holds_up_all_of_its_client():
    by_hand = BotRecord("bot_1", "Otra", NUMBER, assistant_id="assistant_1")
    live = live_state(store([by_hand], [AssistantRecord("assistant_1", "x", "y", "gpt-6-luna")]))
    search = {"tools": [{"type": "file_search", "files": ["carta.md"]}]}
    found = plan_client(context(manifest(assistant=search), live))
    assert (found.changes, found.adoptions, found.withheld) == ((), [], "bot")


def test_a_bot_made_by_hand_is_shown_as_a_manifest_would_declare_it():
    by_hand = BotRecord("bot_1", "La Cocina", NUMBER, "assistant_1", "Otra cosa", account_sid=SHARED.sid)
    shown = bot_as_declared(by_hand, SETTINGS)
    assert shown == {**KINDS["bot"].desired(manifest(), SETTINGS), "assistant_id": None}  # type: ignore[dict-item]


def test_each_unread_source_is_said_once_and_as_severe_as_for_the_client_that_misses_it_most():
    down = Failed("answered 500.")
    two = fleet(manifest("uno", assistant={"engine": "agents"}), manifest("dos", number="+56998765001"))
    live = live_state(numbers=[NUMBER, "+56998765001"], objects={"assistants": down, "agents": down})
    plan = make_plan(two, live, SETTINGS)
    assert plan.findings[:2] == [
        Finding("warning", "OpenAI assistants: answered 500."),
        Finding("error", "OpenAI agents: answered 500."),
    ]
    assert plan.unresolved == ["uno"]
    assert {change.client for change in plan.changes} == {"dos"}


@pytest.mark.parametrize(("gone", "unresolved"), [(False, ["la-cocina"]), (True, [])])
def test_a_client_that_may_have_left_something_in_a_list_that_cannot_be_read_waits_unless_the_api_is_gone(
    gone, unresolved
):
    applied = [AppliedRecord("la-cocina", "assistant", "agent_1", {"engine": "agents"})]
    live = live_state(
        store([BOT], [], applied), objects={"assistants": (), "agents": Failed("answered 404.", gone=gone)}
    )
    plan = make_plan(fleet(manifest()), live, SETTINGS)
    assert plan.unresolved == unresolved
    assert plan.findings == [Finding("warning" if gone else "error", "OpenAI agents: answered 404.")]


@pytest.mark.parametrize(("state", "unresolved"), [("active", ["la-cocina"]), ("absent", [])])
def test_a_client_that_leaves_does_not_wait_for_a_sender_that_it_never_had(state, unresolved):
    senders = AccountSenders(str(SHARED.sid), {NUMBER: Failed("answered 500.")}, {})
    plan = make_plan(fleet(manifest(state=state)), live_state(senders={SHARED: senders}), SETTINGS)
    assert plan.unresolved == unresolved
    assert plan.findings[0] == Finding("error", "la-cocina: sender: answered 500.")


def test_why_an_orphan_cannot_be_pruned_is_said():
    live = live_state(store([BOT]), senders={SHARED: Failed("answered 500.")})
    plan = make_plan(fleet(), live, SETTINGS, Scope(prune=True))
    assert (plan.unresolved, plan.changes) == (["la-cocina"], [])
    assert [finding.message for finding in plan.findings] == [f"{SHARED.describe()}: answered 500."]


def test_orphans_are_ours_and_undeclared_and_what_is_nobodys_is_unmanaged():
    nobodys = LiveAssistant("agent_2", {**AGENT_VALUES, "name": None}, {}, "agents")
    applied = [AppliedRecord("la-cocina", "sender", f"XE{NUMBER}", {})]
    by_hand = BotRecord("bot_1", "Otra", "+56998765009")
    declared = "+56998765002"
    bots = [BOT, by_hand, BotRecord("otra", "Otra", declared, "otra", client="otra")]
    records = [RECORD, AssistantRecord("otra", "Otra", "Hola", "gpt-6-luna", client="otra")]
    others = LiveAssistant("agent_3", AGENT_VALUES, {**AGENT.metadata, "client": "otra"}, "agents")
    live = live_state(
        store(bots, records, applied), numbers=[NUMBER, "+56998765001", declared], agents=[AGENT, nobodys, others]
    )
    plan = make_plan(fleet(manifest("otra", number=declared)), live, SETTINGS)
    assert [(orphan.kind, orphan.key, orphan.live_id) for orphan in plan.orphans] == [
        ("assistant", "agents", "agent_1"),
        ("assistant", "responses", "la-cocina"),
        ("bot", NUMBER, "la-cocina"),
        ("sender", NUMBER, f"XE{NUMBER}"),
    ]
    assert [(item.kind, item.key, item.live_id) for item in plan.unmanaged] == [
        ("assistant", "without a name", "agent_2"),
        ("bot", "+56998765009", "bot_1"),
        ("sender", "+56998765001", "XE+56998765001"),
    ]
