"""What an apply ends with, from how far it came."""

from __future__ import annotations

import pytest

from reconciler.applying.session import Applied
from reconciler.errors import Exit
from reconciler.model import Change, Finding, Outcome, Plan

CHANGE = Change("la-cocina", "bot", "update", "+56998765000", "bot_1", (), {}, "config")
DONE, FAILED, SKIPPED = (Outcome(CHANGE, "applied"), Outcome(CHANGE, "failed"), Outcome(CHANGE, "skipped"))


def plan(findings: tuple[Finding, ...] = (), unresolved: tuple[str, ...] = ()) -> Plan:
    """A plan of one change that found this."""
    return Plan((CHANGE,), findings, (), unresolved, clients=1)


ERROR, WARNING = plan((Finding("error", "…"),)), plan((Finding("warning", "…"),))


@pytest.mark.parametrize(
    ("applied", "code"),
    [
        (Applied(plan()), Exit.OK),
        (Applied(plan(), [DONE]), Exit.OK),
        (Applied(WARNING, [DONE]), Exit.OK),
        (Applied(plan(), [DONE], was_stopped=True), Exit.OK),
        (Applied(plan(), [DONE, FAILED]), Exit.PARTIAL),
        (Applied(plan(), [DONE, SKIPPED], was_stopped=True), Exit.PARTIAL),
        (Applied(ERROR, [DONE]), Exit.PARTIAL),
        (Applied(plan(unresolved=("la-cocina",)), [DONE]), Exit.PARTIAL),
        (Applied(plan(), [FAILED]), Exit.ERROR),
        (Applied(plan(), [FAILED, SKIPPED]), Exit.ERROR),
        (Applied(plan(), [SKIPPED], was_stopped=True), Exit.PARTIAL),
        (Applied(ERROR), Exit.ERROR),
        (Applied(plan(unresolved=("la-cocina",))), Exit.ERROR),
        (Applied(plan(), [DONE], is_recorded=False), Exit.PARTIAL),
        (Applied(plan(), [FAILED], is_recorded=False), Exit.ERROR),
    ],
)
def test_the_exit_code_tells_how_far_it_came(applied: Applied, code: Exit) -> None:
    assert applied.exit_code is code
