"""Pieces of work, shared with worker processes (`fork`): every processor parses a part of a large folder.

    numbers of the pieces ──► a pipe ──► each process takes the next one, until there is none
    results of a worker, as bytes ──► a pipe of its own ──► this process

Not `concurrent.futures`: its processes outlive a command that is killed, print a traceback each at Ctrl-C, and need
threads. A worker ends by itself when no piece is left; what it did not return is done again here, and meets the
same error.
"""

from __future__ import annotations

import os
import signal
import struct
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, NoReturn, TypeVar

T = TypeVar("T")

MOST_PROCESSES = 4
"""A container may show the processors of its whole host."""
MOST_PIECES = 1_000
_NUMBER = struct.Struct("!H")
"""All numbers fit into a pipe at once (64 KiB), and each is read whole."""
_HEAD = struct.Struct("!HI")
"""Before the result of a piece: its number, and the length of the result in bytes."""


def processes_for(pieces: int) -> int:
    """How many processes may share the work. Only a process without threads is forked, and on Linux only: libraries of
    macOS do not survive it."""
    if sys.platform != "linux" or threading.active_count() > 1:
        return 1
    return max(1, min(MOST_PROCESSES, len(os.sched_getaffinity(0)), pieces))


@dataclass(frozen=True, slots=True)
class _Worker:
    process_id: int
    output: int
    """What it returns is read here."""


class SharedWork(Generic[T]):
    """Workers begin at once; this process helps in `results`. To be closed, also after an error."""

    def __init__(
        self,
        work: Callable[[int], T],
        pieces: int,
        processes: int,
        *,
        packed: Callable[[int], bytes],
        unpacked: Callable[[bytes], T],
    ) -> None:
        """`work` gets the number of a piece, from 0; `packed` does the same in a worker, and `unpacked` makes the
        result of it here. `pieces` is at most MOST_PIECES; `processes` includes this one."""
        self._work = work
        self._pieces = pieces
        self._packed = packed
        self._unpacked = unpacked
        self._numbers, numbers = os.pipe()
        os.write(numbers, b"".join(map(_NUMBER.pack, range(pieces))))
        os.close(numbers)
        self._workers: list[_Worker] = []
        for _ in range(processes - 1):
            if (worker := self._started()) is not None:
                self._workers.append(worker)

    def results(self) -> list[T]:
        """The result of each piece, in the order of their numbers; raises what `work` raises."""
        done = {number: self._work(number) for number in _taken(self._numbers)}
        for worker in self._workers:
            for number, packed in _returned(worker):
                done[number] = self._unpacked(packed)
        return [done[number] if number in done else self._work(number) for number in range(self._pieces)]

    def close(self) -> None:
        """Ends the workers."""
        os.close(self._numbers)
        for worker in self._workers:
            os.close(worker.output)
            # Until it is waited for, no other process gets its number.
            os.kill(worker.process_id, signal.SIGKILL)
            os.waitpid(worker.process_id, 0)

    def _started(self) -> _Worker | None:
        """A worker; None where the system has no room for one."""
        output, into = os.pipe()
        # Ctrl-C reaches every process of a terminal; what it ends here ends the workers.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            process_id = os.fork()
            if process_id == 0:
                self._be_a_worker(into, [output, *(worker.output for worker in self._workers)])
        except OSError:
            os.close(output)
            return None
        finally:
            os.close(into)
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        return _Worker(process_id, output)

    def _be_a_worker(self, into: int, others: Sequence[int]) -> NoReturn:
        """Works, and ends without what a process does at its end: buffers and files are the first process's."""
        try:
            # A worker cannot return anything, and ends, when the first process has ended.
            for other in others:
                os.close(other)
            done = [(number, self._packed(number)) for number in _taken(self._numbers)]
            with open(into, "wb") as stream:
                for number, packed in done:
                    stream.write(_HEAD.pack(number, len(packed)) + packed)
        finally:
            os._exit(0)


def _taken(numbers: int) -> Iterator[int]:
    while number := os.read(numbers, _NUMBER.size):
        yield from _NUMBER.unpack(number)


def _returned(worker: _Worker) -> Iterator[tuple[int, bytes]]:
    """The results of a worker, as many as it has returned whole."""
    with open(worker.output, "rb", closefd=False) as stream:
        while len(head := stream.read(_HEAD.size)) == _HEAD.size:
            number, length = _HEAD.unpack(head)
            if len(packed := stream.read(length)) == length:
                yield number, packed
