"""For every world that was made by hand: import, and the plan is empty; apply, and it still is, kills or no kills."""

from __future__ import annotations

import shutil
from itertools import count
from typing import Literal

import pytest
import yaml
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.brownfield.by_hand import ByHand
from tests.brownfield.worlds import Made, bots, make, make_templates

WEATHER = (
    {"kind": "status", "status": 503, "method": "GET", "rate": 0.2, "seed": 7, "times": 2},
    {"kind": "retry_after", "retry_after": 0, "rate": 0.2, "seed": 8, "times": 2},
    {"kind": "sparse_list", "provider": "twilio"},
    {"kind": "timeout_after_write", "method": "POST", "path": "/v1/assistants", "seconds": 0.1, "times": 1},
    {"kind": "timeout_after_write", "method": "POST", "path": "/v1/agents", "seconds": 0.1, "times": 1},
)


@pytest.mark.long
@settings(
    max_examples=10,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    # An example takes seconds, so a failing one is shown as it was found.
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
)
@given(world=st.lists(bots(), min_size=1, max_size=3), weather=st.booleans(), templates=st.integers(0, 3))
def test_the_plan_after_an_import_is_empty_and_stays_so_after_the_apply(
    by_hand: ByHand, world: list[Made], weather: bool, templates: int
) -> None:
    agency = by_hand.agency
    anew(by_hand)
    make(by_hand, world)
    make_templates(by_hand, templates)
    agency.sandbox.faults(*WEATHER if weather else ())
    report = agency.reconcile("import", "--format", "json")
    assert (report.code, report.document["left_out"]) == (0, []), report.said
    assert [item for item in report.document["unused"] if item["kind"] == "knowledge"] == []
    declared = [yaml.safe_load(path.read_text(encoding="utf-8")).get("templates", {}) for path in agency.manifests()]
    assert sum(map(len, declared)) == (templates if len(world) == 1 else 0)
    plan = agency.plan()
    assert (plan["changes"], plan["findings"]) == ([], [])
    assert len(plan["adoptions"]) == 3 * len(world)
    agency.apply()
    assert {bot.client for bot in agency.snapshot().bots} == {one["client"] for one in report.document["written"]}
    plan = agency.plan()
    assert (plan["changes"], plan["findings"], plan["adoptions"]) == ([], [], [])
    assert len(agency.templates()) == templates


def anew(by_hand: ByHand) -> None:
    """Forget the world before."""
    agency = by_hand.agency
    agency.sandbox.reset()
    for path in agency.folder.glob("store.db*"):
        path.unlink()
    shutil.rmtree(agency.folder / "clients.d")
    (agency.folder / "clients.d").mkdir()


def one_of_each(by_hand: ByHand) -> None:
    """A bot with a record and overrides, one with a live assistant, two that share a record, and one with an agent."""
    anew(by_hand)
    by_hand.restaurant()
    live_id = by_hand.object()
    by_hand.assistant("assistant_2", name="Compartido")
    agent_id = by_hand.agent()
    for index, assistant_id in enumerate((live_id, "assistant_2", "assistant_2", agent_id), start=2):
        by_hand.bot(assistant_id, f"bot_{index}", f"+5699650000{index}", name=f"Bot {index}")
        by_hand.sender(f"+5699650000{index}")
    assert by_hand.agency.reconcile("import").code == 0


@pytest.mark.long
@pytest.mark.parametrize("event", ["commit", "send"])
def test_an_adoption_that_was_killed_anywhere_is_continued(by_hand: ByHand, event: Literal["commit", "send"]) -> None:
    agency = by_hand.agency
    for number in count(1, 4):
        one_of_each(by_hand)
        killed = agency.killed_at(event, number, "--yes")
        agency.apply()
        bots, assistants = agency.snapshot().bots, agency.snapshot().assistants
        assert {bot.client for bot in bots} == {"restaurante-la-cocina", "bot-2", "bot-3", "bot-4", "bot-5"}
        # Once the first of two has a copy of its own, the other may have the original.
        assert {record.client for record in assistants} - {None} == {"restaurante-la-cocina", "bot-3", "bot-4"}
        assert [item["metadata"]["client"] for item in agency.assistants()] == ["bot-2"]
        assert [item["metadata"]["client"] for item in agency.agents()] == ["bot-5"]
        plan = agency.plan()
        assert (plan["changes"], plan["findings"], plan["adoptions"]) == ([], [], [])
        if not killed:
            break
