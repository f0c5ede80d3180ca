"""The stand-ins' state: tables of JSON objects in memory, journalled to disk.

Every change is appended to the journal with one write before the caller is answered, so everything that a client got an
answer about survives a `kill -9` of this process (not a power cut: nothing is fsynced). Opening compacts the journal.
It never knows what the objects mean.
"""

import fcntl
import json
import os
import secrets
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any

Json = dict[str, Any]
"""An object as it goes over the wire, plus keys that begin with `_`, which are the sandbox's own and are never sent."""

_EMPTY: Mapping[str, Json] = {}


def new_id(prefix: str, digits: int = 32) -> str:
    """A fresh identifier in the providers' style, for example `resp_` or `SM` followed by hex digits."""
    return prefix + secrets.token_hex(digits // 2)


def public(value: Json) -> Json:
    """The object without the sandbox's own keys."""
    return {key: item for key, item in value.items() if not key.startswith("_")}


class StorageInUseError(Exception):
    """Another process keeps its state in the folder."""


class Storage:
    """Tables of objects, each in the order of creation."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.directory = directory
        self._lock = _locked(directory)
        self._path = directory / "state.jsonl"
        self._tables: dict[str, dict[str, Json]] = {}
        self._replay()
        self._compact()
        self._journal = self._path.open("ab", buffering=0)

    def compact(self) -> None:
        """Writes the journal again, without what was changed or deleted since."""
        self._journal.close()
        self._compact()
        self._journal = self._path.open("ab", buffering=0)

    def _replay(self) -> None:
        if not self._path.exists():
            return
        with self._path.open("rb") as lines:
            for line in lines:
                if not line.endswith(b"\n"):
                    break  # the process crashed in the middle of this write, before the caller was answered
                table, key, value = json.loads(line)
                rows = self._tables.setdefault(table, {})
                if value is None:
                    rows.pop(key, None)
                else:
                    rows[key] = value

    def _compact(self) -> None:
        fresh = self._path.with_suffix(".new")
        with fresh.open("w", encoding="utf-8") as out:
            for table, rows in self._tables.items():
                for key, value in rows.items():
                    out.write(json.dumps([table, key, value]) + "\n")
        fresh.replace(self._path)

    def _append(self, table: str, key: str, value: Json | None) -> None:
        os.write(self._journal.fileno(), json.dumps([table, key, value], separators=(",", ":")).encode() + b"\n")

    def get(self, table: str, key: str) -> Json | None:
        return self._tables.get(table, _EMPTY).get(key)

    def rows(self, table: str) -> Mapping[str, Json]:
        """The live table, oldest first. Do not change it while iterating."""
        return self._tables.get(table, _EMPTY)

    def values(self, table: str) -> Iterator[Json]:
        return iter(self.rows(table).values())

    def put(self, table: str, key: str, value: Json) -> Json:
        self._append(table, key, value)
        self._tables.setdefault(table, {})[key] = value
        return value

    def delete(self, table: str, key: str) -> Json | None:
        if key not in self.rows(table):
            return None
        self._append(table, key, None)
        return self._tables[table].pop(key)

    def drop(self, table: str) -> None:
        """Deletes all objects of a table."""
        for key in list(self.rows(table)):
            self.delete(table, key)

    def blob(self, key: str) -> Path:
        """Where the bytes of a file or a medium are."""
        folder = self.directory / "blobs"
        folder.mkdir(exist_ok=True)
        return folder / key

    def clear(self) -> None:
        self._tables.clear()
        self._journal.truncate(0)
        shutil.rmtree(self.directory / "blobs", ignore_errors=True)

    def close(self) -> None:
        self._journal.close()
        self._lock.close()


def _locked(directory: Path) -> IO[str]:
    """Keeps a second sandbox out of the folder for as long as the file is open."""
    lock = (directory / "lock").open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.close()
        raise StorageInUseError(
            f"{directory} is in use by another sandbox; give this one a folder of its own"
        ) from None
    return lock
