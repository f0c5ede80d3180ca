"""Which Twilio account a number belongs to, and with which secrets its webhooks are signed and its messages sent."""

from __future__ import annotations

from dataclasses import dataclass, field

from runtime.errors import OperatorError
from runtime.settings import Secrets, Settings
from runtime.store.records import BotRecord


class AccountError(OperatorError):
    """An account's credentials are not configured; the text names them."""


class FormerAccount(AccountError):
    """An account that a bot had, and whose credentials are not known any more."""


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
        sid, token = settings.twilio_account_sid, settings.twilio_auth_token
        self._shared = Account(sid, token.get_secret_value()) if sid is not None and token is not None else None

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
        if self._shared is None:
            raise AccountError("Twilio is not configured; set TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN.")
        return self._shared

    def account_with(self, sid: str, bot: BotRecord | None) -> Account:
        """The account with this SID, which alone has the files of its messages: the bot's own, or the shared one that
        it had before. Raises AccountError, FormerAccount for one that neither is."""
        if self._shared is not None and self._shared.sid == sid:
            return self._shared
        account = self.account_of(bot)
        if account.sid != sid:
            raise FormerAccount(f"The file is in the Twilio account {sid}, which the bot has no longer.")
        return account

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
