"""The installation's tariffs: from tariffs.yaml through the plan into the store, near and far, and what was changed
there since."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import NullPool, create_engine

from runtime.store.client.snapshot import read_snapshot
from runtime.store.client.writer import open_writer
from runtime.store.errors import StoreError
from runtime.store.records import AppliedRecord
from runtime.store.tariffs import stored_tariffs
from schemas.default_tariffs import DEFAULT, META_CARD
from schemas.tariffs import Tariffs
from tests.reconciler.agency import API_TOKEN, Agency
from tests.runtime.stores import drop_database, make_database
from tests.runtime_process import Runtime, start_runtime
from tests.sandbox_process import Sandbox

TARIFFS = """\
meta:
  - {country: CL, category: service, since: "2026-10-01", usd: 0.018, source: contrato, confidence: exact}
agency: {name: HorizonAI, margin_percent: 25}
"""
CHILE = "meta.CL.service.2026-10-01.usd"


@pytest.fixture(scope="module")
def distant(tmp_path_factory: pytest.TempPathFactory, sandbox_process: Sandbox) -> Iterator[Runtime]:
    """A runtime that no other test uses."""
    running = start_runtime(tmp_path_factory.mktemp("distant"), sandbox_process, API_TOKEN=API_TOKEN)
    yield running
    running.stop()


@pytest.fixture(params=["near", "far"])
def priced(request: pytest.FixtureRequest, agency: Agency, distant: Runtime) -> Agency:
    """An installation with one client and tariffs, whose store is a file, or behind the API and empty."""
    if request.param == "far":
        with closing(sqlite3.connect(distant.folder / "runtime.db", isolation_level=None)) as connection:
            for table in ("bots", "assistants", "applied", "runs", "leases"):
                connection.execute(f"DELETE FROM {table}")
        agency.environment["BOT_STORE_URL"] = distant.url
    agency.sandbox.settings(update_seconds=0)
    agency.declare("la-cocina")
    declare(agency, TARIFFS)
    return agency


def declare(agency: Agency, text: str) -> None:
    (agency.folder / "tariffs.yaml").write_text(text, encoding="utf-8")


def stored(agency: Agency) -> Tariffs:
    """As the runtime reads them."""
    file = Path(agency.folder / "store.db")
    [record] = [item for item in agency.snapshot().applied if item.kind == "tariffs"]
    if not file.exists():
        return Tariffs.model_validate(record.values["tariffs"])
    engine = create_engine(f"sqlite:///{file}", poolclass=NullPool)
    with engine.connect() as connection:
        return stored_tariffs(connection)


def change_live(agency: Agency, dollars: float) -> None:
    """Edit the record by hand."""
    [record] = [item for item in agency.snapshot().applied if item.kind == "tariffs"]
    values = json.loads(json.dumps(record.values))
    for row in values["tariffs"]["meta"]:
        if (row["country"], row["category"], row["since"]) == ("CL", "service", "2026-10-01"):
            row["usd"] = dollars
    with closing(open_writer(agency.store_url, API_TOKEN)) as writer:
        writer.record_applied(AppliedRecord(record.client, record.kind, record.live_id, values))


def tariff_changes(plan: dict[str, object]) -> list[tuple[str, str, dict[str, object]]]:
    changes = plan["changes"]
    assert isinstance(changes, list)
    return [(item["action"], item["reason"], item["fields"]) for item in changes if item["kind"] == "tariffs"]


def test_tariffs_are_planned_applied_and_then_in_sync(priced: Agency) -> None:
    plan = priced.plan()
    [(action, reason, fields)] = tariff_changes(plan)
    assert (action, reason) == ("create", "config")
    assert fields == {
        CHILE: {"old": 0.02, "new": 0.018},
        CHILE.replace("usd", "source"): {"old": META_CARD, "new": "contrato"},
        CHILE.replace("usd", "confidence"): {"old": "list_price", "new": "exact"},
        "agency.name": {"old": None, "new": "HorizonAI"},
        "agency.margin_percent": {"old": 0, "new": 25},
    }
    priced.apply()
    assert priced.changes() == []
    applied = stored(priced)
    assert applied.agency.margin_percent == 25
    assert {
        (row.country, row.usd) for row in applied.meta if (row.category, row.since) == ("service", "2026-10-01")
    } >= {
        ("CL", 0.018),
        ("AR", 0.026),
    }


def test_a_price_that_changes_in_the_file_is_one_field_of_the_plan_and_another_digest(priced: Agency) -> None:
    priced.apply()
    empty = priced.plan()["digest"]
    declare(priced, TARIFFS.replace("0.018", "0.019"))
    plan = priced.plan()
    assert tariff_changes(plan) == [("update", "config", {CHILE: {"old": 0.018, "new": 0.019}})]
    declare(priced, TARIFFS.replace("0.018", "0.017"))
    assert len({empty, plan["digest"], priced.plan()["digest"]}) == 3
    assert "in 0 of 1 client." in priced.reconcile("--dry-run").out


def test_a_price_that_was_changed_in_the_store_is_drift_and_is_undone(priced: Agency) -> None:
    priced.apply()
    change_live(priced, 0.5)
    drift = priced.reconcile("drift")
    assert drift.code == 2
    assert f"{CHILE}: 0.5 → 0.018" in drift.out
    assert tariff_changes(priced.plan()) == [("update", "drift", {CHILE: {"old": 0.5, "new": 0.018}})]
    declare(priced, TARIFFS.replace("0.018", "0.019"))
    assert tariff_changes(priced.plan()) == [("update", "both", {CHILE: {"old": 0.5, "new": 0.019}})]
    priced.apply()
    assert priced.changes() == []


def test_without_the_file_the_record_stays(priced: Agency) -> None:
    priced.apply()
    (priced.folder / "tariffs.yaml").unlink()
    plan = priced.plan()
    assert tariff_changes(plan) == []
    assert any("they stay as they are" in finding["message"] for finding in plan["findings"])
    assert stored(priced).agency.margin_percent == 25


def test_one_client_alone_is_planned_without_the_tariffs(agency: Agency) -> None:
    agency.declare("la-cocina")
    declare(agency, TARIFFS)
    assert tariff_changes(agency.plan("--client", "la-cocina")) == []


def test_the_digest_is_the_same_from_wherever_the_file_is_read(agency: Agency) -> None:
    agency.declare("la-cocina")
    declare(agency, TARIFFS)
    (agency.folder / "otra").mkdir()
    (agency.folder / "otra" / "tariffs.yaml").write_text(TARIFFS, encoding="utf-8")
    assert agency.plan()["digest"] == agency.plan(TARIFFS_FILE="otra/tariffs.yaml")["digest"]


def test_another_file_is_named_by_the_setting(agency: Agency) -> None:
    agency.declare("la-cocina")
    (agency.folder / "precios.yaml").write_text(TARIFFS, encoding="utf-8")
    assert len(tariff_changes(agency.plan(TARIFFS_FILE="precios.yaml"))) == 1
    missing = agency.reconcile("validate", TARIFFS_FILE="nada.yaml")
    assert (missing.code, missing.out.splitlines()[0]) == (
        1,
        "nada.yaml: no such file. TARIFFS_FILE names it; correct the setting, or remove it.",
    )


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/store.db"
        return
    made = make_database()
    yield made
    drop_database(made)


def test_the_runtime_reads_what_was_applied_and_the_packaged_tariffs_before(url: str) -> None:
    own = Tariffs.model_validate({"agency": {"name": "HorizonAI"}})
    with closing(open_writer(url)) as writer:
        engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://"), poolclass=NullPool)
        with engine.connect() as connection:
            assert stored_tariffs(connection) == DEFAULT
        values = {"tariffs": own.model_dump(mode="json", exclude_none=True), "sha256": ""}
        writer.record_applied(AppliedRecord("installation", "tariffs", "installation", values))
        with engine.connect() as connection:
            assert stored_tariffs(connection) == own
        writer.record_applied(AppliedRecord("installation", "tariffs", "installation", {"tariffs": {"meta": 3}}))
        with engine.connect() as connection, pytest.raises(StoreError, match="cannot be read by this program"):
            stored_tariffs(connection)
    assert [item.kind for item in read_snapshot(url).applied] == ["tariffs"]
