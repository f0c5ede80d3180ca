"""Drift as Prometheus metrics, read back with Prometheus' own parser."""

from __future__ import annotations

import time
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from tests.documents.receiver import Receiver
from tests.documents.test_alarm import drifting
from tests.reconciler.agency import Agency


def samples(text: str) -> dict[tuple[str, ...], float]:
    """Value by name and labels' values."""
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_a_changed_resource_is_counted_by_client_and_kind(agency: Agency) -> None:
    drifting(agency)
    result = agency.reconcile("drift", "--format", "prometheus")
    found = samples(result.out)
    assert result.code == 2
    assert found["horizonai_drift_changes", "la-cocina", "sender"] == 1
    assert found["horizonai_drift_clients",] == 1
    assert found["horizonai_drift_errors",] == 0
    assert abs(found["horizonai_drift_last_run_timestamp_seconds",] - time.time()) < 120


def test_in_sync_there_is_a_textfile_without_changes(agency: Agency) -> None:
    agency.declare("la-cocina")
    agency.apply()
    path = agency.folder / "drift.prom"
    result = agency.reconcile("drift", "--format", "prometheus", "--out", str(path))
    assert (result.code, result.out) == (0, "")
    assert not [key for key in samples(path.read_text()) if key[0] == "horizonai_drift_changes"]
    assert path.stat().st_mode & 0o044 == 0o044
    assert [file for file in path.parent.iterdir() if file.name.startswith("drift.prom")] == [path]


def test_a_side_that_cannot_be_read_is_counted(agency: Agency) -> None:
    drifting(agency)
    result = agency.reconcile("drift", "--format", "prometheus", TWILIO_AUTH_TOKEN="wrong-token")
    assert result.code == 1
    assert samples(result.out)["horizonai_drift_unresolved_clients",] == 1
    assert samples(result.out)["horizonai_drift_errors",] == 1


def test_a_textfile_that_cannot_be_written_is_one_sentence(agency: Agency, tmp_path: Path) -> None:
    agency.declare("la-cocina")
    result = agency.reconcile("drift", "--format", "prometheus", "--out", str(tmp_path / "nowhere" / "drift.prom"))
    assert result.code == 1
    assert result.err.endswith("drift.prom cannot be written: No such file or directory.\n")


def test_the_same_is_pushed_to_a_pushgateway(agency: Agency, receiver: Receiver) -> None:
    drifting(agency)
    assert agency.reconcile("drift", "--pushgateway", f"http://{receiver.address}").code == 2
    [(method, path, body)] = receiver.arrived
    assert (method, path) == ("PUT", "/metrics/job/horizonai_drift")
    assert samples(body.decode())["horizonai_drift_changes", "la-cocina", "sender"] == 1


def test_a_pushgateway_that_is_down_is_an_error_and_the_finding_is_shown(agency: Agency) -> None:
    drifting(agency)
    result = agency.reconcile("drift", "--pushgateway", "http://127.0.0.1:9")
    assert result.code == 1
    assert "The Pushgateway http://127.0.0.1:9 did not accept the metrics" in result.err
    assert "la-cocina" in result.out
