"""Laws that hold for every fleet. LAW_EXAMPLES=200 tries more of them."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runtime.store.records import INSTALLATION
from tests.reconciler.agency import Agency
from tests.reconciler.fleets import Fleet, clients, declare, fleets, write_documents
from tests.reconciler.kills import FORCED, picture
from tests.sandbox_process import Json

READ_ONLY = (
    ("--dry-run",),
    ("--dry-run", "--format", "json"),
    ("--dry-run", "--format", "markdown"),
    ("--dry-run", "--detailed-exitcode", "--prune"),
    ("drift",),
    ("validate",),
    ("render", "cliente-a"),
)


def law(examples: int) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """The number of examples, the same ones each time; LAW_EXAMPLES sets another number, and new ones."""
    wanted = os.environ.get("LAW_EXAMPLES")
    return settings(
        max_examples=int(wanted or examples),
        derandomize=wanted is None,
        deadline=None,
        database=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )


def begin(agency: Agency) -> None:
    """Nothing is there."""
    agency.renew()
    agency.sandbox.settings(update_seconds=0)
    write_documents(agency)


def ours(agency: Agency) -> Json:
    """Everything live of which we hold the whole; a profile's other fields are not ours. What the installation keeps
    outlives its clients: the accounts that it was applied to, once anything was."""
    shown = picture(agency)
    shown["applied"] = [record for record in shown["applied"] if record[0] != INSTALLATION]
    calls = {number: webhook["callback_url"] or None for number, (webhook, _) in shown.pop("senders").items()}
    return {**shown, "calls": {number: url for number, url in calls.items() if url}}


@law(examples=10)
@given(fleet=fleets)
def test_after_an_apply_the_plan_is_empty_and_nothing_has_drifted(agency: Agency, fleet: Fleet) -> None:
    begin(agency)
    declare(agency, fleet)
    assert agency.reconcile(*FORCED).code == 0
    assert agency.changes() == []
    assert agency.reconcile("drift").out == ""


@pytest.mark.long
@law(examples=10)
@given(before=fleets, now=fleets)
def test_what_an_apply_leaves_does_not_depend_on_what_was_there_before(
    agency: Agency, before: Fleet, now: Fleet
) -> None:
    leaving = {client: {**keys, "state": "absent"} for client, keys in before.items() if client not in now}
    begin(agency)
    declare(agency, now)
    agency.reconcile(*FORCED)
    expected = ours(agency)

    begin(agency)
    declare(agency, before)
    agency.reconcile(*FORCED)
    declare(agency, {**leaving, **now})
    assert agency.reconcile(*FORCED, "--prune").code == 0
    assert ours(agency) == expected


def content(plan: Json) -> Any:
    """What a plan says it would do."""
    return [(change["id"], change["live_id"], change["fields"]) for change in plan["changes"]]


@law(examples=10)
@given(fleet=fleets, order=st.permutations(range(3)))
def test_the_names_and_order_of_files_never_matter(agency: Agency, fleet: Fleet, order: list[int]) -> None:
    begin(agency)
    declare(agency, fleet)
    plan = agency.plan("--allow-empty")
    for place, path in zip(order, agency.manifests(), strict=False):
        path.rename(path.with_name(f"fichero-{place}.yaml"))
    renamed = agency.plan("--allow-empty")
    assert content(renamed) == content(plan)
    assert renamed["digest"] == plan["digest"]


@law(examples=15)
@given(keys=clients, other=clients, equal=st.booleans())
def test_digests_are_equal_exactly_when_the_plans_are(agency: Agency, keys: Json, other: Json, equal: bool) -> None:
    begin(agency)
    agency.declare("cliente-a", **keys)
    first = agency.plan("--allow-empty")
    agency.declare("cliente-a", **(keys if equal else other))
    second = agency.plan("--allow-empty")
    assert (first["digest"] == second["digest"]) is (content(first) == content(second))


def stored(agency: Agency) -> bytes | None:
    """The bot store's file; None where nothing has been applied yet, so that there is none."""
    return agency.store_file.read_bytes() if agency.store_file.exists() else None


@law(examples=4)
@given(before=clients, now=clients)
def test_what_only_looks_writes_nothing(agency: Agency, before: Json, now: Json) -> None:
    begin(agency)
    agency.declare("cliente-a", **before)
    agency.reconcile(*FORCED)
    agency.declare("cliente-a", **now)
    agency.declare("cliente-b")
    writes, store = agency.writes(), stored(agency)
    for command in READ_ONLY:
        agency.reconcile(*command)
    assert agency.writes() == writes
    assert stored(agency) == store
