"""Message templates: made, submitted and followed at Twilio, never changed, and deleted only when that is asked for."""

from __future__ import annotations

from typing import Any

import pytest

from tests.reconciler.agency import Agency
from tests.sandbox_process import Json

PATH = "/v1/Content"
REMINDER: Json = {
    "language": "es",
    "category": "utility",
    "body": "Hola {nombre}, te esperamos el {dia}.",
    "samples": {"nombre": "Ana", "dia": "martes"},
}
REOPEN: Json = {"language": "es", "category": "utility", "body": "Tenemos una respuesta para ti. Responde para leerla."}
BOTH: Json = {"recordatorio": REMINDER, "retomar": REOPEN}


def declare(agency: Agency, templates: Any = BOTH, client: str = "la-cocina", **keys: Any) -> None:
    agency.declare(client, templates=templates, **keys)


def sids(agency: Agency, client: str = "la-cocina") -> dict[str, str]:
    [bot] = [bot for bot in agency.snapshot().bots if bot.client == client]
    return dict(bot.policy.get("template_sids", {}))


def live(agency: Agency) -> dict[str, str]:
    """`HX…` → name of everything in the account."""
    listed = agency.twilio("GET", f"{PATH}?PageSize=500")["contents"]
    return {item["sid"]: item["friendly_name"] for item in listed}


def findings(agency: Agency, *severities: str) -> list[str]:
    return [item["message"] for item in agency.plan()["findings"] if item["severity"] in severities]


def steps(agency: Agency, *args: str) -> list[tuple[str, str, str]]:
    changes = agency.plan(*args)["changes"]
    return [(change["kind"], change["action"], change["reason"]) for change in changes]


def meta(agency: Agency, name: str, **changes: str) -> None:
    """Meta does something to a template of la-cocina by itself."""
    agency.sandbox.ask("PATCH", f"contents/{sids(agency)[name]}", changes)


def test_they_are_made_and_submitted_before_the_assistant_and_the_bot_gets_their_ids(agency: Agency) -> None:
    agency.sandbox.settings(template_review="pending")
    declare(agency)
    assert [kind for kind, _, _ in steps(agency)] == ["template", "assistant", "bot", "sender"]
    agency.apply()
    names = [name for name, _ in agency.templates()]
    assert [name.rpartition("_")[0] for name in names] == ["la_cocina_recordatorio_es", "la_cocina_retomar_es"]
    assert {status for _, status in agency.templates()} == {"received"}
    assert {name: live(agency)[sid] for name, sid in sids(agency).items()} == dict(zip(BOTH, names, strict=True))
    [bot] = agency.snapshot().bots
    assert bot.policy["templates"]["recordatorio"]["body"] == REMINDER["body"]
    # What waits for Meta is in sync, and said.
    assert agency.changes() == []
    assert len(findings(agency, "notice")) == 2
    agency.sandbox.settings(template_review="rules")
    assert (agency.changes(), findings(agency, "notice", "warning", "error")) == ([], [])
    assert agency.reconcile("drift").out == ""


def test_a_text_that_changes_makes_another_one_and_the_old_one_goes_with_prune(agency: Agency) -> None:
    declare(agency)
    agency.apply()
    first = sids(agency)
    declare(agency, {"recordatorio": {**REMINDER, "body": "Hola {nombre}, nos vemos el {dia} sin falta."}})
    [change] = [change for change in agency.plan()["changes"] if change["kind"] == "template"]
    assert (change["action"], change["reason"]) == ("update", "config")
    assert change["fields"]["templates.recordatorio.body"]["old"] == REMINDER["body"]
    agency.apply()
    assert agency.changes() == []
    now = sids(agency)
    assert set(now) == {"recordatorio"}
    assert set(live(agency)) == {*first.values(), *now.values()}
    assert findings(agency, "notice") == ["2 former templates are left at Twilio; --prune deletes them"]
    assert steps(agency, "--prune") == [("template", "delete", "config")]
    agency.apply("--prune")
    assert set(live(agency)) == set(now.values())
    assert (agency.changes("--prune"), findings(agency, "notice")) == ([], [])


def test_one_that_is_declared_again_is_found_again(agency: Agency) -> None:
    declare(agency)
    agency.apply()
    first = sids(agency)
    declare(agency, {"recordatorio": REMINDER})
    agency.apply()
    declare(agency)
    agency.apply()
    assert sids(agency) == first
    assert len(live(agency)) == 2


def test_a_rejection_is_an_error_of_that_client_only_and_nothing_else_of_it_stops(agency: Agency) -> None:
    agency.sandbox.settings(template_review="reject")
    declare(agency)
    agency.declare("cliente-a")
    assert agency.reconcile("--yes").code == 0
    result = agency.reconcile("--dry-run", "--format", "json")
    assert (result.code, result.document["changes"]) == (1, [])
    said = [item for item in result.document["findings"] if item["severity"] == "error"]
    assert {item["client"] for item in said} == {"la-cocina"}
    assert "was rejected" not in said[0]["message"]
    assert "TAG_CONTENT_MISMATCH; change its text, which makes another template" in said[0]["message"]
    assert {bot.client for bot in agency.snapshot().bots} == {"la-cocina", "cliente-a"}
    agency.sandbox.settings(template_review="rules")
    declare(agency, {"retomar": {**REOPEN, "body": "Ya tenemos una respuesta. Escribe para leerla."}})
    agency.apply("--prune")
    assert [status for _, status in agency.templates()] == ["approved"]


@pytest.mark.parametrize(
    ("changes", "code", "said"),
    [
        ({"category": "MARKETING"}, 2, "Meta charges the template 'retomar' (.*) as marketing, declared as utility"),
        ({"status": "paused"}, 2, "Meta has paused the template 'retomar'"),
        ({"status": "disabled"}, 1, "Meta has disabled the template 'retomar'"),
    ],
)
def test_what_meta_does_later_is_shown_everywhere_and_changes_nothing(
    agency: Agency, changes: dict[str, str], code: int, said: str
) -> None:
    declare(agency)
    agency.apply()
    meta(agency, "retomar", **changes)
    assert agency.changes() == []
    for command in ("--dry-run",), ("drift",), ("status", "la-cocina"):
        assert said.split("(")[0].strip() in " ".join(agency.reconcile(*command).out.split()), command
    assert agency.reconcile("drift").code == code
    metrics = agency.reconcile("drift", "--format", "prometheus").out
    state = changes.get("status", "approved")
    assert f'horizonai_templates{{category="{changes.get("category", "UTILITY").lower()}",' in metrics
    assert f'client="la-cocina",declared="utility",status="{state}",template="retomar"}} 1.0' in metrics


def test_one_that_was_deleted_live_is_made_again(agency: Agency) -> None:
    declare(agency)
    agency.apply()
    agency.twilio("DELETE", f"{PATH}/{sids(agency)['retomar']}")
    assert steps(agency) == [("template", "update", "drift"), ("bot", "update", "config")]
    assert agency.reconcile("drift").code == 2
    agency.apply()
    assert live(agency)[sids(agency)["retomar"]].startswith("la_cocina_retomar_es_")
    assert agency.changes() == []


def test_one_of_the_console_is_used_as_it_is_and_never_deleted(agency: Agency) -> None:
    text = {"twilio/text": {"body": REOPEN["body"]}}
    made = agency.twilio("POST", PATH, {"friendly_name": "Retomar", "language": "es", "variables": {}, "types": text})
    declare(agency, {"retomar": {**REOPEN, "content_sid": made["sid"]}})
    agency.apply()
    assert sids(agency) == {"retomar": made["sid"]}
    assert agency.changes() == []
    declare(agency, {"retomar": {**REOPEN, "body": "Otra cosa.", "content_sid": made["sid"]}})
    assert "says something else" in findings(agency, "error")[0]
    declare(agency, state="absent")
    agency.apply("--max-delete-percent", "100", "--allow-empty")
    assert list(live(agency)) == [made["sid"]]


def test_a_client_that_leaves_takes_its_own_and_one_without_a_manifest_with_prune(agency: Agency) -> None:
    declare(agency, {"retomar": REOPEN}, "cliente-a")
    declare(agency, {"retomar": REOPEN}, "cliente-b")
    declare(agency, {"retomar": REOPEN})
    agency.apply()
    declare(agency, {"retomar": REOPEN}, "cliente-a", state="absent")
    agency.withdraw("cliente-b")
    assert [orphan["kind"] for orphan in agency.plan()["orphans"]].count("template") == 1
    agency.apply("--max-delete-percent", "100")
    assert [name.partition("_retomar")[0] for name, _ in agency.templates()] == ["cliente_b", "la_cocina"]
    agency.apply("--prune", "--max-delete-percent", "100")
    assert [name.partition("_retomar")[0] for name, _ in agency.templates()] == ["la_cocina"]


def test_a_client_that_is_renamed_keeps_them(agency: Agency) -> None:
    declare(agency)
    agency.apply()
    first, former = sids(agency), agency.number("la-cocina")
    agency.withdraw("la-cocina")
    agency.declare("la-cocinita", number=former, formerly="la-cocina", templates=BOTH)
    agency.apply()
    assert sids(agency, "la-cocinita") == first
    assert len(live(agency)) == 2
    agency.declare("la-cocinita", number=former, templates=BOTH)
    assert agency.changes() == []


def test_a_refusal_of_twilios_is_that_clients_failure(agency: Agency) -> None:
    declare(agency)
    agency.declare("cliente-a")
    body = {"code": 20001, "message": "No such category", "status": 400}
    rule: Json = {"provider": "twilio", "method": "POST", "path": PATH, "kind": "status", "status": 400, "body": body}
    agency.sandbox.faults(rule)
    result = agency.reconcile("--yes")
    assert (result.code, "No such category" in result.said) == (4, True)
    assert [bot.client for bot in agency.snapshot().bots] == ["cliente-a"]
    agency.sandbox.faults()
    agency.apply()
    assert agency.changes() == []


def test_a_list_that_cannot_be_read_holds_up_its_clients_only(agency: Agency) -> None:
    declare(agency)
    agency.declare("cliente-a")
    rule: Json = {"provider": "twilio", "method": "GET", "path": "/v1/ContentAndApprovals"}
    agency.sandbox.faults(rule | {"kind": "status", "status": 500})
    result = agency.reconcile("--dry-run", "--format", "json")
    assert (result.code, result.document["unresolved"]) == (1, ["la-cocina"])
    assert {change["client"] for change in result.document["changes"]} == {"cliente-a"}


@pytest.mark.parametrize("path", [PATH, "/ApprovalRequests/whatsapp"])
def test_a_write_whose_answer_was_lost_is_found_again(agency: Agency, path: str) -> None:
    declare(agency)
    rule: Json = {"provider": "twilio", "method": "POST", "path": path, "kind": "timeout_after_write"}
    agency.sandbox.faults(rule | {"seconds": 0.2, "times": 1})
    agency.apply()
    assert [status for _, status in agency.templates()] == ["approved", "approved"]
    assert agency.changes() == []


@pytest.mark.long
def test_a_run_that_is_killed_at_any_request_leaves_no_second_one(agency: Agency) -> None:
    declare(agency)
    number = 0
    while agency.killed_at("send", number := number + 3, "--yes"):
        assert number < 120
    agency.apply()
    assert [status for _, status in agency.templates()] == ["approved", "approved"]
    assert agency.changes() == []
    declare(agency, {"retomar": {**REOPEN, "body": "Ya tenemos una respuesta. Escribe para leerla."}})
    number = 0
    while agency.killed_at("send", number := number + 3, "--yes", "--prune"):
        assert number < 120
    agency.apply("--prune")
    assert len(agency.templates()) == 1
    assert agency.changes("--prune") == []
