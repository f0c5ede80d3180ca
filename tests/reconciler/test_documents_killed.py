"""kill -9 at any call that an apply of documents makes: the next run converges, and nothing is left over."""

from __future__ import annotations

from itertools import count

import pytest

from tests.reconciler.agency import Agency
from tests.reconciler.kills import Work, converges, in_one_go, killed_at_call, killed_at_commit

AFTER_LEASE_AND_RUN = 4
"""The first commit that differs from one work to another."""


def declare(agency: Agency, **documents: str) -> None:
    """A client that searches in these documents, by their names and texts."""
    for name, text in documents.items():
        agency.document(f"{name}.md", text)
    files = [f"{name}.md" for name in documents]
    agency.declare("la-cocina", assistant={"tools": [{"type": "file_search", "files": files}]})


def nobody(agency: Agency) -> None:
    """No client yet."""


def first(agency: Agency) -> None:
    declare(agency, carta="Empanadas a 3500 pesos.", vinos="Carmenere.")


def changed(agency: Agency) -> None:
    declare(agency, carta="Empanadas a 3900 pesos.", postres="Leche asada.")


def without(agency: Agency) -> None:
    agency.declare("la-cocina")


def absent(agency: Agency) -> None:
    agency.declare("la-cocina", state="absent")


WORKS = {
    "new documents": Work(nobody, first),
    "other documents": Work(first, changed),
    "no documents any more": Work(first, without),
    "a client that goes": Work(first, absent),
}


EACH_WORK = [
    pytest.param(work, id=name, marks=() if name == "new documents" else pytest.mark.long)
    for name, work in WORKS.items()
]


@pytest.mark.long
@pytest.mark.parametrize("kind", ["timeout_before_write", "timeout_after_write"])
@pytest.mark.parametrize("work", EACH_WORK)
def test_killed_at_any_write_to_openai(agency: Agency, work: Work, kind: str) -> None:
    expected, calls = in_one_go(agency, work)
    writes = [call["method"] for call in calls if call["provider"] == "openai" and call["method"] != "GET"]
    assert writes
    for method in ("POST", "DELETE"):
        for nth in range(1, 1 + writes.count(method)):
            killed_at_call(agency, work, {"kind": kind, "provider": "openai", "method": method, "nth": nth})
            converges(agency, expected)


@pytest.mark.long
@pytest.mark.parametrize("work", ["new documents", pytest.param("no documents any more", marks=pytest.mark.long)])
def test_killed_at_any_commit_to_the_store(agency: Agency, work: str) -> None:
    expected, _ = in_one_go(agency, WORKS[work])
    for number in count(AFTER_LEASE_AND_RUN):
        if not killed_at_commit(agency, WORKS[work], number):
            break
        converges(agency, expected)
    assert number > AFTER_LEASE_AND_RUN + 2
