"""How contents are written."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Protocol

from reconciler.kinds.content.live import REFUSED
from reconciler.model import AccountKey, Change, KindName, Values
from runtime.store.records import AppliedRecord
from schemas.content_shapes import name_of


class ContentsPort(Protocol):
    """The methods needed of the writer of one Twilio account."""

    def put_contents(self, shapes: Collection[str]) -> Mapping[str, str]:
        """Makes the shapes that the account lacks; returns `HX…` of each that Twilio takes."""


class ContentPorts(Protocol):
    """An object with these writers."""

    def senders(self, account: AccountKey | None) -> ContentsPort:
        """The one for a Twilio account."""


def put(change: Change, made: Mapping[KindName, AppliedRecord], ports: ContentPorts) -> tuple[str, Values]:
    """Create what is missing. Returns the account's SID, the contents by shape, and what Twilio does not take."""
    shapes = change.after["contents"]
    sids = ports.senders(change.account).put_contents(tuple(shapes))
    refused = sorted([*change.after.get(REFUSED, ()), *(name_of(shape) for shape in shapes if shape not in sids)])
    values = {"contents": dict(sids), **({REFUSED: refused} if refused else {})}
    return str(change.account.sid if change.account else None), values


def remove(change: Change, ports: ContentPorts) -> None:
    """Never planned: contents stay in their account."""
