"""The exit codes are a contract: 0 in sync or applied, 1 error, 2 changes or drift pending, 3 refused, 4 in part,
5 stale digest or another run at work.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.reconciler.agency import Agency

STALE = "0" * 64


def nothing(agency: Agency) -> None:
    """Clients are declared, nothing is applied."""


def applied(agency: Agency) -> None:
    agency.apply()


def drifted(agency: Agency) -> None:
    agency.apply()
    agency.sandbox.change(agency.number("cliente-a"), webhook={"callback_url": "https://otro.cl"})


def changed_in_git(agency: Agency) -> None:
    agency.apply()
    agency.declare("cliente-a", name="Otro nombre")


def broken_manifest(agency: Agency) -> None:
    agency.path("cliente-b").write_text("id: cliente-b\nnmae: B\n", encoding="utf-8")


def twilio_refuses_the_token(agency: Agency) -> None:
    agency.environment["TWILIO_AUTH_TOKEN"] = "wrong-token"


def one_sender_is_missing(agency: Agency) -> None:
    agency.sandbox.ask("DELETE", f"senders/{agency.number('cliente-b')}")


def one_sender_is_not_online(agency: Agency) -> None:
    agency.sandbox.change(agency.number("cliente-b"), status="OFFLINE")


def one_waits_since_the_last_apply(agency: Agency) -> None:
    one_sender_is_missing(agency)
    agency.apply()


def a_paused_one_waits(agency: Agency) -> None:
    agency.declare("cliente-b", registered=False, state="paused")
    one_waits_since_the_last_apply(agency)


def no_model_is_available(agency: Agency) -> None:
    agency.declare("cliente-a", assistant={"model": "gpt-nada"})
    agency.declare("cliente-b", assistant={"model": "gpt-nada"})


def twilio_refuses_one_update(agency: Agency) -> None:
    agency.sandbox.faults({"kind": "status", "status": 400, "method": "POST", "path": "/v2/", "times": 1})


def nobody_is_left(agency: Agency) -> None:
    agency.apply()
    for client in ("cliente-a", "cliente-b"):
        agency.declare(client, state="absent")


TABLE: list[tuple[Callable[[Agency], None], str, int]] = [
    (nothing, "--dry-run", 0),
    (nothing, "--dry-run --detailed-exitcode", 2),
    (nothing, "--yes", 0),
    (nothing, "drift", 0),
    (nothing, "validate", 0),
    (nothing, "", 1),
    (nothing, f"--expect {STALE}", 5),
    (nothing, "--expect abc", 5),
    (nothing, "--yes --max-changes 1", 3),
    (nothing, "--dry-run --max-changes 1", 3),
    (nothing, "--dry-run --detailed-exitcode --max-changes 1", 3),
    (applied, "--dry-run", 0),
    (applied, "--dry-run --detailed-exitcode", 0),
    (applied, "--yes", 0),
    (applied, "drift", 0),
    (applied, f"--expect {STALE}", 5),
    (drifted, "drift", 2),
    (drifted, "--dry-run", 0),
    (drifted, "--dry-run --detailed-exitcode", 2),
    (changed_in_git, "drift", 0),
    (changed_in_git, "--dry-run --detailed-exitcode", 2),
    (broken_manifest, "--dry-run", 1),
    (broken_manifest, "--yes", 1),
    (broken_manifest, "validate", 1),
    (broken_manifest, "drift", 1),
    (twilio_refuses_the_token, "--dry-run --detailed-exitcode", 1),
    (twilio_refuses_the_token, "drift", 1),
    (twilio_refuses_the_token, "--yes", 1),
    (one_sender_is_missing, "--dry-run", 0),
    (one_sender_is_missing, "--dry-run --detailed-exitcode", 2),
    (one_sender_is_missing, "--yes", 0),
    (one_sender_is_not_online, "--yes", 0),
    (one_waits_since_the_last_apply, "--dry-run", 0),
    (one_waits_since_the_last_apply, "--dry-run --detailed-exitcode", 2),
    (one_waits_since_the_last_apply, "--yes", 0),
    (one_waits_since_the_last_apply, "drift", 0),
    (one_waits_since_the_last_apply, "status", 0),
    (a_paused_one_waits, "--dry-run --detailed-exitcode", 0),
    (no_model_is_available, "--yes", 1),
    (twilio_refuses_one_update, "--yes", 4),
    (nobody_is_left, "--yes", 3),
    (nobody_is_left, "--dry-run", 3),
    (nobody_is_left, "--yes --allow-empty --max-delete-percent 100", 0),
]


@pytest.mark.parametrize(
    ("situation", "command", "code"),
    TABLE,
    ids=[f"{situation.__name__}: {command or 'no option'}"[:70] for situation, command, _ in TABLE],
)
def test_exit_code(agency: Agency, situation: Callable[[Agency], None], command: str, code: int) -> None:
    agency.declare("cliente-a")
    agency.declare("cliente-b")
    situation(agency)
    result = agency.reconcile(*command.split())
    assert result.code == code, result.said


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("--nada", "No such option"),
        ("apply", "No command 'apply'"),
        ("drif", "Did you mean `drift`?"),
        ("--format yaml", "'yaml' is not one of"),
        ("--max-deletes muchos", "'muchos' is not a valid integer"),
        ("--dry-run drift", "drift"),
        ("--detailed-exitcode --yes", "--detailed-exitcode goes with --dry-run"),
        ("--prune --client cliente-a --yes", "leave --client out"),
        ("--client cliente-x --dry-run", "Did you mean 'cliente-a'?"),
    ],
)
def test_a_wrong_call_is_an_error_and_never_changes_pending(agency: Agency, command: str, said: str) -> None:
    agency.declare("cliente-a")
    result = agency.reconcile(*command.split())
    assert result.code == 1
    assert said in result.err
    assert result.out == ""
    assert agency.writes() == 0


def test_an_interrupted_confirmation_changes_nothing(agency: Agency) -> None:
    agency.declare("cliente-a")
    result = agency.reconcile()
    assert result.code == 1
    assert (
        result.err == "error: There is no terminal to ask on: add --yes to apply, or --dry-run to see the plan only.\n"
    )
    assert agency.writes() == 0


def test_the_expected_digest_is_applied_without_yes(agency: Agency) -> None:
    agency.declare("cliente-a")
    assert agency.reconcile("--expect", agency.plan()["digest"]).code == 0
    assert agency.changes() == []
