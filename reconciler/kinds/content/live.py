"""The contents of a client's Twilio account, by shape."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Final

from reconciler.kinds.context import ClientContext
from reconciler.kinds.withheld import Withheld
from reconciler.model import FieldChange, Orphan, Unmanaged
from reconciler.observation.live_state import Failed, LiveState, Store
from schemas.content_shapes import SHAPES, name_of

REFUSED: Final = "refused"
"""Of the applied values: names of the contents that Twilio did not take."""


def sids_of(context: ClientContext) -> Mapping[str, str]:
    """Shape → `HX…` of those that exist. Raises `Withheld` when they could not be read."""
    contents = context.live_state.contents.get(context.account, {})
    if isinstance(contents, Failed):
        raise Withheld(contents.message)
    return {shape: contents[name_of(shape)] for shape in SHAPES if name_of(shape) in contents}


def refused_in(context: ClientContext) -> Sequence[str]:
    """The shapes that Twilio did not take when a client of this account was applied, and that do not exist. They are
    not tried again: Twilio documents nothing about variables in buttons. Raises `Withheld`."""
    live = sids_of(context)
    names = {
        name
        for (_, kind), record in context.store.applied.items()
        if kind == "content" and record.live_id == str(context.account.sid)
        for name in record.values.get(REFUSED, ())
    }
    return [shape for shape in SHAPES if name_of(shape) in names and shape not in live]


def undeclared(
    live_state: LiveState, store: Store, clients: Collection[str], numbers: Collection[str]
) -> Iterable[Orphan | Unmanaged]:
    """None: they belong to an account, and stay there."""
    return ()


def summarised(fields: Sequence[FieldChange], above: tuple[str, ...]) -> list[FieldChange]:
    """The fields of a change with one in place of those below `above`, a line each for 21 shapes. The whole values stay
    in the change itself, and so in the digest."""
    below = [field for field in fields if field.steps[: len(above)] == above]
    if not below:
        return list(fields)
    first = fields.index(below[0])
    others = [field for field in fields if field not in below]
    old, new = (_summary([getattr(field, side) for field in below]) for side in ("old", "new"))
    return [*others[:first], FieldChange(above, old, f"{new}, others" if old == new else new), *others[first:]]


def _summary(sids: Sequence[str | None]) -> str | None:
    count = sum(sid is not None for sid in sids)
    return f"{count} shape{'' if count == 1 else 's'} of buttons and lists" if count else None
