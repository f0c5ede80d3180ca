"""Looking at one client asks for nothing that concerns the others only, however many they are."""

from __future__ import annotations

import pytest

from tests.reconciler.agency import Agency
from tests.reconciler.kitchen import STORES

OWN_ACCOUNT = {"sid": "AC" + "7" * 32, "auth_token": {"env": "EL_VIEJO_TWILIO_TOKEN"}}
COMMANDS = ["--dry-run --client cliente-a", "drift --client cliente-a", "status --client cliente-a", "doctor cliente-a"]


@pytest.fixture
def three(kitchen: Agency) -> Agency:
    """Beside the restaurant, which has documents, a client that has none and one with an account of its own."""
    kitchen.declare("cliente-a")
    number = kitchen.number("el-viejo")
    kitchen.sandbox.ask("POST", "accounts", {"sid": OWN_ACCOUNT["sid"], "auth_token": "token-of-el-viejo"})
    kitchen.sandbox.register(number, profile={"name": "El Viejo"}, account_sid=OWN_ACCOUNT["sid"])
    kitchen.declare("el-viejo", registered=False, sender={"account": OWN_ACCOUNT})
    kitchen.environment["EL_VIEJO_TWILIO_TOKEN"] = "token-of-el-viejo"
    kitchen.apply()
    return kitchen


@pytest.mark.parametrize("command", COMMANDS)
def test_other_clients_documents_and_accounts_are_not_read(three: Agency, command: str) -> None:
    seen = len(three.sandbox.ledger())
    three.reconcile(*command.split())
    calls = three.sandbox.ledger(since=seen, kind="call")
    assert [call["path"] for call in calls if call["path"].startswith(STORES)] == []
    assert len([call for call in calls if call["path"] == "/v2/Channels/Senders"]) == 1


def test_only_the_files_of_documents_that_are_in_git_are_listed(three: Agency) -> None:
    three.withdraw("la-cocina")
    seen = len(three.sandbox.calls("openai", "GET", f"{STORES}/"))
    assert "knowledge" in {orphan["kind"] for orphan in three.plan()["orphans"]}
    assert len(three.sandbox.calls("openai", "GET", f"{STORES}/")) == seen
