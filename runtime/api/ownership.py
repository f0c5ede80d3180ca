"""Objects declared in git: who may change them by hand, and the note that is kept of every change."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection

from runtime.api.endpoint import Call
from runtime.api.errors import ApiError
from runtime.store.catalog import record_audit

PAGE_QUERY = {"limit": "How many, 1 to 1000; all without it.", "after": "The last id of the page before."}
OVERRIDE_QUERY = {"override": "`true` changes an object that is declared in git; the next plan shows it as drift."}


def check_owner(call: Call, kind: str, object_id: str, manifest: str | None) -> str | None:
    """The manifest that this call overrides, None when there is none; raises 409 when it may not."""
    override = call.query.get("override", "false")
    if override not in ("true", "false"):
        raise ApiError(400, "invalid_field", f"override must be true or false, not {override!r}.", field="override")
    if manifest is None:
        return None
    if override == "false":
        raise ApiError(
            409,
            "managed",
            f"The {kind} {object_id!r} is declared in {manifest}; change it there, or add ?override=true "
            "to change it here until the next apply.",
            manifest=manifest,
        )
    return manifest


def note_change(
    connection: Connection, call: Call, kind: str, object_id: str, overridden: str | None, fields: Sequence[str]
) -> None:
    """Records who changed what, in the transaction that changes it."""
    action = "delete" if not fields else "change"
    record_audit(
        connection,
        actor=call.caller.name,
        action=action,
        kind=kind,
        object_id=object_id,
        overridden=overridden,
        fields=fields,
    )
