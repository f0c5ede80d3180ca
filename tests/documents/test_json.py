"""The plan as JSON is what its published schema says."""

from __future__ import annotations

import json

import jsonschema_rs
import pytest
from hypothesis import given, settings

from reconciler.model import Outcome, Plan
from reconciler.render.json import FORMAT_VERSION, plan_json
from schemas.generate import plan_schema
from tests.documents.plans import a_change, a_plan, plans, prompt
from tests.documents.test_alarm import drifting
from tests.reconciler.agency import PLAN_SCHEMA, Agency


@given(plans())
@settings(max_examples=20, deadline=None, derandomize=True)
def test_whatever_a_plan_holds_it_is_valid(plan: Plan) -> None:
    PLAN_SCHEMA.validate(json.loads(plan_json(plan)))


def test_with_outcomes_it_is_valid() -> None:
    good, bad = a_change("a"), a_change("b")
    document = json.loads(
        plan_json(a_plan(good, bad), [Outcome(good, "applied", None, "a"), Outcome(bad, "failed", "no")])
    )
    PLAN_SCHEMA.validate(document)
    assert [outcome["status"] for outcome in document["outcomes"]] == ["applied", "failed"]


@pytest.mark.parametrize("place", [(), ("summary",), ("changes", 0), ("changes", 0, "fields", "instructions")])
def test_a_key_that_the_schema_does_not_know_is_refused(place: tuple[str | int, ...]) -> None:
    document = json.loads(plan_json(a_plan(a_change("a", prompt("x", "y")))))
    inner = document
    for step in place:
        inner = inner[step]
    inner["surprise"] = 1
    with pytest.raises(jsonschema_rs.ValidationError):
        PLAN_SCHEMA.validate(document)


def test_the_schema_names_the_version_that_is_printed() -> None:
    assert plan_schema()["properties"]["format_version"]["const"] == FORMAT_VERSION


def test_what_the_commands_print_is_valid(agency: Agency) -> None:
    agency.declare("la-cocina")
    for args in (("--dry-run",), ("--yes",), ("drift",)):
        PLAN_SCHEMA.validate(agency.reconcile(*args, "--format", "json").document)
    drifting(agency)
    PLAN_SCHEMA.validate(agency.reconcile("drift", "--format", "json").document)
