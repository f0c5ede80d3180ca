"""An apply that is killed at any time is continued by the next one: nothing is doubled, nothing is left over."""

from __future__ import annotations

from itertools import count

import pytest

from tests.reconciler.agency import Agency
from tests.reconciler.kills import Work, begin, converges, in_one_go, killed_at_call, killed_at_commit

FORMER_NUMBER = "+56998760001"
AFTER_LEASE_AND_RUN = 4
"""The first commit that differs from one work to another."""


def nobody(agency: Agency) -> None:
    """No client yet."""


def new(agency: Agency) -> None:
    agency.declare("cliente-a", sender={"profile": {"about": "Hola"}})
    agency.declare("el-viejo", assistant={"engine": "assistants"})
    agency.declare("el-nuevo", assistant={"engine": "agents"})


def engine_responses(agency: Agency) -> None:
    agency.declare("cliente-a")


def engine_assistants(agency: Agency) -> None:
    agency.declare("cliente-a", assistant={"engine": "assistants"})


def engine_agents(agency: Agency) -> None:
    agency.declare("cliente-a", assistant={"engine": "agents"})


def on_its_former_number(agency: Agency) -> None:
    agency.declare("cliente-a", number=FORMER_NUMBER)


def absent(agency: Agency) -> None:
    agency.declare("cliente-a", assistant={"engine": "assistants"}, state="absent")


WORKS = {
    "new clients": Work(nobody, new),
    "to the engine assistants": Work(engine_responses, engine_assistants),
    "to the engine responses": Work(engine_assistants, engine_responses),
    "to the engine agents": Work(engine_assistants, engine_agents),
    "to another number": Work(on_its_former_number, engine_responses),
    "a client that goes": Work(engine_assistants, absent),
}


EACH_WORK = [
    pytest.param(work, id=name, marks=() if name == "to another number" else pytest.mark.long)
    for name, work in WORKS.items()
]


@pytest.mark.parametrize("work", EACH_WORK)
def test_killed_before_any_commit_to_the_store(agency: Agency, work: Work) -> None:
    expected, _ = in_one_go(agency, work)
    for number in count(1 if work.before is nobody else AFTER_LEASE_AND_RUN):
        if not killed_at_commit(agency, work, number):
            break
        converges(agency, expected)
    assert number > AFTER_LEASE_AND_RUN + 2


@pytest.mark.parametrize("work", EACH_WORK)
def test_killed_before_any_write_at_a_provider(agency: Agency, work: Work) -> None:
    expected, calls = in_one_go(agency, work)
    for method in ("POST", "DELETE"):
        for nth in range(1, 1 + sum(call["method"] == method for call in calls)):
            killed_at_call(agency, work, {"kind": "timeout_before_write", "method": method, "nth": nth})
            converges(agency, expected)


@pytest.mark.long
def test_killed_when_a_write_was_done_and_its_answer_is_on_the_way(agency: Agency) -> None:
    work = WORKS["new clients"]
    expected, calls = in_one_go(agency, work)
    for nth in range(1, 1 + sum(call["method"] == "POST" for call in calls)):
        killed_at_call(agency, work, {"kind": "timeout_after_write", "method": "POST", "nth": nth})
        converges(agency, expected)


@pytest.mark.long
def test_killed_while_it_reads(agency: Agency) -> None:
    work = WORKS["new clients"]
    expected, calls = in_one_go(agency, work)
    for nth in range(1, 1 + [call["method"] for call in calls].index("POST")):
        killed_at_call(agency, work, {"kind": "timeout_before_write", "nth": nth})
        converges(agency, expected)


@pytest.mark.parametrize("fault", ["timeout_after_write", "drop_connection", "cut_body"])
def test_a_create_whose_answer_is_lost_is_found_by_its_mark_and_never_made_twice(agency: Agency, fault: str) -> None:
    begin(agency, WORKS["new clients"])
    agency.sandbox.faults({"kind": fault, "seconds": 0.0, "method": "POST", "path": "/v1/assistants", "times": 1})
    agency.apply()
    assert [assistant["metadata"]["client"] for assistant in agency.assistants()] == ["el-viejo"]
    assert agency.changes() == []


@pytest.mark.parametrize("fault", ["timeout_after_write", "drop_connection", "cut_body"])
def test_an_agent_whose_creation_is_not_heard_of_is_found_by_its_mark_and_never_made_twice(
    agency: Agency, fault: str
) -> None:
    begin(agency, Work(nobody, engine_agents))
    agency.sandbox.faults({"kind": fault, "seconds": 0.0, "method": "POST", "path": "/v1/agents", "times": 1})
    agency.apply()
    assert [agent["metadata"]["client"] for agent in agency.agents()] == ["cliente-a"]
    assert agency.changes() == []


def test_the_record_of_a_killed_run_says_that_it_never_ended(agency: Agency) -> None:
    begin(agency, WORKS["new clients"])
    agency.sandbox.faults({"kind": "timeout_before_write", "method": "POST", "seconds": 5})
    running = agency.start("--yes")
    agency.await_fault()
    running.kill()
    running.wait()
    assert [run["outcome"] for run in agency.runs()] == [None]
