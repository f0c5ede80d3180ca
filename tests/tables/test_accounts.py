"""Whose credentials fetch and delete a user's file: those of the account that the message came to."""

from __future__ import annotations

from dataclasses import replace

import pytest
from pydantic import SecretStr

from runtime.settings import Secrets, Settings
from runtime.store.records import BotRecord
from runtime.twilio.accounts import AccountError, Accounts, FormerAccount

SHARED, OWN, OTHER = (f"AC{digit * 32}" for digit in "123")
BOT = BotRecord("bot-1", "La Cocina", "+56998765000", "asst_1")
WITH_OWN = replace(BOT, account_sid=OWN, auth_token_env="LA_COCINA_TWILIO_TOKEN")


@pytest.fixture
def accounts(monkeypatch: pytest.MonkeyPatch) -> Accounts:
    monkeypatch.setenv("LA_COCINA_TWILIO_TOKEN", "own")
    return Accounts(Settings(twilio_account_sid=SHARED, twilio_auth_token=SecretStr("shared")), Secrets())


@pytest.mark.parametrize(
    ("sid", "bot", "token"),
    [(SHARED, BOT, "shared"), (SHARED, None, "shared"), (OWN, WITH_OWN, "own"), (SHARED, WITH_OWN, "shared")],
    ids=["the shared one", "of a deleted bot", "its own", "from before it had its own"],
)
def test_the_account_that_has_it(accounts: Accounts, sid: str, bot: BotRecord | None, token: str) -> None:
    account = accounts.account_with(sid, bot)
    assert (account.sid, account.auth_token) == (sid, token)


@pytest.mark.parametrize("bot", [BOT, None, WITH_OWN])
def test_an_account_that_nobody_has(accounts: Accounts, bot: BotRecord | None) -> None:
    with pytest.raises(FormerAccount, match=f"in the Twilio account {OTHER}, which the bot has no longer"):
        accounts.account_with(OTHER, bot)


def test_an_account_without_its_token(accounts: Accounts, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LA_COCINA_TWILIO_TOKEN")
    with pytest.raises(AccountError, match="set LA_COCINA_TWILIO_TOKEN"):
        accounts.account_with(OWN, WITH_OWN)
