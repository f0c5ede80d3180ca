"""The Twilio account of a client's number."""

from __future__ import annotations

import functools

from reconciler.manifest import Manifest
from reconciler.model import AccountKey
from reconciler.settings import Settings
from runtime.store.records import BotRecord

SHARED_TOKEN_ENV = "TWILIO_AUTH_TOKEN"  # noqa: S105 - the name of the variable, not its value


def account_of(manifest: Manifest, settings: Settings) -> AccountKey:
    """The Twilio account of a client's number: its own, else the shared one."""
    own = manifest.client.sender.account
    return AccountKey(own.sid, own.auth_token.env) if own else shared_account(settings)


def account_of_bot(bot: BotRecord | None, settings: Settings) -> AccountKey:
    """The same for a client without a manifest, from its bot."""
    if bot is None or bot.account_sid is None:
        return shared_account(settings)
    return AccountKey(bot.account_sid, bot.auth_token_env or SHARED_TOKEN_ENV)


def former_account(manifest: Manifest, bot: BotRecord | None, settings: Settings) -> AccountKey | None:
    """The account that a client's bot is still in, when another one is declared now."""
    live = account_of_bot(bot, settings)
    return live if bot is not None and live != account_of(manifest, settings) else None


def shared_account(settings: Settings) -> AccountKey:
    """The account of every client that has none of its own."""
    return _shared(settings.twilio_account_sid)


@functools.cache
def _shared(sid: str | None) -> AccountKey:
    # One object, which compares equal by identity: a plan needs it nine times for each client.
    return AccountKey(sid, SHARED_TOKEN_ENV)
