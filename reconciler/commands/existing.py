"""Existing files in a folder into which a command writes new manifests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from reconciler.errors import ReconcileError
from reconciler.manifest import Fleet, ManifestErrors, NoManifests, load
from reconciler.manifest.defaults import FILE
from reconciler.manifest.document import parse
from reconciler.settings import load_settings


def existing_fleet(folder: Path) -> Fleet:
    """The manifests there, none in a folder that does not exist yet. Raises `ReconcileError` for invalid ones."""
    try:
        return load(folder, allow_private_endpoints=load_settings().allow_private_endpoints)
    except NoManifests:
        return Fleet(())
    except ManifestErrors as found:
        raise ReconcileError(f"{found}\n\nNothing was written: correct these files first.") from None


def existing_defaults(folder: Path) -> dict[str, Any]:
    """The values of `_defaults.yaml` there; none where there is no such file."""
    path = folder / FILE
    return parse(FILE, path.read_bytes()).value if path.is_file() else {}
