"""What a manifest declares of templates, by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reconciler.manifest import Manifest
from reconciler.model import UNKNOWN_ID, Values
from reconciler.settings import Settings
from schemas.templates import Template, friendly_name

LIVE = ("content", "sid", "submitted")
"""Keys that are Twilio's: the content's name, its SID, and whether Meta has it."""


def values(manifest: Manifest, settings: Settings) -> dict[str, Any] | None:
    """The templates; None when the client has none."""
    client = manifest.client
    if not client.templates:
        return None
    return {
        "templates": {
            name: {
                **said_of(template),
                "content": friendly_name(client.id, name, template),
                "sid": template.content_sid or UNKNOWN_ID,
                "submitted": True,
            }
            for name, template in client.templates.items()
        }
    }


def said_of(template: Template) -> dict[str, Any]:
    """A template as the manifest declares it."""
    return template.model_dump(mode="json", exclude_defaults=True)


def declared_part(value: Mapping[str, Any]) -> dict[str, Any]:
    """The same of one of `values`, or of a recorded one."""
    return {key: item for key, item in value.items() if key not in LIVE}


def template_of(value: Mapping[str, Any]) -> Template:
    """The template of one of `values`."""
    return Template.model_validate(declared_part(value))


def sids_of(values: Values) -> dict[str, str]:
    """`HX…` of each of them, by name."""
    return {name: value["sid"] for name, value in values["templates"].items()}
