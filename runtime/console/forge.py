"""Addresses of a manifest and a commit on the forge that keeps them: GitHub, GitLab, Forgejo or Gitea, as
MANIFESTS_URL names its folder there."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

GITLAB: Final = re.compile(r"(?P<repository>https?://.+?)/-/(?:blob|tree)/(?P<place>.+)")
GITHUB: Final = re.compile(r"(?P<repository>https?://[^/]+/[^/]+/[^/]+)/(?:blob|tree)/(?P<place>.+)")
FORGEJO: Final = re.compile(r"(?P<repository>https?://[^/]+/[^/]+/[^/]+)/src/branch/(?P<place>.+)")
COMMIT: Final = re.compile(r"[0-9a-f]{7,64}")


@dataclass(frozen=True, slots=True)
class Forge:
    """The folder of manifests on a forge; None: it is not set."""

    folder: str | None

    def manifest(self, source: str | None) -> str | None:
        """Where a manifest is shown. `source`: its path as the bot's row has it."""
        name = _file(source)
        return f"{self.folder}/{name}" if self.folder is not None and name else None

    def edit(self, source: str | None) -> str | None:
        """Where it is edited; None where the forge is not known."""
        name = _file(source)
        if self.folder is None or not name:
            return None
        for forge, page in ((GITLAB, "-/edit"), (GITHUB, "edit"), (FORGEJO, "_edit")):
            if found := forge.fullmatch(self.folder):
                return f"{found['repository']}/{page}/{found['place']}/{name}"
        return None

    def commit(self, sha: str | None) -> str | None:
        """Where a commit is shown."""
        if self.folder is None or sha is None or COMMIT.fullmatch(sha) is None:
            return None
        for forge, page in ((GITLAB, "-/commit"), (GITHUB, "commit"), (FORGEJO, "commit")):
            if found := forge.fullmatch(self.folder):
                return f"{found['repository']}/{page}/{sha}"
        return None


def _file(source: str | None) -> str:
    return quote((source or "").rpartition("/")[2], safe="")
