"""Rows of the bot store as records."""

from __future__ import annotations

from runtime.store.codec import columns, read_rows
from runtime.store.records import AppliedRecord

ROW = dict.fromkeys(columns(AppliedRecord), "")


def row(client: str, values: str) -> tuple[str, ...]:
    return tuple((ROW | {"client": client, "values": values}).values())


def test_what_many_rows_say_is_kept_once() -> None:
    rows = [row("uno", '{"a": [1]}'), row("dos", '{"a": [2]}'), row("tres", '{"a": [1]}')]
    (one, two, three), damaged = read_rows(AppliedRecord, rows)
    assert [one.values, two.values, three.values] == [{"a": [1]}, {"a": [2]}, {"a": [1]}]
    assert one.values is three.values
    assert not damaged


def test_a_damaged_row_costs_no_other_its_own() -> None:
    rows = [row("uno", '{"a": 1}'), row("dos", '{"a": 1},{"a": 1}'), row("tres", '{"a": 1}'), row("cuatro", "")]
    read, damaged = read_rows(AppliedRecord, rows)
    assert [(one.client, one.values) for one in read] == [("uno", {"a": 1}), ("tres", {"a": 1})]
    assert [(one.client, one.damaged) for one in damaged] == [
        ("dos", "`values` is not JSON"),
        ("cuatro", "`values` is not JSON"),
    ]
