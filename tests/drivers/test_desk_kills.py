"""Both drivers: whatever the processes were doing with a desk when they were killed is finished afterwards, once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import pytest

from tests.drivers.desks import ASK, SETTINGS, Desk, opened
from tests.drivers.fleet import Fleet, fleet_on
from tests.drivers.test_conformance import SEND
from tests.sandbox_process import Json, Sandbox, wait_until

STORES = ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)]
BEFORE = {"kind": "timeout_before_write", "seconds": 60, "times": 1}
AFTER = {"kind": "timeout_after_write", "seconds": 60, "times": 1}
REPLY = "Hola, soy Carla"


@dataclass(frozen=True, slots=True)
class Step:
    """Where a conversation is when the processes are killed."""

    method: str
    path: str
    """Below the client's account at Chatwoot."""
    fault: Json
    containing: str = ""
    is_reply: bool = False
    """Whether it is on the way of an operator's reply."""

    def own_fault(self, desk: Desk) -> Json:
        """The fault, for this client's calls only."""
        if self.method == "SEND":
            return SEND | self.fault | {"containing": desk.user[1:]}
        path = f"/api/v1/accounts/{desk.account}/{self.path}"
        found = {"provider": "chatwoot", "method": self.method, "path": path, "containing": self.containing}
        return self.fault | found


STEPS = (
    Step("POST", "contact[s]", BEFORE),
    Step("POST", "contact[s]", AFTER),
    Step("POST", "conversation[s]", AFTER),
    Step("POST", "conversations/*/messages", BEFORE, ASK),
    Step("POST", "conversations/*/messages", AFTER, ASK),
    Step("POST", "conversations/*/messages", AFTER, "El asistente est"),
    Step("POST", "conversations/*/toggle_status", AFTER),
    Step("GET", "conversations/*/messages", BEFORE, is_reply=True),
    Step("SEND", "", BEFORE, is_reply=True),
    Step("SEND", "", AFTER, is_reply=True),
    Step("PATCH", "conversations/*/messages/*", AFTER, is_reply=True),
)


@pytest.fixture(params=STORES)
def fleet(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, sandbox: Sandbox
) -> Iterator[Fleet]:
    with fleet_on(request.param, tmp_path_factory.mktemp("desk"), sandbox, **SETTINGS) as fleet:
        yield fleet


def fired(sandbox: Sandbox, number: int) -> bool:
    """Whether the fault of a step has fired."""
    return sandbox.fired_each()[number] == 1


@pytest.mark.long
def test_what_a_kill_interrupts_at_the_desk_is_finished_once(fleet: Fleet, sandbox: Sandbox) -> None:
    chats = [(step, opened(fleet, sandbox)) for step in STEPS]
    for step, desk in chats:
        if step.is_reply:
            desk.handed_over()
    sandbox.faults(*(step.own_fault(desk) for step, desk in chats))
    for step, desk in chats:
        if step.is_reply:
            desk.operator(REPLY)
        else:
            desk.write(ASK)
    for number, step in enumerate(STEPS):
        wait_until(partial(fired, sandbox, number), what=f"{step}")
    fleet.kill()
    sandbox.faults()
    fleet.start_again()

    for step, desk in chats:
        desk.has_status("open")
        if not step.is_reply:
            desk.operator(REPLY)
    for _, desk in chats:
        desk.sent(REPLY)
    for _, desk in chats:
        wait_until(partial(desk.is_reported, REPLY), what="its delivery at the desk")
    for step, desk in chats:
        asked, told, replied = desk.said()
        assert (asked, replied) == (ASK, REPLY), step
        assert desk.phone() == [told, REPLY], step
        assert [row["private"] for row in desk.conversation["messages"]].count(True) == 1, step
        assert len(sandbox.ask("GET", f"desk/conversations?account={desk.account}")["conversations"]) == 1, step
