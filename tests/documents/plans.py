"""Plans as data, for tests of what is made of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from hypothesis import strategies as st

from reconciler.model import KIND_ORDER, Change, FieldChange, Finding, Orphan, Plan, Unmanaged
from runtime.store.history_records import EditRecord

HOSTILE = (
    "<script>document.title='x'</script>",
    "</pre></details><img src=x onerror=\"document.title='x'\">",
    "```\n@everyone #1 | [x](http://example.org) `y` <!-- ",
    "-- firma\n++ posdata\n@@ -1 +1 @@",
    "\x1b]0;x\x07 \u202etxet",
    "&lt;script&gt; ' \" & ]]> ${{ secrets.X }}",
    "~~~\n    ````diff\n</summary>",
)
"""Texts that break out of something when they are not escaped."""


def a_change(client: str = "la-cocina", *fields: FieldChange, **keys: Any) -> Change:
    """A change of one client; `keys` replace what is usual."""
    usual: dict[str, Any] = {
        "client": client,
        "kind": "assistant",
        "action": "update",
        "key": "responses",
        "live_id": client,
        "fields": fields,
        "after": {},
        "reason": "config",
    }
    return Change(**(usual | keys))


def a_plan(*changes: Change, findings: Sequence[Finding] = (), **keys: Any) -> Plan:
    """A plan of these changes, one client looked at each."""
    usual: dict[str, Any] = {"orphans": (), "unresolved": (), "clients": len({change.client for change in changes})}
    return Plan(changes=changes, findings=findings, **(usual | keys))


def prompt(old: str | None, new: str | None) -> FieldChange:
    """A change of an assistant's instructions."""
    return FieldChange(("instructions",), old, new)


texts = st.one_of(st.sampled_from(HOSTILE), st.text(max_size=60))
long_texts = st.one_of(texts, st.lists(texts, max_size=30).map("\n".join))
values = st.one_of(st.none(), long_texts, st.integers(), st.lists(texts, max_size=3), st.dictionaries(texts, texts))
fields = st.builds(FieldChange, st.tuples(texts), values, values)
findings = st.builds(Finding, st.sampled_from(["error", "withheld", "warning", "notice"]), texts, st.none() | texts)
orphans = st.builds(Orphan, texts, st.sampled_from(KIND_ORDER), texts, texts)
unmanaged = st.builds(Unmanaged, st.sampled_from(KIND_ORDER), texts, texts)
edits = st.builds(
    EditRecord,
    kind=st.sampled_from(["bot", "assistant"]),
    object_id=texts,
    action=st.sampled_from(["change", "delete"]),
    actor=texts,
    at=texts,
    fields=st.lists(texts, max_size=3),
)
changes = st.builds(
    Change,
    client=texts,
    kind=st.sampled_from(KIND_ORDER),
    action=st.sampled_from(["create", "update", "delete", "detach"]),
    key=texts,
    live_id=st.none() | texts,
    fields=st.lists(fields, max_size=4),
    after=st.just({}),
    reason=st.sampled_from(["config", "drift", "both"]),
    edit=st.none() | edits,
)


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    """Plans with hostile content anywhere, of up to thousands of changes."""
    adopted = [replace(change, action="adopt") for change in draw(st.lists(changes, max_size=3))]
    few = draw(st.lists(changes, max_size=6))
    many = few * draw(st.sampled_from([1, 1, 1, 20, 200]))
    return Plan(
        changes=sorted(many, key=lambda change: change.client),
        findings=draw(st.lists(findings, max_size=5)) * draw(st.sampled_from([1, 1, 300])),
        orphans=draw(st.lists(orphans, max_size=3)),
        unresolved=draw(st.lists(texts, max_size=3)),
        clients=draw(st.integers(0, 5000)),
        unmanaged=draw(st.lists(unmanaged, max_size=3)),
        adoptions=adopted,
    )
