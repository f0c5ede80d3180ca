"""The dashboard and the alerts ask for what /metrics has, and for all of it."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
import yaml

from reconciler.drift.metrics import metrics
from reconciler.model import Plan
from tests.observability.scrape import exported_names
from tests.runtime_process import Runtime
from tests.sandbox_process import ROOT

DASHBOARD: dict[str, Any] = json.loads((ROOT / "deploy/grafana/dashboard.json").read_text())
ALERTS: list[dict[str, Any]] = [
    rule
    for group in yaml.safe_load((ROOT / "deploy/prometheus/alerts.yml").read_text())["groups"]
    for rule in group["rules"]
]
METRIC = re.compile(r"\b(?:horizonai|process)_\w+")
EXPRESSIONS = [target["expr"] for panel in DASHBOARD["panels"] for target in panel.get("targets", ())]


def asked_for(expressions: list[str]) -> set[str]:
    """Names of metrics in expressions."""
    return {name for expression in expressions for name in METRIC.findall(expression)}


def test_the_dashboard_asks_for_exported_metrics_only(runtime: Runtime) -> None:
    assert asked_for(EXPRESSIONS) <= exported_names(runtime)


def test_the_dashboard_shows_every_metric_of_ours(runtime: Runtime) -> None:
    shown = {re.sub(r"_(bucket|count|sum)$", "", name) for name in asked_for(EXPRESSIONS)}
    ours = {
        re.sub(r"_(bucket|count|sum)$", "", name) for name in exported_names(runtime) if name.startswith("horizonai_")
    }

    assert ours <= shown


def test_every_panel_takes_its_data_source_from_the_variable() -> None:
    sources = {panel["datasource"]["uid"] for panel in DASHBOARD["panels"] if panel["type"] != "row"}

    assert sources == {"${datasource}"}
    assert [variable["name"] for variable in DASHBOARD["templating"]["list"]] == ["datasource", "client"]


COUNTED = {
    *("Waiting messages", "Dead letters", "Sends in doubt", "Turns in flight, by client", "Not delivered"),
    *("Sent again", "Circuit breakers", "Replicas", "Free messages left", "Conversations with people"),
    *("Quality of numbers", "People a day, by Meta", "Open requests of people", "Days until a model ends"),
}
"""Panels of whole things: no tick stands at half a message."""


def test_each_series_has_a_name_and_its_last_and_highest_value_in_the_legend() -> None:
    panels = [panel for panel in DASHBOARD["panels"] if panel["type"] == "timeseries"]
    assert all(target["legendFormat"] for panel in panels for target in panel["targets"])
    assert {tuple(panel["options"]["legend"]["calcs"]) for panel in panels} == {("lastNotNull", "max")}


def test_ticks_are_of_what_is_counted() -> None:
    defaults = {p["title"]: p["fieldConfig"]["defaults"] for p in DASHBOARD["panels"] if p["type"] != "row"}
    assert {title for title, values in defaults.items() if values.get("decimals") == 0} == COUNTED
    assert {title for title, values in defaults.items() if values["unit"] == "reqps"} == {"Callers turned away"}
    [states] = defaults["Circuit breakers"]["mappings"]
    assert [state["text"] for state in states["options"].values()] == ["closed", "half open", "open"]


def test_panels_have_ids_of_their_own_and_do_not_overlap() -> None:
    places = [
        (x, y)
        for panel in DASHBOARD["panels"]
        for place in [panel["gridPos"]]
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]

    assert len(places) == len(set(places))
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])


def test_the_documentation_names_every_row_and_panel_in_order() -> None:
    text = (ROOT / "docs" / "operations.md").read_text()
    table = re.findall(
        r"^\| (.+) \| (.+) \|$", text[text.index("## Dashboard") : text.index("## Metrics")], re.MULTILINE
    )
    rows: dict[str, list[str]] = {}
    for panel in DASHBOARD["panels"]:
        if panel["type"] == "row":
            rows[panel["title"]] = []
        else:
            rows[list(rows)[-1]].append(panel["title"])

    assert table[1:] == [(row, ", ".join(panels)) for row, panels in rows.items()]


def test_the_alerts_ask_for_exported_metrics_only(runtime: Runtime) -> None:
    nightly = {family.name for family in metrics(Plan((), (), (), (), 0)).collect()}

    assert asked_for([rule["expr"] for rule in ALERTS]) <= exported_names(runtime) | nightly


@pytest.mark.parametrize("rule", ALERTS, ids=lambda rule: str(rule["alert"]))
def test_an_alert_says_how_urgent_it_is_what_is_wrong_and_what_to_do(rule: dict[str, Any]) -> None:
    assert rule["labels"]["severity"] in {"page", "ticket"}
    assert rule["annotations"]["summary"]
    assert len(rule["annotations"]["description"]) > 30
