"""What an account cannot show of buttons and lists."""

from __future__ import annotations

from collections.abc import Iterator

from reconciler.kinds.content.live import refused_in
from reconciler.kinds.context import ClientContext
from reconciler.model import Finding


def check(context: ClientContext) -> Iterator[Finding]:
    """A notice for a client that offers choices in an account that does not take all of them. Raises `Withheld`."""
    if "content" not in context.client.resources:
        return
    refused = refused_in(context)
    buttons = [shape for shape in refused if shape.startswith("buttons-")]
    if buttons:
        said = "buttons are shown as a list, and one alone in words"
        yield Finding("notice", _sentence(context, buttons, said), context.id, "content")
    if lists := [shape for shape in refused if shape not in buttons]:
        yield Finding("notice", _sentence(context, lists, "their choices are written in words"), context.id, "content")


def _sentence(context: ClientContext, shapes: list[str], effect: str) -> str:
    return (
        f"{context.account.describe()} does not take {', '.join(shapes)}: {effect}. They are tried again once no "
        "client of the account has `replies.buttons`"
    )
