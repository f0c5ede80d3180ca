"""`reconcile adopt`: what was made by hand becomes ours although it differs, and the plan shows how."""

from __future__ import annotations

import signal

import pytest

from tests.brownfield.by_hand import NUMBER, ByHand
from tests.reconciler.agency import Agency
from tests.reconciler.terminal import on_a_terminal

CLIENT = "la-cocina"


def declare(agency: Agency, **keys: object) -> None:
    """A manifest for the number, written by hand and not by an import."""
    agency.declare(CLIENT, number=NUMBER, registered=False, **keys)


def test_what_differs_is_refused_until_it_is_adopted(agency: Agency, by_hand: ByHand) -> None:
    by_hand.restaurant()
    declare(agency)
    result = agency.reconcile("--yes")
    assert result.code == 1
    assert "the bot 'bot_1' of +56996500001 was made by hand, and differs from what is declared" in result.out
    assert "`reconcile adopt la-cocina` adopts it" in result.out
    assert agency.snapshot().bots[0].client is None


def test_adopting_marks_and_changes_nothing_else(agency: Agency, by_hand: ByHand) -> None:
    by_hand.restaurant()
    declare(agency)
    writes = agency.writes()
    result = agency.reconcile("adopt", CLIENT, "--yes")
    assert result.code == 0, result.said
    assert result.out.startswith(
        "la-cocina adopts:\n  assistant  assistant_1  (responses)\n  bot        bot_1  (+56996500001)\n  sender     XE"
    )
    [bot], [assistant] = agency.snapshot().bots, agency.snapshot().assistants
    assert (bot.client, bot.managed_by, assistant.client) == (CLIENT, "clients.d/la-cocina.yaml", CLIENT)
    assert (bot.instructions, bot.model) == ("Bot para atención al cliente del restaurante", "gpt-6-sol")
    assert assistant.instructions == "Eres un asistente."
    assert agency.writes() == writes


def test_the_plan_after_it_shows_every_difference_as_config(agency: Agency, by_hand: ByHand) -> None:
    by_hand.restaurant()
    declare(agency)
    assert agency.reconcile("adopt", CLIENT, "--yes").code == 0
    changes = agency.plan()["changes"]
    assert {(change["kind"], change["action"], change["reason"]) for change in changes} == {
        ("assistant", "update", "config"),
        ("bot", "update", "config"),
        ("sender", "update", "config"),
    }
    assert agency.reconcile("drift").code == 0
    agency.apply()
    assert agency.changes() == []


def test_a_manifest_that_keeps_the_assistants_own_name_adopts_the_bot_without_being_asked(
    agency: Agency, by_hand: ByHand
) -> None:
    by_hand.assistant(name="Rosa")
    by_hand.bot("assistant_1")
    by_hand.sender()
    assert agency.reconcile("import").code == 0

    [written] = agency.manifests()
    assert "  name: Rosa\n" in written.read_text()
    plan = agency.plan()
    assert [change["action"] for change in plan["changes"] if change["kind"] in ("assistant", "bot")] == []
    agency.apply()
    assert [record.name for record in agency.snapshot().assistants] == ["Rosa"]


def test_a_live_assistant_is_marked_where_it_stands(agency: Agency, by_hand: ByHand) -> None:
    live_id = by_hand.object(metadata={"nota": "de antes"})
    by_hand.bot(live_id)
    by_hand.sender()
    declare(agency, assistant={"engine": "assistants"})
    assert agency.reconcile("adopt", CLIENT, "--yes").code == 0
    [assistant] = agency.assistants()
    assert (assistant["instructions"], assistant["metadata"]["client"]) == ("Eres un asistente.", CLIENT)
    assert assistant["metadata"]["nota"] == "de antes"
    agency.apply()
    assert [item["id"] for item in agency.assistants()] == [live_id]


def test_a_live_agent_is_marked_where_it_stands(agency: Agency, by_hand: ByHand) -> None:
    live_id = by_hand.agent(metadata={"nota": "de antes"})
    by_hand.bot(live_id)
    by_hand.sender()
    declare(agency, assistant={"engine": "agents"})
    assert (
        "differs from what is declared (instructions, name, settings.reasoning_effort)"
        in agency.reconcile("--dry-run").out
    )
    assert agency.reconcile("adopt", CLIENT, "--yes").code == 0
    [agent] = agency.agents()
    assert (agent["instructions"], agent["reasoning"]["effort"]) == ("Eres un asistente.", "medium")
    assert (agent["metadata"]["client"], agent["metadata"]["nota"]) == (CLIENT, "de antes")
    agency.apply()
    assert [(item["id"], item["instructions"]) for item in agency.agents()] == [
        (live_id, "Eres el asistente de la-cocina.")
    ]


def test_a_bot_moves_off_the_assistants_api_and_its_assistant_there_is_left_alone(
    agency: Agency, by_hand: ByHand
) -> None:
    live_id = by_hand.object()
    by_hand.bot(live_id)
    by_hand.sender()
    agency.sandbox.settings(assistants_api="gone")
    declare(agency)
    result = agency.reconcile("adopt", CLIENT, "--yes")
    assert f"the assistant {live_id} is of the engine assistants and is left unchanged" in result.out
    agency.apply()
    [bot] = agency.snapshot().bots
    assert (bot.id, bot.assistant_id) == ("bot_1", CLIENT)
    assert agency.changes() == []


def test_an_assistant_that_answers_for_others_too_stays_theirs(agency: Agency, by_hand: ByHand) -> None:
    by_hand.assistant()
    by_hand.bot("assistant_1")
    by_hand.bot("assistant_1", "bot_2", "+56996500002")
    by_hand.sender()
    declare(agency)
    result = agency.reconcile("adopt", CLIENT, "--yes")
    assert "the assistant assistant_1 answers for others too" in result.out
    agency.apply()
    assert {record.id: record.client for record in agency.snapshot().assistants} == {
        "assistant_1": None,
        CLIENT: CLIENT,
    }


def test_a_foreign_mark_is_refused_with_its_name(agency: Agency, by_hand: ByHand) -> None:
    by_hand.assistant(metadata={"managed-by": "terraform"})
    by_hand.bot("assistant_1")
    by_hand.sender()
    declare(agency)
    result = agency.reconcile("adopt", CLIENT, "--yes")
    assert result.code == 3
    assert "the assistant 'assistant_1' has the marker of 'terraform'" in result.err
    assert agency.snapshot().bots[0].client is None


def test_a_number_that_another_client_has_is_refused(agency: Agency) -> None:
    agency.declare("cliente-a")
    agency.apply()
    agency.withdraw("cliente-a")
    agency.declare(CLIENT, number=agency.number("cliente-a"), registered=False)
    result = agency.reconcile("adopt", CLIENT, "--yes")
    assert result.code == 3
    assert "belongs to the bot of client 'cliente-a'" in result.err


def test_nothing_is_left_to_take_over(agency: Agency) -> None:
    agency.declare(CLIENT)
    agency.apply()
    result = agency.reconcile("adopt", CLIENT, "--yes")
    assert (result.code, result.out) == (0, "la-cocina: nothing is left to adopt.\n")


def test_without_a_terminal_it_needs_yes(agency: Agency, by_hand: ByHand) -> None:
    by_hand.restaurant()
    declare(agency)
    result = agency.reconcile("adopt", CLIENT)
    assert result.code == 1
    assert "add --yes" in result.err
    assert agency.snapshot().bots[0].client is None


def test_it_goes_on_record_like_an_apply(agency: Agency, by_hand: ByHand) -> None:
    by_hand.restaurant()
    declare(agency)
    assert agency.reconcile("adopt", CLIENT, "--yes").code == 0
    [run] = agency.runs()
    assert run["outcome"] == "applied"
    assert [change["action"] for change in run["changes"]] == ["adopt"] * 3


def test_verbose_names_what_was_made_by_hand_and_belongs_to_nobody(agency: Agency, by_hand: ByHand) -> None:
    by_hand.restaurant()
    agency.declare("cliente-a")
    out = agency.reconcile("--dry-run", "--verbose").out
    assert "unmanaged: bot +56996500001 (bot_1), left unchanged.\n" in out
    assert "unmanaged: assistant Bot La Cocina (assistant_1), left unchanged.\n" in out
    assert "3 unmanaged live objects were left unchanged.\n" in out


@pytest.mark.parametrize("engine", ["assistants", "agents"])
def test_a_live_assistant_gets_our_mark_and_nothing_else_of_it_is_written(
    agency: Agency, by_hand: ByHand, engine: str
) -> None:
    if engine == "agents":
        live_id = by_hand.agent(reasoning={"effort": "high", "summary": "auto"}, tools=[{"type": "web_search"}])
    else:
        live_id = by_hand.object(tools=[{"type": "function", "function": {"name": "menu"}}])
    by_hand.bot(live_id)
    by_hand.sender()
    declare(agency, assistant={"engine": engine})
    before = agency.openai("GET", f"/{engine}/{live_id}")
    agency.reconcile("adopt", CLIENT, "--yes")
    after = agency.openai("GET", f"/{engine}/{live_id}")
    assert after["metadata"]["client"] == "la-cocina"
    assert {key: value for key, value in after.items() if before[key] != value}.keys() <= {"metadata", "updated_at"}


def test_an_id_that_an_adopted_bot_of_another_client_has_cannot_be_taken(agency: Agency, by_hand: ByHand) -> None:
    by_hand.bot(None, key="cliente-a", instructions="Eres otra.", model="gpt-6-luna")
    by_hand.sender()
    declare(agency)
    agency.reconcile("adopt", CLIENT, "--yes")
    agency.declare("cliente-a")
    said = "cliente-a: bot: the bot store's bot 'cliente-a' belongs to client 'la-cocina'; give this client another id."
    assert said in agency.reconcile("--dry-run").out


def test_ctrl_c_lets_the_call_in_flight_finish_and_says_what_was_taken_over(agency: Agency, by_hand: ByHand) -> None:
    by_hand.bot(by_hand.object())
    by_hand.sender()
    declare(agency, assistant={"engine": "assistants"})
    agency.sandbox.faults({"kind": "latency", "seconds": 300, "method": "POST", "provider": "openai"})
    running = agency.start("adopt", CLIENT, "--yes")
    agency.await_fault()
    running.signal(signal.SIGINT)
    running.await_said("Stopping: running calls are finished and recorded.")
    agency.sandbox.faults()
    result = running.wait()
    assert result.code == 4, result.said
    assert "Applied: 1 applied, 0 failed, 2 skipped." in result.out
    assert agency.reconcile("adopt", CLIENT, "--yes").code == 0


def test_a_store_that_fails_at_the_end_does_not_hide_what_was_taken_over(agency: Agency, by_hand: ByHand) -> None:
    by_hand.restaurant()
    declare(agency)
    agency.break_in("CREATE TRIGGER full BEFORE UPDATE ON runs BEGIN SELECT RAISE(ABORT, 'lleno'); END")
    result = agency.reconcile("adopt", CLIENT, "--yes")
    assert result.code == 4, result.said
    assert "Applied: 3 applied, 0 failed, 0 skipped." in result.out
    assert "The bot store failed, so the outcome of this run is not recorded: " in result.err
    assert "lleno" in result.err
    assert agency.snapshot().bots[0].client == CLIENT


def test_what_differs_from_what_was_shown_by_the_time_it_is_agreed_on_is_not_taken_over(
    agency: Agency, by_hand: ByHand
) -> None:
    by_hand.restaurant()
    declare(agency)
    code, shown = on_a_terminal(
        agency, "adopt", CLIENT, answer="y", meanwhile=lambda: by_hand.assistant(instructions="Eres otro.")
    )
    assert code == 5, shown
    assert "Something changed meanwhile, so nothing was adopted; run the command again to see it." in shown
    assert agency.snapshot().bots[0].client is None
    assert agency.runs() == []
