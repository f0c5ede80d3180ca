"""Where fetched files lie while their turn is answered: a bounded folder, and few turns at once that fill it.

    a turn with files ──► one of AT_ONCE slots ──► room for all its files ──► fetched, read ──► engine ──► removed
                          until they are read      then for what they take

Room for all files of a turn is taken at once, and the slot is not held while the model thinks: so no turn waits for
another that waits for it. Each process has a folder of its own below the one of the setting, with a lock that ends with
the process: what a crashed one left is removed at the next start, and what a living one has is not.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import shutil
import tempfile
from collections import deque
from pathlib import Path
from types import TracebackType
from typing import Final

import structlog

AT_ONCE: Final = 8
"""Number of turns whose files are fetched and read concurrently."""
FOLDER_BYTES: Final = 256 * 1024 * 1024
FILE_BYTES: Final = 16 * 1024 * 1024
"""Of one file, at most: WhatsApp's and Twilio's limit."""
TURN_BYTES: Final = 2 * FILE_BYTES
"""Of one turn's files together. OpenAI takes 50 MB in one request, where each byte is sent as four thirds."""
PREFIX: Final = "horizonai-media-"
LOCK: Final = "lock"

log = structlog.get_logger("runtime.media")


class MediaFolder:
    """The folder of this process."""

    def __init__(self, parent: Path | None, limit: int = FOLDER_BYTES) -> None:
        """`parent`: the folder of the setting; the system's for temporary files without one."""
        self._parent = parent or Path(tempfile.gettempdir())
        self._own: Path | None = None
        self._lock: int | None = None
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._room = _FreeBytes(limit)
        self._files = 0

    def turn(self) -> TurnFiles:
        """The files of one attempt at a turn: a context manager, which takes nothing until `begin`."""
        return TurnFiles(self, self._slots, self._room)

    def new_file(self) -> Path:
        """A name that no file has yet, in the folder."""
        if self._own is None:
            self._parent.mkdir(parents=True, exist_ok=True)
            self._own = Path(tempfile.mkdtemp(prefix=PREFIX, dir=self._parent))
            self._lock = os.open(self._own / LOCK, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
            fcntl.flock(self._lock, fcntl.LOCK_EX)
        self._files += 1
        return self._own / f"{self._files}"

    def remove_left(self) -> None:
        """Removes what processes left that crashed."""
        for folder in self._parent.glob(f"{PREFIX}*"):
            if folder != self._own and _is_left(folder):
                shutil.rmtree(folder, ignore_errors=True)
                log.info("media_removed", folder=folder.name)

    def close(self) -> None:
        """Removes this process's folder."""
        if self._own is not None:
            shutil.rmtree(self._own, ignore_errors=True)
            self._own = None
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


class TurnFiles:
    """The files of one attempt at a turn."""

    def __init__(self, folder: MediaFolder, slots: asyncio.Semaphore, room: _FreeBytes) -> None:
        self._folder = folder
        self._slots = slots
        self._room = room
        self._paths: list[Path] = []
        self._reserved = 0
        self._has_slot = False

    def __enter__(self) -> TurnFiles:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _at: TracebackType | None
    ) -> None:
        self.read()
        for path in self._paths:
            path.unlink(missing_ok=True)
        self._paths.clear()
        self._room.release(self._reserved)
        self._reserved = 0

    async def begin(self, files: int) -> None:
        """Waits until files may be fetched, once for all of the turn's. Nothing is held before or after."""
        if self._has_slot or self._reserved:
            return
        await self._slots.acquire()
        self._has_slot = True
        wanted = min(files * FILE_BYTES, TURN_BYTES)
        await self._room.reserve(wanted)
        self._reserved = wanted

    @property
    def left(self) -> int:
        """Bytes that the next file may have."""
        return min(FILE_BYTES, self._reserved - sum(_size(path) for path in self._paths))

    def new(self) -> Path:
        """Where the next file is to be written."""
        path = self._folder.new_file()
        self._paths.append(path)
        return path

    def read(self) -> None:
        """All files are fetched and read: others may begin, and the room that is not needed is free. May be called
        again."""
        if not self._has_slot:
            return
        self._has_slot = False
        taken = sum(_size(path) for path in self._paths)
        self._room.release(self._reserved - taken)
        self._reserved = taken
        self._slots.release()


class _FreeBytes:
    """A number of bytes, given in the order in which they are asked for."""

    def __init__(self, limit: int) -> None:
        self._free = limit
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()

    async def reserve(self, wanted: int) -> None:
        """Waits for this many bytes."""
        if not self._waiting and wanted <= self._free:
            self._free -= wanted
            return
        given: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((wanted, given))
        try:
            await given
        except asyncio.CancelledError:
            if given.done() and not given.cancelled():
                self.release(wanted)
            else:
                self._waiting.remove((wanted, given))
                self.release(0)
            raise

    def release(self, given: int) -> None:
        """Returns bytes."""
        self._free += given
        while self._waiting and self._waiting[0][0] <= self._free:
            wanted, waiting = self._waiting.popleft()
            if not waiting.done():
                self._free -= wanted
                waiting.set_result(None)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _is_left(folder: Path) -> bool:
    """Whether no process has the lock of a folder: its own has ended."""
    try:
        lock = os.open(folder / LOCK, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return False  # another process is making it
    except OSError:
        return False  # another user's
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(lock)
    return True
