"""Plan, apply, plan again: a client's first day, and every change that git makes after it."""

from __future__ import annotations

from tests.reconciler.agency import WEBHOOK, Agency

FUNCTION = {
    "type": "function",
    "name": "crear_reserva",
    "description": "Crea una reserva",
    "parameters": {"type": "object", "properties": {"personas": {"type": "integer"}}, "required": ["personas"]},
    "endpoint": {"url": "https://api.lacocina.cl/reservas", "secret": {"env": "LA_COCINA_HOOK_SECRET"}},
}


def test_the_plan_of_a_new_client_creates_assistant_and_bot_and_attaches_the_sender_last(agency: Agency) -> None:
    agency.declare("la-cocina")
    number = agency.number("la-cocina")
    assert agency.changes() == [
        "la-cocina/assistant/create/responses",
        f"la-cocina/bot/create/{number}",
        f"la-cocina/sender/update/{number}",
    ]
    assert {change["reason"] for change in agency.plan()["changes"]} == {"config"}


def test_each_change_waits_for_the_one_before_it_in_its_own_client_only(agency: Agency) -> None:
    agency.declare("cliente-a")
    agency.declare("cliente-b")
    changes = agency.plan()["changes"]
    waits = {change["id"]: change["depends_on"] for change in changes}
    assert [waits[change["id"]] for change in changes if change["kind"] == "assistant"] == [[], []]
    assert all(
        dependency.startswith(f"{change['client']}/") for change in changes for dependency in change["depends_on"]
    )


def test_a_plan_writes_nothing_and_makes_no_store(agency: Agency) -> None:
    agency.declare("la-cocina")
    assert agency.reconcile("--dry-run").code == 0
    assert agency.writes() == 0
    assert not agency.store_file.exists()


def test_after_an_apply_the_next_plan_is_empty(agency: Agency) -> None:
    agency.declare("cliente-a")
    agency.declare("la-cocina", assistant={"tools": [FUNCTION, {"type": "web_search"}]}, metadata={"rubro": "comida"})
    agency.declare("el-viejo", assistant={"engine": "assistants", "tools": [FUNCTION]})
    assert "Applied: 9 applied, 0 failed, 0 skipped." in agency.apply().out
    assert agency.reconcile("--dry-run").out.splitlines()[-1] == "No changes: 3 clients checked."
    writes = agency.writes()
    assert "No changes: 3 clients checked." in agency.apply().out
    assert agency.writes() == writes


def test_an_applied_client_stands_in_the_store_and_at_twilio(agency: Agency) -> None:
    agency.declare("la-cocina", assistant={"tools": [FUNCTION]}, sender={"profile": {"about": "Cocina chilena"}})
    agency.apply()
    [bot] = agency.snapshot().bots
    [assistant] = agency.snapshot().assistants
    assert (bot.id, bot.client, bot.assistant_id) == ("la-cocina", "la-cocina", "la-cocina")
    assert bot.managed_by == "clients.d/la-cocina.yaml"
    assert bot.functions["crear_reserva"]["url"] == "https://api.lacocina.cl/reservas"
    assert bot.functions["crear_reserva"]["secret_env"] == "LA_COCINA_HOOK_SECRET"
    assert assistant.instructions == "Eres el asistente de la-cocina."
    assert [tool["name"] for tool in assistant.tools] == ["crear_reserva"]
    assert agency.sender("la-cocina")["webhook"] == WEBHOOK
    assert agency.sender("la-cocina")["profile"]["about"] == "Cocina chilena"


def test_an_assistant_of_the_engine_assistants_carries_the_clients_mark_and_the_bot_its_id(agency: Agency) -> None:
    agency.declare("el-viejo", assistant={"engine": "assistants"})
    agency.apply()
    [live] = agency.assistants()
    assert live["metadata"]["managed-by"] == "horizonai-reconciler"
    assert live["metadata"]["client"] == "el-viejo"
    [bot] = agency.snapshot().bots
    assert bot.assistant_id == live["id"]
    assert not agency.snapshot().assistants


def test_an_assistant_has_the_name_that_its_manifest_gives_it_else_the_clients(agency: Agency) -> None:
    for engine in ("responses", "agents", "assistants"):
        agency.declare(f"con-{engine}", assistant={"engine": engine, "name": "Bot de La Cocina"})
    agency.declare("sin-nombre")
    agency.apply()

    names = {record.id: record.name for record in agency.snapshot().assistants}
    assert names == {"con-responses": "Bot de La Cocina", "sin-nombre": "Cliente sin-nombre"}
    assert [item["name"] for item in [*agency.agents(), *agency.assistants()]] == ["Bot de La Cocina"] * 2
    assert agency.reconcile("--dry-run").out == "No changes: 4 clients checked.\n"

    agency.declare("con-responses", assistant={"name": "Rosa"})
    assert [field for change in agency.plan()["changes"] for field in change["fields"]] == ["name"]


def test_a_change_in_git_is_an_update_by_field_with_the_reason_config(agency: Agency) -> None:
    agency.declare("la-cocina")
    agency.apply()
    agency.declare("la-cocina", assistant={"instructions": "Eres breve."}, sender={"profile": {"about": "Hola"}})
    changes = agency.plan()["changes"]
    assert [(change["kind"], change["action"], change["reason"]) for change in changes] == [
        ("assistant", "update", "config"),
        ("sender", "update", "config"),
    ]
    assert changes[0]["fields"] == {"instructions": {"old": "Eres el asistente de la-cocina.", "new": "Eres breve."}}
    assert changes[1]["fields"] == {"profile.about": {"old": None, "new": "Hola"}}
    agency.apply()
    assert agency.changes() == []


def test_one_changed_client_among_many_is_the_only_one_written(agency: Agency) -> None:
    for client in ("cliente-a", "cliente-b", "cliente-c"):
        agency.declare(client)
    agency.apply()
    writes = agency.writes()
    agency.declare("cliente-b", name="Cliente B nuevo")
    agency.apply()
    assert agency.writes() == writes
    assert [bot.version for bot in agency.snapshot().bots] == [1, 2, 1]


def test_a_paused_client_keeps_everything_and_its_bot_says_paused(agency: Agency) -> None:
    agency.declare("la-cocina")
    agency.apply()
    agency.declare("la-cocina", state="paused")
    assert agency.changes() == [f"la-cocina/bot/update/{agency.number('la-cocina')}"]
    agency.apply()
    assert agency.snapshot().bots[0].state == "paused"
    assert agency.changes() == []


def test_client_looks_at_the_named_ones_only(agency: Agency) -> None:
    agency.declare("cliente-a")
    agency.declare("cliente-b")
    agency.apply("--client", "cliente-b")
    assert [bot.id for bot in agency.snapshot().bots] == ["cliente-b"]
    assert {change.split("/")[0] for change in agency.changes()} == {"cliente-a"}


def test_an_apply_goes_on_record_with_who_what_and_how_it_ended(agency: Agency) -> None:
    agency.declare("la-cocina")
    digest = agency.plan()["digest"]
    agency.apply()
    [run] = agency.runs()
    assert run["digest"] == digest
    assert run["outcome"] == "applied"
    assert run["actor"].rpartition(":")[2].isdecimal()
    assert [change["outcome"] for change in run["changes"]] == ["applied"] * 3


def test_an_apply_without_changes_is_no_run(agency: Agency) -> None:
    agency.declare("la-cocina")
    agency.apply()
    agency.apply()
    assert len(agency.runs()) == 1


def test_a_record_that_a_cut_off_run_left_out_is_made_up_for_without_a_write(agency: Agency) -> None:
    agency.declare("la-cocina")
    agency.apply()
    agency.break_in("DELETE FROM applied WHERE kind = 'sender'")
    writes = agency.writes()
    assert agency.changes() == []
    agency.apply()
    assert {record.kind for record in agency.applied()} == {"assistant", "bot", "sender"}
    assert agency.writes() == writes
