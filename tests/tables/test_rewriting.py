"""All texts of a store get another key, a few rows at a time, and a text that cannot be read is named."""

from __future__ import annotations

import base64
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import Connection

from runtime.store import files
from runtime.store.database.engine import open_engine
from runtime.store.database.statement import Statement
from runtime.store.encryption import keyring, rewriting
from runtime.store.encryption.keyring import Keyring
from runtime.store_keys import parse_keys
from tests.runtime.stores import make_file

OLD, NEW = (base64.b64encode(letter * 32).decode() for letter in (b"o", b"n"))
ROW = Statement(
    "INSERT INTO campaign_rows (campaign_id, line, recipient, variables, state)"
    " VALUES (:campaign, :line, :recipient, :variables, 'waiting')"
)
NOTE = Statement("INSERT INTO conversation_notes (conversation_id, at, author, body) VALUES (1, '', 'carla', :body)")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[str]:
    """The URL of a store whose texts have the old key."""
    before = keyring.current
    url = f"sqlite:///{tmp_path}/store.db"
    make_file(tmp_path / "store.db")
    engine = open_engine(url)
    keyring.use(parse_keys(OLD))
    with engine.begin() as connection:
        _fill(connection)
    engine.dispose()
    yield url
    keyring.current = before


def _fill(connection: Connection) -> None:
    for campaign in ("lista-a", "lista-b"):
        for line in range(10):
            ROW.run(connection, campaign=campaign, line=line, recipient=f"r{line}", variables='{"nombre": "Ana"}')
    NOTE.run(connection, body="ok")
    NOTE.run(connection, body="")
    files.add_piece(connection, "upload", 0, b"\xffa picture")


def begin(setting: str) -> Keyring:
    keyring.use(parse_keys(setting))
    assert keyring.current is not None
    return keyring.current


def read(url: str, sql: str) -> list[tuple[object, ...]]:
    """What is in the file."""
    with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as connection, connection:
        return connection.execute(sql).fetchall()


@pytest.mark.parametrize("at_once", [3, 2000])
def test_every_row_gets_the_new_key(store: str, at_once: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rewriting, "FOUND_AT_ONCE", at_once)
    monkeypatch.setattr(rewriting, "ROWS_OF_A_COMMIT", 2)

    assert rewriting.rewrite(store, begin(f"{NEW},{OLD}"), lambda _table, _rows: None) == 22

    begin(NEW)
    engine = open_engine(store)
    with engine.begin() as connection:
        assert rewriting.count_by_key(connection) == {keyring.keys_in(keyring.connection_name())[0]: 22}
        assert set(Statement("SELECT variables FROM campaign_rows").rows(connection)) == {('{"nombre": "Ana"}',)}
        assert Statement("SELECT body FROM conversation_notes ORDER BY id").rows(connection) == [("ok",), ("",)]
        assert Statement("SELECT content FROM file_pieces").rows(connection) == [(b"\xffa picture",)]
    engine.dispose()


def test_decrypting_leaves_what_was_there_before_any_key(store: str) -> None:
    assert rewriting.rewrite(store, begin(f"plain,{OLD}"), lambda _table, _rows: None) == 22

    assert read(store, "SELECT DISTINCT variables FROM campaign_rows") == [('{"nombre": "Ana"}',)]
    assert read(store, "SELECT content FROM file_pieces") == [(b"\xffa picture",)]


def test_a_text_that_cannot_be_read_is_named_and_the_rest_stays_rewritten(store: str) -> None:
    read(
        store,
        "UPDATE campaign_rows SET variables = substr(variables, 1, 40) WHERE campaign_id = 'lista-b' AND line = 7",
    )

    with pytest.raises(rewriting.DamagedRow, match="in the table campaign_rows, campaign_id lista-b and line 7"):
        rewriting.rewrite(store, begin(f"{NEW},{OLD}"), lambda _table, _rows: None)
