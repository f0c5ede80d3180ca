"""Who changes an object by hand, and whether they override the manifest that declares it."""

from __future__ import annotations

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
    return Author(call.caller.name, overrides=override == "true")
