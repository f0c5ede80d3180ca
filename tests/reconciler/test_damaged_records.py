"""One damaged row of the bot store: that client is left unchanged and named, and everything else continues."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing

import pytest

from tests.reconciler.agency import API_TOKEN, Agency
from tests.runtime_process import Runtime, start_runtime
from tests.sandbox_process import Sandbox

DAMAGE = [
    ("bots", "functions", "{", "`functions` is not JSON"),
    ("bots", "functions", '{"reservar": 5}', "`functions` is not JSON objects by name"),
    ("bots", "policy", "[]", "`policy` is not a JSON object"),
    ("bots", "state", "ausente", "`state` is none of active, paused"),
    ("assistants", "tools", "{}", "`tools` is not a list of JSON objects"),
    ("applied", "values", '{},{"a": 1}', "`values` is not JSON"),
    ("applied", "values", "null", "`values` is not a JSON object"),
]


@pytest.fixture(scope="module")
def distant(tmp_path_factory: pytest.TempPathFactory, sandbox_process: Sandbox) -> Iterator[Runtime]:
    """A runtime over a store that a test damages."""
    running = start_runtime(tmp_path_factory.mktemp("distant"), sandbox_process, API_TOKEN=API_TOKEN)
    yield running
    running.stop()


def damage(agency: Agency, table: str, column: str, value: str, client: str = "cliente-a") -> None:
    """Damage one row of a client."""
    where = "client = ?" + (" AND kind = 'sender'" if table == "applied" else "")
    agency.break_in(f'UPDATE {table} SET "{column}" = ? WHERE {where}', value, client)


def test_whose_row_is_damaged_is_unresolved_until_it_is_deleted_and_the_others_are_applied(agency: Agency) -> None:
    damaged = {f"cliente-{number}": row for number, row in enumerate(DAMAGE)}
    for client in (*damaged, "otro"):
        agency.declare(client)
    agency.apply()
    for client, (table, column, value, _) in damaged.items():
        damage(agency, table, column, value, client)
    agency.declare("otro", name="Otro nombre")
    result = agency.reconcile("--yes")
    assert result.code == 4, result.said
    for client, (table, _, _, said) in damaged.items():
        assert f"error: {client}: the bot store's row of the table `{table}` with " in result.out
        assert f"is damaged: {said}. Restore that row from a backup, or delete it and apply" in result.out
        assert f"unresolved: {client}: left unchanged" in result.out
    assert {bot.client: bot.name for bot in agency.snapshot().bots}["otro"] == "Otro nombre"
    assert agency.reconcile("--dry-run", "--client", "otro").code == 0
    assert (agency.reconcile("status").code, agency.reconcile("drift").code) == (1, 1)
    for client, (table, *_) in damaged.items():
        agency.break_in(f"DELETE FROM {table} WHERE client = ?", client)
    agency.apply()
    assert agency.changes() == []


@pytest.mark.parametrize(
    ("kind", "values"), [("sender", '{"webhook": "https://a.cl"}'), ("sender", '{"webhook": {"callback_url": 5}}')]
)
def test_applied_values_without_the_shape_of_their_kind(agency: Agency, kind: str, values: str) -> None:
    agency.declare("cliente-a")
    agency.apply()
    damage(agency, "applied", "values", values)
    document = agency.plan()
    assert document["unresolved"] == ["cliente-a"]
    assert "`values.webhook" in document["findings"][0]["message"]


def test_a_damaged_row_of_nobody_declared_is_a_warning_and_no_failure(agency: Agency) -> None:
    agency.declare("cliente-a")
    agency.declare("cliente-b")
    agency.apply()
    damage(agency, "bots", "metadata", "x")
    agency.withdraw("cliente-a")
    result = agency.reconcile("--dry-run")
    assert result.code == 0
    assert "warning: the bot store's row of the table `bots` with id = 'cliente-a' is damaged" in result.out


def test_a_number_whose_bot_cannot_be_read_is_given_to_nobody(agency: Agency) -> None:
    agency.declare("cliente-a")
    agency.apply()
    damage(agency, "bots", "metadata", "x")
    agency.withdraw("cliente-a")
    agency.declare("cliente-b", number=agency.number("cliente-a"))
    assert agency.plan()["unresolved"] == ["cliente-b"]


def test_a_damaged_note_of_whose_objects_the_records_are_is_written_again(agency: Agency) -> None:
    agency.declare("cliente-a")
    agency.apply()
    agency.break_in("UPDATE applied SET \"values\" = '{\"twilio_account\": 5}' WHERE kind = 'origin'")
    result = agency.reconcile("--yes")
    assert (result.code, "`values.twilio_account` is not a text" in result.out) == (0, True), result.said
    assert "warning" not in agency.reconcile("--dry-run").out


def test_attempts_that_are_not_known_are_not_added_to(agency: Agency) -> None:
    agency.declare("cliente-a", registered=False)
    number = agency.number("cliente-a")
    assert agency.reconcile("verify", "cliente-a").code == 2
    for values in ("{", "{}", '{"attempts": ["ayer"]}'):
        agency.break_in('UPDATE applied SET "values" = ? WHERE kind = ?', values, "verification")
        result = agency.reconcile("verify", "cliente-a")
        assert (result.code, result.out) == (1, "")
        assert f"The attempts at {number} that count are not known, so nothing was sent" in result.err
    assert agency.reconcile("--dry-run").code == 0


def test_doctor_names_the_damaged_row(agency: Agency) -> None:
    agency.declare("cliente-a")
    agency.declare("cliente-b")
    agency.apply()
    damage(agency, "assistants", "settings", "x")
    result = agency.reconcile("doctor", "cliente-a")
    assert result.code == 1
    assert "assistant: the bot store's row of the table `assistants` with id = 'cliente-a' is damaged" in result.out
    damage(agency, "bots", "metadata", "x")
    assert "bot: the bot store's row of the table `bots`" in agency.reconcile("doctor", "cliente-a").out
    assert "damaged" not in agency.reconcile("doctor", "cliente-b").out


def test_adopting_stops_at_a_damaged_row(agency: Agency) -> None:
    agency.declare("cliente-a")
    agency.apply()
    damage(agency, "bots", "metadata", "x")
    result = agency.reconcile("adopt", "cliente-a", "--yes")
    assert result.code == 1
    assert "is damaged: `metadata` is not JSON" in result.err


def test_the_same_from_far(agency: Agency, distant: Runtime) -> None:
    agency.environment["BOT_STORE_URL"] = distant.url
    for client in ("cliente-a", "cliente-b"):
        agency.declare(client)
    agency.apply()
    with closing(sqlite3.connect(distant.folder / "runtime.db", isolation_level=None)) as connection:
        for table, column in (("bots", "metadata"), ("assistants", "tools"), ("applied", "values")):
            where = "client = 'cliente-a'" + (" AND kind = 'sender'" if table == "applied" else "")
            connection.execute(f"UPDATE {table} SET \"{column}\" = '{{' WHERE {where}")
    document = agency.plan()
    assert document["unresolved"] == ["cliente-a"]
    assert [finding["message"].split("`")[1] for finding in document["findings"]] == ["bots", "assistants", "applied"]
    listed = distant.api("GET", "/bots/", token=API_TOKEN).json
    assert [bot.get("damaged", bot.get("id")) for bot in listed] == ["`metadata` is not JSON", "cliente-b"]
    assert distant.api("GET", "/bots/cliente-a", token=API_TOKEN).error["code"] == "record_damaged"
