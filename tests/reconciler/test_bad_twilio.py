"""Twilio misbehaves, or a sender is not what a manifest expects."""

from __future__ import annotations

import pytest

from tests.reconciler.agency import Agency

OWN_ACCOUNT = {"sid": "AC" + "7" * 32, "auth_token": {"env": "LA_COCINA_TWILIO_TOKEN"}}
CONSOLE = "Twilio's console (Messaging, Senders, WhatsApp senders)"


def test_a_wrong_token_leaves_every_client_of_that_account_alone(agency: Agency) -> None:
    agency.declare("cliente-a")
    result = agency.reconcile("--yes", TWILIO_AUTH_TOKEN="wrong-token")
    assert result.code == 1
    assert f"error: Twilio account {agency.sandbox.account_sid}: " in result.out
    assert "answered 401" in result.out
    assert "Set TWILIO_ACCOUNT_SID and the auth token to a pair that belongs together." in result.out
    assert agency.writes() == 0


@pytest.mark.parametrize("name", ["TWILIO_ACCOUNT_SID", "TWILIO_AUTH_TOKEN"])
def test_a_missing_setting_is_named_before_anyone_is_called(agency: Agency, name: str) -> None:
    agency.declare("cliente-a", registered=False)
    result = agency.reconcile("--dry-run", **{name: None})
    assert result.code == 1
    assert f"{name}" in result.out
    assert "not set." in result.out
    assert agency.sandbox.calls("twilio") == []


def test_no_public_url_is_said_at_once(agency: Agency) -> None:
    agency.declare("cliente-a", registered=False)
    result = agency.reconcile("--dry-run", PUBLIC_URL=None)
    assert result.code == 1
    assert result.out == ""
    assert "PUBLIC_URL is not set. It is the address at which Twilio reaches the runtime" in result.err
    assert agency.sandbox.ledger() == []


@pytest.mark.parametrize("name", ["PUBLIC_URL", "TWILIO_BASE_URL", "OPENAI_BASE_URL"])
def test_an_address_that_is_none_is_said_at_once(agency: Agency, name: str) -> None:
    agency.declare("cliente-a")
    result = agency.reconcile("--dry-run", **{name: "whatsapp.agencia.cl"})
    assert result.code == 1
    assert f"{name} must be a URL" in result.err


def test_a_client_with_an_account_of_its_own_goes_on_when_the_shared_one_fails(agency: Agency) -> None:
    account = {"sid": OWN_ACCOUNT["sid"], "auth_token": "token-of-la-cocina"}
    agency.sandbox.ask("POST", "accounts", account)
    agency.declare("cliente-a")
    number = agency.number("la-cocina")
    agency.sandbox.register(number, profile={"name": "La Cocina"}, account_sid=OWN_ACCOUNT["sid"])
    agency.declare("la-cocina", registered=False, sender={"account": OWN_ACCOUNT})
    result = agency.reconcile("--yes", TWILIO_AUTH_TOKEN="wrong-token", LA_COCINA_TWILIO_TOKEN="token-of-la-cocina")
    assert result.code == 4
    assert "unresolved: cliente-a: left unchanged" in result.out
    [bot] = agency.snapshot().bots
    assert (bot.id, bot.account_sid, bot.auth_token_env) == (
        "la-cocina",
        OWN_ACCOUNT["sid"],
        "LA_COCINA_TWILIO_TOKEN",
    )
    assert "token-of-la-cocina" not in result.said
    assert b"token-of-la-cocina" not in agency.store_file.read_bytes()


def test_a_clients_own_token_that_is_not_set_is_named(agency: Agency) -> None:
    agency.declare("cliente-a")
    agency.declare("la-cocina", registered=False, sender={"account": OWN_ACCOUNT})
    result = agency.reconcile("--yes")
    assert result.code == 4
    assert f"LA_COCINA_TWILIO_TOKEN, the auth token of {OWN_ACCOUNT['sid']}, is not set." in result.out
    assert "unresolved: la-cocina: left unchanged" in result.out
    assert [bot.id for bot in agency.snapshot().bots] == ["cliente-a"]


def test_a_number_without_a_sender_says_where_to_register_it(agency: Agency) -> None:
    agency.declare("cliente-a")
    agency.declare("la-cocina", registered=False)
    result = agency.reconcile("--yes")
    assert result.code == 0
    number, account = agency.number("la-cocina"), agency.sandbox.account_sid
    assert (
        f"withheld: la-cocina: sender: {number} is not registered as a WhatsApp sender in Twilio account {account}; "
        f"register it in {CONSOLE} or with `reconcile verify la-cocina`, then run again." in result.out
    )
    assert agency.sender("cliente-a")["webhook"]["callback_url"]


@pytest.mark.parametrize(
    ("status", "advice"),
    [
        ("CREATING", "wait until Twilio has created it"),
        ("PENDING_VERIFICATION", f"complete its verification in {CONSOLE}"),
        ("VERIFYING", "wait until Meta has verified it"),
        ("TWILIO_REVIEW", "wait for Twilio's review"),
        ("OFFLINE", f"see the sender in {CONSOLE}"),
        ("DRAFT", f"finish its registration in {CONSOLE}"),
        ("STUBBED", "see the sender in Twilio's console"),
    ],
)
def test_a_sender_that_is_not_online_is_left_alone_and_the_advice_fits(
    agency: Agency, status: str, advice: str
) -> None:
    agency.sandbox.settings(create_seconds=3600)
    agency.declare("cliente-a")
    agency.declare("la-cocina")
    number = agency.number("la-cocina")
    agency.sandbox.change(number, status=status)
    result = agency.reconcile("--yes")
    assert result.code == 0
    assert (
        f"withheld: la-cocina: sender: the sender {number} is {status}, not ONLINE; {advice}, then run again."
        in result.out
    )
    assert agency.sender("la-cocina")["webhook"]["callback_url"] is None
    assert agency.sender("cliente-a")["webhook"]["callback_url"]


def test_a_storm_of_429s_is_waited_out_as_long_as_retry_after_says(agency: Agency) -> None:
    agency.declare("cliente-a")
    agency.sandbox.faults(
        {"kind": "retry_after", "retry_after": 1, "provider": "twilio", "method": "GET", "times": 1},
        {"kind": "retry_after", "retry_after": 1, "provider": "twilio", "method": "POST", "times": 1},
    )
    agency.apply()
    assert agency.sandbox.fired() == 2
    assert agency.changes() == []


def test_a_refused_update_names_client_and_sender_and_the_others_are_applied(agency: Agency) -> None:
    for client in ("cliente-a", "cliente-b", "cliente-c"):
        agency.declare(client)
    agency.sandbox.faults({"kind": "status", "status": 400, "method": "POST", "path": "/v2/", "times": 1})
    result = agency.reconcile("--yes")
    assert result.code == 4
    assert "Applied: 8 applied, 1 failed, 0 skipped." in result.out
    [failed] = [line for line in result.out.splitlines() if line.startswith("failed")]
    assert ": sender +56" in failed
    assert "Twilio answered 400" in failed
    agency.sandbox.faults()
    agency.apply()
    assert agency.changes() == []


@pytest.mark.parametrize("fault", ["drop_connection", "timeout_after_write", "cut_body"])
def test_an_update_whose_answer_is_lost_is_repeated(agency: Agency, fault: str) -> None:
    agency.declare("cliente-a")
    agency.sandbox.faults({"kind": fault, "method": "POST", "path": "/v2/", "times": 1, "seconds": 0.0})
    agency.apply()
    assert agency.changes() == []


def test_a_list_that_breaks_off_on_its_second_page_changes_and_deletes_nothing_of_that_side(agency: Agency) -> None:
    agency.declare("cliente-a")
    agency.apply()
    strangers = [{"sender_id": f"whatsapp:+5692000{n}", "profile": {"name": "ajeno"}} for n in range(1000, 2050)]
    agency.sandbox.ask("POST", "senders", {"senders": strangers})
    agency.declare("cliente-a", name="Otro nombre", state="absent")
    writes = agency.writes()
    agency.sandbox.faults({"kind": "status", "status": 400, "provider": "twilio", "path": "/v2/", "after": 1})
    result = agency.reconcile("--yes", "--allow-empty", "--max-delete-percent", "100")
    assert result.code == 1
    assert "unresolved: cliente-a: left unchanged" in result.out
    assert agency.writes() == writes
    assert [bot.name for bot in agency.snapshot().bots] == ["Cliente cliente-a"]
