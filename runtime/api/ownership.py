"""Who changes an object by hand, and whether they override the manifest that declares it."""

from __future__ import annotations

from collections.abc import Set as AbstractSet

from runtime.api.endpoint import Call
from runtime.api.errors import ApiError
from runtime.store.catalog_changes import Author

PAGE_QUERY = {"limit": "Page size, 1 to 1000; all without it.", "after": "The last id of the previous page."}
OVERRIDE_QUERY = {"override": "`true` changes an object that is declared in git; the next plan shows it as drift."}


def author_of(call: Call) -> Author:
    """Who calls, and whether they change what is declared; raises 400 for an `override` that says neither."""
    override = call.query.get("override", "false")
    if override not in ("true", "false"):
        raise ApiError(400, "invalid_field", f"override must be true or false, not {override!r}.", field="override")
    return Author(call.caller.actor, overrides=override == "true", clients=call.caller.clients)


def check_fields(call: Call, free: AbstractSet[str]) -> None:
    """Raises 403 where a token that is bound to clients sets a field that is not `free`: it could reach another
    client's secrets, documents or number through it."""
    beyond = sorted(call.body.model_fields_set - free)
    if call.caller.clients is not None and beyond:
        message = f"The token {call.caller.name!r} is bound to clients and may not set {beyond[0]}."
        raise ApiError(403, "forbidden", message, field=beyond[0])
