"""What could not be read of an account's templates."""

from __future__ import annotations

from collections.abc import Iterator

from reconciler.kinds.context import ClientContext
from reconciler.kinds.protocol import Unread
from reconciler.observation.live_state import Failed


def unread(context: ClientContext) -> Iterator[Unread]:
    """The templates of the account of a client that declares some, or for which some were made."""
    if "template" not in context.client.resources and context.applied("template") is None:
        return
    read = context.live_state.templates.get(context.account)
    if isinstance(read, Failed):
        yield Unread(f"{context.account.describe()}: templates", read)
