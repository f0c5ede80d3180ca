"""What could not be read of the senders."""

from __future__ import annotations

from collections.abc import Iterator

from reconciler.kinds.context import ClientContext
from reconciler.kinds.protocol import Unread
from reconciler.model import AccountKey
from reconciler.observation.accounts import account_of_bot
from reconciler.observation.live_state import AccountSenders, Failed


def unread(context: ClientContext) -> Iterator[Unread]:
    """The senders of the accounts that the client needs, or its own sender. A leaving client needs its own account."""
    is_leaving = context.client.is_leaving
    for account in _accounts(context):
        senders = context.live_state.senders.get(account)
        if isinstance(senders, Failed):
            yield Unread(account.describe(), senders, holds_up=not is_leaving or account == context.account)
    missed = context.live_state.missed.get((context.id, "sender"))
    if missed is not None:
        yield Unread(f"{context.id}: sender", missed)
    own_account = context.live_state.senders.get(context.account)
    if context.client.manifest is not None and isinstance(own_account, AccountSenders):
        live = own_account.by_number.get(context.manifest.client.number)
        if isinstance(live, Failed):
            yield Unread(f"{context.id}: sender", live, holds_up=not is_leaving)


def _accounts(context: ClientContext) -> list[AccountKey]:
    """The client's account, and a former one that its bot is still in and whose credentials still work, since a sender
    is to be detached there."""
    former = account_of_bot(context.bot, context.settings)
    read = context.live_state.senders.get(former)
    if context.bot is None or former == context.account or read is None:
        return [context.account]
    return [context.account] if isinstance(read, Failed) and read.refused else [context.account, former]
