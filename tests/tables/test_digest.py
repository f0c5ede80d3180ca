"""A plan's digest: the same for the same content, another for any other content."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import pytest

from reconciler.model import AccountKey, Change, FieldChange, Finding, Plan
from reconciler.planning.digest import digest

CHANGE = Change(
    client="la-cocina",
    kind="assistant",
    action="update",
    key="responses",
    live_id="asst_1",
    fields=(FieldChange(("name",), "Cocina ñ", "La Cocina"), FieldChange(("tools", 0, "name"), None, "reservar")),
    after={"name": "La Cocina", "tools": [{"name": "reservar"}]},
    reason="config",
)


def plan(*changes: Change, adoptions: tuple[Change, ...] = (), findings: tuple[Finding, ...] = ()) -> Plan:
    return Plan(changes=changes, findings=findings, orphans=(), unresolved=(), clients=1, adoptions=adoptions)


def test_it_is_the_hash_of_canonical_json_that_any_other_program_can_make():
    change = '["la-cocina","assistant","update","responses","asst_1",'
    fields = '[[["name"],"Cocina ñ","La Cocina"],[["tools",0,"name"],null,"reservar"]],'
    after = '{"name":"La Cocina","tools":[{"name":"reservar"}]}]'

    assert digest(plan(CHANGE)) == hashlib.sha256(f"[{change}{fields}{after}]".encode()).hexdigest()


def test_an_empty_plan_has_a_digest_too():
    assert digest(plan()) == hashlib.sha256(b"[]").hexdigest()


@pytest.mark.parametrize(
    "other",
    [
        replace(CHANGE, client="la-clinica"),
        replace(CHANGE, kind="bot"),
        replace(CHANGE, action="create"),
        replace(CHANGE, key="agents"),
        replace(CHANGE, live_id=None),
        replace(CHANGE, fields=CHANGE.fields[:1]),
        replace(CHANGE, fields=(FieldChange(("name",), "Cocinas", "La Cocina"), CHANGE.fields[1])),
        replace(CHANGE, fields=(FieldChange(("name",), "Cocina ñ", "La cocina"), CHANGE.fields[1])),
        replace(CHANGE, fields=(FieldChange(("nombre",), "Cocina ñ", "La Cocina"), CHANGE.fields[1])),
        replace(CHANGE, after={"name": "La Cocina"}),
        replace(CHANGE, after={**CHANGE.after, "name": "La Cociña"}),
    ],
)
def test_other_content_has_another_digest(other):
    assert digest(plan(other)) != digest(plan(CHANGE))


@pytest.mark.parametrize(
    "same",
    [
        replace(CHANGE, reason="drift"),
        replace(CHANGE, source="clients.d/otro-nombre.yaml"),
        replace(CHANGE, before={"metadata": {}}),
        replace(CHANGE, account=AccountKey("AC1", "TOKEN")),
        replace(CHANGE, fields=tuple(reversed(CHANGE.fields))),
        replace(CHANGE, after=dict(reversed(list(CHANGE.after.items())))),
    ],
)
def test_why_and_where_from_is_not_in_it(same):
    assert digest(plan(same)) == digest(plan(CHANGE))


def test_the_order_of_changes_and_what_is_adopted_count():
    other = replace(CHANGE, client="la-clinica")

    assert digest(plan(CHANGE, other)) != digest(plan(other, CHANGE))
    assert digest(plan(other, adoptions=(CHANGE,))) == digest(plan(CHANGE, other))
    assert digest(plan(CHANGE, findings=(Finding("warning", "a name"),))) == digest(plan(CHANGE))


def test_half_a_surrogate_pair_is_no_error():
    assert len(digest(plan(replace(CHANGE, after={"name": "\ud83d"})))) == 64


def test_fields_whose_places_cannot_be_compared_have_an_order_too():
    fields = (FieldChange(("tools", "0"), 1, 2), FieldChange(("tools", 0), None, "x"), FieldChange(("tools", 0), 3, {}))

    assert digest(plan(replace(CHANGE, fields=fields))) == digest(plan(replace(CHANGE, fields=fields[::-1])))
