"""One apply at a time, and only the plan that was agreed on."""

from __future__ import annotations

import subprocess
import sys
from contextlib import closing

from runtime.store.client.writer import open_writer
from tests.forked import ROOT
from tests.reconciler.agency import API_TOKEN, Agency
from tests.reconciler.processes import Running
from tests.reconciler.terminal import on_a_terminal


def hold(agency: Agency, owner: str, seconds: float = 60.0) -> None:
    """Another owner acquires the lease."""
    with closing(open_writer(agency.store_url, API_TOKEN)) as store:
        store.acquire_lease(owner, seconds)


def dead_owner() -> str:
    """What a process of this machine that has ended called itself."""
    ask = "from reconciler.applying.lease import owner_name; print(owner_name())"
    return subprocess.run(
        [sys.executable, "-c", ask], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.strip()


def held_up(agency: Agency) -> Running:
    """An apply that holds the lease and waits for Twilio's answer, until the faults are cleared or it is stopped."""
    agency.sandbox.faults({"kind": "latency", "seconds": 300, "method": "POST"})
    running = agency.start("--yes")
    agency.await_fault()
    return running


def test_of_two_applies_at_once_one_wins_and_the_other_changes_nothing(agency: Agency) -> None:
    agency.declare("cliente-a")
    first = held_up(agency)
    second = agency.reconcile("--yes")
    assert second.code == 5
    assert second.out == ""
    assert f":{first.pid}" in second.err
    assert "Wait for it to finish" in second.err
    agency.sandbox.faults()
    assert first.wait().code == 0
    assert len(agency.sandbox.calls("twilio", "POST")) == 1
    assert agency.changes() == []


def test_a_plan_needs_no_lease(agency: Agency) -> None:
    agency.declare("cliente-a")
    hold(agency, "ana@servidor:123")
    assert agency.reconcile("--dry-run").code == 0
    assert agency.reconcile("drift").code == 0


def test_the_lease_of_another_machine_is_waited_for(agency: Agency) -> None:
    agency.declare("cliente-a")
    hold(agency, "ana@servidor:123")
    result = agency.reconcile("--yes")
    assert result.code == 5
    assert "ana@servidor:123" in result.err
    assert "`reconcile unlock`" in result.err
    assert agency.writes() == 0


def test_the_lease_of_a_process_of_this_machine_that_is_dead_is_taken_over(agency: Agency) -> None:
    agency.declare("cliente-a")
    hold(agency, dead_owner())
    agency.apply()
    assert agency.changes() == []


def test_a_process_that_cannot_be_looked_up_from_here_is_not_taken_for_dead(agency: Agency) -> None:
    process, _, _ = dead_owner().rpartition("/")
    agency.declare("cliente-a")
    for elsewhere in (process, f"{process}/0123abcd"):
        hold(agency, elsewhere)
        assert agency.reconcile("--yes").code == 5
        agency.reconcile("unlock", "--yes")
    assert agency.writes() == 0


def test_a_lease_that_has_run_out_is_taken_over(agency: Agency) -> None:
    agency.declare("cliente-a")
    hold(agency, "ana@servidor:123", seconds=-1)
    agency.apply()


def test_an_apply_gives_the_lease_back_however_it_ends(agency: Agency) -> None:
    agency.declare("cliente-a")
    agency.sandbox.faults({"kind": "status", "status": 400, "method": "POST"})
    assert agency.reconcile("--yes").code == 4
    agency.sandbox.faults()
    hold(agency, "ana@servidor:123")


def test_a_stop_finishes_and_records_the_call_in_flight_and_begins_nothing_more(agency: Agency) -> None:
    agency.declare("el-viejo", assistant={"engine": "assistants"})
    running = held_up(agency)
    running.terminate()
    running.await_said("Stopping: running calls are finished and recorded.")
    agency.sandbox.faults()
    result = running.wait()
    assert result.code == 4
    assert f"skipped  el-viejo: bot {agency.number('el-viejo')}: create: the run was stopped." in result.out
    assert [record.kind for record in agency.applied()] == ["assistant"]
    assert [run["outcome"] for run in agency.runs()] == ["partial"]
    agency.sandbox.faults()
    agency.apply()
    assert len(agency.assistants()) == 1
    assert agency.changes() == []


def test_a_plan_that_is_not_the_one_that_was_agreed_on_is_not_applied(agency: Agency) -> None:
    agency.declare("cliente-a")
    digest = agency.plan()["digest"]
    agency.declare("cliente-b")
    result = agency.reconcile("--expect", digest)
    assert result.code == 5
    assert f"its digest is {agency.plan()['digest']}, expected was {digest}" in result.err
    assert agency.writes() == 0
    assert not agency.store_file.exists()


def test_an_empty_plan_is_not_the_one_that_was_agreed_on(agency: Agency) -> None:
    agency.declare("cliente-a")
    digest = agency.plan()["digest"]
    agency.apply()
    assert agency.reconcile("--expect", digest).code == 5


def test_a_plan_that_is_not_the_shown_one_by_the_time_it_is_agreed_on_is_not_applied(agency: Agency) -> None:
    agency.declare("cliente-a")
    agency.apply()
    agency.declare("cliente-b")
    code, shown = on_a_terminal(
        agency, answer="y", meanwhile=lambda: agency.break_in("UPDATE bots SET name = 'Otro' WHERE id = 'cliente-a'")
    )
    assert code == 5, shown
    assert "Something changed since the plan was shown, so nothing was applied; review the new plan." in shown
    assert len(agency.runs()) == 1


def test_the_plan_that_was_shown_is_applied_once_it_is_agreed_on(agency: Agency) -> None:
    agency.declare("cliente-a")
    code, shown = on_a_terminal(agency, answer="y")
    assert code == 0, shown
    assert shown.count("Plan: ") == 1
    assert agency.changes() == []
