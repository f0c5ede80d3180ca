"""Receipts are a chain: one that was changed, left out or put in between shows."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from runtime.store.messages import receipts
from tests.runtime.stores import migrated_store


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    folder: Path = tmp_path_factory.mktemp("receipts")
    with migrated_store("sqlite", folder) as engine:
        with engine.begin() as connection:
            for number in range(1, 5):
                facts = {"done": [{"where": "store", "what": "messages", "count": number}], "remains": []}
                receipts.issue(connection, action="erased", by="ana", client=None, people=["a" * 64], facts=facts)
        yield engine


@pytest.mark.parametrize(
    ("statement", "broken"),
    [
        ("SELECT 1", None),
        ("UPDATE receipts SET document = replace(document, '\"count\":2', '\"count\":3') WHERE number = 2", 2),
        ("UPDATE receipts SET hash = '0' WHERE number = 3", 3),
        ("DELETE FROM receipts WHERE number = 2", 3),
        ("DELETE FROM receipts WHERE number = 1", 2),
        ("INSERT INTO receipts SELECT 5, at, client, people, document, hash FROM receipts WHERE number = 4", 5),
    ],
    ids=["as issued", "changed", "another hash", "left out", "the first left out", "put behind"],
)
def test_the_first_receipt_that_is_not_as_it_was_issued_is_named(
    store: Engine, statement: str, broken: int | None
) -> None:
    with store.connect() as connection:
        connection.exec_driver_sql(statement)
        assert receipts.first_break(connection) == broken
        connection.rollback()
