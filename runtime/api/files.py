"""/files/…: the bytes of files that bots may send, for a reconciler without access to the database."""

from __future__ import annotations

import re

from runtime.api.endpoint import ApiEndpoint, Call
from runtime.api.errors import ApiError, not_found
from runtime.api.uploads import received
from runtime.store import files
from runtime.store.audit import Entry, audited
from runtime.store.database.database import Database

SHA256 = re.compile(r"[0-9a-f]{64}")


class StoredFiles:
    """Handlers of /files/…"""

    def __init__(self, database: Database) -> None:
        self._database = database

    def endpoints(self) -> list[ApiEndpoint]:
        """The endpoints served."""
        one = "/files/{sha256}"
        return [
            ApiEndpoint("GET", one, "Whether a file is stored.", self.get, answer=dict[str, str | int]),
            ApiEndpoint("PUT", one, "Store a file's bytes.", self.put, status=204, takes_bytes=True),
            ApiEndpoint(
                "DELETE",
                "/files/",
                "Delete files that no bot has named for a week.",
                self.delete_unnamed,
                answer=dict[str, int],
            ),
        ]

    async def get(self, call: Call) -> object:
        """GET /files/{sha256}"""
        sha256 = hash_of(call)
        size = await self._database.read(files.size_of, sha256)
        if size is None:
            raise not_found("file", sha256)
        return {"sha256": sha256, "size": size}

    async def put(self, call: Call) -> object:
        """PUT /files/{sha256}: streamed into the store, so that no file is in memory whole."""
        file = await received(self._database, call.request, hash_of(call))
        entry = Entry("stored", "file", file.sha256)
        return await self._database.write(audited, call.caller.actor, entry, files.finish, file)

    async def delete_unnamed(self, call: Call) -> object:
        """DELETE /files/"""
        entry = Entry("deleted", "file", "unnamed")
        return {"deleted": await self._database.write(audited, call.caller.actor, entry, files.delete_unnamed)}


def hash_of(call: Call) -> str:
    """The hash in a path; raises 400."""
    sha256 = call.path["sha256"]
    if SHA256.fullmatch(sha256) is None:
        raise ApiError(400, "invalid_field", "sha256 must be 64 hex digits in lower case.", field="sha256")
    return sha256
