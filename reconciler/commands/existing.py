"""What is in the folder already that a command writes new manifests into."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from reconciler.errors import ReconcileError
from reconciler.manifest import Fleet, ManifestErrors, NoManifests, load
from reconciler.manifest.defaults import FILE
from reconciler.manifest.document import parse


def existing_fleet(folder: Path) -> Fleet:
    """The manifests there, none in a folder that is not there yet. Raises `ReconcileError` for wrong ones."""
    try:
        return load(folder)
    except NoManifests:
        return Fleet(())
    except ManifestErrors as found:
        raise ReconcileError(f"{found}\n\nNothing was written: correct these files first.") from None


def existing_defaults(folder: Path) -> dict[str, Any]:
    """What `_defaults.yaml` there says; nothing where there is none."""
    path = folder / FILE
    return parse(FILE, path.read_bytes()).value if path.is_file() else {}
