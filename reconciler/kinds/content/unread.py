"""What could not be read of an account's contents."""

from __future__ import annotations

from collections.abc import Iterator

from reconciler.kinds.content.desired import offers_choices
from reconciler.kinds.context import ClientContext
from reconciler.kinds.protocol import Unread
from reconciler.observation.live_state import Failed


def unread(context: ClientContext) -> Iterator[Unread]:
    """The contents of the account of a client that offers choices."""
    if context.client.is_leaving or context.client.manifest is None or not offers_choices(context.manifest):
        return
    contents = context.live_state.contents.get(context.account)
    if isinstance(contents, Failed):
        yield Unread(f"{context.account.describe()}: contents", contents)
