"""Quality and limit of a number over time, as operators see them, and campaigns that keep to Meta's limit."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.drivers.fleet import Fleet, fleet_on
from tests.runtime.template_shop import shop_with_templates
from tests.runtime_process import Line
from tests.sandbox_process import Json, Sandbox, wait_until

STORES = ["sqlite", pytest.param("postgresql", marks=[pytest.mark.postgres, pytest.mark.long])]


@pytest.fixture(scope="module", params=STORES)
def fleet(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, sandbox_process: Sandbox
) -> Iterator[Fleet]:
    with fleet_on(request.param, tmp_path_factory.mktemp("ratings"), sandbox_process) as fleet:
        yield fleet


@pytest.fixture
def shop(fleet: Fleet, sandbox: Sandbox) -> Line:
    return shop_with_templates(fleet.replicas[0], sandbox)


@pytest.fixture
def rated(fleet: Fleet, shop: Line, sandbox: Sandbox) -> Callable[[str, str], None]:
    """`rated(quality, limit)`: Meta rates the number so, and the next look sees it."""

    def rate(quality: str, limit: str) -> None:
        said = {"quality_rating": quality, "messaging_limit": limit}
        sandbox.change(shop.number, properties=said)
        look_now(fleet)
        wait_until(lambda: [(one["quality"], one["messaging_limit"]) for one in past(shop)][:1] == [(quality, limit)])

    return rate


def look_now(fleet: Fleet) -> None:
    """Makes the look due, once none runs: the end of one sets when the next one is due."""
    due = (
        "UPDATE timers SET due_at = '2026-01-01T00:00:00.000Z'"
        " WHERE kind = 'sender_ratings' AND holder IS NULL RETURNING 1"
    )
    wait_until(lambda: bool(fleet.rows(due)), what="no look to run")


def past(shop: Line) -> list[Json]:
    """What the service has of the number, the newest first."""
    return list(shop.runtime.api("GET", f"/reconcile/ratings/{shop.bot['id']}").json)


def told(fleet: Fleet, shop: Line) -> list[tuple[str, str]]:
    """Quality and level of the log lines about the number, in the order of their times."""
    entries = [entry for replica in fleet.replicas for entry in replica.log() if entry["event"] == "sender_rating"]
    own = sorted((one for one in entries if one["client"] == shop.bot["id"]), key=lambda one: one["timestamp"])
    return [(entry["quality"], entry["level"]) for entry in own]


def test_a_change_is_recorded_once_and_shown_by_the_metrics(
    fleet: Fleet, shop: Line, rated: Callable[[str, str], None]
) -> None:
    rated("HIGH", "10K Customers/24hr")
    rated("LOW", "1K Customers/24hr")
    rated("MEDIUM", "1K Customers/24hr")

    assert [one["quality"] for one in past(shop)] == ["MEDIUM", "LOW", "HIGH"]
    metrics = shop.runtime.api("GET", "/metrics").body.decode()
    assert f'horizonai_sender_quality{{client="{shop.bot["id"]}"}} 2.0' in metrics
    assert f'horizonai_sender_limit{{client="{shop.bot["id"]}"}} 1000.0' in metrics
    ratings = [("HIGH", "info"), ("LOW", "warning"), ("MEDIUM", "info")]
    wait_until(lambda: told(fleet, shop) == ratings, what="the log")


def test_who_may_write_to_few_people_by_meta_s_limit_writes_to_no_more(
    shop: Line, rated: Callable[[str, str], None]
) -> None:
    rated("LOW", "2 Customers/24hr")
    body = {"template": "retomar", "bot_id": shop.bot["id"]}
    sent = [shop.runtime.api("POST", "/messages/", {**body, "to": f"+5695562000{one}"}) for one in (1, 2, 1, 3)]

    assert [answer.status for answer in sent] == [201, 201, 201, 429]
    assert sent[-1].error["code"] == "daily_limit"
    assert "which Meta allows its number at most" in sent[-1].error["message"]


def test_an_account_without_the_senders_api_says_nothing_and_stops_nothing(
    fleet: Fleet, shop: Line, sandbox: Sandbox
) -> None:
    refused = {"kind": "status", "status": 404, "provider": "twilio", "path": "/v2/Channels/Senders"}
    sandbox.faults(refused)
    look_now(fleet)
    due = "SELECT due_at FROM timers WHERE kind = 'sender_ratings'"
    wait_until(lambda: fleet.rows(due)[0][0] > "2026-01-02")
    assert past(shop) == []
