"""Drift as Prometheus metrics: a textfile for node_exporter, or a push to a Pushgateway."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence

from prometheus_client import CollectorRegistry, Gauge, generate_latest, push_to_gateway, write_to_textfile

from reconciler.drift.model_ends import ClientModelEnd
from reconciler.errors import ReconcileError
from reconciler.model import Plan
from runtime.store.errors import masked

JOB = "horizonai_drift"
TIMEOUT_SECONDS = 10.0


def metrics(plan: Plan, now: float | None = None, ends: Sequence[ClientModelEnd] = ()) -> CollectorRegistry:
    """The metrics of a plan of drift. A resource in sync has no series, so an empty sum means in sync. `ends`: the
    models that clients name, as far as they end."""
    registry = CollectorRegistry()
    changes = Gauge(
        "horizonai_drift_changes",
        "Resources that were changed live, outside of git.",
        ["client", "kind"],
        registry=registry,
    )
    for (client, kind), count in sorted(Counter((change.client, change.kind) for change in plan.changes).items()):
        changes.labels(client, kind).set(count)
    templates = Gauge(
        "horizonai_templates",
        "Message templates, each with Meta's status, and with the category that Meta charges and the declared one.",
        ["client", "template", "status", "category", "declared"],
        registry=registry,
    )
    for state in plan.templates:
        templates.labels(state.client, state.name, state.status, state.category or "", state.declared).set(1)
    left = Gauge(
        "horizonai_drift_model_days_left",
        "Days until the provider shuts a client's model down, 0 once it has; no series without a known date.",
        ["client", "model"],
        registry=registry,
    )
    for one in ends:
        left.labels(one.client, one.end.model).set(max(one.end.days, 0))
    for name, help_text, value in (
        ("horizonai_drift_clients", "Clients that were checked.", plan.clients),
        ("horizonai_drift_unresolved_clients", "Clients of which a source could not be read.", len(plan.unresolved)),
        (
            "horizonai_drift_withheld_clients",
            "Clients that wait for something outside of git, such as a number that is not registered.",
            len(plan.withheld),
        ),
        (
            "horizonai_drift_errors",
            "Errors of the run; its findings about their clients are incomplete.",
            len(plan.errors),
        ),
        ("horizonai_drift_orphans", "Live objects with our marker that no manifest declares.", len(plan.orphans)),
        (
            "horizonai_drift_last_run_timestamp_seconds",
            "When every source was last read, in seconds since the epoch.",
            time.time() if now is None else now,
        ),
    ):
        Gauge(name, help_text, registry=registry).set(value)
    return registry


def text(registry: CollectorRegistry) -> str:
    """The exposition format."""
    return generate_latest(registry).decode()


def write_textfile(registry: CollectorRegistry, path: str) -> None:
    """Replace the file in one step, so that node_exporter never reads half of it."""
    try:
        write_to_textfile(path, registry)
    except OSError as error:
        raise ReconcileError(f"{path} cannot be written: {error.strerror}.") from error


def push(registry: CollectorRegistry, url: str) -> None:
    """Replace this job's metrics at the Pushgateway."""
    try:
        push_to_gateway(url, JOB, registry, timeout=TIMEOUT_SECONDS)
    except (OSError, ValueError) as error:
        raise ReconcileError(
            f"The Pushgateway {masked(url)} did not accept the metrics: {error}. Its address looks like http://host:9091."
        ) from error
