"""OpenAI misbehaves or is not what a manifest expects: one sentence that says what, where and what to do next."""

from __future__ import annotations

import pytest

from tests.reconciler.agency import Agency


@pytest.fixture
def two(agency: Agency) -> Agency:
    """One client of each engine."""
    agency.declare("cliente-a")
    agency.declare("el-viejo", assistant={"engine": "assistants"})
    return agency


def test_a_wrong_key_leaves_every_client_alone(two: Agency) -> None:
    result = two.reconcile("--yes", OPENAI_API_KEY="wrong-key")
    assert result.code == 1
    assert "error: OpenAI models: " in result.out
    assert "answered 401" in result.out
    assert "Set OPENAI_API_KEY to a key that is valid for this project." in result.out
    assert "unresolved: cliente-a: left unchanged" in result.out
    assert two.writes() == 0


def test_no_key_is_said_before_anyone_is_called(two: Agency) -> None:
    result = two.reconcile("--dry-run", OPENAI_API_KEY=None)
    assert result.code == 1
    assert "OPENAI_API_KEY is not set." in result.out
    assert two.sandbox.calls("openai") == []


def test_an_unknown_model_names_the_nearest_one_and_the_others_are_applied(two: Agency) -> None:
    two.declare("cliente-b", assistant={"model": "gpt-6-lnua"})
    result = two.reconcile("--yes")
    assert result.code == 4
    expected = "error: cliente-b: assistant: the model 'gpt-6-lnua' is not available to this OpenAI key; did you mean"
    assert f"{expected} 'gpt-6-luna', " in result.out
    assert {bot.id for bot in two.snapshot().bots} == {"cliente-a", "el-viejo"}


def test_a_model_like_no_other_points_to_the_list(agency: Agency) -> None:
    agency.declare("cliente-a", assistant={"model": "zzz"})
    assert "see `GET /v1/models` for what the key may use." in agency.reconcile("--dry-run").out


def test_a_model_with_a_shutdown_date_is_a_warning_with_date_and_successor(agency: Agency) -> None:
    agency.declare("cliente-a", assistant={"model": "gpt-4o-mini"})
    result = agency.apply()
    assert "warning: cliente-a: assistant: the model 'gpt-4o-mini' is shut down on 2027-01-14, in " in result.out
    assert "OpenAI's replacement is gpt-6-luna: `reconcile upgrade-model gpt-4o-mini gpt-6-luna`." in result.out
    assert [finding["severity"] for finding in agency.plan()["findings"]] == ["warning"]
    assert agency.changes() == []


def test_a_model_that_is_listed_past_its_shutdown_date_is_an_error(agency: Agency) -> None:
    agency.declare("cliente-a", assistant={"model": "gpt-4o-mini"})
    gone = {"id": "gpt-4o-mini", "object": "model", "shutdown_date": "2026-01-31"}
    listed = {"object": "list", "data": [gone]}
    agency.sandbox.faults({"kind": "status", "status": 200, "body": listed, "path": "/v1/models"})
    result = agency.reconcile("--yes")
    assert result.code == 1
    expected = "the model 'gpt-4o-mini' was shut down on 2026-01-31; OpenAI's replacement is gpt-6-luna: `reconcile"
    assert f"error: cliente-a: assistant: {expected}" in result.out
    assert agency.writes() == 0


def test_where_the_assistants_api_is_gone_the_way_out_is_named_and_the_others_are_applied(two: Agency) -> None:
    two.sandbox.settings(assistants_api="gone")
    result = two.reconcile("--yes")
    assert result.code == 4
    assert "error: OpenAI assistants: " in result.out
    assert "OpenAI switched the Assistants API off on 2026-08-26: set `engine: responses` in the manifest" in result.out
    assert "unresolved: el-viejo: left unchanged" in result.out
    assert [bot.id for bot in two.snapshot().bots] == ["cliente-a"]


def test_a_server_whose_assistants_api_is_gone_is_not_asked_when_nobody_uses_it(agency: Agency) -> None:
    agency.sandbox.settings(assistants_api="gone")
    agency.declare("cliente-a")
    agency.apply()
    assert agency.sandbox.calls("openai", path="/v1/assistants") == []


def test_a_refused_create_stops_its_own_client_only(two: Agency) -> None:
    two.sandbox.faults({"kind": "status", "status": 400, "method": "POST", "path": "/v1/assistants"})
    result = two.reconcile("--yes")
    assert result.code == 4
    assert "failed  el-viejo: assistant assistants: create: OpenAI answered 400" in result.out
    assert "skipped  el-viejo: sender" in result.out
    assert "Applied: 3 applied, 1 failed, 2 skipped." in result.out
    two.sandbox.faults()
    two.apply()
    assert two.changes() == []


def test_a_key_that_may_read_and_not_write_says_so(two: Agency) -> None:
    two.sandbox.faults({"kind": "status", "status": 401, "method": "POST", "path": "/v1/assistants"})
    result = two.reconcile("--yes")
    assert result.code == 4
    assert "set OPENAI_API_KEY to a key that may change assistants" in result.out


def test_a_storm_of_429s_is_waited_out_as_long_as_retry_after_says(two: Agency) -> None:
    two.sandbox.faults(
        {"kind": "retry_after", "retry_after": 1, "provider": "openai", "path": "/v1/models", "times": 1},
        {"kind": "retry_after", "retry_after": 1, "provider": "openai", "method": "POST", "times": 1},
    )
    two.apply()
    assert two.sandbox.fired() == 2
    calls = two.sandbox.calls("openai", path="/v1/models")
    # The first run of all looks before it makes a store; under the lease that is in it, only the store is read again.
    assert [call["status"] for call in calls] == [429, 200]
    assert two.changes() == []


def test_server_errors_while_reading_are_repeated(two: Agency) -> None:
    two.sandbox.faults({"kind": "status", "status": 503, "method": "GET", "provider": "openai", "times": 2})
    assert two.reconcile("--dry-run").code == 0


def test_a_list_that_breaks_off_on_its_second_page_changes_and_deletes_nothing_of_that_side(two: Agency) -> None:
    two.apply()
    for n in range(120):
        two.openai("POST", "/assistants", {"model": "gpt-6-luna", "name": f"ajeno {n}"})
    two.declare("cliente-a", name="Otro nombre")
    two.declare("el-viejo", assistant={"engine": "assistants", "instructions": "Eres breve."})
    writes = two.writes()
    two.sandbox.faults({"kind": "status", "status": 400, "provider": "openai", "path": "/v1/assistants", "after": 1})
    result = two.reconcile("--yes")
    assert result.code == 4
    assert "unresolved: el-viejo: left unchanged" in result.out
    assert two.writes() == writes
    assert [bot.name for bot in two.snapshot().bots] == ["Otro nombre", "Cliente el-viejo"]


def test_an_answer_that_breaks_off_is_said_in_words(agency: Agency) -> None:
    agency.declare("cliente-a")
    agency.sandbox.faults({"kind": "cut_body", "path": "/v1/models"})
    [said] = [line for line in agency.reconcile("--dry-run").out.splitlines() if line.startswith("error: OpenAI")]
    assert "/v1/models cannot be reached: the connection ended in the middle of the answer. Check OPENAI_BASE" in said


def test_an_answer_that_is_not_json_is_told_apart_from_an_empty_one(agency: Agency) -> None:
    agency.declare("cliente-a")
    agency.sandbox.faults({"kind": "status", "status": 200, "body": "hola", "path": "/v1/models"})
    result = agency.reconcile("--dry-run")
    assert result.code == 1
    assert "error: OpenAI models: " in result.out
    assert "unresolved: cliente-a" in result.out
