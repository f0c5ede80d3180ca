"""Which changes of a manifest delete what is older, and what the plan says of it."""

from __future__ import annotations

from typing import Any

import pytest

from reconciler.model import FieldChange
from reconciler.planning.shortened import Shortened, finding_of, shortened
from runtime.store.activity_records import OlderRecord
from tests.documents.plans import a_change, a_plan

BLOCK = ("policy", "data", "retention")


def found(*fields: FieldChange, action: Any = "update") -> list[Shortened]:
    return shortened(a_plan(a_change("la-cocina", *fields, kind="bot", action=action)))


@pytest.mark.parametrize(
    ("old", "new", "is_shorter"),
    [(None, "180d", True), ("12mo", "180d", True), ("180d", "12mo", False), ("180d", None, False), ("7d", 0, True)],
)
def test_one_that_is_shorter_than_it_was_deletes(old: Any, new: Any, is_shorter: bool) -> None:
    assert bool(found(FieldChange((*BLOCK, "messages"), old, new))) is is_shorter


def test_a_whole_block_is_looked_into() -> None:
    new = {"sensitive": ["health"], "retention": {"messages": "180d", "usage": "24mo"}}
    [one] = found(FieldChange(("policy", "data"), None, new))
    assert (one.key, one.old, one.new) == ("messages", None, "180d")
    [again] = found(FieldChange(BLOCK, {"media": "30d"}, {"media": "7d"}))
    assert (again.key, again.old, again.new) == ("media", "30d", "7d")


def test_a_new_client_has_nothing_to_delete() -> None:
    assert found(FieldChange((*BLOCK, "messages"), None, "180d"), action="create") == []


def test_the_plan_says_how_much_goes() -> None:
    one = Shortened("la-cocina", "messages", None, "180d")
    finding = finding_of(one, OlderRecord(1204, 310), "2026-06-02T10:00:00.000Z")
    assert finding is not None
    assert (finding.severity, finding.client) == ("warning", "la-cocina")
    assert finding.message == (
        "data.retention.messages: 180d (for ever until now): messages from before 2026-06-02 are deleted once this is"
        " applied, 1,204 of 310 people today"
    )
    assert finding_of(one, OlderRecord(0, 0), "2026-06-02T10:00:00.000Z") is None


def test_no_message_is_deleted_that_is_younger_than_two_days() -> None:
    assert Shortened("c", "messages", None, "1h").seconds == 2 * 86_400
    assert Shortened("c", "media", None, "1h").seconds == 3600
