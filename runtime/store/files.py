"""The bytes of files that bots may send, under the SHA-256 of their content. Functions over a connection.

    new_upload ──► add_piece … ──► finish: whole, and as its hash says ──► piece
                        └── interrupted, or other bytes: never a file, deleted with what no bot names

A file is stored and read in pieces, so that none is ever in memory whole. An apply writes those that its bots name, and
deletes those that no bot has named for a week: until then a bot may return to a former version of its menu.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterator
from itertools import count
from uuid import uuid4

from sqlalchemy import Connection

from runtime.store.database.statement import Statement
from runtime.store.database.times import later, timestamp
from runtime.store.errors import FileDiffers, FileTooLarge
from schemas.media_types import MAX_FILE_BYTES

PIECE_BYTES = 256 * 1024
UNNAMED_DAYS = 7
"""How long a file is kept that no bot names."""
UPLOAD_SECONDS = 24 * 3600.0
"""An upload that began longer ago was interrupted."""

ADD_PIECE = Statement("INSERT INTO file_pieces (upload, number, content) VALUES (:upload, :number, :content)")
ADD_FILE = Statement(
    "INSERT INTO files (sha256, upload, size) VALUES (:content_hash, :upload, :size) ON CONFLICT (sha256) DO NOTHING"
)
FILE = Statement("SELECT upload FROM files WHERE sha256 = :content_hash")
SIZE = Statement("SELECT size FROM files WHERE sha256 = :content_hash")
PIECE = Statement(
    "SELECT file_pieces.content FROM files JOIN file_pieces ON file_pieces.upload = files.upload"
    " WHERE files.sha256 = :content_hash AND file_pieces.number = :number"
)
DELETE_PIECES = Statement("DELETE FROM file_pieces WHERE upload = :upload")
POLICIES = Statement("SELECT policy FROM bots WHERE policy LIKE :naming")
FILES = Statement("SELECT sha256, upload, unnamed_since FROM files ORDER BY sha256")
NAMED = Statement("UPDATE files SET unnamed_since = :since WHERE sha256 = :content_hash")
DELETE_FILE = Statement("DELETE FROM files WHERE sha256 = :content_hash")
INTERRUPTED = Statement("DELETE FROM file_pieces WHERE upload < :before AND upload NOT IN (SELECT upload FROM files)")


class Receiving:
    """A file while its bytes come in: cuts them into pieces, counts them, and hashes them."""

    def __init__(self, sha256: str) -> None:
        self.sha256 = sha256
        """As it is said to be."""
        self.upload = f"{timestamp()} {uuid4().hex}"
        self.size = 0
        self._hash = hashlib.sha256()
        self._held = bytearray()
        self._numbers = count()

    def pieces(self, received: bytes) -> Iterator[tuple[int, bytes]]:
        """Numbered pieces that are complete with these bytes; raises FileTooLarge."""
        self.size += len(received)
        if self.size > MAX_FILE_BYTES:
            raise FileTooLarge(MAX_FILE_BYTES)
        self._hash.update(received)
        self._held += received
        while len(self._held) >= PIECE_BYTES:
            yield next(self._numbers), bytes(self._held[:PIECE_BYTES])
            del self._held[:PIECE_BYTES]

    def last(self) -> Iterator[tuple[int, bytes]]:
        """The piece that is left; raises FileDiffers where the bytes are not those of the hash."""
        if self._hash.hexdigest() != self.sha256:
            raise FileDiffers(self.sha256)
        if self._held:
            yield next(self._numbers), bytes(self._held)


def add_piece(connection: Connection, upload: str, number: int, content: bytes) -> None:
    """Stores one piece of an upload."""
    ADD_PIECE.run(connection, upload=upload, number=number, content=content)


def finish(connection: Connection, received: Receiving) -> None:
    """Makes an upload a file, once all of its pieces are stored. Of two uploads of one file the first one stays."""
    if not ADD_FILE.run(connection, content_hash=received.sha256, upload=received.upload, size=received.size):
        discard(connection, received.upload)


def discard(connection: Connection, upload: str) -> None:
    """Deletes the pieces of an upload."""
    DELETE_PIECES.run(connection, upload=upload)


def size_of(connection: Connection, sha256: str) -> int | None:
    """A file's size in bytes; None when it is not stored."""
    found = SIZE.first(connection, content_hash=sha256)
    return None if found is None else int(found[0])


def piece(connection: Connection, sha256: str, number: int) -> bytes | None:
    """A piece of a file, PIECE_BYTES long but for the last; None when it is not stored any more."""
    found = PIECE.first(connection, content_hash=sha256, number=number)
    return None if found is None else bytes(found[0])


def delete_unnamed(connection: Connection) -> int:
    """Deletes files that no bot has named for UNNAMED_DAYS, and interrupted uploads; returns the number of files."""
    now, named, deleted = timestamp(), _named(connection), 0
    oldest = timestamp(time.time() - UNNAMED_DAYS * 86_400)
    for sha256, upload, since in FILES.rows(connection):
        if sha256 in named:
            if since is not None:
                NAMED.run(connection, content_hash=sha256, since=None)
        elif since is None or since > later(now, 1):
            NAMED.run(connection, content_hash=sha256, since=now)
        elif since <= oldest:
            DELETE_FILE.run(connection, content_hash=sha256)
            discard(connection, upload)
            deleted += 1
    INTERRUPTED.run(connection, before=timestamp(time.time() - UPLOAD_SECONDS))
    return deleted


def delete_unless_named(connection: Connection, sha256: str) -> None:
    """Deletes a file that no bot's policy names now."""
    row = FILE.first(connection, content_hash=sha256)
    if row is not None and sha256 not in _named(connection):
        DELETE_FILE.run(connection, content_hash=sha256)
        discard(connection, row[0])


def _named(connection: Connection) -> set[str]:
    """The hashes that bots' policies name."""
    policies = (json.loads(policy) for (policy,) in POLICIES.rows(connection, naming='%"files"%'))
    return {
        str(file.get("sha256"))
        for policy in policies
        for file in (policy.get("files") or {}).values()
        if isinstance(file, dict)
    }
