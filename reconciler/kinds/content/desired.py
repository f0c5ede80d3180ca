"""What a manifest declares of contents: every shape, where its assistant may offer choices."""

from __future__ import annotations

from typing import Any

from reconciler.manifest import Manifest
from reconciler.model import UNKNOWN_ID
from reconciler.settings import Settings
from schemas.content_shapes import SHAPES


def offers_choices(manifest: Manifest) -> bool:
    """Whether the assistant may offer buttons and lists."""
    replies = manifest.client.replies
    return replies is not None and replies.buttons is True


def values(manifest: Manifest, settings: Settings) -> dict[str, Any] | None:
    """The shapes; None when the client needs none."""
    return {"contents": dict.fromkeys(SHAPES, UNKNOWN_ID)} if offers_choices(manifest) else None
