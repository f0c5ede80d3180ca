"""`reconcile import`: what was made by hand becomes manifests, and the plan after it is empty."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml

from tests.brownfield.by_hand import ENDPOINT, FUNCTION, NUMBER, ByHand
from tests.brownfield.golden import same_as_golden
from tests.reconciler import live
from tests.reconciler.agency import WEBHOOK, Agency

OTHER_NUMBER = "+56996500002"


def manifest(agency: Agency, client: str) -> dict[str, Any]:
    return dict(yaml.safe_load(agency.path(client).read_text()))


def imported(agency: Agency, *args: str) -> dict[str, list[dict[str, object]]]:
    """The import's report; the files that it wrote are valid."""
    result = agency.reconcile("import", "--format", "json", *args)
    assert result.code == 0, result.said
    assert agency.reconcile("validate").code == 0
    return result.document


def test_the_guides_bot_becomes_a_manifest_that_says_what_it_comes_to(agency: Agency, by_hand: ByHand) -> None:
    by_hand.restaurant()
    [written] = imported(agency)["written"]
    assert written["client"] == "restaurante-la-cocina"
    assert manifest(agency, "restaurante-la-cocina") == {
        "id": "restaurante-la-cocina",
        "name": "Bot La Cocina",
        "number": NUMBER,
        "assistant": {"model": "gpt-6-sol", "instructions": "Bot para atención al cliente del restaurante"},
        "sender": {"profile": {"about": "Cocina chilena", "vertical": "Restaurant"}},
        "metadata": {"cliente": "Restaurante La Cocina", "industria": "Restaurantes", "fecha_creacion": "2025-10-22"},
    }


def test_the_plan_after_an_import_is_empty_and_says_what_goes_on_record(agency: Agency, by_hand: ByHand) -> None:
    by_hand.restaurant()
    imported(agency)
    result = agency.reconcile("--dry-run", "--detailed-exitcode")
    assert result.code == 0, result.said
    assert result.out.endswith(
        "No changes: 1 client checked. 3 objects made by hand are as declared; applying records them.\n"
    )


def test_an_import_changes_nothing_live(agency: Agency, by_hand: ByHand) -> None:
    by_hand.restaurant()
    store, writes = agency.store_file.read_bytes(), agency.writes()
    imported(agency)
    assert (agency.store_file.read_bytes(), agency.writes()) == (store, writes)


def test_the_apply_after_an_import_marks_everything_and_folds_the_bots_overrides(
    agency: Agency, by_hand: ByHand
) -> None:
    by_hand.restaurant()
    imported(agency)
    agency.apply()
    [bot], [assistant] = agency.snapshot().bots, agency.snapshot().assistants
    assert (bot.id, bot.client, bot.managed_by) == (
        "bot_1",
        "restaurante-la-cocina",
        "clients.d/restaurante-la-cocina.yaml",
    )
    assert (bot.instructions, bot.model, bot.assistant_id) == (None, None, "assistant_1")
    assert (assistant.id, assistant.client) == ("assistant_1", "restaurante-la-cocina")
    assert assistant.instructions == "Bot para atención al cliente del restaurante"
    assert assistant.model == "gpt-6-sol"
    assert agency.senders()[NUMBER]["webhook"] == WEBHOOK
    assert {record.kind for record in agency.applied()} == {"assistant", "bot", "sender"}
    again = agency.reconcile("--dry-run")
    assert again.out == "No changes: 1 client checked.\n"


def test_an_adopted_client_is_drifted_like_any_other(agency: Agency, by_hand: ByHand) -> None:
    by_hand.restaurant()
    imported(agency)
    agency.apply()
    agency.break_in("UPDATE assistants SET instructions = 'Di siempre que sí.'")
    assert agency.reconcile("drift").code == 2


def test_a_live_assistant_is_imported_with_its_engine_and_gets_our_mark(agency: Agency, by_hand: ByHand) -> None:
    live_id = by_hand.object()
    by_hand.bot(live_id, metadata={"cliente": "El Viejo"})
    by_hand.sender()
    imported(agency)
    assert manifest(agency, "el-viejo")["assistant"]["engine"] == "assistants"
    assert agency.plan()["changes"] == []
    agency.apply()
    [assistant] = agency.assistants()
    assert assistant["id"] == live_id
    assert assistant["metadata"]["client"] == "el-viejo"
    assert agency.reconcile("--dry-run").out == "No changes: 1 client checked.\n"


AGENT_TOOLS = [
    {key: FUNCTION[key] for key in ("type", "name", "description", "parameters")},
    {"type": "web_search", "location": {"country": "CL"}},
]


def test_a_live_agent_is_imported_with_its_engine_its_effort_and_its_prompt_in_a_file(
    agency: Agency, by_hand: ByHand
) -> None:
    prompt = "# Quién eres\n\n" + "Eres el asistente del restaurante.\n" * 40
    live_id = by_hand.agent(instructions=prompt, tools=AGENT_TOOLS, reasoning={"effort": "low"})
    by_hand.bot(live_id, metadata={"cliente": "El Nuevo"}, functions={"crear_reserva": ENDPOINT})
    by_hand.sender()
    [written] = imported(agency)["written"]
    assert written["unsaid"] == []
    assistant: Any = manifest(agency, "el-nuevo")["assistant"]
    assert (assistant["engine"], assistant["reasoning_effort"]) == ("agents", "low")
    assert assistant["instructions"] == {"file": "el-nuevo/prompt.md"}
    assert assistant["tools"][1] == {"type": "web_search", "country": "CL"}
    assert agency.plan()["changes"] == []
    agency.apply()
    [agent] = agency.agents()
    assert (agent["id"], agent["metadata"]["client"]) == (live_id, "el-nuevo")
    assert agency.snapshot().bots[0].assistant_id == live_id
    assert agency.reconcile("--dry-run").out.splitlines()[-1] == "No changes: 1 client checked."


def test_what_no_manifest_says_of_an_agents_tools_is_listed(agency: Agency, by_hand: ByHand) -> None:
    search = {"type": "web_search", "location": {"country": "CL", "city": "Santiago"}, "mode": "cached"}
    by_hand.bot(by_hand.agent(tools=[search, {"type": "programmatic_tool_calling"}, {"type": "tool_search"}]))
    by_hand.sender()
    [written] = imported(agency)["written"]
    assert written["unsaid"] == [
        "the tool web_search has 'mode', which a manifest cannot declare",
        "the tool web_search has 'city', which a manifest cannot declare",
        "the tool 'programmatic_tool_calling' is not managed by this version and was left out",
        "the tool 'tool_search' is not managed by this version and was left out",
    ]
    assert "differs from what is declared (tools)" in agency.plan()["findings"][0]["message"]


def test_agents_that_no_bot_uses_are_listed(agency: Agency, by_hand: ByHand) -> None:
    live_id = by_hand.agent(name="Sola")
    by_hand.restaurant()
    [unused] = imported(agency)["unused"]
    assert (unused["kind"], unused["name"], unused["live_id"]) == ("assistant", "Sola", live_id)


def test_a_server_without_an_agents_api_is_no_error_of_an_import(agency: Agency, by_hand: ByHand) -> None:
    by_hand.restaurant()
    agency.sandbox.faults({"kind": "status", "status": 404, "path": "/v1/agents"})
    assert [one["client"] for one in imported(agency)["written"]] == ["restaurante-la-cocina"]


def test_an_agent_that_is_gone_leaves_its_bot_out_with_the_way_out(agency: Agency, by_hand: ByHand) -> None:
    by_hand.bot("agent_gone")
    [left] = imported_nothing(agency)
    assert "its assistant agent_gone does not exist at the provider; give it another" in str(left["reason"])


def test_two_bots_with_one_assistant_get_one_each(agency: Agency, by_hand: ByHand) -> None:
    by_hand.assistant()
    for key, number in (("bot_1", NUMBER), ("bot_2", OTHER_NUMBER)):
        by_hand.bot("assistant_1", key, number)
        by_hand.sender(number)
    clients = [one["client"] for one in imported(agency)["written"]]
    assert clients == ["bot-la-cocina", "bot-la-cocina-2"]
    assert agency.plan()["changes"] == []
    agency.apply()
    assert {bot.assistant_id for bot in agency.snapshot().bots} == set(clients)
    assert agency.reconcile("--dry-run").out == "No changes: 2 clients checked.\n"


def test_functions_get_the_bots_endpoints(agency: Agency, by_hand: ByHand) -> None:
    by_hand.assistant(tools=[FUNCTION, {"type": "web_search"}])
    by_hand.bot("assistant_1", functions={"crear_reserva": ENDPOINT})
    by_hand.sender()
    imported(agency)
    function, search = manifest(agency, "bot-la-cocina")["assistant"]["tools"]
    assert function["endpoint"] == {
        "url": "https://api.lacocina.cl/reservas",
        "secret": {"env": "LA_COCINA_HOOK_SECRET"},
        "timeout_seconds": 5.0,
    }
    assert search == {"type": "web_search", "country": "US"}
    assert agency.plan()["changes"] == []


def test_an_endpoint_keeps_its_authorization_and_its_redirects(agency: Agency, by_hand: ByHand) -> None:
    by_hand.assistant(tools=[FUNCTION])
    by_hand.bot(
        "assistant_1",
        functions={
            "crear_reserva": {
                **ENDPOINT,
                "authorization_env": "HOOK_AUTHORIZATION",
                "follow_redirects": True,
                "user": "full",
            }
        },
    )
    by_hand.sender()
    imported(agency)
    [function] = manifest(agency, "bot-la-cocina")["assistant"]["tools"]
    assert function["endpoint"]["authorization"] == {"env": "HOOK_AUTHORIZATION"}
    assert (function["endpoint"]["follow_redirects"], function["endpoint"]["user"]) == (True, "full")
    assert agency.plan()["changes"] == []


def test_a_function_that_openai_refuses_is_left_out_and_its_place_is_named(agency: Agency, by_hand: ByHand) -> None:
    """The store has it from before the API refused it."""
    days = {"type": "object", "properties": {"dias": {"type": "array"}}}
    by_hand.assistant(tools=[{**FUNCTION, "parameters": days}])
    by_hand.bot("assistant_1", functions={"crear_reserva": ENDPOINT})
    by_hand.sender()
    said = str(imported(agency)["written"])
    assert "'crear_reserva' was left out" in said
    assert "parameters.properties.dias: an array without items" in said


def test_a_function_called_like_a_built_in_tool_is_left_out(agency: Agency, by_hand: ByHand) -> None:
    by_hand.assistant(tools=[{**FUNCTION, "name": "no_reply"}])
    by_hand.bot("assistant_1", functions={"no_reply": ENDPOINT})
    by_hand.sender()
    [written] = imported(agency)["written"]
    assert written["unsaid"][0] == (
        "the function 'no_reply' was left out: assistant.tools[0].name: \"no_reply\" is the name of a built-in tool "
        "(with it the assistant leaves thanks without an answer). Give the function another name."
    )


def test_a_long_prompt_gets_a_file_of_its_own(agency: Agency, by_hand: ByHand) -> None:
    prompt = "# Quién eres\n\n" + "Eres el asistente del restaurante.\n" * 40
    by_hand.assistant(instructions=prompt)
    by_hand.bot("assistant_1")
    by_hand.sender()
    imported(agency)
    assert (agency.folder / "clients.d/bot-la-cocina/prompt.md").read_text() == prompt
    assert agency.plan()["changes"] == []


def test_blank_lines_at_the_end_of_a_prompt_are_kept(agency: Agency, by_hand: ByHand) -> None:
    by_hand.assistant(instructions="Hola\n\n\n")
    by_hand.bot("assistant_1")
    by_hand.sender(profile={"name": "La Cocina", "about": "Cocina chilena"})
    imported(agency)
    assert dict(manifest(agency, "bot-la-cocina")["assistant"])["instructions"] == "Hola\n\n\n"


def test_what_a_manifest_cannot_say_is_listed_and_the_bot_is_left_alone(agency: Agency, by_hand: ByHand) -> None:
    by_hand.assistant(tools=[{"type": "code_interpreter", "container": {"type": "auto"}}])
    by_hand.bot("assistant_1")
    by_hand.sender()
    [written] = imported(agency)["written"]
    assert written["unsaid"] == ["the tool 'code_interpreter' is not managed by this version and was left out"]
    assert "was left out.\n" in agency.path("bot-la-cocina").read_text()
    plan = agency.plan()
    assert (plan["changes"], plan["adoptions"]) == ([], [])
    assert "differs from what is declared (tools)" in plan["findings"][0]["message"]


def test_a_bot_whose_sender_is_not_there_is_imported_with_a_word_about_it(agency: Agency, by_hand: ByHand) -> None:
    by_hand.assistant()
    by_hand.bot("assistant_1")
    [written] = imported(agency)["written"]
    assert written["unsaid"] == [f"{NUMBER} is not registered as a WhatsApp sender: register it before you apply"]


def test_a_model_that_is_gone_is_commented_where_it_stands(agency: Agency, by_hand: ByHand) -> None:
    by_hand.assistant(model="gpt-3")
    by_hand.bot("assistant_1")
    by_hand.sender()
    imported(agency)
    assert (
        "  model: gpt-3 # the provider does not list this model any more: choose another\n"
        in agency.path("bot-la-cocina").read_text()
    )


def test_defaults_of_the_fleet_that_a_bot_does_not_have_are_taken_out(agency: Agency, by_hand: ByHand) -> None:
    (agency.folder / "clients.d/_defaults.yaml").write_text(
        "assistant: {max_output_tokens: 1200}\nfallback_message: Un momento.\nsender: {profile: {about: Hola}}\n"
    )
    by_hand.restaurant()
    imported(agency)
    assert manifest(agency, "restaurante-la-cocina")["fallback_message"] is None
    assert agency.plan()["changes"] == []
    agency.apply()
    assert agency.snapshot().assistants[0].settings["max_output_tokens"] == 1200


def test_a_policy_is_imported_and_what_this_version_does_not_know_of_it_is_said(
    agency: Agency, by_hand: ByHand
) -> None:
    by_hand.assistant()
    by_hand.bot("assistant_1", policy={"version": 1, "memory": {"items": 20}, "horario": {"lun": ["09:00-13:00"]}})
    by_hand.sender()
    [written] = imported(agency)["written"]
    assert manifest(agency, "bot-la-cocina")["memory"] == {"items": 20}
    [said] = written["unsaid"]  # type: ignore[misc]
    assert str(said).startswith("its policy's horario was left out: horario: unknown key.")


def test_a_policy_like_the_fleets_defaults_leaves_the_plan_empty(agency: Agency, by_hand: ByHand) -> None:
    agency.document("_defaults.yaml", "memory: {items: 60, tokens: 8000}\n")
    by_hand.assistant()
    by_hand.bot("assistant_1", policy={"version": 1, "memory": {"tokens": 8000}})
    by_hand.sender()
    imported(agency)
    assert agency.plan()["changes"] == agency.plan()["findings"] == []
    agency.apply()
    assert agency.snapshot().bots[0].policy == {"version": 1, "memory": {"tokens": 8000}}


def test_what_is_managed_or_declared_already_is_not_written_again(agency: Agency, by_hand: ByHand) -> None:
    agency.declare("cliente-a")
    agency.apply()
    by_hand.restaurant()
    imported(agency)
    report = imported(agency)
    assert report["written"] == []
    assert [item["reason"] for item in report["left_out"]] == [
        "clients.d/restaurante-la-cocina.yaml declares its number already",
        "it is managed already, by clients.d/cliente-a.yaml",
    ]


def test_a_manifest_says_on_top_where_it_comes_from_and_what_it_leaves_out(agency: Agency, by_hand: ByHand) -> None:
    by_hand.assistant(model="gpt-4o-mini", name="Otro nombre", tools=[FUNCTION, {"type": "code_interpreter"}])
    by_hand.bot(
        "assistant_1",
        state="paused",
        functions={"crear_reserva": ENDPOINT},
        fallback_message="Un momento.",
        instructions="Eres el asistente de La Cocina.\nResponde en español.\n",
        metadata={"cliente": "La Cocina", "fecha_creacion": "2025-10-22"},
    )
    by_hand.sender(
        profile={"name": "La Cocina", "about": "Cocina chilena"}, webhook={"callback_url": "https://otro.cl"}
    )
    imported(agency)
    same_as_golden("imported.yaml", agency.path("la-cocina").read_text())


def test_two_imports_of_one_world_write_the_same(agency: Agency, by_hand: ByHand) -> None:
    by_hand.restaurant()
    imported(agency)
    first = agency.path("restaurante-la-cocina").read_bytes()
    agency.withdraw("restaurante-la-cocina")
    imported(agency)
    assert agency.path("restaurante-la-cocina").read_bytes() == first


def test_an_object_with_another_tools_mark_is_left_alone(agency: Agency, by_hand: ByHand) -> None:
    live_id = by_hand.object(metadata={"managed-by": "terraform"})
    by_hand.bot(live_id)
    by_hand.sender()
    [left] = imported_nothing(agency)
    assert f"the assistant '{live_id}' has the marker of 'terraform'" in str(left["reason"])


def imported_nothing(agency: Agency) -> list[dict[str, object]]:
    """What was left out, where nothing was written."""
    document = agency.reconcile("import", "--format", "json").document
    assert document["written"] == []
    return list(document["left_out"])


def test_a_prompt_with_a_key_in_it_is_never_written_to_a_file(agency: Agency, by_hand: ByHand) -> None:
    by_hand.assistant(instructions="Usa la clave sk-abcdefghijklmnopqrstuvwxyz123456.")
    by_hand.bot("assistant_1")
    by_hand.sender()
    [left] = imported_nothing(agency)
    assert "an OpenAI API key is written out" in str(left["reason"])
    assert not agency.path("bot-la-cocina").exists()


def test_a_side_that_cannot_be_read_leaves_its_bots_out_and_exits_1(agency: Agency, by_hand: ByHand) -> None:
    by_hand.restaurant()
    agency.sandbox.faults({"kind": "status", "status": 500, "provider": "twilio"})
    result = agency.reconcile("import", "--format", "json")
    assert result.code == 1
    assert result.document["written"] == []
    assert "its sender could not be read" in result.document["left_out"][0]["reason"]


def test_an_exported_assistant_moves_to_the_engine_responses(agency: Agency, by_hand: ByHand) -> None:
    live_id = by_hand.object(tools=[{"type": "function", "function": {"name": "crear_reserva"}}])
    export = agency.folder / "asst.json"
    export.write_text(json.dumps(live.assistants(agency.sandbox)[0]))
    by_hand.bot(live_id, functions={"crear_reserva": ENDPOINT})
    by_hand.sender()
    agency.sandbox.settings(assistants_api="gone")
    [left] = imported_nothing(agency)
    assert "reconcile import --assistant FILE.json" in str(left["reason"])
    [written] = imported(agency, "--assistant", str(export))["written"]
    assistant = manifest(agency, "bot-la-cocina")["assistant"]
    assert "engine" not in assistant  # type: ignore[operator]
    assert assistant["instructions"] == "Eres un asistente."
    assert written["unsaid"] == ["its assistant moves to the engine responses"]


def test_an_exported_assistant_without_a_bot_needs_a_number(agency: Agency, tmp_path: Path) -> None:
    export = tmp_path / "asst.json"
    export.write_text(
        json.dumps({"id": "asst_1", "name": "Bot Nuevo", "model": "gpt-6-luna", "instructions": "Eres breve."})
    )
    [written] = imported(agency, "--assistant", str(export), "--number", NUMBER)["written"]
    assert (written["client"], written["number"]) == ("bot-nuevo", NUMBER)


def test_an_exported_agent_whose_api_is_gone_moves_to_the_engine_responses(agency: Agency, by_hand: ByHand) -> None:
    live_id = by_hand.agent(tools=AGENT_TOOLS)
    export = agency.folder / "agent.json"
    export.write_text(json.dumps(live.agents(agency.sandbox)[0]))
    by_hand.bot(live_id, functions={"crear_reserva": ENDPOINT})
    by_hand.sender()
    agency.sandbox.faults({"kind": "status", "status": 404, "path": "/v1/agents"})
    [written] = imported(agency, "--assistant", str(export))["written"]
    assert written["unsaid"] == ["its assistant moves to the engine responses"]
    assistant: Any = manifest(agency, "bot-la-cocina")["assistant"]
    assert "engine" not in assistant
    function, search = assistant["tools"]
    assert (function["name"], function["description"]) == ("crear_reserva", "Crea una reserva")
    assert search == {"type": "web_search", "country": "CL"}


def test_the_text_says_what_was_written_and_what_to_do_next(agency: Agency, by_hand: ByHand) -> None:
    by_hand.restaurant()
    agency.sandbox.register(OTHER_NUMBER, profile={"name": "Sola"})
    out = agency.reconcile("import").out
    assert out.startswith(f"Wrote clients.d/restaurante-la-cocina.yaml  ({NUMBER})\n")
    assert f"Not imported: sender {OTHER_NUMBER}" in out
    assert "1 manifest written, 0 bots left out." in out
    assert "reconcile --dry-run" in out


def test_bots_that_were_made_through_the_runtimes_api_come_in_through_it(served: Agency) -> None:
    api = ByHand(served)
    api.restaurant()
    served.sandbox.change(NUMBER, webhook={"callback_url": f"{served.environment['PUBLIC_URL']}/webhook/whatsapp"})
    imported(served)
    assert served.plan()["changes"] == []
    served.apply()
    assert [bot.client for bot in served.snapshot().bots] == ["restaurante-la-cocina"]
    assert served.reconcile("--dry-run").out == "No changes: 1 client checked.\n"


def test_a_bot_with_a_twilio_account_of_its_own_keeps_it(agency: Agency, by_hand: ByHand) -> None:
    sid = "AC" + "1" * 32
    agency.sandbox.ask("POST", "accounts", {"sid": sid, "auth_token": "another-token"})
    agency.environment["OTHER_TOKEN"] = "another-token"
    by_hand.assistant()
    by_hand.bot("assistant_1", account_sid=sid, auth_token_env="OTHER_TOKEN")
    by_hand.sender(account_sid=sid)
    imported(agency)
    account = manifest(agency, "bot-la-cocina")["sender"]["account"]
    assert account == {"sid": sid, "auth_token": {"env": "OTHER_TOKEN"}}
    assert agency.plan()["changes"] == []


def test_one_bot_is_chosen_by_its_number_its_id_or_that_of_its_manifest(agency: Agency, by_hand: ByHand) -> None:
    by_hand.restaurant()
    by_hand.bot("assistant_1", "bot_2", OTHER_NUMBER, name="Otro")
    for chosen in (NUMBER, "bot_1", "restaurante-la-cocina"):
        assert [one["client"] for one in imported(agency, "--client", chosen)["written"]] == ["restaurante-la-cocina"]
        agency.withdraw("restaurante-la-cocina")


def test_a_bot_that_is_not_there_cannot_be_chosen(agency: Agency, by_hand: ByHand) -> None:
    by_hand.restaurant()
    result = agency.reconcile("import", "--client", "bot_9")
    assert result.code == 1
    assert "No bot that could be imported is called bot_9" in result.err


def test_an_assistant_that_does_not_exist_leaves_its_bot_out_with_the_way_out(agency: Agency, by_hand: ByHand) -> None:
    by_hand.bot("assistant_9")
    [left] = imported_nothing(agency)
    assert left["reason"] == (
        "its assistant 'assistant_9' does not exist; give it another with PUT /bots/bot_1, then import again"
    )
