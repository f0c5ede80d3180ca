"""`--report`: what a command found is recorded in the bot store, near and far, without secrets, and no older than what
is there."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing

import pytest

from reconciler.trying.results import CaseResult, CaseRun
from runtime.store import reconcile_reports
from runtime.store.database.engine import open_engine
from runtime.store.database.migrate import migrate
from runtime.store.reconcile_reports import KEPT_APPLIES, ReportOfClient, ReportOfFleet
from schemas.reconcile_reports import FoundOfClient, RecordedReport, ReportKind, SeenChange, SeenField
from tests.reconciler.agency import API_TOKEN, Agency
from tests.runtime_process import Runtime, start_runtime
from tests.sandbox_process import Sandbox


@pytest.fixture(scope="module")
def distant(tmp_path_factory: pytest.TempPathFactory, sandbox_process: Sandbox) -> Iterator[Runtime]:
    running = start_runtime(tmp_path_factory.mktemp("reports"), sandbox_process, API_TOKEN=API_TOKEN)
    yield running
    running.stop()


def of_client(file: object, client: str) -> dict[ReportKind, ReportOfClient]:
    engine = open_engine(f"sqlite:///{file}")
    with engine.connect() as connection:
        found = reconcile_reports.of_client(connection, client)
    engine.dispose()
    return found


def of_fleet(file: object) -> list[ReportOfFleet]:
    engine = open_engine(f"sqlite:///{file}")
    with engine.connect() as connection:
        found = list(reconcile_reports.of_fleet(connection))
    engine.dispose()
    return found


def document(file: object, kind: str, run: str = "") -> str:
    with closing(sqlite3.connect(str(file))) as store:
        query = "SELECT document FROM reconcile_reports WHERE client = '' AND kind = ? AND run = ?"
        return str(store.execute(query, (kind, run)).fetchone()[0])


def test_what_commands_found_is_recorded_of_each_client(agency: Agency) -> None:
    agency.declare("la-cocina")
    agency.declare("el-bar")
    agency.apply("--report")
    agency.declare("la-cocina", assistant={"model": "gpt-6-luna", "instructions": "Otro texto."})
    assert agency.reconcile("--dry-run", "--report").code == 0
    assert agency.reconcile("doctor", "el-bar", "--report").code == 1  # no runtime serves here
    assert agency.reconcile("status", "--checklist", "el-bar", "--report").code == 0
    kitchen, bar = of_client(agency.store_file, "la-cocina"), of_client(agency.store_file, "el-bar")

    plan, applied = kitchen["plan"].found, kitchen["apply"].found
    assert plan is not None
    assert applied is not None
    assert (plan.state, [change.kind for change in plan.changes]) == ("differs", ["assistant"])
    assert plan.changes[0].fields[0].declared == "Otro texto."
    assert (applied.state, {change.status for change in applied.changes}) == ("in_sync", {"applied"})
    assert bar["plan"].found == FoundOfClient(state="in_sync")
    assert bar["doctor"].found is not None
    assert bar["doctor"].found.state == "broken"
    assert bar["checklist"].found is not None
    assert any("Webhook" in box.text for box in bar["checklist"].found.boxes)

    [run] = agency.runs()
    whole = of_fleet(agency.store_file)
    assert {one.recording.kind: one.counts["update"] for one in whole} == {"plan": 1, "apply": 2}
    assert "Otro texto." in document(agency.store_file, "plan")
    assert "la-cocina" in document(agency.store_file, "apply", run["id"])


def test_without_the_option_nothing_is_recorded(agency: Agency) -> None:
    agency.declare("la-cocina")
    agency.apply()
    agency.reconcile("--dry-run")
    assert of_client(agency.store_file, "la-cocina") == {}


def test_a_dry_run_makes_no_store(agency: Agency) -> None:
    agency.declare("la-cocina")
    said = agency.reconcile("--dry-run", "--report")
    assert (said.code, agency.store_file.exists()) == (0, False)
    assert "no bot store yet, so the result is not recorded" in said.err


def test_from_far_it_takes_a_token_that_writes(agency: Agency, distant: Runtime) -> None:
    agency.environment["BOT_STORE_URL"] = distant.url
    agency.declare("la-cocina")
    agency.apply("--report")
    assert agency.reconcile("drift", "--report").code == 0
    found = of_client(distant.folder / "runtime.db", "la-cocina")
    assert (set(found), found["drift"].found) == ({"apply", "drift"}, FoundOfClient(state="in_sync"))
    reading = distant.command("token", "create", "lectura", "--scope", "read").out.strip()
    said = agency.reconcile("--dry-run", "--report", API_TOKEN=reading)
    assert said.code == 0
    assert "warning: The result is not recorded for the console" in said.err
    assert "plan" not in of_client(distant.folder / "runtime.db", "la-cocina")


def test_a_credential_that_an_error_repeats_is_not_recorded() -> None:
    from reconciler.commands.recording import _without_secrets

    secret = 'sk-"very<secret'
    change = SeenChange(kind="bot", action="update", key="x", reason="drift", error=f"401 for {secret}")
    report = RecordedReport(
        kind="apply",
        at="2026-12-01T12:00:00.000Z",
        actor="ana@ci",
        document="<p>sk-&quot;very&lt;secret</p>",
        clients={"a": FoundOfClient(state="differs", changes=[change])},
    )
    clean = _without_secrets(report, {secret: "OPENAI_API_KEY"})
    assert (clean.document, clean.clients["a"].changes[0].error) == (
        "<p>[OPENAI_API_KEY]</p>",
        "401 for [OPENAI_API_KEY]",
    )


def test_a_large_fleet_is_sent_in_parts_of_which_the_first_has_the_document() -> None:
    from reconciler.commands.recording import PART_BYTES, _parts

    field = SeenField(path="instructions", live="x" * 300, declared="y" * 300)
    change = SeenChange(kind="assistant", action="update", key="x", reason="config", fields=[field] * 40)
    clients = {f"cliente-{number}": FoundOfClient(state="differs", changes=[change]) for number in range(30)}
    whole = report_at(0, run="a" * 32).model_copy(update={"clients": {}})

    parts = list(_parts(whole, clients))

    assert {name: found for part in parts for name, found in part.clients.items()} == clients
    assert [part.document for part in parts] == ["<p>Plan</p>", *[None] * (len(parts) - 1)]
    assert [part.is_whole_run for part in parts] == [True, *[False] * (len(parts) - 1)]
    assert len(parts) > 1
    assert all(len(part.model_dump_json()) < 2 * PART_BYTES for part in parts)


def test_of_cases_those_that_fail_come_first_and_the_worst_counts() -> None:
    from reconciler.commands.recording import _tried

    def case(name: str, *unjudged: str) -> CaseResult:
        return CaseResult("la-cocina", name, "la-cocina.yaml", [CaseRun(1, [], unjudged, 0.1)])

    found = _tried([case("saluda"), case("reserva", "no recorded answer", "again"), case("despide")])

    assert (found.state, [one.name for one in found.cases]) == ("unjudged", ["reserva", "saluda", "despide"])
    assert found.cases[0].reasons == ["no recorded answer"]
    assert _tried([case("saluda")]).state == "green"


def report_at(minute: int, state: str = "in_sync", *, run: str | None = None) -> RecordedReport:
    return RecordedReport(
        kind="apply" if run else "drift",
        at=f"2099-12-01T12:{minute:02}:00.000Z",
        actor="ana@ci",
        run=run,
        is_whole_run=run is not None,
        document="<p>Plan</p>" if run else None,
        clients={"la-cocina": FoundOfClient(state=state)},
    )


def test_a_result_that_comes_late_replaces_no_newer_one_and_only_the_newest_applies_are_kept() -> None:
    engine = open_engine("sqlite:///:memory:")
    migrate(engine)
    with engine.connect() as connection:
        reconcile_reports.record(connection, report_at(5, "differs"))
        reconcile_reports.record(connection, report_at(1))
        for number in range(KEPT_APPLIES + 3):
            reconcile_reports.record(connection, report_at(number, run=f"{number:032x}"))
        found = reconcile_reports.of_client(connection, "la-cocina")
        assert found["drift"].found == FoundOfClient(state="differs")
        runs = [one.recording.run for one in reconcile_reports.of_fleet(connection)]
        assert runs == [f"{number:032x}" for number in reversed(range(3, KEPT_APPLIES + 3))]
        reconcile_reports.rename_client(connection, "la-cocina", "cocina")
        assert set(reconcile_reports.of_client(connection, "cocina")) == {"drift", "apply"}
    engine.dispose()


def test_a_report_of_a_newer_program_is_read_as_far_as_it_is_known() -> None:
    from schemas.reconcile_reports import read_report

    assert read_report('{"state": "in_sync", "weather": "sun"}') == FoundOfClient(state="in_sync")
    assert read_report('{"state": 5}') is None
