"""Which commit the manifests are of."""

from __future__ import annotations

import subprocess


def manifests_commit() -> str | None:
    """The commit of the manifests, None outside a checkout."""
    try:
        asked = subprocess.run(
            ["git", "rev-parse", "HEAD"],  # noqa: S607 - the user's own git
            capture_output=True,
            text=True,
            check=False,
            timeout=5,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return asked.stdout.strip() or None
