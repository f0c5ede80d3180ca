"""`_defaults.yaml`: what every client has unless its own manifest sets it.

Mappings are merged key by key; lists and single values replace the default; null in a manifest removes it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from reconciler.manifest.document import YamlDocument
from reconciler.manifest.explain import explain, relevant
from reconciler.manifest.shape import follow
from schemas import OWN_KEYS, Client

FILE = "_defaults.yaml"

FILLER: Mapping[str, Any] = {
    "id": "filler",
    "name": "filler",
    "number": "+56912345678",
    "assistant": {"model": "filler", "instructions": "filler"},
}
"""A placeholder client where only a part of one is checked."""


def merge(defaults: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """The client's values over the defaults; neither argument is changed."""
    merged = dict(defaults)
    for key, value in own.items():
        default = defaults.get(key)
        if value is None and key in defaults:
            del merged[key]
        elif isinstance(value, Mapping) and isinstance(default, Mapping):
            merged[key] = merge(default, value)
        else:
            merged[key] = value
    return merged


def merge_client(defaults: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """As `merge`, for a whole client. Its tests are merged by name; one in a file is replaced, or replaces, as a whole:
    a file has all of a case."""
    merged = merge(defaults, own)
    inherited, given = defaults.get("tests"), own.get("tests")
    if isinstance(inherited, Mapping) and isinstance(given, Mapping):
        for name, case in given.items():
            default = inherited.get(name)
            if isinstance(case, Mapping) and isinstance(default, Mapping) and ("file" in case or "file" in default):
                merged["tests"][name] = case
    return merged


def check_defaults(document: YamlDocument) -> None:
    """Adds the document's problems as defaults, and removes values that cannot be defaults."""
    for key in OWN_KEYS:
        if key in document.value:
            message = f"{key}: belongs to one client, it cannot have a default"
            document.report(document.place((key,), key=True), message, "Move it into the client's own manifest.")
            del document.value[key]
    try:
        Client.model_validate(merge(FILLER, document.value))
    except ValidationError as invalid:
        for error in relevant(invalid.errors(include_url=False)):
            spot = follow(error["loc"])
            # Keys that the defaults leave out may be in the clients' files.
            if error["type"] != "missing" and document.find(spot.loc)[1] is not None:
                place = document.place(spot.loc, key=error["type"] == "extra_forbidden")
                document.report(place, *explain(error, spot, document.written(spot.loc)))
