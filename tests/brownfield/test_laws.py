"""For every world that was made by hand: import, and the plan is empty; apply, and it still is."""

from __future__ import annotations

import shutil

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.brownfield.by_hand import ByHand
from tests.brownfield.worlds import Made, bots, make

WEATHER = (
    {"kind": "status", "status": 503, "method": "GET", "rate": 0.2, "seed": 7, "times": 2},
    {"kind": "retry_after", "retry_after": 0, "rate": 0.2, "seed": 8, "times": 2},
    {"kind": "sparse_list", "provider": "twilio"},
    {"kind": "timeout_after_write", "method": "POST", "path": "/v1/assistants", "seconds": 0.1, "times": 1},
)


@settings(
    max_examples=10,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    # An example takes seconds, so a failing one is shown as it was found.
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
)
@given(world=st.lists(bots(), min_size=1, max_size=3), weather=st.booleans())
def test_the_plan_after_an_import_is_empty_and_stays_so_after_the_apply(
    by_hand: ByHand, world: list[Made], weather: bool
) -> None:
    agency = by_hand.agency
    anew(by_hand)
    make(by_hand, world)
    agency.sandbox.faults(*WEATHER if weather else ())
    report = agency.reconcile("import", "--format", "json")
    assert (report.code, report.document["left_out"]) == (0, []), report.said
    plan = agency.plan()
    assert (plan["changes"], plan["findings"]) == ([], [])
    assert len(plan["adoptions"]) == 3 * len(world)
    agency.apply()
    assert {bot.client for bot in agency.snapshot().bots} == {one["client"] for one in report.document["written"]}
    plan = agency.plan()
    assert (plan["changes"], plan["findings"], plan["adoptions"]) == ([], [], [])


def anew(by_hand: ByHand) -> None:
    """Forget the world before."""
    agency = by_hand.agency
    agency.sandbox.reset()
    for path in agency.folder.glob("store.db*"):
        path.unlink()
    shutil.rmtree(agency.folder / "clients.d")
    (agency.folder / "clients.d").mkdir()
