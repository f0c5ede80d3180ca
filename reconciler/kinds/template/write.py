"""How templates are written."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from reconciler.kinds.template.desired import template_of
from reconciler.model import UNKNOWN_ID, AccountKey, Change, KindName, Values
from runtime.store.records import AppliedRecord
from schemas.templates import content_of_template


class TemplatesPort(Protocol):
    """The methods needed of the writer of one Twilio account."""

    def put_template(self, name: str, sid: str | None, content: Mapping[str, Any], category: str) -> str:
        """Makes a template unless it exists, and submits it unless it was; returns `HX…`."""

    def delete_template(self, sid: str) -> None:
        """Deletes one, at Meta too."""


class TemplatePorts(Protocol):
    """An object with these writers."""

    def senders(self, account: AccountKey | None) -> TemplatesPort:
        """The one for a Twilio account."""


def put(change: Change, made: Mapping[KindName, AppliedRecord], ports: TemplatePorts) -> tuple[str, Values]:
    """Create and submit what is missing. Returns the account's SID, and the templates with their own."""
    writer = ports.senders(change.account)
    after: dict[str, Any] = {}
    for name, value in change.after["templates"].items():
        template = template_of(value)
        known = None if value["sid"] == UNKNOWN_ID else value["sid"]
        sid = writer.put_template(value["content"], known, content_of_template(template), template.category)
        after[name] = {**value, "sid": sid}
    return str(change.account.sid if change.account else None), {**change.after, "templates": after}


def remove(change: Change, ports: TemplatePorts) -> None:
    """Delete what nothing declares any more."""
    for field in change.fields:
        ports.senders(change.account).delete_template(field.old)
