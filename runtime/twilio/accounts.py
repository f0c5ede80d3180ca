"""Which Twilio account a number belongs to, and with which secrets its webhooks are signed and its messages sent."""

from __future__ import annotations

from dataclasses import dataclass, field

from runtime.errors import OperatorError
from runtime.settings import Secrets, Settings
from runtime.store.records import BotRecord


class AccountError(OperatorError):
    """An account's credentials are not configured; the text names them."""


@dataclass(frozen=True, slots=True)
class Account:
    """A Twilio account's credentials."""

    sid: str
    auth_token: str = field(repr=False)


class Accounts:
    """The shared account of the settings, and clients' own accounts."""

    def __init__(self, settings: Settings, secrets: Secrets) -> None:
        self._settings = settings
        self._secrets = secrets

    def account_of(self, bot: BotRecord | None) -> Account:
        """The account that sends for a bot (or for no bot); raises AccountError when it is not configured."""
        if bot is not None and bot.account_sid is not None:
            token = self._secrets.get(bot.auth_token_env) if bot.auth_token_env else None
            if token is None:
                raise AccountError(
                    f"The auth token of {bot.label}'s Twilio account {bot.account_sid} is not set; "
                    f"set {bot.auth_token_env or 'auth_token_env of the bot'}."
                )
            return Account(bot.account_sid, token)
        sid, secret = self._settings.twilio_account_sid, self._settings.twilio_auth_token
        if sid is None or secret is None:
            raise AccountError("Twilio is not configured; set TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN.")
        return Account(sid, secret.get_secret_value())

    def webhook_secrets(self, bot: BotRecord | None, account_sid: str, *, shared_key: bool) -> list[str]:
        """Secrets that may have signed a webhook about a bot in the name of an account; none for a foreign account."""
        try:
            account = self.account_of(bot)
        except AccountError:
            return []
        if account.sid != account_sid:
            return []
        if shared_key:
            key = self._settings.twilio_webhook_shared_key
            return [key.get_secret_value()] if key else []
        secondary = self._settings.twilio_auth_token_secondary if bot is None or bot.account_sid is None else None
        return [account.auth_token, *([secondary.get_secret_value()] if secondary else [])]
